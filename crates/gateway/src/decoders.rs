//! What must hold for everything that a bank or a file beside the books says, whatever the bytes are: it is refused, or it is a
//! value that is the same when it is said and read again. No bytes may bring the program down, and none may be half understood.
//!
//! Each check takes any bytes, panics where the promise is broken, and says whether the bytes were understood. The tests feed
//! them chance and damage, the fuzz targets (docs/fuzzing.md) whatever a fuzzer comes up with. The product never calls them.
//! Start reading at [`check_day_file`] and [`check_bank_answer`].

use crate::api::attempts::AttemptBody;
use crate::api::callbacks::CallbackBody;
use crate::connector::http::{AboutBody, AuthenticationBody, about, authentication, outcome, statement_lines};
use crate::connector::outcome_of;
use crate::connector::zengin::{ResultLine, result_lines};
use crate::connector::{AccountNumber, AuthenticationOutcome};
use crate::domain::movement::{Kind, Outcome};
use crate::domain::{BankCode, MovementId, OperatorId};
use crate::oauth::clients::{Client, ClientSettings, Proposal};
use domain::{Day, Id};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use zengin_fmt::account_transfer_result::{Detail, End, File, Header, Trailer};
use zengin_fmt::{CodeDivision, OutputFormat};

/// The bank and the day of the examples.
const BANK: u16 = 125;
const DAY: Day = Day::from_number(20_718);
/// A result code that nobody knows.
const CODE_UNKNOWN: u8 = 5;
const RECORD_BYTES: usize = 120;

fn bank() -> BankCode {
    BankCode::new(BANK).expect("four digits")
}

fn movement() -> MovementId {
    MovementId::of_hash(Id::from_number(7))
}

/// A day's result file of a bank: whatever it says is the same in a file that says it again.
pub fn check_day_file(bytes: &[u8]) -> bool {
    let Some(lines) = result_lines(bytes, bank(), DAY) else { return false };
    let again = result_lines(&day_file(&lines), bank(), DAY);
    assert_eq!(again.as_ref(), Some(&lines), "a day's results stay the same");
    assert!(result_lines(bytes, bank(), DAY.plus(1)).is_none(), "they are of one day");
    true
}

/// Result files as [`check_day_file`] reads them: of a day with debits, and of one without.
pub fn day_files() -> Vec<Vec<u8>> {
    let line = |number: u128, outcome, amount| {
        let movement = Some(MovementId::of_hash(Id::from_number(number)));
        ResultLine { movement, amount: ledger::Yen::new(amount), outcome }
    };
    let settled = Outcome::Settled { amount: ledger::Yen::new(5_000) };
    let declined = outcome_of("declined", Some(1), 0);
    vec![day_file(&[line(7, settled, 5_000), line(8, declined, 300)]), day_file(&[])]
}

fn day_file(lines: &[ResultLine]) -> Vec<u8> {
    let date = DAY.date();
    let header = Header {
        kind_code: 91,
        code_division: CodeDivision::default(),
        collector_code: "0000000001".into(),
        collector_name: "-".into(),
        collection_date: format!("{:02}{:02}", date.month(), date.day()),
        bank_code: bank().to_string(),
        bank_name: "-".into(),
        branch_code: "001".into(),
        branch_name: String::new(),
        account_type: 1,
        account_number: "0000001".into(),
    };
    if lines.is_empty() {
        let place = format!("{}{}", header.collection_date, header.bank_code);
        let records = [format!("19100000000001{:<40}{place}", "-"), format!("8{:054}", 0), "9".into()];
        return records.iter().flat_map(|record| format!("{record:<RECORD_BYTES$}").into_bytes()).collect();
    }
    let details: Vec<Detail> = lines.iter().map(detail).collect();
    let total = |is_in: fn(&Detail) -> bool| {
        let amounts = details.iter().filter(|detail| is_in(detail)).map(|detail| detail.amount);
        (u32::try_from(amounts.clone().count()).expect("records are counted"), amounts.sum::<u64>())
    };
    let (success, failure) = (total(|detail| detail.result_code == 0), total(|detail| detail.result_code != 0));
    let trailer = Trailer {
        total_count: success.0 + failure.0,
        total_amount: success.1 + failure.1,
        success_count: success.0,
        success_amount: success.1,
        failure_count: failure.0,
        failure_amount: failure.1,
    };
    let file = File { header, details, trailer, end: End };
    zengin_fmt::to_bytes(&file, OutputFormat::canonical()).expect("what was read can be written")
}

fn detail(line: &ResultLine) -> Detail {
    Detail {
        bank_code: bank().to_string(),
        bank_name: "-".into(),
        branch_code: "001".into(),
        branch_name: String::new(),
        account_type: 1,
        account_number: "0000001".into(),
        account_holder_name: "-".into(),
        amount: line.amount.amount().unsigned_abs(),
        new_code: 0,
        customer_number: line.movement.map(MovementId::bank_reference).unwrap_or_default(),
        result_code: match line.outcome {
            Outcome::Settled { .. } => 0,
            Outcome::Declined { code } => code.result(),
            Outcome::Reversed { .. } | Outcome::NotFound { .. } | Outcome::Unknown => CODE_UNKNOWN,
        },
    }
}

/// What a bank says as JSON: its answer about a movement, a statement of credits, a callback, a report of an attempt, how an
/// authentication went, and what it says of itself.
pub fn check_bank_answer(bytes: &[u8]) -> bool {
    let understood = [
        check_outcome(bytes),
        check_statement(bytes),
        check_callback(bytes),
        check_attempt(bytes),
        check_authentication(bytes),
    ];
    understood.contains(&true)
}

/// Answers of a bank that [`check_bank_answer`] understands.
pub fn bank_answers() -> Vec<String> {
    let reference = movement().bank_reference();
    let account = json!({ "branch": "001", "kind": "ordinary", "number": "0000001" });
    let customer = json!({ "name_kana": "ｻｸﾗ", "birth_date": "1990-04-01", "has_contact": true });
    let answers = [
        json!({ "reference": reference, "outcome": "settled", "code": 0, "amount": 5_000 }),
        json!({ "reference": reference, "outcome": "declined", "code": 1, "amount": 5_000 }),
        json!({ "reference": reference, "outcome": "reversed", "amount": 5_000 }),
        json!({ "day": DAY.to_string(), "credits": [{ "reference": reference, "amount": 5_000 }] }),
        json!({ "kind": "debit", "reference": reference, "outcome": "settled", "amount": 5_000 }),
        json!({ "attempt": "a", "outcome": "challenge_required", "account_token": "b", "value_token": "c",
            "first_step": { "state": "s", "account": account } }),
        json!({ "outcome": "succeeded", "customer": customer, "first_factor_right": true }),
        json!({ "outcome": "challenge_required", "challenge": { "kind": "sms_code", "hint": "…12" } }),
        json!({ "own_page": true, "factors": [["account", "pin"]], "issuer": "https://bank.example" }),
    ];
    answers.iter().map(Value::to_string).collect()
}

/// The words that say `outcome`; none for what a bank has no word for.
fn words(outcome: Outcome) -> Option<(&'static str, Option<u64>, i64)> {
    match outcome {
        Outcome::Settled { amount } => Some(("settled", Some(0), amount.amount())),
        Outcome::Declined { code } => Some(("declined", Some(code.result().into()), 0)),
        Outcome::Reversed { amount } => Some(("reversed", None, amount.amount())),
        Outcome::NotFound { .. } | Outcome::Unknown => None,
    }
}

fn check_outcome(bytes: &[u8]) -> bool {
    let reference = movement().bank_reference();
    let read = outcome(bytes, &reference);
    let Some((word, code, amount)) = words(read) else {
        assert_eq!(read, Outcome::Unknown, "no answer says that nothing is known");
        return false;
    };
    let again = json!({ "reference": reference, "outcome": word, "code": code, "amount": amount });
    assert_eq!(outcome(again.to_string().as_bytes(), &reference), read, "an answer stays the same");
    let other = MovementId::of_hash(Id::from_number(8)).bank_reference();
    assert_eq!(outcome(bytes, &other), Outcome::Unknown, "an answer is about one movement");
    true
}

fn check_statement(bytes: &[u8]) -> bool {
    let Some(lines) = statement_lines(bytes, DAY) else { return false };
    let credit = |line: &ResultLine| {
        let reference = line.movement.map(MovementId::bank_reference);
        json!({ "reference": reference.unwrap_or_default(), "amount": line.amount.amount() })
    };
    let credits: Vec<Value> = lines.iter().map(credit).collect();
    let again = json!({ "day": DAY.to_string(), "credits": credits }).to_string();
    assert_eq!(statement_lines(again.as_bytes(), DAY).as_ref(), Some(&lines), "a statement stays the same");
    assert!(statement_lines(bytes, DAY.plus(1)).is_none(), "it is of one day");
    true
}

fn check_callback(bytes: &[u8]) -> bool {
    let Ok(said) = serde_json::from_slice::<CallbackBody>(bytes) else { return false };
    for kind in [Kind::Debit, Kind::Credit, Kind::Return] {
        let Some(read) = said.outcome_of(kind) else { continue };
        let again = words(read).map_or(Outcome::Unknown, |(word, code, amount)| outcome_of(word, code, amount));
        assert_eq!(again, read, "what a callback says stays the same");
    }
    true
}

fn check_attempt(bytes: &[u8]) -> bool {
    let Ok((_, first_step)) = AttemptBody::read(bytes) else { return false };
    if let Some((_, account)) = first_step {
        let again = AccountNumber::parsed(&account.branch, account.kind, &account.number);
        assert_eq!(again, Some(account), "an account has digits alone");
    }
    true
}

fn check_authentication(bytes: &[u8]) -> bool {
    if let Ok(body) = serde_json::from_slice::<AuthenticationBody>(bytes) {
        let Ok(read) = authentication(body) else { return false };
        let is_named = read.outcome != AuthenticationOutcome::Succeeded || read.customer.is_some();
        assert!(is_named, "nobody is let in without a name to compare");
        return true;
    }
    serde_json::from_slice::<AboutBody>(bytes).is_ok_and(|body| about(body).is_ok())
}

/// A file of clients, or of what is proposed for them: what was read is the same when it is stored, and by its hash; a client
/// that is taken from it is taken again.
pub fn check_client_file(bytes: &[u8]) -> bool {
    let Ok(clients) = serde_json::from_slice::<BTreeMap<String, ClientSettings>>(bytes) else {
        let Ok(proposals) = serde_json::from_slice::<BTreeMap<String, Proposal>>(bytes) else { return false };
        let again = serde_json::to_vec(&proposals).expect("what was read can be stored");
        let again: BTreeMap<String, Proposal> = serde_json::from_slice(&again).expect("what was stored is read");
        assert!(again == proposals, "proposals stay the same");
        return true;
    };
    let again = serde_json::to_vec(&clients).expect("what was read can be stored");
    let again: BTreeMap<String, ClientSettings> = serde_json::from_slice(&again).expect("what was stored is read");
    assert_eq!(again, clients, "clients stay the same");
    let operator = |_: &_| OperatorId::new(Id::default());
    for (name, settings) in &clients {
        assert_eq!(again.get(name).map(ClientSettings::hash), Some(settings.hash()), "the books know them by the same");
        if let Ok(client) = Client::check(settings.clone(), &operator) {
            assert_eq!(Client::check(client.settings.clone(), &operator), Ok(client), "a client stays the same");
        }
    }
    true
}

/// Files that [`check_client_file`] understands.
pub fn client_files() -> Vec<String> {
    let key = web::jose::SigningKey::eddsa(&[7; 32]).public().to_value();
    let settings = json!({
        "client_id": "op_wallet",
        "name": { "ja": "キンチャク", "en": "Kinchaku" },
        "redirect_uris": ["https://wallet.example/link/callback"],
        "jwks": { "keys": [key] },
        "events_url": "https://wallet.example/events",
    });
    let proposal = json!({ "settings": settings, "by": Id::from_number(3), "at": 1_790_000_000_000_i64 });
    vec![json!({ "op_wallet": settings }).to_string(), json!({ "op_wallet": proposal }).to_string()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// `see` sees `valid` cut at every byte, with every bit flipped, and with every byte left out or doubled.
    fn damage(valid: &[u8], see: impl Fn(&[u8]) -> bool) {
        assert!(see(valid), "it is understood: {}", String::from_utf8_lossy(valid));
        for at in 0..valid.len() {
            see(&valid[..at]);
            see(&[&valid[..at], &valid[at + 1..]].concat());
            see(&[&valid[..=at], &valid[at..]].concat());
            for bit in 0..8 {
                let mut damaged = valid.to_vec();
                damaged[at] ^= 1 << bit;
                see(&damaged);
            }
        }
    }

    #[test]
    fn damaged_words_of_a_bank_are_refused_or_stay_the_same() {
        for file in day_files() {
            damage(&file, check_day_file);
        }
        for answer in bank_answers() {
            damage(answer.as_bytes(), check_bank_answer);
        }
        for file in client_files() {
            damage(file.as_bytes(), check_client_file);
        }
    }

    #[test]
    fn a_file_that_is_cut_anywhere_is_no_file() {
        for file in day_files() {
            for at in 0..file.len() {
                let lines = result_lines(&file[..at], bank(), DAY);
                let all = result_lines(&file, bank(), DAY);
                assert!(lines.is_none() || lines == all, "cut at byte {at} it says something else");
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_or_understood_whole(bytes in vec(any::<u8>(), 0..400)) {
            check_day_file(&bytes);
            check_bank_answer(&bytes);
            check_client_file(&bytes);
        }

        #[test]
        fn any_words_about_a_movement_are_refused_or_understood_whole(
            outcome in "settled|declined|reversed|pending|[a-z]{0,3}",
            code in proptest::option::of(0_u64..12),
            amount in prop_oneof![any::<i64>(), 0..20_000_000_000_i64],
            kind in "debit|credit|reversal|return",
        ) {
            let reference = movement().bank_reference();
            let answer = json!({ "kind": kind, "reference": reference, "outcome": outcome, "code": code, "amount": amount });
            check_bank_answer(answer.to_string().as_bytes());
        }

        #[test]
        fn records_with_any_amounts_and_codes_are_read_as_they_are_written(
            records in vec((0_u64..9_999_999_999, 0_u8..10, any::<u128>()), 1..5),
        ) {
            let line = |&(amount, code, number): &(u64, u8, u128)| {
                let amount = i64::try_from(amount).expect("ten digits");
                let word = if code == 0 { "settled" } else { "declined" };
                ResultLine {
                    movement: Some(MovementId::of_hash(Id::from_number(number))),
                    amount: ledger::Yen::checked(amount).expect("an amount"),
                    outcome: outcome_of(word, Some(code.into()), amount),
                }
            };
            let lines: Vec<ResultLine> = records.iter().map(line).collect();
            prop_assert_eq!(result_lines(&day_file(&lines), bank(), DAY), Some(lines));
        }
    }
}
