//! What the vault sealed: any bytes are refused, for nobody can seal without the key.

#![no_main]

use domain::Id;
use engine::vault::{Vault, VaultError};
use libfuzzer_sys::fuzz_target;
use std::cell::LazyCell;
use tempfile::TempDir;

const PERSON: Id = Id::from_number(1);

thread_local! {
    /// The vault, with a key for the person; the directory goes with it.
    static VAULT: LazyCell<(Vault, TempDir)> = LazyCell::new(|| {
        let directory = tempfile::tempdir().expect("a directory for the vault");
        let mut count = 0_u8;
        let chance = Box::new(move |bytes: &mut [u8]| {
            count = count.wrapping_add(1);
            bytes.fill(count);
        });
        let mut vault =
            Vault::open(directory.path(), &directory.path().join("master.key"), chance).expect("the vault opens");
        vault.seal(PERSON, b"").expect("it is sealed");
        (vault, directory)
    });
}

fuzz_target!(|bytes: &[u8]| {
    VAULT.with(|vault| assert_eq!(vault.0.unseal(PERSON, bytes), Err(VaultError::Sealed)));
});
