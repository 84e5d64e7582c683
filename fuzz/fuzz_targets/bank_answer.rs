//! What a bank says as JSON: it is refused, or it is the same when it is said again.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    fuzz::run("bank_answer", bytes);
});
