//! Vocabularies: a domain's number grows with every variant that may be stored, so that an older program sees, before it opens
//! anything, that a journal may say what it cannot read.
//!
//! The number is how many variants there are of the enums that can be read back. Variants are only ever added, so a number
//! that was never seen before is always a larger one; and whoever adds one is told the number here.

use super::Violation;
use super::tree::{File, Tree};

/// The file that has a domain's number, and where the enums are that it counts.
const DOMAINS: &[(&str, &[&str])] = &[
    ("crates/ledger/src/ledger.rs", &["crates/ledger/src/"]),
    ("crates/wallet/src/wallets.rs", &["crates/wallet/src/", "crates/ledger/src/"]),
    ("crates/gateway/src/domain/gateways.rs", &["crates/gateway/src/domain/", "crates/ledger/src/"]),
    ("crates/sandbox/src/domain/mod.rs", &["crates/sandbox/src/domain/", "crates/ledger/src/"]),
];
/// How the line begins that has the number.
const NUMBER: &str = "    const VOCABULARY: u32 = ";

/// Every domain's number is how many variants it may store.
pub fn vocabularies(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, folders) in DOMAINS {
        let Some(file) = tree.file(path) else { continue };
        let is_counted = |file: &&File| {
            let is_there = folders.iter().any(|folder| file.path.starts_with(folder));
            is_there && file.is_rust() && !file.path.contains("/tests")
        };
        let counted = tree.files.iter().filter(is_counted);
        let variants: usize = counted.map(|file| variants(&file.text)).sum();
        let found =
            file.text.lines().enumerate().find_map(|(index, line)| Some((index + 1, line.strip_prefix(NUMBER)?)));
        let (line, number) = found.unwrap_or((1, "none;"));
        if number != format!("{variants};") {
            let message = format!("there are {variants} variants that may be stored: set VOCABULARY to that");
            violations.push(Violation::new(path, line, message));
        }
    }
    violations
}

/// How many variants the enums of a source text have that can be read back, as rustfmt writes them.
fn variants(text: &str) -> usize {
    let (mut count, mut derives, mut is_in_enum, mut is_in_derive) = (0, false, false, false);
    for line in text.lines() {
        if line.starts_with("#[derive(") || is_in_derive {
            derives |= line.contains("Deserialize");
            is_in_derive = !line.ends_with(")]");
        } else if is_in_enum {
            is_in_enum = line != "}";
            let name = line.strip_prefix("    ").unwrap_or_default();
            count += usize::from(name.starts_with(|first: char| first.is_ascii_uppercase()));
        } else if let Some(visible) = line.strip_suffix('{').filter(|line| !line.starts_with([' ', '/'])) {
            is_in_enum = derives && visible.split_whitespace().any(|word| word == "enum");
            derives = false;
        } else if line.ends_with(';') {
            derives = false;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    const LEDGER: &str = "crates/ledger/src/ledger.rs";

    #[test]
    fn a_variant_that_the_number_does_not_count_is_found() {
        let event = "#[derive(Clone, Deserialize)]\n/// What happened.\npub enum Event {\n    /// It was opened.\n    Opened,\n    \
                     Posted {\n        Field: u8,\n    },\n}\n";
        let number = |count: usize| format!("impl Domain for Ledger {{\n    const VOCABULARY: u32 = {count};\n}}\n");
        let there = |ledger: &str, event: &str, expected: &[&str]| {
            check(vocabularies, &[(LEDGER, ledger), ("crates/ledger/src/event.rs", event)], expected);
        };
        there(&number(2), event, &[]);
        let wrong = [format!("{LEDGER}:2: there are 3 variants")];
        there(
            &number(2),
            &event.replace("    Opened,", "    Opened,\n    Shut,"),
            &wrong.each_ref().map(String::as_str),
        );
        there("impl Domain for Ledger {\n}\n", event, &[&format!("{LEDGER}:1: there are 2 variants")]);
    }

    #[test]
    fn only_what_can_be_read_back_counts() {
        assert_eq!(variants("#[derive(Clone)]\npub enum Command {\n    Open,\n}\n"), 0);
        assert_eq!(variants("#[derive(\n    Clone,\n    Deserialize,\n)]\nenum Step {\n    Hold,\n    Post,\n}\n"), 2);
        assert_eq!(variants("#[derive(Deserialize)]\npub struct One(u8);\n\npub enum Other {\n    Not,\n}\n"), 0);
        assert_eq!(
            variants("#[derive(Deserialize)]\npub struct One {\n    Field: u8,\n}\npub enum Other {\n    Not,\n}\n"),
            0
        );
    }
}
