//! The file of the sandbox's clock: it is refused, or it shows a time.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    fuzz::run("clock_file", bytes);
});
