//! A block of the request index: any bytes are an error, or entries of which none is lost.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    fuzz::run("request_block", bytes);
});
