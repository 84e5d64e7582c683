//! Words that must not be committed. They are written here in halves, or this file would break its own rules.

use super::Violation;
use super::code::{attributes, code_of, words};
use super::tree::{File, Tree};

/// Macros that stand for work not done, or for a look while debugging.
const MACROS: &[&str] = &["todo!", "unimplemented!", "dbg!"];

/// Notes to oneself: an open end is an entry in the tracker, not a comment.
const NOTES: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

/// What lies beside the repository and not in it.
const OUTSIDE: &str = concat!("../", "shared");

/// Nothing is left for later.
pub fn unfinished(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in tree.files.iter().filter(|file| is_source(file)) {
        for (line, word) in words(&file.text).filter(|(_, word)| NOTES.contains(word)) {
            violations.push(Violation::new(&file.path, line, format!("`{word}`: do it, or write down what and when")));
        }
        if !file.is_rust() {
            continue;
        }
        for (index, line) in code_of(&file.text).lines().enumerate() {
            for call in MACROS.iter().filter(|call| calls(line, call)) {
                violations.push(Violation::new(&file.path, index + 1, format!("`{call}`: finish it or take it out")));
            }
        }
    }
    violations
}

fn is_source(file: &File) -> bool {
    ["", "css", "html", "js", "rs", "sh", "sql", "toml"].contains(&file.extension())
}

fn calls(line: &str, call: &str) -> bool {
    line.match_indices(call).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        !before.is_some_and(|before| before.is_alphanumeric() || before == '_')
    })
}

/// Tests are not skipped; a lint is not silenced, its exception is expected and says why.
pub fn exceptions(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in tree.files.iter().filter(|file| file.is_rust()) {
        for attribute in attributes(&code_of(&file.text)) {
            let has = |wanted: &str| words(&attribute.content).any(|(_, word)| word == wanted);
            let message = if has("ignore") {
                "`ignore`: a test that does not run proves nothing; make it quick, or make it a step of ci"
            } else if calls(&attribute.content, "allow(") {
                "`allow`: write `expect(lint, reason = \"…\")`, which says why and ends when it is needed no more"
            } else if calls(&attribute.content, "expect(") && !has("reason") {
                "`expect` without a reason: add `reason = \"…\"`"
            } else {
                continue;
            };
            violations.push(Violation::new(&file.path, attribute.line, message));
        }
    }
    violations
}

/// Nothing refers to what a reader of the repository cannot see.
pub fn outside(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in &tree.files {
        for (index, line) in file.text.lines().enumerate().filter(|(_, line)| line.contains(OUTSIDE)) {
            let message = format!("`{}`: say it here instead, the reader cannot follow", line.trim());
            violations.push(Violation::new(&file.path, index + 1, message));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    #[test]
    fn what_is_unfinished_is_found() {
        check(unfinished, &[("a.rs", "//! A todo!() in words.\nfn my_todo() { not_dbg!(\"dbg!\") }")], &[]);
        for call in MACROS {
            check(unfinished, &[("a.rs", &format!("\nfn f() {{ {call}() }}"))], &[&format!("a.rs:2: `{call}`")]);
        }
        for note in NOTES {
            check(unfinished, &[("a.rs", &format!("//! A.\n// {note}: later"))], &[&format!("a.rs:2: `{note}`")]);
            check(unfinished, &[("a.sql", &format!("-- {note}"))], &[&format!("a.sql:1: `{note}`")]);
        }
    }

    #[test]
    fn a_skipped_test_and_a_silenced_lint_are_found() {
        let good = "#![expect(one, reason = \"two\")]\n#[test]\nfn f() { g().expect(\"#[allow(three)]\") }";
        check(exceptions, &[("a.rs", good)], &[]);
        check(exceptions, &[("a.rs", "#[test]\n#[ignore = \"slow\"]")], &["a.rs:2: `ignore`"]);
        check(exceptions, &[("a.rs", "#[cfg_attr(miri, ignore)]")], &["a.rs:1: `ignore`"]);
        check(exceptions, &[("a.rs", "#![allow(one)]")], &["a.rs:1: `allow`"]);
        check(exceptions, &[("a.rs", "#[cfg_attr(test,\n allow(one, reason = \"two\"))]")], &["a.rs:1: `allow`"]);
        check(exceptions, &[("a.rs", "#[expect(one)]")], &["a.rs:1: `expect` without"]);
    }

    #[test]
    fn a_path_out_of_the_repository_is_found() {
        check(outside, &[("docs/a.md", "See the shared page.")], &[]);
        check(outside, &[("docs/a.md", &format!("\nSee {OUTSIDE}/page.md."))], &["docs/a.md:2: "]);
    }
}
