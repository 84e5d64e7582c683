//! What the vault sealed: any bytes are refused, for nobody can seal without the key.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    fuzz::run("sealed", bytes);
});
