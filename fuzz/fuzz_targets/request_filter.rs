//! A filter of the request index: any bytes are refused, or a filter that can be asked for any key.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    fuzz::run("request_filter", bytes);
});
