//! A filter of the request index: any bytes are refused, or a filter that can be asked for any key.

#![no_main]

use engine::decoders::check_filter;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    check_filter(bytes);
});
