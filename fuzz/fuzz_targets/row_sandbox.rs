//! A stored row of the simulated world's: any bytes are an error, or a row that stays the same and can tell its columns.

#![no_main]

use engine::decoders::check_row;
use libfuzzer_sys::fuzz_target;
use sandbox::domain::World;

fuzz_target!(|bytes: &[u8]| {
    check_row::<World>(bytes);
});
