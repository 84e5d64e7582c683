//! Ids of the gateway's nouns: sixteen bytes behind a type each, shown with a prefix. Where they come from is the caller's affair.

use domain::Id;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

::domain::ids! {
    /// An account at a bank: a keyed hash of bank, branch, kind and number.
    AccountId, "gac";
    /// What one operator calls an account: a keyed hash of both, so that two operators cannot tell that they mean the same.
    AccountRefId, "arf";
    /// The permission of an account's holder for one wallet of one operator.
    MandateId, "gmd";
    /// A debit, a credit or a return: a keyed hash of operator, kind and the operator's reference. The bank is asked by it.
    MovementId, "gmv";
    /// A code that says "not me": a keyed hash of it.
    NotMeId, "gnm";
    /// A notice that an account's true holder is owed.
    NoticeId, "ntc";
    /// A record of a bank's day file that is no movement of ours: a keyed hash of bank, day and record.
    FindingId, "fnd";
    /// A person who works at one of the desks.
    StaffId, "stf";
}

/// The bits of an operator's id that number what it is told.
const SEQUENCE_BITS: u32 = 48;

/// An operator of wallets: a keyed hash of its client id, whose last six bytes are zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "Id", into = "Id")]
pub struct OperatorId(Id);

impl OperatorId {
    /// The operator whose hash is `hash`; its last six bytes do not count.
    pub const fn new(hash: Id) -> Self {
        let sequence_mask = (1_u128 << SEQUENCE_BITS).wrapping_sub(1);
        Self(Id::from_number(hash.number() & !sequence_mask))
    }

    /// The id of its row.
    pub const fn id(self) -> Id {
        self.0
    }

    /// The id of the `n`th thing that it is told; also of what it has at the bank of that number.
    pub fn told_id(self, n: u64) -> Id {
        assert!(n.checked_shr(SEQUENCE_BITS) == Some(0), "nobody is told 2^48 things");
        Id::from_number(self.0.number() | u128::from(n))
    }
}

impl From<Id> for OperatorId {
    fn from(id: Id) -> Self {
        Self::new(id)
    }
}

impl From<OperatorId> for Id {
    fn from(id: OperatorId) -> Self {
        id.0
    }
}

impl fmt::Debug for OperatorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "opr_{}", self.0)
    }
}

/// Bytes of a reference, at most.
pub const REFERENCE_BYTES_MAX: usize = 64;

/// What an operator calls one of its own things: 1 to 64 letters, digits and `_ - . :`. No personal data belongs in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference(String);

impl Reference {
    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Reference {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte);
        if text.is_empty() || text.len() > REFERENCE_BYTES_MAX || !text.bytes().all(is_allowed) {
            return Err("a reference is 1 to 64 letters, digits and `_ - . :`");
        }
        Ok(Self(text))
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        reference.0
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A bank's code of four digits, as 全銀協 gives it: 0125 is 七十七銀行.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct BankCode(u16);

impl BankCode {
    /// The bank with `code`, if it has at most four digits.
    pub const fn new(code: u16) -> Option<Self> {
        if code <= 9999 { Some(Self(code)) } else { None }
    }

    /// The code as a number.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// The id of rows that are kept per bank.
    pub fn id(self) -> Id {
        Id::from_number(u128::from(self.0))
    }
}

impl TryFrom<u16> for BankCode {
    type Error = &'static str;

    fn try_from(code: u16) -> Result<Self, Self::Error> {
        Self::new(code).ok_or("a bank code has four digits")
    }
}

impl From<BankCode> for u16 {
    fn from(code: BankCode) -> Self {
        code.0
    }
}

impl FromStr for BankCode {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_code = text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = if is_code { text.parse().ok() } else { None };
        number.and_then(Self::new).ok_or("a bank code has four digits")
    }
}

impl fmt::Display for BankCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.0)
    }
}

impl fmt::Debug for BankCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The letters of a bank's reference: Crockford's base 32, which nobody misreads.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Letters of a bank's reference: as many as 顧客番号 has in a file of kind 91.
pub const BANK_REFERENCE_LETTERS: u32 = 20;
const LETTER_BITS: u32 = 5;

impl MovementId {
    /// The movement whose hash is `hash`: the 100 bits of it that a bank's reference has room for.
    pub const fn of_hash(hash: Id) -> Self {
        let mask = (1_u128 << (BANK_REFERENCE_LETTERS.wrapping_mul(LETTER_BITS))).wrapping_sub(1);
        Self(Id::from_number(hash.number() & mask))
    }

    /// What the bank is asked by: 20 letters and digits.
    pub fn bank_reference(self) -> String {
        let letter = |place: u32| {
            let bits = self.0.number().wrapping_shr(place.wrapping_mul(LETTER_BITS)) & 0x1f;
            let index = usize::try_from(bits).unwrap_or(0);
            LETTERS.get(index).copied().map_or('0', char::from)
        };
        (0..BANK_REFERENCE_LETTERS).rev().map(letter).collect()
    }

    /// The movement that a bank's reference names.
    pub fn of_bank_reference(text: &str) -> Option<Self> {
        if text.len() != 20 {
            return None;
        }
        let mut number = 0_u128;
        for letter in text.bytes() {
            let index = LETTERS.iter().position(|known| *known == letter)?;
            number = number.wrapping_shl(LETTER_BITS) | u128::try_from(index).ok()?;
        }
        Some(Self(Id::from_number(number)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_banks_reference_names_one_movement(number in any::<u128>()) {
            let id = MovementId::of_hash(Id::from_number(number));
            let text = id.bank_reference();
            prop_assert_eq!(text.len(), 20);
            prop_assert_eq!(MovementId::of_bank_reference(&text), Some(id));
        }

        #[test]
        fn a_text_that_is_no_reference_is_none(text in "[0-9A-Z]{0,22}|.{0,22}") {
            if let Some(id) = MovementId::of_bank_reference(&text) {
                prop_assert_eq!(id.bank_reference(), text);
            }
        }

        #[test]
        fn an_operator_keeps_its_number_when_it_is_told_something(number in any::<u128>(), n in 0_u64..1 << 48) {
            let operator = OperatorId::new(Id::from_number(number));
            let told = operator.told_id(n).number();
            prop_assert_eq!(told & !((1 << 48) - 1), operator.id().number());
            prop_assert_eq!(told & ((1 << 48) - 1), u128::from(n));
        }
    }
}
