//! A bank's day file: it is refused, or it says the same when it is written again.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    fuzz::run("day_file", bytes);
});
