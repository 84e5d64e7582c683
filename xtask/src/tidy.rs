//! Tidy: the house rules, checked.
//!
//! A rule is a function from the [`Tree`] to its [`Violation`]s, with tests of its own that show it a bad example: a check
//! that cannot fail is none. The rules look at text; what a compiler can see is clippy's part. Start at [`RULES`].

mod arrows;
mod code;
mod files;
mod migrations;
mod purity;
mod tree;
mod vocabulary;
mod words;

use std::fmt;
use std::path::Path;
use tree::Tree;

/// A rule: what it says, and the function that finds what breaks it.
struct Rule {
    says: &'static str,
    violations: fn(&Tree) -> Vec<Violation>,
}

/// Every house rule.
const RULES: &[Rule] = &[
    Rule { says: "dependencies between crates point down only", violations: arrows::arrows },
    Rule { says: "every crate keeps the workspace's lints", violations: arrows::lints },
    Rule { says: "pure crates depend on little", violations: purity::dependencies },
    Rule { says: "pure crates name no clock, chance, float, file or network", violations: purity::words },
    Rule { says: "pure crates turn on the strict lints", violations: purity::strict_lints },
    Rule { says: "a file says what lives in it", violations: files::headers },
    Rule { says: "a file is a room, not a hall", violations: files::lengths },
    Rule { says: "no large file is tracked", violations: files::sizes },
    Rule { says: "one integration test binary a crate", violations: files::test_binaries },
    Rule { says: "nothing is left unfinished", violations: words::unfinished },
    Rule { says: "an exception to a lint has a reason", violations: words::exceptions },
    Rule { says: "nothing points outside the repository", violations: words::outside },
    Rule { says: "a migration is never edited", violations: migrations::migrations },
    Rule { says: "a domain's vocabulary grows with what it may store", violations: vocabulary::vocabularies },
];

/// A place that breaks a rule, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
struct Violation {
    path: String,
    line: usize,
    message: String,
}

impl Violation {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// Checks every rule over the tree at `root` and prints what breaks them.
pub fn run(root: &Path) -> Result<(), String> {
    let tree = Tree::read(root)?;
    let mut count = 0;
    for rule in RULES {
        let violations = (rule.violations)(&tree);
        if !violations.is_empty() {
            println!("{}:", rule.says);
        }
        for violation in &violations {
            println!("  {violation}");
        }
        count += violations.len();
    }
    if count > 0 {
        return Err(format!("{count} violations of the house rules"));
    }
    println!("tidy: {} rules over {} files", RULES.len(), tree.files.len());
    Ok(())
}

/// Adds the migrations that the lock does not list yet.
pub fn lock_migrations(root: &Path) -> Result<(), String> {
    let tree = Tree::read(root)?;
    let path = root.join(migrations::LOCK);
    std::fs::write(&path, migrations::lock(&tree)).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs `violations` over `files` and compares `path:line: the message's beginning` of each finding.
    pub(super) fn check(violations: fn(&Tree) -> Vec<Violation>, files: &[(&str, &str)], expected: &[&str]) {
        let found: Vec<String> = violations(&Tree::of(files)).iter().map(ToString::to_string).collect();
        let as_expected = found.len() == expected.len()
            && found.iter().zip(expected).all(|(found, expected)| found.starts_with(expected));
        assert!(as_expected, "found {found:#?}\nexpected {expected:#?}");
    }

    #[test]
    fn the_house_is_tidy() {
        if let Err(message) = run(&crate::root()) {
            panic!("{message}: run `cargo xtask tidy`");
        }
    }
}
