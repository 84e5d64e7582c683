//! A line of an anchor file: any bytes are no anchor, or one that nobody signed; but for the one that was signed.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    fuzz::run("anchor_line", bytes);
});
