//! A journal entry of the bare ledger's: any bytes are an error, or an entry that stays the same when it is stored again.

#![no_main]

use engine::decoders::check_entry;
use ledger::Ledger;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    check_entry::<Ledger>(bytes);
});
