//! A file of the gateway's clients: it is refused, or its clients stay the same.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    fuzz::run("client_file", bytes);
});
