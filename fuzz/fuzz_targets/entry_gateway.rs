//! A journal entry of the gateway's: any bytes are an error, or an entry that stays the same when it is stored again.

#![no_main]

use engine::decoders::check_entry;
use gateway::domain::Gateway;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    check_entry::<Gateway>(bytes);
});
