//! Keys and key sets: they are refused, or stay the same.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    fuzz::run("jose_keys", bytes);
});
