//! A filter over request keys: says "certainly not" to most keys that a segment lacks, with one look at one cache line.
//!
//! A blocked Bloom filter. Request keys are keyed hashes, so their own bits serve as the hash; one multiplication spreads
//! keys that are not. It must never say "no" to a key that was added. Start reading at [`Filter`].

/// Words of a block: 64 bytes, one cache line.
const BLOCK_WORDS: usize = 8;
/// Bits of the filter for each key.
const BITS_A_KEY: usize = 16;
/// Bits set for each key; each takes nine bits of the key's second half.
const BITS_SET: u32 = 7;

/// The filter of one segment.
pub(crate) struct Filter {
    words: Vec<u64>,
}

impl Filter {
    /// An empty filter with room for `keys`.
    pub(crate) fn new(keys: usize) -> Self {
        let blocks = (keys * BITS_A_KEY).div_ceil(BLOCK_WORDS * 64).max(1);
        Self { words: vec![0; blocks * BLOCK_WORDS] }
    }

    /// How many keys the filter was made for.
    pub(super) fn keys(&self) -> usize {
        self.words.len() * 64 / BITS_A_KEY
    }

    pub(crate) fn add(&mut self, key: &[u8; 16]) {
        let (start, bits) = self.locate(key);
        for (word, mask) in bits {
            self.words[start + word] |= mask;
        }
    }

    /// False if `key` was never added; true if it was, and for about one other key of a thousand.
    pub(crate) fn may_have(&self, key: &[u8; 16]) -> bool {
        let (start, mut bits) = self.locate(key);
        bits.all(|(word, mask)| self.words[start + word] & mask != 0)
    }

    /// The block's first word, and in it the words and bits of the key.
    fn locate(&self, key: &[u8; 16]) -> (usize, impl Iterator<Item = (usize, u64)> + use<>) {
        let number = u128::from_be_bytes(*key).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        let high = u64::try_from(number >> 64).unwrap_or(0);
        let low = u64::try_from(number & u128::from(u64::MAX)).unwrap_or(0);
        // Scales the high half to the number of blocks without a division.
        let blocks = (self.words.len() / BLOCK_WORDS) as u128;
        let block = usize::try_from((u128::from(high) * blocks) >> 64).unwrap_or(0);
        let bits = (0..BITS_SET).map(move |index| {
            let bit = (low >> (index * 9)) & 511;
            (usize::try_from(bit >> 6).unwrap_or(0), 1 << (bit & 63))
        });
        (block * BLOCK_WORDS, bits)
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// The filter whose bytes were stored; `None` if they cannot be one.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (words, rest) = bytes.as_chunks::<8>();
        let whole = rest.is_empty() && !words.is_empty() && words.len() % BLOCK_WORDS == 0;
        whole.then(|| Self { words: words.iter().map(|word| u64::from_le_bytes(*word)).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(keys: impl Fn(u64) -> [u8; 16], false_a_thousand_max: usize) {
        let mut filter = Filter::new(100_000);
        (0..100_000).for_each(|number| filter.add(&keys(number)));
        let filter = Filter::from_bytes(&filter.to_bytes()).expect("a stored filter is read back");
        assert!((0..100_000).all(|number| filter.may_have(&keys(number))), "a key that was added is always found");
        let wrong = (100_000..200_000).filter(|number| filter.may_have(&keys(*number))).count();
        assert!(wrong <= false_a_thousand_max * 100, "{wrong} of 100,000 misses would cost a read");
    }

    #[test]
    fn hashes_and_plain_numbers_are_filtered() {
        let hash = |number: u64| *blake3::hash(&number.to_be_bytes()).as_bytes().first_chunk().expect("32 bytes");
        check(hash, 3);
        check(|number| u128::from(number).to_be_bytes(), 1_000);
    }
}
