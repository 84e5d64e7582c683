//! What the gateway answers and tells the wallet: it is no answer, or it is the same when it is said again.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    fuzz::run("gateway_answer", bytes);
});
