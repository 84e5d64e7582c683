//! A journal entry of the bare ledger's: any bytes are an error, or an entry that stays the same when it is stored again.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    fuzz::run("entry_ledger", bytes);
});
