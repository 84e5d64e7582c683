//! A journal entry of the wallet's: any bytes are an error, or an entry that stays the same when it is stored again.

#![no_main]

use engine::decoders::check_entry;
use libfuzzer_sys::fuzz_target;
use wallet::Wallets;

fuzz_target!(|bytes: &[u8]| {
    check_entry::<Wallets>(bytes);
});
