//! A line of an anchor file: any bytes are no anchor, or one that nobody signed; but for the one that was signed.

#![no_main]

use ed25519_dalek::SigningKey;
use engine::anchor::Anchor;
use engine::decoders::check_anchor_line;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

/// The key, and the one anchor that it signed: the one of the engine's golden file, which is among the seeds.
static SIGNED: LazyLock<(SigningKey, Anchor)> = LazyLock::new(|| {
    let golden = include_str!("../../crates/engine/src/tests/golden.txt");
    let line = golden.lines().find_map(|line| line.strip_prefix("anchor.1 ")).expect("the anchor is there");
    (SigningKey::from_bytes(&[7; 32]), serde_json::from_str(line).expect("the anchor is read"))
});

fuzz_target!(|bytes: &[u8]| {
    let (key, signed) = &*SIGNED;
    check_anchor_line(bytes, key, signed);
});
