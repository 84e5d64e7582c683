//! The crates of the house and the arrows between them, read from each manifest.

use super::Violation;
use super::tree::{File, Tree};
use toml::Table;

/// A crate under `crates/`, and which of its neighbours it may depend on.
pub struct Crate {
    /// The folder's and the package's name.
    pub name: &'static str,
    /// Knows no clock, no randomness, no async, no database, no HTTP.
    pub pure: bool,
    /// The crates it may use.
    uses: &'static [&'static str],
    /// The crates that its tests may use as well.
    uses_in_tests: &'static [&'static str],
}

/// Every crate, lowest first. An arrow that is not here is a decision to be written down in docs/decisions first.
pub const CRATES: &[Crate] = &[
    Crate { name: "domain", pure: true, uses: &[], uses_in_tests: &[] },
    Crate { name: "ledger", pure: true, uses: &["domain"], uses_in_tests: &[] },
    Crate { name: "wallet", pure: true, uses: &["domain", "ledger"], uses_in_tests: &[] },
    Crate { name: "engine", pure: false, uses: &["domain"], uses_in_tests: &["ledger", "wallet"] },
    Crate { name: "web", pure: false, uses: &["domain", "engine"], uses_in_tests: &[] },
    Crate { name: "server", pure: false, uses: &["domain", "ledger", "wallet", "engine", "web"], uses_in_tests: &[] },
    Crate { name: "gateway", pure: false, uses: &["domain", "ledger", "engine", "web"], uses_in_tests: &[] },
    Crate { name: "sandbox", pure: false, uses: &["domain", "ledger", "engine", "web"], uses_in_tests: &[] },
    Crate {
        name: "drill",
        pure: false,
        uses: &["domain", "ledger", "wallet", "engine", "web", "server", "gateway", "sandbox"],
        uses_in_tests: &[],
    },
    Crate {
        name: "kinchaku",
        pure: false,
        uses: &["domain", "ledger", "wallet", "engine", "web", "server", "gateway", "sandbox", "drill"],
        uses_in_tests: &[],
    },
    Crate { name: "xtask", pure: false, uses: &[], uses_in_tests: &[] },
];

/// The sections of a manifest that list dependencies, and whether they serve tests only.
const SECTIONS: &[(&str, bool)] = &[("dependencies", false), ("build-dependencies", false), ("dev-dependencies", true)];

/// A dependency that a manifest lists.
pub struct Dependency {
    /// The package's name, also where the manifest renames it.
    pub name: String,
    /// Only tests see it.
    pub only_tests: bool,
    /// The line that lists it.
    pub line: usize,
}

/// The manifests of the crates, with the crate's folder name.
pub fn manifests(tree: &Tree) -> impl Iterator<Item = (&str, &File)> {
    tree.files.iter().filter_map(|file| match file.in_crate() {
        Some((name, "Cargo.toml")) => Some((name, file)),
        Some(_) => None,
        None => (file.path == "xtask/Cargo.toml").then_some(("xtask", file)),
    })
}

/// The dependencies that `manifest` lists, those of single targets too.
pub fn dependencies(manifest: &File) -> Vec<Dependency> {
    let Ok(table) = manifest.text.parse::<Table>() else { return Vec::new() };
    let targets = table.get("target").and_then(|targets| targets.as_table());
    let of_targets = targets.into_iter().flat_map(|targets| targets.values()).filter_map(|target| target.as_table());
    let mut dependencies = Vec::new();
    for place in std::iter::once(&table).chain(of_targets) {
        for &(section, only_tests) in SECTIONS {
            for (key, value) in place.get(section).and_then(|listed| listed.as_table()).into_iter().flatten() {
                let package = value.get("package").and_then(|package| package.as_str());
                let name = package.unwrap_or(key).to_owned();
                dependencies.push(Dependency { name, only_tests, line: line_of(&manifest.text, section, key) });
            }
        }
    }
    dependencies
}

/// The line of `key` in a section whose title ends in `section`; 1 if the manifest writes it in some other way.
fn line_of(text: &str, section: &str, key: &str) -> usize {
    let mut inside = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(title) = line.strip_prefix('[') {
            let title = title.trim_end_matches(']');
            inside = title == section || title.ends_with(&format!(".{section}"));
            if title.ends_with(&format!("{section}.{key}")) {
                return index + 1;
            }
        }
        let rest = line.strip_prefix(key);
        if inside && rest.is_some_and(|rest| rest.starts_with([' ', '.', '='])) {
            return index + 1;
        }
    }
    1
}

/// Arrows point down only.
pub fn arrows(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (name, manifest) in manifests(tree) {
        let Some(of_house) = CRATES.iter().find(|of_house| of_house.name == name) else {
            let message = format!("`{name}` is new here: enter it and its arrows in xtask/src/tidy/arrows.rs");
            violations.push(Violation::new(&manifest.path, 1, message));
            continue;
        };
        for dependency in dependencies(manifest) {
            let target = dependency.name.as_str();
            let is_ours = CRATES.iter().any(|other| other.name == target);
            let is_drawn =
                of_house.uses.contains(&target) || (dependency.only_tests && of_house.uses_in_tests.contains(&target));
            if is_ours && !is_drawn {
                let message = format!("`{name}` must not depend on `{target}`: turn the arrow round, or move the code");
                violations.push(Violation::new(&manifest.path, dependency.line, message));
            }
        }
    }
    violations
}

/// Every manifest is readable and takes its lints from the workspace.
pub fn lints(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (_, manifest) in manifests(tree) {
        let table = manifest.text.parse::<Table>();
        let lints = table.as_ref().ok().and_then(|table| table.get("lints"));
        let keeps = lints.and_then(|lints| lints.get("workspace")).and_then(toml::Value::as_bool) == Some(true);
        match &table {
            Err(error) => violations.push(Violation::new(&manifest.path, 1, format!("not a manifest: {error}"))),
            Ok(_) if !keeps => {
                violations.push(Violation::new(&manifest.path, 1, "add `[lints]` with `workspace = true`"));
            }
            Ok(_) => {}
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    fn check_arrow(name: &str, manifest: &str, expected: &[&str]) {
        check(arrows, &[(&format!("crates/{name}/Cargo.toml"), manifest)], expected);
    }

    #[test]
    fn arrows_point_down() {
        check_arrow("wallet", "[dependencies]\nserde = \"1\"\nledger.workspace = true", &[]);
        check_arrow("engine", "[dev-dependencies]\nwallet.workspace = true", &[]);
    }

    #[test]
    fn an_arrow_up_is_found_however_it_is_written() {
        let expected = |line: usize| format!("crates/engine/Cargo.toml:{line}: `engine` must not depend on `wallet`");
        check_arrow("engine", "[dependencies]\nserde = \"1\"\nwallet.workspace = true", &[&expected(3)]);
        check_arrow("engine", "[dependencies]\nwallet = { path = \"../wallet\" }", &[&expected(2)]);
        check_arrow("engine", "\n[dependencies.wallet]\npath = \"../wallet\"", &[&expected(2)]);
        check_arrow("engine", "[dependencies]\npurse = { package = \"wallet\", path = \"x\" }", &[&expected(2)]);
        check_arrow("engine", "[build-dependencies]\nwallet = \"0.1\"", &[&expected(2)]);
        check_arrow("engine", "[target.'cfg(unix)'.dependencies]\nwallet = \"0.1\"", &[&expected(2)]);
        let xtask = [("xtask/Cargo.toml", "[dependencies]\nledger.workspace = true")];
        check(arrows, &xtask, &["xtask/Cargo.toml:2: `xtask` must not depend on `ledger`"]);
    }

    #[test]
    fn what_tests_may_use_the_crate_may_not() {
        check_arrow("ledger", "[dev-dependencies]\nwallet = \"0.1\"", &["crates/ledger/Cargo.toml:2: `ledger` must"]);
    }

    #[test]
    fn an_unknown_crate_is_asked_for_its_arrows() {
        check_arrow("surprise", "[package]\nname = \"surprise\"", &["crates/surprise/Cargo.toml:1: `surprise` is new"]);
    }

    #[test]
    fn a_crate_without_the_lints_is_found() {
        check(lints, &[("crates/ledger/Cargo.toml", "[lints]\nworkspace = true")], &[]);
        check(lints, &[("crates/ledger/Cargo.toml", "[package]")], &["crates/ledger/Cargo.toml:1: add `[lints]`"]);
        check(lints, &[("crates/ledger/Cargo.toml", "[package")], &["crates/ledger/Cargo.toml:1: not a manifest"]);
    }
}
