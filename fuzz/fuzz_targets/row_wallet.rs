//! A stored row of the wallet's: any bytes are an error, or a row that stays the same and can tell its columns.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    fuzz::run("row_wallet", bytes);
});
