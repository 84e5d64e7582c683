//! Migrations: once released, never edited. The lock holds each one's hash.

use super::Violation;
use super::tree::{File, Tree};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The lock: one line a migration, its path and the SHA-256 of its bytes.
pub const LOCK: &str = "docs/migrations.lock";

/// Every migration is in the lock, with the hash it had when it was locked.
pub fn migrations(tree: &Tree) -> Vec<Violation> {
    let locked = locked(tree);
    let mut violations = Vec::new();
    for file in migrations_of(tree) {
        let message = match locked.get(file.path.as_str()) {
            None => "a new migration: `cargo xtask tidy --lock-migrations` adds it to the lock",
            Some((_, hash)) if *hash != hash_of(file) => {
                "a locked migration was edited: restore it and write a new one that follows it \
                 (before its first release its line may be deleted from the lock by hand)"
            }
            Some(_) => continue,
        };
        violations.push(Violation::new(&file.path, 1, message));
    }
    for (path, (line, _)) in locked.iter().filter(|(path, _)| tree.file(path).is_none()) {
        violations.push(Violation::new(LOCK, *line, format!("{path} is gone: restore it, databases need it")));
    }
    violations
}

/// The lock with what is new added; a line that is there stays as it is.
pub fn lock(tree: &Tree) -> String {
    let locked = locked(tree);
    let is_new = |file: &&File| !locked.contains_key(file.path.as_str());
    let old = tree.file(LOCK).map_or("", |file| file.text.as_str()).lines().map(str::to_owned);
    let new = migrations_of(tree).filter(is_new).map(|file| format!("{} {}", file.path, hash_of(file)));
    old.chain(new).flat_map(|line| [line, "\n".to_owned()]).collect()
}

fn migrations_of(tree: &Tree) -> impl Iterator<Item = &File> {
    let is_migration = |file: &&File| {
        file.extension() == "sql" && (file.path.starts_with("migrations/") || file.path.contains("/migrations/"))
    };
    tree.files.iter().filter(is_migration)
}

/// Path → line in the lock, and hash.
fn locked(tree: &Tree) -> BTreeMap<&str, (usize, &str)> {
    let text = tree.file(LOCK).map_or("", |file| file.text.as_str());
    let lines = text.lines().enumerate();
    lines
        .filter_map(|(index, line)| {
            let (path, hash) = line.split_once(' ')?;
            Some((path, (index + 1, hash.trim())))
        })
        .collect()
}

fn hash_of(file: &File) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(file.text.as_bytes()) {
        write!(text, "{byte:02x}").expect("a string takes all that is written");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    const ONE: &str = "crates/engine/src/sqlite/migrations/0001.sql";
    const TWO: &str = "crates/engine/src/sqlite/migrations/0002.sql";
    /// `printf 'abc' | sha256sum`
    const HASH_OF_ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn an_edited_a_new_and_a_lost_migration_are_found() {
        let line = format!("{ONE} {HASH_OF_ABC}\n");
        check(migrations, &[(ONE, "abc"), (LOCK, &line)], &[]);
        check(migrations, &[(ONE, "abcd"), (LOCK, &line)], &[&format!("{ONE}:1: a locked migration was edited")]);
        check(migrations, &[(ONE, "abc"), (TWO, ""), (LOCK, &line)], &[&format!("{TWO}:1: a new migration")]);
        check(migrations, &[(LOCK, &line)], &[&format!("{LOCK}:1: {ONE} is gone")]);
        check(migrations, &[("docs/query.sql", "abc")], &[]);
    }

    #[test]
    fn locking_adds_and_changes_nothing_else() {
        let old = format!("{ONE} 0000\n");
        let tree = Tree::of(&[(ONE, "edited"), (TWO, "abc"), (LOCK, &old)]);
        assert_eq!(lock(&tree), format!("{old}{TWO} {HASH_OF_ABC}\n"));
        assert_eq!(lock(&Tree::of(&[(TWO, "abc")])), format!("{TWO} {HASH_OF_ABC}\n"));
    }
}
