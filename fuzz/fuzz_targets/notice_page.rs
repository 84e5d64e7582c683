//! A page of the notices' outbox: any bytes are an error, or notices that stay the same when they are packed again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use server::notices::check_page;

fuzz_target!(|bytes: &[u8]| {
    check_page(bytes);
});
