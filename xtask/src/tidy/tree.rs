//! The repository's files as the rules see them: paths from the root, sizes, texts. What git ignores is not there.

use std::fs;
use std::path::Path;

/// A file larger than this holds no text that the rules would read.
const TEXT_BYTES_MAX: u64 = 4 << 20;

/// One file.
pub struct File {
    /// From the root, with `/`.
    pub path: String,
    /// The size in bytes.
    pub bytes: u64,
    /// The content; empty where it is not UTF-8 text.
    pub text: String,
}

impl File {
    /// Whether this is Rust source.
    pub fn is_rust(&self) -> bool {
        self.extension() == "rs"
    }

    /// What follows the last dot of the file's name, or nothing.
    pub fn extension(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name.rsplit_once('.').map_or("", |(_, extension)| extension)
    }

    /// The crate's name, if the file lies in `crates/NAME/`, and the path inside it.
    pub fn in_crate(&self) -> Option<(&str, &str)> {
        self.path.strip_prefix("crates/")?.split_once('/')
    }
}

/// All files, sorted by path.
pub struct Tree {
    /// The files.
    pub files: Vec<File>,
}

impl Tree {
    /// Reads the tree at `root`, without what the root's `.gitignore` names.
    pub fn read(root: &Path) -> Result<Self, String> {
        let ignore = fs::read_to_string(root.join(".gitignore")).unwrap_or_default();
        let ignored: Vec<&str> = ignore.lines().filter_map(|line| line.trim().strip_prefix('/')).collect();
        let mut files = Vec::new();
        read_folder(root, "", &ignored, &mut files)?;
        files.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(Self { files })
    }

    /// The file at `path`.
    pub fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// A tree made of `(path, text)`, for the rules' own tests.
    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Self {
        let file = |&(path, text): &(&str, &str)| File {
            path: path.to_owned(),
            bytes: u64::try_from(text.len()).unwrap(),
            text: text.to_owned(),
        };
        Self { files: files.iter().map(file).collect() }
    }
}

fn read_folder(folder: &Path, prefix: &str, ignored: &[&str], files: &mut Vec<File>) -> Result<(), String> {
    let cannot = |error| format!("cannot read {}: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if path == ".git" || ignored.contains(&path.trim_end_matches('/')) {
            continue;
        }
        let kind = entry.file_type().map_err(cannot)?;
        if kind.is_dir() {
            read_folder(&entry.path(), &format!("{path}/"), ignored, files)?;
        } else if kind.is_file() {
            files.push(read_file(&entry.path(), path)?);
        }
    }
    Ok(())
}

fn read_file(place: &Path, path: String) -> Result<File, String> {
    let cannot = |error| format!("cannot read {}: {error}", place.display());
    let bytes = fs::metadata(place).map_err(cannot)?.len();
    let content = if bytes > TEXT_BYTES_MAX { Vec::new() } else { fs::read(place).map_err(cannot)? };
    Ok(File { path, bytes, text: String::from_utf8(content).unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_read_without_what_git_ignores() {
        let tree = Tree::read(&crate::root()).expect("the repository can be read");
        assert!(tree.file("xtask/src/tidy/tree.rs").is_some());
        assert!(tree.file(".ci/run").is_some_and(|file| file.text.starts_with("#!") && file.extension().is_empty()));
        assert!(!tree.files.iter().any(|file| file.path.starts_with("target/") || file.path.starts_with(".git/")));
    }

    #[test]
    fn a_file_knows_its_crate() {
        let tree = Tree::of(&[("crates/ledger/src/yen.rs", ""), ("README.md", "")]);
        let crates: Vec<_> = tree.files.iter().map(File::in_crate).collect();
        assert_eq!(crates, [Some(("ledger", "src/yen.rs")), None]);
    }
}
