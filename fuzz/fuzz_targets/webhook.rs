//! A signed message and the text of a key: nobody signs but the key.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    fuzz::run("webhook", bytes);
});
