//! A stored row of the gateway's: any bytes are an error, or a row that stays the same and can tell its columns.

#![no_main]

use engine::decoders::check_row;
use gateway::domain::Gateway;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    check_row::<Gateway>(bytes);
});
