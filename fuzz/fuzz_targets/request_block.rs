//! A block of the request index: any bytes are an error, or entries of which none is lost.

#![no_main]

use engine::decoders::check_request_block;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    check_request_block(bytes);
});
