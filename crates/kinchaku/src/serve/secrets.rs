//! Secrets come from files. A sandbox makes its own at the first start; an operator names theirs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use web::jose::SigningKey;
use web::{Chance, Secret, chance};

/// What a secret of the Standard Webhooks specification begins with.
const WEBHOOK_PREFIX: &str = "whsec_";

/// The secret in the file at `path`, which must not be empty.
pub fn read(path: &Path) -> Result<Secret<String>, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("the secret {}: {error}", path.display()))?;
    match text.trim() {
        "" => Err(format!("the secret {} is empty", path.display())),
        text => Ok(Secret::new(text.to_owned())),
    }
}

/// The secret in the variable `name` of the environment, which must not be empty.
pub fn read_variable(name: &str) -> Result<Secret<String>, String> {
    match std::env::var(name).as_deref().map(str::trim) {
        Ok("") | Err(_) => Err(format!("the secret in the variable {name} is missing")),
        Ok(text) => Ok(Secret::new(text.to_owned())),
    }
}

/// The signing key in the file at `path`, a private JWK.
pub fn read_key(path: &Path) -> Result<SigningKey, String> {
    let text = read(path)?;
    let value = serde_json::from_str(text.expose()).map_err(|_| format!("the key {} is no JSON", path.display()))?;
    SigningKey::parse_private_jwk(&value).map_err(|error| format!("the key {}: {error}", path.display()))
}

/// The sandbox's own secrets: a directory of files, each made when it is first asked for. Processes that run parts of one
/// sandbox share the directory.
pub struct Made<'a> {
    directory: PathBuf,
    chance: &'a dyn Chance,
}

impl<'a> Made<'a> {
    /// Those in `directory`.
    pub fn open(directory: PathBuf, chance: &'a dyn Chance) -> Result<Self, String> {
        fs::create_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
        Ok(Self { directory, chance })
    }

    /// A bearer token.
    pub fn token(&self, name: &str) -> Result<Secret<String>, String> {
        self.get(name, || chance::token(self.chance).expose().clone())
    }

    /// A secret that messages are signed with.
    pub fn webhook(&self, name: &str) -> Result<Secret<String>, String> {
        self.get(name, || {
            let mut bytes = [0; 32];
            self.chance.fill(&mut bytes);
            format!("{WEBHOOK_PREFIX}{}", STANDARD.encode(bytes))
        })
    }

    /// A signing key.
    pub fn key(&self, name: &str) -> Result<SigningKey, String> {
        self.get(name, || SigningKey::generate_eddsa(self.chance).to_private_jwk().to_string())?;
        read_key(&self.path(name))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn get(&self, name: &str, make: impl FnOnce() -> String) -> Result<Secret<String>, String> {
        let path = self.path(name);
        let beside = path.with_extension(format!("{}.new", std::process::id()));
        if !path.exists() {
            // Written beside and linked: of two processes one wins, and nobody reads half a secret.
            write_once(&beside, &make())
                .and_then(|()| match fs::hard_link(&beside, &path) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                    linked => linked,
                })
                .and_then(|()| fs::remove_file(&beside))
                .map_err(|error| format!("the secret {}: {error}", path.display()))?;
        }
        read(&path)
    }
}

fn write_once(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::{Made, read};
    use std::os::unix::fs::PermissionsExt;
    use web::MachineChance;

    #[test]
    fn a_secret_is_made_once_and_nobody_else_can_read_its_file() {
        let directory = tempfile::tempdir().expect("a directory for the test");
        let made = Made::open(directory.path().join("secrets"), &MachineChance).expect("it opens");
        let first = made.webhook("bank-0125").expect("it is made");
        assert!(first.is(made.webhook("bank-0125").expect("it is read").expose()));
        assert!(first.expose().starts_with("whsec_") && !first.is(made.webhook("bank-0001").expect("made").expose()));
        assert_eq!(made.key("client").expect("made").public(), made.key("client").expect("read").public());
        for entry in std::fs::read_dir(directory.path().join("secrets")).expect("it is there") {
            let entry = entry.expect("it can be read");
            assert_eq!(entry.metadata().expect("it can be looked at").permissions().mode() & 0o077, 0, "{entry:?}");
        }
    }

    #[test]
    fn a_secret_that_is_missing_or_empty_is_named_by_its_file() {
        let file = tempfile::NamedTempFile::new().expect("a file for the test");
        assert!(read(file.path()).expect_err("it is empty").contains("is empty"));
        let missing = read(std::path::Path::new("/nowhere/desk.token")).expect_err("it is missing");
        assert!(missing.contains("/nowhere/desk.token"));
    }
}
