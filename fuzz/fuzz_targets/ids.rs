//! The wallet's ids as texts: any text is malformed, or the one text of its id.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    fuzz::run("ids", bytes);
});
