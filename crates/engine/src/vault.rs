//! The vault: personal data leaves the outer shell sealed, so that events, rows and replies hold ciphertext alone.
//!
//! Each person has a data key of their own, wrapped with a master key that lies in a file outside the database. What is
//! sealed is bound to its person: it opens for nobody else. Erasing a person destroys the data key; what was sealed stays
//! where it is, in the journal too, and nobody can open it any more, while the chain over the stored bytes stays whole.
//! Values that must be found again (an address, an account number) are looked up by a keyed hash.
//!
//! Under another master key every look-up would begin from nothing: an account could be linked twice, a limit would start
//! anew. So the vault keeps a proof of its key; it opens under that one alone, and a key is made for a new vault only.
//! The pure core never comes here. Start reading at [`Vault::seal`].

use crate::anchor::{load_secret, make_secret};
use crate::sqlite::{VAULT, migrate_vault, open_vault};
use crate::store::StoreError;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use domain::Id;
use rusqlite::{Connection, OptionalExtension, params};
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::path::Path;

/// The format of what is sealed: XChaCha20-Poly1305.
const FORMAT: u8 = 1;
const NONCE_BYTES: usize = 24;
/// The longest plaintext: a name, an address, a contact; documents are kept elsewhere.
pub const PLAINTEXT_BYTES_MAX: usize = 64 * 1_024;

/// Keys of persons that are kept ready in memory; when there are so many, all of them go.
const KEYS_READY_MAX: usize = 4_096;

/// Where chance comes from: it fills the bytes.
pub type Chance = Box<dyn FnMut(&mut [u8]) + Send>;

/// The vault's file and keys.
pub struct Vault {
    connection: Connection,
    master: XChaCha20Poly1305,
    look_up: [u8; 32],
    chance: Chance,
    /// Keys that were unwrapped lately, of persons who are neither erased nor forgotten. Nobody else writes the file.
    ready: RefCell<HashMap<Id, XChaCha20Poly1305>>,
}

/// Why the vault could not do it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VaultError {
    /// The person was erased: there is no key any more, and will be none.
    Erased,
    /// No data of this person was ever sealed here.
    Unknown,
    /// The bytes are not what was sealed for this person, or the master key is another one.
    Sealed,
    /// The plaintext is longer than [`PLAINTEXT_BYTES_MAX`].
    TooLong,
    /// The vault's file or key file fails.
    Store(StoreError),
}

impl fmt::Display for VaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Erased => f.write_str("the person's data was erased"),
            Self::Unknown => f.write_str("nothing was sealed for this person"),
            Self::Sealed => f.write_str(
                "this does not open: it was sealed for somebody else, changed, or the master key is another one",
            ),
            Self::TooLong => write!(f, "the data is longer than {PLAINTEXT_BYTES_MAX} bytes"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for VaultError {}

impl From<rusqlite::Error> for VaultError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(crate::sqlite::classify("the vault", &error))
    }
}

impl Vault {
    /// Opens `vault.sqlite` in `directory` under the master key in the file `master_key`. Makes the vault if it is missing,
    /// and the key if nothing was ever kept under one; refuses any other key than the vault's. A refusal has written nothing.
    pub fn open(directory: &Path, master_key: &Path, mut chance: Chance) -> Result<Self, VaultError> {
        let path = directory.join(VAULT.file);
        let mut connection = open_vault(&path).map_err(VaultError::Store)?;
        let kept = Kept::read(&connection)?;
        let failed =
            |error| VaultError::Store(StoreError::Unavailable(format!("master key {}: {error}", master_key.display())));
        let refused = |what: &str| {
            let text = format!(
                "the master key {} {what} {} was made under: put the file back that belongs to this data; nothing was written",
                master_key.display(),
                path.display()
            );
            VaultError::Store(StoreError::Damaged(text))
        };
        let secret = match load_secret(master_key).map_err(failed)? {
            Some(secret) => secret,
            None if kept.is_new => make_secret(master_key, &mut chance).map_err(failed)?,
            None => return Err(refused("is missing, which")),
        };
        let wrapping = blake3::derive_key("kinchaku vault 1: wraps the keys of persons", &secret);
        let look_up = blake3::derive_key("kinchaku vault 1: looks values up", &secret);
        let proof = blake3::derive_key("kinchaku vault 1: proves which key it is", &secret);
        let master = XChaCha20Poly1305::new(&wrapping.into());
        let is_right = match (&kept.proof, &kept.wrapped) {
            (Some(kept), _) => *kept == proof,
            (None, Some((person, wrapped))) => decrypt(&master, *person, wrapped).is_ok(),
            (None, None) => true,
        };
        if !is_right {
            return Err(refused("is another one than that which"));
        }
        migrate_vault(&mut connection).map_err(VaultError::Store)?;
        if kept.proof.is_none() {
            connection.execute("INSERT INTO master_key (one, proof) VALUES (1, ?)", [proof])?;
        }
        Ok(Self { connection, master, look_up, chance, ready: RefCell::default() })
    }

    /// Seals `plaintext` for `person`, whose key is made at the first time.
    pub fn seal(&mut self, person: Id, plaintext: &[u8]) -> Result<Vec<u8>, VaultError> {
        if plaintext.len() > PLAINTEXT_BYTES_MAX {
            return Err(VaultError::TooLong);
        }
        let key = match self.key(person) {
            Err(VaultError::Unknown) => self.make_key(person)?,
            result => result?,
        };
        self.encrypt(&key, person, plaintext)
    }

    /// Opens what was sealed for `person`.
    pub fn unseal(&self, person: Id, sealed: &[u8]) -> Result<Vec<u8>, VaultError> {
        decrypt(&self.key(person)?, person, sealed)
    }

    /// Destroys the key of `person`: nothing that was sealed opens again, here or in any copy of the journal. A backup of
    /// the vault that is older than this still has the key; it must go with its own retention.
    pub fn erase(&mut self, person: Id) -> Result<(), VaultError> {
        let sql = "INSERT INTO person (id, key) VALUES (?, NULL) ON CONFLICT (id) DO UPDATE SET key = NULL";
        self.ready.get_mut().remove(&person);
        self.connection.execute(sql, [person.0])?;
        Ok(())
    }

    /// Removes the key of `person` as if there had never been one: for whom nothing that was sealed is kept anywhere. Whoever
    /// has something in the journal is erased instead, so that no second key is ever made for them.
    pub fn forget(&mut self, person: Id) -> Result<(), VaultError> {
        self.ready.get_mut().remove(&person);
        self.connection.execute("DELETE FROM person WHERE id = ?", [person.0])?;
        Ok(())
    }

    /// The keyed hash by which `value` is found again; `purpose` keeps kinds of values apart.
    pub fn look_up(&self, purpose: &str, value: &[u8]) -> Id {
        let mut hasher = blake3::Hasher::new_keyed(&self.look_up);
        hasher.update(purpose.as_bytes());
        hasher.update(&[0]);
        hasher.update(value);
        let mut id = [0; 16];
        hasher.finalize_xof().fill(&mut id);
        Id(id)
    }

    fn key(&self, person: Id) -> Result<XChaCha20Poly1305, VaultError> {
        if let Some(key) = self.ready.borrow().get(&person) {
            return Ok(key.clone());
        }
        let wrapped: Option<Option<Vec<u8>>> = self
            .connection
            .prepare_cached("SELECT key FROM person WHERE id = ?")?
            .query_row([person.0], |row| row.get(0))
            .optional()?;
        let wrapped = wrapped.ok_or(VaultError::Unknown)?.ok_or(VaultError::Erased)?;
        let key: [u8; 32] = decrypt(&self.master, person, &wrapped)?.try_into().map_err(|_| VaultError::Sealed)?;
        let key = XChaCha20Poly1305::new(&key.into());
        let mut ready = self.ready.borrow_mut();
        if ready.len() >= KEYS_READY_MAX {
            ready.clear();
        }
        ready.insert(person, key.clone());
        Ok(key)
    }

    fn make_key(&mut self, person: Id) -> Result<XChaCha20Poly1305, VaultError> {
        let mut key = [0; 32];
        (self.chance)(&mut key);
        let master = self.master.clone();
        let wrapped = self.encrypt(&master, person, &key)?;
        self.connection.execute("INSERT INTO person (id, key) VALUES (?, ?)", params![person.0, wrapped])?;
        Ok(XChaCha20Poly1305::new(&key.into()))
    }

    fn encrypt(&mut self, key: &XChaCha20Poly1305, person: Id, plaintext: &[u8]) -> Result<Vec<u8>, VaultError> {
        let mut nonce = [0; NONCE_BYTES];
        (self.chance)(&mut nonce);
        let payload = Payload { msg: plaintext, aad: &person.0 };
        let ciphertext = key.encrypt(&XNonce::from(nonce), payload).map_err(|_| VaultError::TooLong)?;
        let mut sealed = Vec::with_capacity(1 + NONCE_BYTES + ciphertext.len());
        sealed.push(FORMAT);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&ciphertext);
        Ok(sealed)
    }
}

/// What a vault says of the key that it was made under, before anything is written to it.
struct Kept {
    /// Nothing was ever kept here.
    is_new: bool,
    proof: Option<[u8; 32]>,
    /// Somebody's wrapped key: what proves the master key of a vault from before proofs were kept.
    wrapped: Option<(Id, Vec<u8>)>,
}

impl Kept {
    fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version == 0 {
            return Ok(Self { is_new: true, proof: None, wrapped: None });
        }
        let proof = if version == 1 {
            None
        } else {
            connection.query_row("SELECT proof FROM master_key", [], |row| row.get(0)).optional()?
        };
        let has_persons: bool = connection.query_row("SELECT EXISTS (SELECT 1 FROM person)", [], |row| row.get(0))?;
        let wrapped = connection
            .query_row("SELECT id, key FROM person WHERE key IS NOT NULL LIMIT 1", [], |row| {
                Ok((Id(row.get(0)?), row.get(1)?))
            })
            .optional()?;
        Ok(Self { is_new: proof.is_none() && !has_persons, proof, wrapped })
    }
}

fn decrypt(key: &XChaCha20Poly1305, person: Id, sealed: &[u8]) -> Result<Vec<u8>, VaultError> {
    let (format, rest) = sealed.split_first().ok_or(VaultError::Sealed)?;
    let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(VaultError::Sealed)?;
    if *format != FORMAT {
        return Err(VaultError::Sealed);
    }
    let payload = Payload { msg: ciphertext, aad: &person.0 };
    key.decrypt(&XNonce::from(*nonce), payload).map_err(|_| VaultError::Sealed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use tempfile::TempDir;

    const HANAKO: Id = Id::from_number(1);
    const TARO: Id = Id::from_number(2);

    fn chance(seed: u64) -> Chance {
        let mut stream = blake3::Hasher::new().update(&seed.to_be_bytes()).finalize_xof();
        Box::new(move |bytes| stream.fill(bytes))
    }

    fn open(directory: &TempDir, seed: u64) -> Vault {
        Vault::open(directory.path(), &directory.path().join("master.key"), chance(seed)).expect("the vault opens")
    }

    #[test]
    fn what_is_sealed_opens_for_its_person_alone() {
        let directory = tempfile::tempdir().expect("a directory for the test");
        let mut vault = open(&directory, 1);
        let name = "カブシキ ハナコ".as_bytes();
        let sealed = vault.seal(HANAKO, name).expect("it is sealed");
        vault.seal(TARO, b"").expect("it is sealed");
        assert!(!sealed.windows(4).any(|part| part == &name[..4]), "nothing of the plaintext shows");
        assert_ne!(vault.seal(HANAKO, name).expect("it is sealed"), sealed, "the same value looks different each time");
        drop(vault);
        let vault = open(&directory, 2);
        assert_eq!(vault.unseal(HANAKO, &sealed).as_deref(), Ok(name));
        assert_eq!(vault.unseal(TARO, &sealed), Err(VaultError::Sealed));
        assert_eq!(vault.unseal(Id::from_number(3), &sealed), Err(VaultError::Unknown));
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert_eq!(vault.unseal(HANAKO, &changed), Err(VaultError::Sealed), "byte {index}");
            assert_eq!(vault.unseal(HANAKO, &sealed[..index]), Err(VaultError::Sealed), "cut to {index} bytes");
        }
    }

    #[test]
    fn an_erased_person_stays_erased() {
        let directory = tempfile::tempdir().expect("a directory for the test");
        let mut vault = open(&directory, 1);
        let sealed = vault.seal(HANAKO, b"090-0000-0000").expect("it is sealed");
        let wrapped: Vec<u8> = vault
            .connection
            .query_row("SELECT key FROM person WHERE id = ?", [HANAKO.0], |row| row.get(0))
            .expect("the wrapped key is there");
        assert!(vault.unseal(HANAKO, &sealed).is_ok());
        vault.erase(HANAKO).expect("it is erased");
        assert_eq!(vault.unseal(HANAKO, &sealed), Err(VaultError::Erased), "also of who had the key ready");
        vault.erase(TARO).expect("somebody unknown is erased too");
        drop(vault);
        let file = fs::read(directory.path().join(VAULT.file)).expect("the vault's file is read");
        assert!(!file.windows(wrapped.len()).any(|part| part == wrapped), "the key is overwritten in the file");
        let mut vault = open(&directory, 2);
        assert_eq!(vault.unseal(HANAKO, &sealed), Err(VaultError::Erased));
        assert_eq!(vault.seal(HANAKO, b"again"), Err(VaultError::Erased));
        assert_eq!(vault.seal(TARO, b"again"), Err(VaultError::Erased));
    }

    #[test]
    fn a_forgotten_person_leaves_no_row_and_may_come_anew() {
        let directory = tempfile::tempdir().expect("a directory for the test");
        let mut vault = open(&directory, 1);
        let sealed = vault.seal(HANAKO, b"090-0000-0000").expect("it is sealed");
        let other = vault.seal(TARO, b"090-0000-0001").expect("it is sealed");
        assert!(vault.unseal(HANAKO, &sealed).is_ok());
        vault.forget(HANAKO).expect("she is forgotten");
        assert_eq!(vault.unseal(HANAKO, &sealed), Err(VaultError::Unknown));
        let rows: i64 =
            vault.connection.query_row("SELECT count(*) FROM person", [], |row| row.get(0)).expect("rows are counted");
        assert_eq!(rows, 1, "nothing of her is left");
        assert_eq!(vault.unseal(TARO, &other).as_deref(), Ok(&b"090-0000-0001"[..]));
        vault.seal(HANAKO, b"again").expect("she comes anew");
        assert_eq!(vault.unseal(HANAKO, &sealed), Err(VaultError::Sealed), "under another key");
    }

    #[test]
    fn look_ups_are_keyed() {
        let directory = tempfile::tempdir().expect("a directory for the test");
        let other = tempfile::tempdir().expect("a directory for the test");
        let (vault, stranger) = (open(&directory, 1), open(&other, 2));
        let id = vault.look_up("mail", b"hanako@example.jp");
        assert_eq!(id, open(&directory, 3).look_up("mail", b"hanako@example.jp"));
        assert_ne!(id, vault.look_up("phone", b"hanako@example.jp"));
        assert_ne!(id, stranger.look_up("mail", b"hanako@example.jp"));
    }

    #[test]
    fn bounds_and_broken_keys_are_refused() {
        let directory = tempfile::tempdir().expect("a directory for the test");
        let mut vault = open(&directory, 1);
        assert_eq!(vault.seal(HANAKO, &vec![0; PLAINTEXT_BYTES_MAX + 1]), Err(VaultError::TooLong));
        let short = directory.path().join("short.key");
        fs::write(&short, "short").expect("the file is written");
        let refused = Vault::open(directory.path(), &short, chance(1)).err();
        assert!(
            matches!(refused, Some(VaultError::Store(StoreError::Unavailable(what))) if what.contains("a key has 32"))
        );
        let sealed = vault.seal(HANAKO, b"data").expect("it is sealed");
        let stranger = tempfile::tempdir().expect("a directory for the test");
        let mut stranger = open(&stranger, 9);
        stranger.seal(HANAKO, b"data").expect("it is sealed");
        assert_eq!(stranger.unseal(HANAKO, &sealed), Err(VaultError::Sealed));
    }

    /// Opens the vault under the key in `key`, sees it refused, and sees that nothing was written.
    fn check_refused(directory: &TempDir, key: &Path, words: &str) {
        let file = directory.path().join(VAULT.file);
        let (before, had_key) = (fs::read(&file).expect("the vault is read"), key.exists());
        match Vault::open(directory.path(), key, chance(9)).err() {
            Some(VaultError::Store(StoreError::Damaged(what))) => assert!(what.contains(words), "{what}"),
            other => panic!("another key is refused, not {other:?}"),
        }
        assert!(before == fs::read(&file).expect("the vault is read"), "nothing was written");
        assert_eq!(key.exists(), had_key, "no key was made");
    }

    #[test]
    fn a_vault_opens_under_its_own_key_alone() {
        let directory = tempfile::tempdir().expect("a directory for the test");
        let key = directory.path().join("master.key");
        let other = directory.path().join("other.key");
        fs::write(&other, [7; 32]).expect("another key is written");
        // What look-ups found hangs on the key from the first start on, before anybody's data is there.
        let mail = open(&directory, 1).look_up("mail", b"hanako@example.jp");
        check_refused(&directory, &other, "is another one");
        check_refused(&directory, &directory.path().join("missing.key"), "is missing");
        open(&directory, 1).seal(HANAKO, b"data").expect("it is sealed");
        check_refused(&directory, &other, "is another one");
        fs::rename(&key, directory.path().join("kept")).expect("the key is taken away");
        check_refused(&directory, &key, "put the file back");
        fs::rename(directory.path().join("kept"), &key).expect("the key is put back");
        assert_eq!(open(&directory, 2).look_up("mail", b"hanako@example.jp"), mail);
    }

    #[test]
    fn a_vault_from_before_proofs_were_kept_knows_its_key_by_a_person() {
        let directory = tempfile::tempdir().expect("a directory for the test");
        let other = directory.path().join("other.key");
        fs::write(&other, [7; 32]).expect("another key is written");
        open(&directory, 1).seal(HANAKO, b"data").expect("it is sealed");
        let older = || {
            let connection = Connection::open(directory.path().join(VAULT.file)).expect("the vault opens");
            connection.execute_batch("DROP TABLE master_key; PRAGMA user_version = 1").expect("it is put back");
        };
        older();
        check_refused(&directory, &other, "is another one");
        check_refused(&directory, &directory.path().join("missing.key"), "is missing");
        let mut vault = open(&directory, 2);
        vault.erase(HANAKO).expect("it is erased");
        drop(vault);
        check_refused(&directory, &other, "is another one");
        // Erased persons prove no key, and still are reason enough to make none.
        older();
        check_refused(&directory, &directory.path().join("missing.key"), "is missing");
        drop(open(&directory, 3));
        check_refused(&directory, &other, "is another one");
    }
}
