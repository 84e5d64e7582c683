//! A stored row of the bare ledger's: any bytes are an error, or a row that stays the same and can tell its columns.

#![no_main]

use engine::decoders::check_row;
use ledger::Ledger;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    check_row::<Ledger>(bytes);
});
