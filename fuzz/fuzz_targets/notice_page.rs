//! A page of the notices' outbox: any bytes are an error, or notices that stay the same when they are packed again.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    fuzz::run("notice_page", bytes);
});
