//! A cursor of a list: it is refused, or we made it.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    fuzz::run("cursor", bytes);
});
