//! The pure crates: what they may depend on, what they may not name, and the lints they must turn on.

use super::Violation;
use super::arrows::{self, CRATES};
use super::code::{attributes, code_of, enclosed, words as words_of};
use super::tree::{File, Tree};

/// What a pure crate may depend on, beside the crates below it.
const DEPENDENCIES: &[&str] = &["jiff", "postcard", "serde", "smallvec"];

/// What its tests may use as well.
const DEPENDENCIES_OF_TESTS: &[&str] = &["insta", "proptest", "serde_json"];

/// Words that bring a clock, chance, floats or waiting into a pure crate.
const WORDS: &[(&str, &str)] = &[
    ("SystemTime", "the time is an argument"),
    ("Instant", "the time is an argument"),
    ("rand", "chance is an argument"),
    ("f32", "no float comes near money: count in whole units"),
    ("f64", "no float comes near money: count in whole units"),
    ("async", "decide and evolve wait for nothing"),
];

/// Parts of the standard library that reach outside.
const MODULES_OF_STD: &[&str] = &["env", "fs", "io", "net", "process", "thread"];

/// Calls that read a clock through a library that is allowed.
const CALLS: &[&str] = &["Timestamp::now", "Zoned::now"];

/// Lints that the workspace cannot turn on for some crates only: the crate's first file does.
const STRICT_LINTS: &[&str] =
    &["arithmetic_side_effects", "as_conversions", "float_arithmetic", "indexing_slicing", "wildcard_enum_match_arm"];

/// Folders that are pure in a crate that as a whole is not: a service's rules.
const FOLDERS: &[(&str, &str)] = &[("gateway", "src/domain/")];

fn is_pure(name: &str) -> bool {
    CRATES.iter().any(|of_house| of_house.pure && of_house.name == name)
}

fn is_in_pure(name: &str, path: &str) -> bool {
    is_pure(name) || FOLDERS.iter().any(|(of, folder)| *of == name && path.starts_with(folder))
}

/// Whether `path` is where a pure crate or folder turns on its lints.
fn is_first(name: &str, path: &str) -> bool {
    let is_first_of = |(of, folder): &(&str, &str)| *of == name && path == format!("{folder}mod.rs");
    (is_pure(name) && path == "src/lib.rs") || FOLDERS.iter().any(is_first_of)
}

fn pure_sources(tree: &Tree) -> impl Iterator<Item = &File> {
    tree.files
        .iter()
        .filter(|file| file.is_rust() && file.in_crate().is_some_and(|(name, path)| is_in_pure(name, path)))
}

/// A pure crate depends on nothing that reaches outside.
pub fn dependencies(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (name, manifest) in arrows::manifests(tree).filter(|(name, _)| is_pure(name)) {
        for dependency in arrows::dependencies(manifest) {
            let target = dependency.name.as_str();
            let is_ours = CRATES.iter().any(|of_house| of_house.name == target);
            let is_allowed =
                DEPENDENCIES.contains(&target) || (dependency.only_tests && DEPENDENCIES_OF_TESTS.contains(&target));
            if !is_ours && !is_allowed {
                let message = format!("`{name}` is pure and must not use `{target}`: do it in a crate above");
                violations.push(Violation::new(&manifest.path, dependency.line, message));
            }
        }
    }
    violations
}

/// A pure crate's code names nothing that makes two runs differ.
pub fn words(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in pure_sources(tree) {
        let code = code_of(&file.text);
        for (line, word) in words_of(&code) {
            if let Some((_, why)) = WORDS.iter().find(|(banned, _)| *banned == word) {
                violations.push(Violation::new(&file.path, line, format!("a pure crate names `{word}`: {why}")));
            }
        }
        for call in CALLS {
            for (start, _) in code.match_indices(call) {
                let message = format!("a pure crate calls `{call}`: the time is an argument");
                violations.push(Violation::new(&file.path, line_at(&code, start), message));
            }
        }
        for (start, _) in code.match_indices("std::") {
            for module in modules_named(&code[start + "std::".len()..]) {
                let message = format!("a pure crate names `std::{module}`: do it in a crate above");
                violations.push(Violation::new(&file.path, line_at(&code, start), message));
            }
        }
    }
    violations
}

/// The forbidden modules that a path or a list of imports after `std::` names.
fn modules_named(after: &str) -> Vec<&'static str> {
    let path_end = after.find(|character: char| !character.is_alphanumeric() && character != '_');
    let named =
        after.strip_prefix('{').map_or(&after[..path_end.unwrap_or(after.len())], |list| enclosed(list, '{', '}'));
    MODULES_OF_STD.iter().copied().filter(|module| words_of(named).any(|(_, word)| word == *module)).collect()
}

fn line_at(code: &str, start: usize) -> usize {
    code[..start].matches('\n').count() + 1
}

/// A pure crate's `lib.rs` turns on the lints that guard arithmetic and matches.
pub fn strict_lints(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in pure_sources(tree).filter(|file| file.in_crate().is_some_and(|(name, path)| is_first(name, path))) {
        let attributes = attributes(&code_of(&file.text));
        let is_on = |lint: &str| {
            attributes.iter().any(|attribute| {
                let level = attribute.content.split('(').next().unwrap_or_default().trim();
                let raises = attribute.is_inner && ["warn", "deny", "forbid"].contains(&level);
                raises && words_of(&attribute.content).any(|(_, word)| word == lint)
            })
        };
        let missing: Vec<String> =
            STRICT_LINTS.iter().filter(|lint| !is_on(lint)).map(|lint| format!("clippy::{lint}")).collect();
        if !missing.is_empty() {
            let message = format!("add `#![warn({})]` below the header", missing.join(", "));
            violations.push(Violation::new(&file.path, 1, message));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    #[test]
    fn a_dependency_that_reaches_outside_is_found() {
        let path = "crates/ledger/Cargo.toml";
        check(dependencies, &[(path, "[dependencies]\nserde = \"1\"\n[dev-dependencies]\nproptest = \"1\"")], &[]);
        check(
            dependencies,
            &[(path, "[dependencies]\nproptest = \"1\"\n[dev-dependencies]\nuuid = \"1\"")],
            &[
                "crates/ledger/Cargo.toml:2: `ledger` is pure and must not use `proptest`",
                "crates/ledger/Cargo.toml:4: `ledger` is pure and must not use `uuid`",
            ],
        );
        check(dependencies, &[("crates/engine/Cargo.toml", "[dependencies]\nuuid = \"1\"")], &[]);
    }

    #[test]
    fn a_services_rules_are_pure_and_the_rest_of_it_is_not() {
        let names_a_clock = "//! Rules.\nuse std::time::SystemTime;";
        let expected = ["crates/gateway/src/domain/bank.rs:2: a pure crate names `SystemTime`"];
        check(words, &[("crates/gateway/src/domain/bank.rs", names_a_clock)], &expected);
        check(words, &[("crates/gateway/src/gateway.rs", names_a_clock)], &[]);
        let expected = ["crates/gateway/src/domain/mod.rs:1: add `#![warn("];
        check(strict_lints, &[("crates/gateway/src/domain/mod.rs", "//! Rules.")], &expected);
    }

    fn check_words(text: &str, expected: &[&str]) {
        check(words, &[("crates/wallet/src/top_up.rs", text)], expected);
        check(words, &[("crates/engine/src/lib.rs", text)], &[]);
    }

    #[test]
    fn what_makes_runs_differ_is_found() {
        let at = |line: usize, word: &str| format!("crates/wallet/src/top_up.rs:{line}: a pure crate names `{word}`");
        check_words("//! Not an f64, no rand.\nfn operand(instant: Time) {}", &[]);
        check_words("use std::time::Duration;\nuse std::{fmt, iter};\nfn fs() {}", &[]);
        for (word, _) in WORDS {
            check_words(&format!("\nfn f() {{ {word} }}"), &[&at(2, word)]);
        }
        check_words("use std::time::{Duration, Instant};", &[&at(1, "Instant")]);
        check_words("\nasync fn f() {}", &[&at(2, "async")]);
        check_words("let file = std::fs::read(path);", &[&at(1, "std::fs")]);
        check_words("fn f() {}\nuse std::{\n    fmt,\n    net::{TcpStream, UdpSocket},\n};", &[&at(2, "std::net")]);
        check_words("let now =\n jiff::Timestamp::now();", &["crates/wallet/src/top_up.rs:2: a pure crate calls"]);
    }

    #[test]
    fn a_pure_crate_without_a_strict_lint_is_found() {
        let all: Vec<String> = STRICT_LINTS.iter().map(|lint| format!("clippy::{lint}")).collect();
        let path = "crates/domain/src/lib.rs";
        check(strict_lints, &[(path, &format!("//! A.\n#![warn({})]", all.join(",\n")))], &[]);
        let expected = "crates/domain/src/lib.rs:1: add `#![warn(clippy::wildcard_enum_match_arm)]`";
        check(strict_lints, &[(path, &format!("//! A.\n#![deny({})]", all[..4].join(", ")))], &[expected]);
        check(strict_lints, &[(path, &format!("//! #![warn({})]", all.join(", ")))], &["crates/domain/src/lib.rs:1: "]);
        check(strict_lints, &[(path, &format!("#![allow({})]", all.join(", ")))], &["crates/domain/src/lib.rs:1: "]);
        check(strict_lints, &[("crates/engine/src/lib.rs", "//! Not pure.")], &[]);
    }
}
