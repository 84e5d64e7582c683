//! A whole anchor file: of any bytes an audit believes only what was signed.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    fuzz::run("anchor_file", bytes);
});
