//! The bytes that live for ever: each version of each event, refusal and receipt as it was first stored, and the rows
//! that the event comes to. A change of code that fails here has changed the stored format, or the meaning of the past:
//! add a variant at the end instead. Lines are added when a variant is, and never edited.

use crate::{Event, Field, Ledger, Receipt, Refusal, Row, Rule, TransferState, Yen};
use domain::{Domain, Id, Key, Time};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt::Debug;

const A: Id = Id::from_number(0xA);
const B: Id = Id::from_number(0xB);
const T: Id = Id::from_number(0x17);
const H: Id = Id::from_number(0x18);
const I: Id = Id::from_number(0x19);
const J: Id = Id::from_number(0x1A);
const C: Id = Id::from_number(0xC);
const HELD: Yen = Yen::new(2_000);

#[test]
fn events_of_version_1() {
    let expires_at = Some(Time::from_milliseconds(1_600_000_000_000));
    let mut rows = BTreeMap::new();
    let mut check = |event: Event, bytes: &str, after: &[&str]| {
        check_bytes(&event, bytes);
        let read: Event = postcard::from_bytes(&from_hex(bytes)).expect("an old event is readable");
        assert_eq!(evolved(&mut rows, &read), after, "rows after {event:?}");
    };
    check(Event::AccountOpened { id: A, rule: Rule::Free }, "~000a00", &["00000000000000"]);
    check(Event::AccountOpened { id: B, rule: Rule::DebitsNeverExceedCredits }, "~000b01", &["00010000000000"]);
    check(Event::AccountOpened { id: C, rule: Rule::CreditsNeverExceedDebits }, "~000c02", &["00020000000000"]);
    check(Event::AccountClosed { id: C }, "01~0c", &["00020100000000"]);
    check(
        Event::Transferred { id: T, debit: A, credit: B, amount: Yen::new(5_000) },
        "02~17~0a~0b904e",
        &["00000000904e0000", "000100000000904e", "01~17~0a~0b904e0000"],
    );
    check(
        Event::Held { id: H, debit: B, credit: A, amount: HELD, expires_at: None },
        "03~18~0b~0aa01f00",
        &["000100a01f0000904e", "00000000904ea01f00", "01~18~0b~0aa01f0100"],
    );
    check(
        Event::HoldPosted { hold: H, debit: B, credit: A, held: HELD, amount: Yen::new(1_500) },
        "04~18~0b~0aa01fb817",
        &["00010000b81700904e", "00000000904e00b817", "01~18~0b~0aa01f02b81700"],
    );
    check(
        Event::Held { id: I, debit: B, credit: A, amount: HELD, expires_at },
        "03~19~0b~0aa01f018080f4f6905d",
        &["000100a01fb81700904e", "00000000904ea01fb817", "01~19~0b~0aa01f01018080f4f6905d"],
    );
    check(
        Event::HoldVoided { hold: I, debit: B, credit: A, held: HELD },
        "05~19~0b~0aa01f",
        &["00010000b81700904e", "00000000904e00b817", "01~19~0b~0aa01f03018080f4f6905d"],
    );
    check(
        Event::Held { id: J, debit: B, credit: A, amount: HELD, expires_at },
        "03~1a~0b~0aa01f018080f4f6905d",
        &["000100a01fb81700904e", "00000000904ea01fb817", "01~1a~0b~0aa01f01018080f4f6905d"],
    );
    check(
        Event::HoldExpired { hold: J, debit: B, credit: A, held: HELD },
        "06~1a~0b~0aa01f",
        &["00010000b81700904e", "00000000904e00b817", "01~1a~0b~0aa01f04018080f4f6905d"],
    );
    check(Event::Refused { id: J, refusal: Refusal::AmountZero }, "07~1a00", &[]);
}

#[test]
fn refusals_of_version_1() {
    let (now, later) = (Time::from_milliseconds(10), Time::from_milliseconds(20));
    let check = |refusal: Refusal, bytes: &str| check_bytes(&refusal, bytes);
    check(Refusal::AmountZero, "00");
    check(Refusal::SameAccount { account: A }, "01~0a");
    check(Refusal::IdTaken { id: T, field: Field::Kind }, "02~1700");
    check(Refusal::IdTaken { id: T, field: Field::Debit }, "02~1701");
    check(Refusal::IdTaken { id: T, field: Field::Credit }, "02~1702");
    check(Refusal::IdTaken { id: T, field: Field::Amount }, "02~1703");
    check(Refusal::IdTaken { id: T, field: Field::ExpiresAt }, "02~1704");
    check(Refusal::IdTaken { id: A, field: Field::Rule }, "02~0a05");
    check(Refusal::ExpiryNotAhead { expires_at: now, now: later }, "031428");
    check(Refusal::HoldUnknown { hold: H }, "04~18");
    check(Refusal::NotAHold { transfer: T }, "05~17");
    check(Refusal::HoldEnded { hold: H, state: TransferState::HoldPosted { amount: HELD } }, "06~1802a01f");
    check(Refusal::HoldEnded { hold: H, state: TransferState::Voided }, "06~1803");
    check(Refusal::HoldEnded { hold: H, state: TransferState::Expired }, "06~1804");
    check(Refusal::ClockDrifted, "07");
    check(Refusal::HoldNotDue { expires_at: Some(later), now }, "08012814");
    check(Refusal::ExceedsHold { held: HELD, requested: Yen::MAX }, "09a01f8080b4ccd4dfc603");
    check(Refusal::AccountUnknown { account: A }, "0a~0a");
    check(Refusal::AccountClosed { account: A }, "0b~0a");
    let (debits_pending, credits_pending) = (Yen::new(1), Yen::new(2));
    check(Refusal::AccountUnsettled { credit_balance: -300, debits_pending, credits_pending }, "0cd7040204");
    check(Refusal::Overdrawn { account: A, available: HELD, requested: Yen::MAX }, "0d~0aa01f8080b4ccd4dfc603");
    check(Refusal::SumTooLarge { account: A }, "0e~0a");
}

#[test]
fn receipts_of_version_1() {
    let (amount, released) = (Yen::new(1_500), Yen::new(500));
    let check = |receipt: Receipt, bytes: &str| check_bytes(&receipt, bytes);
    check(Receipt::AccountOpened { id: A }, "~000a");
    check(Receipt::AccountClosed { id: A }, "01~0a");
    check(Receipt::Transferred { id: T, amount }, "02~17b817");
    check(Receipt::Held { id: H, amount, expires_at: Some(Time::from_milliseconds(20)) }, "03~18b8170128");
    check(Receipt::HoldPosted { hold: H, amount, released }, "04~18b817e807");
    check(Receipt::HoldVoided { hold: H, released }, "05~18e807");
    check(Receipt::HoldExpired { hold: H, released }, "06~18e807");
}

/// Applies `event` and answers the bytes of the rows that it touched.
fn evolved(rows: &mut BTreeMap<Key, Option<Row>>, event: &Event) -> Vec<String> {
    let mut touched = Vec::new();
    Ledger::touches(event, &mut touched);
    let mut after = Vec::new();
    for key in touched {
        let row = rows.entry(key).or_default();
        Ledger::evolve(key, row, event);
        after.push(hex(&row.expect("no row is ever removed")));
    }
    after
}

/// `value` is stored as `bytes`, and `bytes` are read as `value`. An id's leading zeros are shown as `~`.
fn check_bytes<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T, bytes: &str) {
    assert_eq!(hex(value), bytes, "{value:?} is stored differently");
    assert_eq!(postcard::from_bytes(&from_hex(bytes)).as_ref(), Ok(value), "{bytes} is read differently");
}

const LEADING_ZEROS: &str = "000000000000000000000000000000";

fn hex<T: Serialize>(value: &T) -> String {
    let bytes = postcard::to_stdvec(value).expect("the value can be stored");
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat().replace(LEADING_ZEROS, "~")
}

fn from_hex(digits: &str) -> Vec<u8> {
    let digits = digits.replace('~', LEADING_ZEROS);
    let byte = |start| u8::from_str_radix(&digits[start..start + 2], 16).expect("hexadecimal digits");
    (0..digits.len()).step_by(2).map(byte).collect()
}
