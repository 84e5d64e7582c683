//! A journal entry of the simulated world's: any bytes are an error, or an entry that stays the same when it is stored again.

#![no_main]

use engine::decoders::check_entry;
use libfuzzer_sys::fuzz_target;
use sandbox::domain::World;

fuzz_target!(|bytes: &[u8]| {
    check_entry::<World>(bytes);
});
