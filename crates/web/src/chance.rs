//! Chance: where ids, keys, codes and tokens come from. The machine's in service, a seeded one in simulation.

use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::{Id, Time};

/// Bytes of chance in a [`token`]: 256 bits.
const TOKEN_BYTES: usize = 32;

/// A source of chance.
pub trait Chance: Send + Sync + 'static {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// The machine's source.
#[derive(Clone, Copy, Debug, Default)]
pub struct MachineChance;

impl Chance for MachineChance {
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("a machine without chance must not hand out keys");
    }
}

/// A new id, ordered by time: the bits of a UUID of version 7 (RFC 9562).
pub fn id(chance: &dyn Chance, now: Time) -> Id {
    let mut bytes = [0; 16];
    chance.fill(&mut bytes);
    let milliseconds = now.milliseconds().to_be_bytes();
    bytes[..6].copy_from_slice(&milliseconds[2..]);
    bytes[6] = (bytes[6] & 0x0f) | 0x70;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    Id(bytes)
}

/// A token nobody can guess: 256 bits, for URLs and headers.
pub fn token(chance: &dyn Chance) -> Secret<String> {
    let mut bytes = [0; TOKEN_BYTES];
    chance.fill(&mut bytes);
    Secret::new(URL_SAFE_NO_PAD.encode(bytes))
}

/// The furthest that [`spread`] goes, in thousandths.
pub const SPREAD_MAX: i64 = 200;

/// By how much a wait is to be longer or shorter, in thousandths of it, a fifth at most: what failed together is not tried again
/// together.
pub fn spread(chance: &dyn Chance) -> i64 {
    let mut bytes = [0; 2];
    chance.fill(&mut bytes);
    i64::from(u16::from_be_bytes(bytes)) * (2 * SPREAD_MAX + 1) / 65_536 - SPREAD_MAX
}

/// A code that a person types: `digits` decimal digits, each as likely as any other.
pub fn code(chance: &dyn Chance, digits: u32) -> Secret<String> {
    let mut text = String::new();
    while text.len() < digits as usize {
        let mut byte = [0];
        chance.fill(&mut byte);
        // 250 is the largest multiple of ten in a byte: what lies above would favour the low digits.
        if byte[0] < 250 {
            text.push(char::from(b'0' + byte[0] % 10));
        }
    }
    Secret::new(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Chance that gives the same two bytes each time.
    struct Always([u8; 2]);

    impl Chance for Always {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.copy_from_slice(&self.0);
        }
    }

    #[test]
    fn a_spread_reaches_from_a_fifth_less_to_a_fifth_more() {
        for (bytes, expected) in [([0, 0], -SPREAD_MAX), ([0x80, 0], 0), ([0xff, 0xff], SPREAD_MAX)] {
            assert_eq!(spread(&Always(bytes)), expected, "{bytes:?}");
        }
    }
}
