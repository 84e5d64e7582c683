//! Rules on whole files: headers, lengths, sizes, and how many integration test binaries a crate has.

use super::Violation;
use super::tree::Tree;
use std::collections::{BTreeMap, BTreeSet};

const LINES_MAX: usize = 600;
const BYTES_MAX: u64 = 1 << 20;

/// Files that may be longer than [`LINES_MAX`], each with the length it has now: it may shrink, not grow.
const LONG_FILES: &[(&str, usize)] = &[];

/// Every Rust file starts with a header.
pub fn headers(tree: &Tree) -> Vec<Violation> {
    let headless = tree.files.iter().filter(|file| file.is_rust() && !file.text.starts_with("//!"));
    let message = "start the file with `//!`: what lives here, what must not, where to start reading";
    headless.map(|file| Violation::new(&file.path, 1, message)).collect()
}

/// No Rust file is longer than a room, but for those whose length is written down, and they only shrink.
pub fn lengths(tree: &Tree) -> Vec<Violation> {
    lengths_but_for(tree, LONG_FILES)
}

fn lengths_but_for(tree: &Tree, long_files: &[(&str, usize)]) -> Vec<Violation> {
    let table = "LONG_FILES in xtask/src/tidy/files.rs";
    let mut violations = Vec::new();
    for file in tree.files.iter().filter(|file| file.is_rust()) {
        let lines = file.text.lines().count();
        let allowed = long_files.iter().find(|(path, _)| *path == file.path).map(|(_, allowed)| *allowed);
        let message = match allowed {
            None if lines > LINES_MAX => {
                format!("{lines} lines, and {LINES_MAX} are allowed: find the second noun and give it a file")
            }
            Some(allowed) if lines > allowed => {
                format!("{lines} lines, and it had {allowed}: move something out, do not raise the number")
            }
            Some(_) if lines <= LINES_MAX => format!("{lines} lines: take it out of {table}"),
            Some(allowed) if lines < allowed => format!("{lines} lines: lower its number in {table}"),
            None | Some(_) => continue,
        };
        violations.push(Violation::new(&file.path, lines, message));
    }
    for (path, _) in long_files.iter().filter(|(path, _)| tree.file(path).is_none()) {
        violations.push(Violation::new(path, 1, format!("the file is gone: take it out of {table}")));
    }
    violations
}

/// No file is so large that it burdens every clone.
pub fn sizes(tree: &Tree) -> Vec<Violation> {
    let large = tree.files.iter().filter(|file| file.bytes > BYTES_MAX);
    large
        .map(|file| {
            let message = format!("{} bytes, and {BYTES_MAX} are allowed: generate it, or ignore it", file.bytes);
            Violation::new(&file.path, 1, message)
        })
        .collect()
}

/// A crate's `tests` folder holds one file or one folder: each would be linked and run as a binary of its own.
pub fn test_binaries(tree: &Tree) -> Vec<Violation> {
    let mut entries_of: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for file in &tree.files {
        if let Some((name, path)) = file.in_crate()
            && let Some(path) = path.strip_prefix("tests/")
        {
            entries_of.entry(name).or_default().insert(path.split('/').next().unwrap_or(path));
        }
    }
    let several = entries_of.into_iter().filter(|(_, entries)| entries.len() > 1);
    several
        .map(|(name, entries)| {
            let entries = entries.into_iter().collect::<Vec<_>>().join(", ");
            let message = format!("holds {entries}: make them modules of one test binary, in one folder");
            Violation::new(&format!("crates/{name}/tests"), 1, message)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    #[test]
    fn a_file_without_a_header_is_found() {
        check(headers, &[("crates/wallet/src/send.rs", "//! Sends.\n"), ("docs/page.md", "Text")], &[]);
        check(headers, &[("crates/wallet/src/send.rs", "// Sends.\n//! ")], &["crates/wallet/src/send.rs:1: start"]);
        check(headers, &[("xtask/src/x.rs", "")], &["xtask/src/x.rs:1: start"]);
    }

    fn check_length(lines: usize, long_files: &[(&str, usize)], expected: &[&str]) {
        let tree = Tree::of(&[("a.rs", &"line\n".repeat(lines))]);
        let found: Vec<String> = lengths_but_for(&tree, long_files).into_iter().map(|found| found.message).collect();
        assert_eq!(found.len(), expected.len(), "{found:?}");
        assert!(found.iter().zip(expected).all(|(found, part)| found.contains(part)), "{found:?}");
    }

    #[test]
    fn a_long_file_may_shrink_and_not_grow() {
        check_length(600, &[], &[]);
        check_length(601, &[], &["find the second noun"]);
        check_length(700, &[("a.rs", 700)], &[]);
        check_length(701, &[("a.rs", 700)], &["do not raise"]);
        check_length(699, &[("a.rs", 700)], &["lower its number"]);
        check_length(600, &[("a.rs", 700)], &["take it out"]);
        check_length(1, &[("b.rs", 700)], &["is gone"]);
        check(lengths, &[("a.rs", &"line\n".repeat(601))], &["a.rs:601: 601 lines"]);
    }

    #[test]
    fn a_large_file_is_found() {
        check(sizes, &[("data.json", &"x".repeat(1 << 20))], &[]);
        check(sizes, &[("data.json", &"x".repeat((1 << 20) + 1))], &["data.json:1: 1048577 bytes"]);
    }

    #[test]
    fn a_second_test_binary_is_found() {
        let one = [("crates/wallet/tests/flows/main.rs", ""), ("crates/wallet/tests/flows/send.rs", "")];
        check(test_binaries, &one, &[]);
        let two = [("crates/wallet/tests/pay.rs", ""), ("crates/wallet/tests/send.rs", "")];
        check(test_binaries, &two, &["crates/wallet/tests:1: holds pay.rs, send.rs"]);
    }
}
