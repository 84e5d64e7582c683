//! Each figure and switch of the policy, on and off: what it is there to refuse is refused, and goes through without it.

use super::golden::details;
use super::world::{World, bank_code, operator_id, reference};
use crate::domain::account::{self, NoticeKind};
use crate::domain::bank::{self, Incident};
use crate::domain::mandate::{self, Grant, Limits, Status};
use crate::domain::movement::Target;
use crate::domain::name::Grade;
use crate::domain::policy::{Displacing, UnconfirmedPolicy};
use crate::domain::{
    AccountId, AccountRefId, Command, Event, Factor, MandateId, NotMeId, Policy, Receipt, Refusal, StaffId,
};
use domain::Id;
use ledger::Yen;

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
const STRONG: [Factor; 2] = [Factor::Account, Factor::OneTimePassword];

/// `deed` under `off` goes through, and does not under `on`.
fn check(what: &str, on: fn(&mut Policy), off: fn(&mut Policy), deed: fn(&mut World) -> bool) {
    for (change, passes) in [(on, false), (off, true)] {
        let mut world = World::new();
        change(&mut world.policy);
        assert_eq!(deed(&mut world), passes, "{what}");
    }
}

const fn as_it_is(_: &mut Policy) {}

/// Asks for a mandate of `wallet`.
fn ask(world: &mut World, number: u128, wallet: &str) -> Result<MandateId, Refusal> {
    let mandate = MandateId(Id::from_number(number));
    let limits = Limits { per_time: Yen::new(100_000), per_month: Yen::new(300_000) };
    let (reference, wallet) = (reference(&format!("m{number}")), reference(wallet));
    let request = mandate::Request { mandate, operator: operator_id(), reference, wallet, bank: bank_code(), limits };
    world.run(&Command::Mandate(mandate::Command::Request(request))).map(|_| mandate)
}

/// The bank's grant of `mandate`, with changes; none if it was refused.
fn grant(world: &mut World, mandate: MandateId, change: impl FnOnce(&mut Grant)) -> Option<Status> {
    let mut grant = Grant {
        account: AccountId(Id::from_number(7)),
        account_ref: AccountRefId(Id::from_number(8)),
        name: Grade::Match,
        birth_date_matches: true,
        factors: STRONG.into_iter().collect(),
        contact_notified: true,
    };
    change(&mut grant);
    let command = mandate::Command::Grant { mandate, grant, details: details() };
    match world.run(&Command::Mandate(command)) {
        Ok(Receipt::Mandate { status, .. }) if status != Status::Refused => Some(status),
        Ok(_) | Err(_) => None,
    }
}

/// A link from the request to the grant, with changes to the grant.
fn links(world: &mut World, change: fn(&mut Grant)) -> bool {
    let mandate = ask(world, 100, "w").expect("it may be asked");
    grant(world, mandate, change).is_some()
}

/// A debit of `amount` a day on so many days: whether all were taken.
fn debits(world: &mut World, amount: i64, days: u128) -> bool {
    let mandate = world.link(100, "w", &STRONG);
    (1..=days).all(|number| {
        world.now = world.now.plus_milliseconds(DAY_MS);
        world.request(number, Target::DebitOf(mandate), amount).is_ok()
    })
}

/// A second wallet links the account of a first one by `factors`.
fn displaces(world: &mut World, factors: &[Factor]) -> bool {
    world.link(100, "first", &[Factor::Account, Factor::Pin]);
    let mandate = ask(world, 101, "second").expect("it may be asked");
    let factors = factors.iter().copied().collect();
    grant(world, mandate, |grant| grant.factors = factors).expect("it is granted");
    let (operator, account) = (operator_id(), AccountId(Id::from_number(7)));
    let collected = world.done(&Command::Mandate(mandate::Command::Collect { mandate, operator, account }));
    matches!(collected, Receipt::Mandate { status: Status::Active, .. })
}

#[test]
fn who_may_link_is_policy() {
    check("the name", as_it_is, |p| p.requires_name = false, |world| links(world, |grant| grant.name = Grade::No));
    check(
        "the birth date",
        as_it_is,
        |p| p.requires_birth_date = false,
        |world| links(world, |grant| grant.birth_date_matches = false),
    );
    check(
        "that the true holder is told",
        as_it_is,
        |p| p.tells_true_holder = false,
        |world| links(world, |grant| grant.contact_notified = false),
    );
    let same: fn(&mut World) -> bool = |world| displaces(world, &[Factor::Account, Factor::Pin]);
    let better: fn(&mut World) -> bool = |world| displaces(world, &STRONG);
    check("that a slot is kept", as_it_is, |p| p.displacing = Displacing::Anybody, same);
    check("that nobody is displaced", |p| p.displacing = Displacing::Nobody, as_it_is, better);
}

#[test]
fn how_much_may_be_debited_is_policy() {
    let one: fn(&mut World) -> bool = |world| debits(world, 10_001, 1);
    let on_four_days: fn(&mut World) -> bool = |world| debits(world, 10_000, 4);
    let without: fn(&mut Policy) = |p| p.unconfirmed = UnconfirmedPolicy { per_day: Yen::MAX, total: Yen::MAX };
    check("an unconfirmed mandate's day", as_it_is, |p| p.unconfirmed.per_day = Yen::MAX, one);
    check("an unconfirmed mandate's sum", as_it_is, |p| p.unconfirmed.total = Yen::MAX, on_four_days);
    check("both", as_it_is, without, |world| debits(world, 40_000, 1));
    check("a movement", |p| p.amount_max = Yen::new(9_999), as_it_is, |world| debits(world, 10_000, 1));
}

#[test]
fn how_much_may_be_open_is_policy() {
    let two: fn(&mut World) -> bool = |world| {
        ask(world, 1, "w").expect("the first one");
        ask(world, 2, "w").is_ok()
    };
    check("of an operator", |p| p.open_of_operator_max = 1, as_it_is, two);
    check("of a wallet", |p| p.mandates_of_wallet_max = 1, as_it_is, two);
}

#[test]
fn how_long_things_may_take_is_policy() {
    let slow: fn(&mut World) -> bool = |world| {
        let mandate = ask(world, 1, "w").expect("it may be asked");
        world.now = world.now.plus_milliseconds(MINUTE_MS);
        grant(world, mandate, |_| {}).is_some()
    };
    check("a link", |p| p.mandate_ms = MINUTE_MS, as_it_is, slow);
    let compared: fn(&mut World) -> bool = |world| {
        let mandate = ask(world, 1, "w").expect("it may be asked");
        assert_eq!(grant(world, mandate, |grant| grant.name = Grade::Close), Some(Status::InReview));
        world.now = world.now.plus_milliseconds(DAY_MS);
        let (account, by) = (AccountId(Id::from_number(7)), StaffId(Id::from_number(9)));
        world.run(&Command::Mandate(mandate::Command::Decide { mandate, account, accept: true, by })).is_ok()
    };
    check("a review", |p| p.review_ms = DAY_MS, as_it_is, compared);
    let disowned: fn(&mut World) -> bool = |world| {
        let mandate = world.link(100, "w", &STRONG);
        let code = NotMeId(Id::from_number(10));
        world.done(&Command::Account(account::Command::Notice {
            account: AccountId(Id::from_number(7)),
            details: details(),
            kind: NoticeKind::Linked,
            mandate,
            operator: operator_id(),
            account_ref: AccountRefId(Id::from_number(8)),
            code,
            forgotten: world.now.day().plus(400),
        }));
        world.now = world.now.plus_milliseconds(DAY_MS);
        let wallet = Some(reference("w"));
        let not_me = account::Command::NotMe { code, account: None, refs: Vec::new(), listener: None, wallet };
        world.run(&Command::Account(not_me)).is_ok()
    };
    check("a code that says \"not me\"", |p| p.not_me_ms = DAY_MS, as_it_is, disowned);
}

#[test]
fn whether_everybody_hears_of_a_fraud_is_policy() {
    let is_quiet: fn(&mut World) -> bool = |world| {
        let incident = Incident {
            id: Id::from_number(11),
            bank: bank_code(),
            factors: STRONG.into_iter().collect(),
            from: world.now,
            until: world.now,
            accounts: 1,
            amount: Yen::new(1),
            note: String::new(),
        };
        let before = world.journal.len();
        world.done(&Command::Bank(bank::Command::Report(incident)));
        !world.journal[before..].iter().any(|event| matches!(event, Event::Told(_)))
    };
    check("that everybody hears", as_it_is, |p| p.shares_incidents = false, is_quiet);
}
