//! A signed token: it is refused, or its owner signed it.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    fuzz::run("jose_token", bytes);
});
