//! The bytes that live for ever: one event of each kind as it was first stored, and what the rows come to, from nothing. A
//! change of code that fails here has changed the stored form, or the meaning of the past.
//!
//! `golden.txt` holds one event a line in hexadecimal, in the order in which they happened, below each a digest of the keys that
//! it touches (they are part of what it means: the journal lists them), and a digest of each row at the end. An event's line is never edited. To add a variant: append deeds to [`deeds`], run
//! `cargo test -p gateway golden | sed -n 's/^golden| //p'`, which fails and prints the file as it should be.

use super::world::{World, apply, bank_code, operator_id, reference};
use crate::domain::account::{self, NoticeKind};
use crate::domain::bank::{self, Function, Incident, Side};
use crate::domain::calendar::{Calendar, Hours, Maintenance, Span};
use crate::domain::comparison::Paper;
use crate::domain::mandate::{self, Limits, RevokedBy, Why};
use crate::domain::movement::{self, Code, Outcome, Source, Target};
use crate::domain::{
    AccountId, AccountRefId, Command, Event, Factor, Factors, FindingId, Gateway, MandateId, MovementId, NotMeId,
    NoticeId, OperatorId, Row, Spread, StaffId, comparison, expiry, finding, notice as owed, operator,
};
use domain::{Domain as _, Id, Key};
use ledger::Yen;
use std::collections::BTreeMap;
use std::fmt::Write as _;

const GOLDEN: &str = include_str!("golden.txt");

/// Everything that can happen, by commands.
pub(super) fn deeds() -> Vec<Event> {
    let mut world = World::new();
    let operator = operator_id();
    let weak = world.link(100, "thief", &[Factor::Account, Factor::Pin]);
    world.done(&notice(NoticeKind::Linked, weak, 10));
    let strong = world.link(101, "holder", &[Factor::Account, Factor::OneTimePassword]);
    world.request(1, Target::DebitOf(strong), 1_000).expect("it may be asked");
    let movement = MovementId::of_hash(Id::from_number(1));
    world.answer(1, Outcome::NotFound { last: false }, Source::Inquiry);
    world.done(&Command::Movement(movement::Command::Take { movement, by_file: false, spread: Spread::default() }));
    world.answer(1, Outcome::Settled { amount: Yen::new(1_000) }, Source::Callback);
    world.answer(1, Outcome::Declined { code: Code::Other }, Source::DayFile);
    let events_read = world.told_last();
    world.request(2, Target::ReturnOf { debit: movement, events_read }, 400).expect("it may be asked");
    world.answer(2, Outcome::Declined { code: Code::NoAccount }, Source::Request);
    world.request(3, Target::CreditOf(strong), 500).expect("it may be asked");
    world.answer(3, Outcome::Settled { amount: Yen::new(500) }, Source::Request);
    world.answer(3, Outcome::Reversed { amount: Yen::new(500) }, Source::Callback);
    // As it was confirmed before each mandate had its own share in the sums.
    let (account, channel, at) = (AccountId(Id::from_number(7)), Factor::Letter, world.now);
    world.happened(Event::Mandate(mandate::Event::Confirmed { mandate: strong, account, channel, at }));
    let (reference, change) = (reference("m101"), mandate::Change::Confirmed);
    let what = operator::What::Mandate { mandate: strong, reference, change };
    let n = world.told_last() + 1;
    world.happened(Event::Told(operator::Told { operator, n, what, at }));
    stopped(&mut world);
    world.done(&Command::Operator(operator::Command::Take { operator, n: 2 }));
    not_me(&mut world, 10, Vec::new(), None);
    let (why, by) = (Why::Unneeded, RevokedBy::Operator);
    world.done(&Command::Mandate(mandate::Command::Revoke { mandate: strong, operator: Some(operator), by, why }));
    assert!(world.request(4, Target::DebitOf(strong), 1).is_err());
    reviewed(&mut world);
    opens(&mut world);
    world.done(&notice(NoticeKind::FirstFactor, weak, 14));
    let refs = vec![(operator, AccountRefId(Id::from_number(8)))];
    not_me(&mut world, 14, refs.clone(), None);
    // The bank stands in the list of those who are told, too.
    let listener = OperatorId::new(Id::from_number(2 << 64));
    world.done(&Command::Operator(operator::Command::Register { operator: listener }));
    world.done(&notice(NoticeKind::FirstFactor, weak, 15));
    not_me(&mut world, 15, refs, Some(listener));
    owed(&mut world, weak);
    found(&mut world);
    compared(&mut world);
    world.now = world.now.plus_milliseconds(182 * 24 * 3_600_000);
    world.done(&Command::Expiry(expiry::Command::Forget { day: world.now.day(), page: 10 }));
    tried(&mut world, weak);
    confirmed(&mut world);
    given_up(&mut world, weak);
    kept(&mut world, operator);
    found_apart(&mut world);
    agreed(&mut world);
    let (bank, day) = (bank_code(), world.now.day());
    world.done(&Command::Comparison(Paper::Credits, comparison::Command::Begin { bank, day }));
    world
        .done(&Command::Mandate(mandate::Command::TakeLetter { mandate: weak, by: Some(StaffId(Id::from_number(9))) }));
    // What one person gives up alone is only proposed.
    let notice = NoticeId(Id::from_number(21));
    let (account, kind) = (AccountId(Id::from_number(7)), NoticeKind::FirstFactor);
    world.done(&Command::Notice(owed::Command::Owe {
        notice,
        account,
        details: details(),
        kind,
        mandate: weak,
        operator,
    }));
    let (by, reason) = (StaffId(Id::from_number(9)), "the account is closed".to_owned());
    world.done(&Command::Notice(owed::Command::GiveUp { notice, by, reason }));
    unheard(&mut world, weak);
    unseen(&mut world);
    world.journal
}

/// Two people say that a day file is waited for no longer.
fn unseen(world: &mut World) {
    let (bank, day) = (bank_code(), world.now.day().plus(3));
    let put_aside = comparison::Command::PutAside { bank, day, lack: comparison::Lack::Missing };
    world.done(&Command::Comparison(Paper::Debits, put_aside));
    for by in [9, 10].map(|number| StaffId(Id::from_number(number))) {
        let reason = "the bank has none of that day".to_owned();
        world.done(&Command::Comparison(Paper::Debits, comparison::Command::GiveUp { bank, day, by, reason }));
    }
}

/// A function of a bank is stopped and goes on, as it was when one person's word sufficed; the bank asks for other factors, and
/// confirms a fraud.
fn stopped(world: &mut World) {
    let (bank, by) = (bank_code(), StaffId(Id::from_number(9)));
    let switch = |stop| bank::Command::Switch {
        bank,
        function: Function::StaticFactors,
        stop,
        side: Side::Gateway,
        by: Some(by),
        reason: "one value was tried on many accounts".into(),
    };
    world.done(&Command::Bank(switch(true)));
    world.done_alone(&Command::Bank(switch(false)));
    let sets = vec![[Factor::Account, Factor::SmsCode].into_iter().collect::<Factors>()];
    world.done(&Command::Bank(bank::Command::SetFactors {
        bank,
        sets,
        own: vec![Factors::NONE.with(Factor::Account)],
        by,
    }));
    let incident = Incident {
        id: Id::from_number(11),
        bank,
        factors: [Factor::Account, Factor::Pin].into_iter().collect(),
        from: world.now,
        until: world.now,
        accounts: 3,
        amount: Yen::new(90_000),
        note: "look for grants at night".into(),
    };
    world.done(&Command::Bank(bank::Command::Report(incident)));
}

/// A bank says when it is open.
fn opens(world: &mut World) {
    let bank = bank_code();
    let hours = Hours { business_days: Span::new(480, 1_260), saturdays: Span::new(540, 1_020), holidays: None };
    let maintenance = Maintenance { from: world.now, until: world.now, reason: "every Monday".into() };
    let calendar = Calendar { hours: Some(hours), maintenance: vec![maintenance] };
    world.done(&Command::Bank(bank::Command::SetCalendar { bank, calendar, by: StaffId(Id::from_number(9)) }));
}

/// Two people let an operator in otherwise.
fn kept(world: &mut World, operator: OperatorId) {
    for by in [9, 10] {
        let (by, settings) = (StaffId(Id::from_number(by)), operator::SettingsHash([7; 32]));
        world.done(&Command::Operator(operator::Command::Keep { operator, settings, by }));
    }
}

/// Two people let go on what one has stopped; and one wants the bank to ask for less.
fn agreed(world: &mut World) {
    let (bank, function, side) = (bank_code(), Function::Debit, Side::Gateway);
    for (by, stop) in [(9, true), (9, false), (10, false)] {
        let (by, reason) = (Some(StaffId(Id::from_number(by))), "unusual debits".to_owned());
        world.done(&Command::Bank(bank::Command::Switch { bank, function, stop, side, by, reason }));
    }
    let (sets, by) = (vec![[Factor::Account, Factor::Pin].into_iter().collect()], StaffId(Id::from_number(9)));
    world.done(&Command::Bank(bank::Command::SetFactors { bank, sets, own: Vec::new(), by }));
    let (finding, day, amount) = (FindingId(Id::from_number(20)), world.now.day(), Yen::new(500));
    let about = finding::About::Credit;
    world.done(&Command::Finding(finding::Command::Find { finding, bank, day, amount, moved: amount, about }));
}

/// A notice is owed, and will never be sent.
fn given_up(world: &mut World, mandate: MandateId) {
    let notice = NoticeId(Id::from_number(18));
    let (account, kind) = (AccountId(Id::from_number(7)), NoticeKind::FirstFactor);
    let (details, operator) = (details(), operator_id());
    let owe = owed::Command::Owe { notice, account, details, kind, mandate, operator };
    world.done(&Command::Notice(owe));
    let (by, reason) = (StaffId(Id::from_number(9)), "the account is closed".to_owned());
    world.done_alone(&Command::Notice(owed::Command::GiveUp { notice, by, reason }));
}

/// The holder of an account confirms their link, by which something was debited.
fn confirmed(world: &mut World) {
    let mandate = world.link(102, "vouched", &[Factor::Account, Factor::OneTimePassword]);
    world.request(5, Target::DebitOf(mandate), 700).expect("it may be asked");
    world.answer(5, Outcome::Settled { amount: Yen::new(700) }, Source::Request);
    world.done(&Command::Mandate(mandate::Command::Confirm { mandate, channel: Factor::Letter, by: None }));
    let (movement, day) = (MovementId::of_hash(Id::from_number(5)), world.now.day());
    let file = movement::Command::File { movement, bank: bank_code(), day, amount: Yen::new(700) };
    world.done(&Command::Movement(file));
}

/// An account is only ever tried, and forgotten once nobody can answer the notice of that.
fn tried(world: &mut World, mandate: MandateId) {
    let (account, operator) = (AccountId(Id::from_number(900)), operator_id());
    let account_ref = AccountRefId(Id::from_number(901));
    world.done(&Command::Account(account::Command::Notice {
        account,
        details: details(),
        kind: NoticeKind::FirstFactor,
        mandate,
        operator,
        account_ref,
        code: NotMeId(Id::from_number(902)),
        forgotten: world.now.day().plus(182),
    }));
    world.now = world.now.plus_milliseconds(182 * 24 * 3_600_000);
    world.done(&Command::Account(account::Command::Forget { account, refs: vec![(operator, account_ref)] }));
}

/// The true holder types the code of that number.
fn not_me(world: &mut World, code: u128, refs: Vec<(OperatorId, AccountRefId)>, listener: Option<OperatorId>) {
    let (code, wallet) = (NotMeId(Id::from_number(code)), Some(reference("thief")));
    world.done(&Command::Account(account::Command::NotMe {
        code,
        account: Some(AccountId(Id::from_number(7))),
        refs,
        listener,
        wallet,
    }));
}

/// A day file has what nobody asked for, and somebody finds out why: one from before findings had pages of their own.
fn found(world: &mut World) {
    let (finding, bank, found) = (FindingId(Id::from_number(17)), bank_code(), world.now);
    let (amount, moved, resolution) = (Yen::new(900), Yen::new(900), None);
    let row = finding::Record { bank, day: found.day(), amount, moved, found, resolution };
    world.happened(Event::Finding(finding::Event::Found { finding, row }));
    let (by, reason) = (StaffId(Id::from_number(9)), "another collector's".to_owned());
    world.done(&Command::Finding(finding::Command::Resolve { finding, by, reason }));
}

/// The same on a page of findings.
fn found_apart(world: &mut World) {
    let (finding, bank, day) = (FindingId(Id::from_number(19)), bank_code(), world.now.day());
    let find = finding::Command::Find {
        finding,
        bank,
        day,
        amount: Yen::new(900),
        moved: Yen::new(900),
        about: finding::About::Debit,
    };
    world.done(&Command::Finding(find));
    let (by, reason) = (StaffId(Id::from_number(9)), "another collector's".to_owned());
    world.done(&Command::Finding(finding::Command::Resolve { finding, by, reason }));
}

/// A bank gives no statement on two days, and what it knew nothing of is settled after all.
fn unheard(world: &mut World, mandate: MandateId) {
    let (bank, day) = (bank_code(), world.now.day());
    let lack = comparison::Lack::Missing;
    for days in [1, 2] {
        let command = comparison::Command::PutAside { bank, day: day.plus(days), lack };
        world.done(&Command::Comparison(Paper::Credits, command));
    }
    world.request(77, Target::CreditOf(mandate), 100).expect("it may be asked");
    world.answer(77, Outcome::NotFound { last: true }, Source::Inquiry);
    world.answer(77, Outcome::Settled { amount: Yen::new(100) }, Source::Callback);
}

/// Day files are compared, one is put aside and given up.
fn compared(world: &mut World) {
    let (bank, day) = (bank_code(), world.now.day());
    world.done(&Command::Comparison(Paper::Debits, comparison::Command::Begin { bank, day }));
    let compared =
        comparison::Compared { day, records: 3, settled: Yen::new(1_900), strangers: 1, missing: 0, absent: 1 };
    world.done(&Command::Comparison(Paper::Debits, comparison::Command::Compare { bank, compared }));
    for (days, lack) in [(1, comparison::Lack::Missing), (2, comparison::Lack::Unreadable)] {
        world.done(&Command::Comparison(
            Paper::Debits,
            comparison::Command::PutAside { bank, day: day.plus(days), lack },
        ));
    }
    let (by, reason) = (StaffId(Id::from_number(9)), "the bank has none of that day".to_owned());
    // As it was when one person's word sufficed.
    let give_up = comparison::Command::GiveUp { bank, day: day.plus(1), by, reason };
    world.done_alone(&Command::Comparison(Paper::Debits, give_up));
}

/// A notice is owed, and sent.
fn owed(world: &mut World, mandate: MandateId) {
    let notice = NoticeId(Id::from_number(16));
    let (account, kind) = (AccountId(Id::from_number(7)), NoticeKind::FirstFactor);
    let (details, operator) = (details(), operator_id());
    let owe = owed::Command::Owe { notice, account, details, kind, mandate, operator };
    world.done(&Command::Notice(owe));
    world.done(&Command::Notice(owed::Command::Tell { notice }));
}

/// Its account's true holder is told of `mandate`, with the code of that number.
fn notice(kind: NoticeKind, mandate: MandateId, code: u128) -> Command {
    Command::Account(account::Command::Notice {
        account: AccountId(Id::from_number(7)),
        details: details(),
        kind,
        mandate,
        operator: operator_id(),
        account_ref: AccountRefId(Id::from_number(8)),
        code: NotMeId(Id::from_number(code)),
        forgotten: super::world::T0.day().plus(182),
    })
}

pub(super) fn details() -> account::Details {
    let sealed = account::Sealed(vec![1, 2, 3]);
    let kind = account::AccountKind::Ordinary;
    account::Details { bank: bank_code(), branch: "100".into(), kind, masked: "****567".into(), sealed }
}

/// A grant that the desk must compare, one that is refused, and one that nobody wants.
fn reviewed(world: &mut World) {
    let (operator, bank, account) = (operator_id(), bank_code(), AccountId(Id::from_number(12)));
    for (number, name) in [(200, Some("close")), (201, Some("no")), (202, None)] {
        let mandate = MandateId(Id::from_number(number));
        let limits = Limits { per_time: Yen::new(1), per_month: Yen::new(1) };
        let (reference, wallet) = (reference(&format!("m{number}")), reference("w"));
        let request = mandate::Request { mandate, operator, reference, wallet, bank, limits };
        world.done(&Command::Mandate(mandate::Command::Request(request)));
        let Some(name) = name else {
            world.done(&Command::Mandate(mandate::Command::Abandon { mandate }));
            continue;
        };
        let grant = mandate::Grant {
            account,
            account_ref: AccountRefId(Id::from_number(13)),
            name: if name == "close" { crate::domain::name::Grade::Close } else { crate::domain::name::Grade::No },
            birth_date_matches: true,
            factors: [Factor::Account, Factor::BankApp].into_iter().collect(),
            contact_notified: true,
        };
        let details = details();
        world.done(&Command::Mandate(mandate::Command::Grant { mandate, grant, details }));
        if name == "close" {
            world.done(&Command::Mandate(mandate::Command::Collect { mandate, operator, account }));
            let by = StaffId(Id::from_number(9));
            world.done_alone(&Command::Mandate(mandate::Command::Decide { mandate, account, accept: true, by }));
        }
    }
}

/// FNV-1a, 64 bits: enough to see that something changed.
fn digest(bytes: &[u8]) -> u64 {
    let step = |digest: u64, byte: &u8| (digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

fn written(events: &[Event]) -> String {
    let mut rows: BTreeMap<Key, Row> = BTreeMap::new();
    let mut text = String::new();
    for event in events {
        let bytes = postcard::to_stdvec(event).expect("an event can be stored");
        for byte in bytes {
            write!(text, "{byte:02x}").expect("a string takes it");
        }
        let mut touched = Vec::new();
        Gateway::touches(event, &mut touched);
        touched.sort_unstable();
        let touched: Vec<_> = touched.iter().map(|key| (key.table.0, key.id)).collect();
        let touched = postcard::to_stdvec(&touched).expect("keys can be stored");
        writeln!(text, "\ntouches {:016x}", digest(&touched)).expect("a string takes it");
        apply(&mut rows, event, None);
    }
    for (key, row) in &rows {
        let bytes = postcard::to_stdvec(row).expect("a row can be stored");
        assert_eq!(postcard::from_bytes::<Row>(&bytes).expect("a stored row is readable"), *row);
        writeln!(text, "row {} {:x} {:016x}", key.table.0, key.id.number(), digest(&bytes)).expect("a string takes it");
    }
    text
}

#[test]
fn old_events_are_read_and_do_what_they_did() {
    let from_hex = |hex: &str| -> Vec<u8> {
        let digits = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal");
        (0..hex.len()).step_by(2).map(digits).collect()
    };
    let lines = GOLDEN.lines().filter(|line| !line.contains(' '));
    let old: Vec<Event> =
        lines.map(|line| postcard::from_bytes(&from_hex(line)).expect("a stored event is readable")).collect();
    let (old, new) = (written(&old), written(&deeds()));
    if old != GOLDEN || new != GOLDEN {
        for line in new.lines() {
            println!("golden| {line}");
        }
    }
    assert!(old == GOLDEN, "the past comes to other rows");
    assert!(new == GOLDEN, "the same deeds are stored otherwise");
}

#[test]
fn every_kind_of_event_is_there() {
    let text = format!("{:?}", deeds());
    for name in [
        "Refused { at",
        "Operator(Registered",
        "Operator(Taken",
        "Operator(Proposed",
        "Operator(Kept",
        "Bank(Switched",
        "Bank(FactorsSet",
        "Bank(CalendarSet",
        "Account(Seen",
        "Account(Noticed",
        "Account(Disowned",
        "Mandate(Requested",
        "Mandate(Authenticating",
        "Mandate(Granted",
        "Mandate(Refused",
        "Mandate(Collected",
        "Mandate(Accepted",
        "Mandate(Activated",
        "Mandate(Ended",
        "Mandate(Confirmed {",
        "Mandate(ConfirmedAlone",
        "Mandate(Revoked",
        "Mandate(LetterTaken",
        "Movement(Requested",
        "Movement(Taken",
        "Movement(Doubted",
        "Movement(Ended",
        "Movement(Contradicted",
        "Movement(Filed",
        "Movement(SettledAfterAll",
        "Told(",
        "Disowned { bank",
        "NotMe { bank",
        "Share(Opened",
        "Share(Closed",
        "Share(Owed",
        "Share(Told",
        "Account(Owed",
        "Notice(Owed",
        "Notice(Told",
        "Notice(GivenUp",
        "Finding(Found {",
        "Finding(Resolved {",
        "Finding(FoundApart",
        "Finding(ResolvedApart",
        "Expiry(Filed",
        "Expiry(Forgotten",
        "Comparison(Begun",
        "Comparison(Compared",
        "Comparison(PutAside",
        "Comparison(GivenUp",
        "Statement(Begun",
        "Statement(Unheard",
    ] {
        assert!(text.contains(name), "no golden bytes of {name}");
    }
}
