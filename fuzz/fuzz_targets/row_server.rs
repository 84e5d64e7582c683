//! A row of the service's own files: it is refused, or it stays the same.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    fuzz::run("row_server", bytes);
});
