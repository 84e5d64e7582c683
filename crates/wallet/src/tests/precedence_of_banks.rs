//! The same for what is asked of banks: of several reasons to refuse, the first in order is given.

use super::bank::{BANK, grant, staff};
use super::precedence::{ME, Reason, Scene, YOU, check, edit, is_limit, steps_up, stop};
use super::story::Story;
use super::world::{DAY_MS, T0, World, holder, wallet};
use crate::bank_account::{BankAccount, Route};
use crate::bank_answer::Claim;
use crate::ids::{BankAccountId, MandateId, PayoutId, TopUpId};
use crate::mandate::{self, Mandate};
use crate::person::Person;
use crate::purse::{Lot, PURSE_LOTS_MAX, Purse, Source};
use crate::refusal::{FrozenBy, Limit, Noun, Refusal, Stated};
use crate::{Command, PersonId, Policies, Row, Tier, chart, payout, table, top_up};
use domain::{Id, Key};
use ledger::{Account, Rule, Yen};

/// What a world gives came from there.
const ACCOUNT: BankAccountId = BankAccountId(Id::from_number(1));
const MANDATE: MandateId = MandateId(Id::from_number(2));

/// A holder with an active mandate on their own account, to which money may also be paid out.
fn linked<C>(command: C, funds: i64) -> Scene<C> {
    let mut world = World::new();
    world.give_wallet(ME, Tier::Identified);
    let person = Some(PersonId(Id::from_number(ME)));
    let row = Mandate {
        wallet: wallet(ME),
        holder: holder(ME),
        person,
        bank: BANK,
        status: mandate::Status::Active,
        requested: T0,
        deadline: T0,
        review: None,
        grant: Some(grant(ACCOUNT)),
        collected: true,
        confirmed: true,
        revoked: None,
    };
    world.give_row(Key::new(table::MANDATE, MANDATE.0), Row::Mandate(row));
    let mut account = BankAccount::new(BANK);
    (account.live_mandate, account.person) = (Some(MANDATE), person);
    account.route = Some(Route { mandate: MANDATE, wallet: wallet(ME), person });
    world.give_row(Key::new(table::BANK_ACCOUNT, ACCOUNT.0), Row::BankAccount(Box::new(account)));
    Scene { world, command, funds, young: false }
}

fn edit_mandate<C>(scene: &mut Scene<C>, change: impl Fn(&mut Mandate)) {
    let row = scene.world.rows.values_mut().find_map(|row| match row {
        Row::Mandate(row) => Some(row),
        _ => None,
    });
    change(row.expect("there is a mandate"));
}

fn close<C>(scene: &mut Scene<C>) {
    edit(scene, ME, |row| row.closed = true);
}

fn freeze<C>(scene: &mut Scene<C>) {
    edit(scene, ME, |row| row.frozen_by.push(FrozenBy::Desk));
}

fn is_stopped(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Stopped { .. })
}

fn is_closed(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::WrongStatus { noun: Noun::Wallet, .. })
}

fn is_frozen(refusal: &Refusal) -> bool {
    *refusal == Refusal::Frozen { by: FrozenBy::Desk }
}

fn is_zero(refusal: &Refusal) -> bool {
    *refusal == Refusal::AmountZero
}

fn is_unknown_wallet(refusal: &Refusal) -> bool {
    *refusal == Refusal::Unknown { noun: Noun::Wallet }
}

fn fill_with_lots<C>(scene: &mut Scene<C>) {
    let received = T0.plus_milliseconds(-2 * DAY_MS);
    for lot in (1_000..).take(PURSE_LOTS_MAX) {
        scene.world.give_money(wallet(ME), Purse::Funds, lot, 1, received);
    }
}

fn a_top_up() -> Scene<top_up::Request> {
    let request = top_up::Request {
        top_up: TopUpId(Id::from_number(3)),
        wallet: wallet(ME),
        holder: holder(ME),
        mandate: MANDATE,
        amount: Yen::new(20_000),
        origin: None,
        proof: None,
    };
    linked(request, 0)
}

const TOP_UP_REASONS: [Reason<top_up::Request>; 19] = [
    (|scene| scene.command.amount = Yen::ZERO, is_zero),
    (|scene| scene.command.holder = holder(YOU), is_unknown_wallet),
    (
        |scene| scene.command.mandate = MandateId(Id::from_number(9)),
        |refusal| *refusal == Refusal::Unknown { noun: Noun::Mandate },
    ),
    (
        |scene| {
            let mut other = a_top_up();
            other.world.done(&Command::TopUp(top_up::Command::Request(other.command)));
            let key = Key::new(table::TOP_UP, scene.command.top_up.0);
            let row = other.world.rows.remove(&key).expect("it was asked for");
            scene.world.rows.insert(key, row);
        },
        |refusal| matches!(refusal, Refusal::Taken { noun: Noun::TopUp, .. }),
    ),
    (stop, is_stopped),
    (
        |scene| edit_mandate(scene, |row| row.status = mandate::Status::Revoked),
        |refusal| matches!(refusal, Refusal::WrongStatus { noun: Noun::Mandate, .. }),
    ),
    (close, is_closed),
    (freeze, is_frozen),
    (|scene| edit(scene, ME, |row| row.tier = Tier::Phone), |refusal| matches!(refusal, Refusal::TierTooLow { .. })),
    (
        |scene| {
            edit_mandate(scene, |row| {
                row.confirmed = false;
                row.grant.as_mut().expect("it was granted").factors_strong = false;
            });
        },
        |refusal| matches!(refusal, Refusal::GrantTooWeak { .. }),
    ),
    (
        |scene| {
            let mut policy = super::world::policy();
            policy.top_up.per_time_min = Yen::new(400_000);
            scene.world.context.policies = Policies::new(policy);
        },
        |refusal| matches!(refusal, Refusal::AmountTooSmall { .. }),
    ),
    (|scene| scene.command.amount = Yen::new(100_001), |refusal| is_limit(refusal, Limit::PerTime)),
    (|scene| edit_mandate(scene, |row| row.confirmed = false), |refusal| is_limit(refusal, Limit::UnconfirmedPerDay)),
    (
        |scene| {
            let mut policy = super::world::policy();
            policy.mandate.new_lately_max = Yen::new(10_000);
            scene.world.context.policies = Policies::new(policy);
        },
        |refusal| is_limit(refusal, Limit::NewLink),
    ),
    (
        |scene| {
            let mut policy = super::world::policy();
            policy.mandate.new_links_lately_max = Yen::new(10_000);
            scene.world.context.policies = Policies::new(policy);
        },
        |refusal| is_limit(refusal, Limit::NewLinks),
    ),
    (
        |scene| {
            let today = scene.world.now.day();
            edit(scene, ME, |row| row.counters.top_up.count(today, Yen::new(290_000)));
        },
        |refusal| is_limit(refusal, Limit::PerMonth),
    ),
    (
        |scene| {
            let mut row = Person { wallet: Some(wallet(ME)), ..Person::default() };
            row.counters.top_up.count(scene.world.now.day(), Yen::new(290_000));
            scene.world.rows.insert(Key::new(table::PERSON, Id::from_number(ME)), Row::Person(Box::new(row)));
        },
        |refusal| is_limit(refusal, Limit::PersonPerMonth),
    ),
    (|scene| scene.funds = 990_000, |refusal| is_limit(refusal, Limit::Balance)),
    (fill_with_lots, |refusal| is_limit(refusal, Limit::Lots)),
];

#[test]
fn a_top_ups_reasons_in_order() {
    let guard: Reason<top_up::Request> =
        (|scene| scene.world.context.guard = steps_up, |refusal| matches!(refusal, Refusal::StepUpRequired { .. }));
    let reasons: Vec<_> = TOP_UP_REASONS.into_iter().chain([guard]).collect();
    check(a_top_up, &reasons, |command| Command::TopUp(top_up::Command::Request(command)));
}

fn a_payout() -> Scene<payout::Request> {
    let request = payout::Request {
        payout: PayoutId(Id::from_number(3)),
        wallet: wallet(ME),
        holder: holder(ME),
        bank_account: ACCOUNT,
        amount: Yen::new(20_000),
        origin: None,
        proof: None,
    };
    linked(request, 50_000)
}

fn take_the_payouts_id(scene: &mut Scene<payout::Request>) {
    let mut other = a_payout();
    let received = T0.plus_milliseconds(-2 * DAY_MS);
    other.world.give_money(wallet(ME), Purse::Funds, 77, 50_000, received);
    other.world.done(&Command::Payout(payout::Command::Request(other.command)));
    let key = Key::new(table::PAYOUT, scene.command.payout.0);
    let row = other.world.rows.remove(&key).expect("it was asked for");
    scene.world.rows.insert(key, row);
}

/// Money that came by a send just now: on its way back to its source it would have no age.
fn give_young<C>(scene: &mut Scene<C>) {
    let (from, amount) = (chart::suspense(None), Yen::new(30_000));
    let other = Account { debits_posted: amount, ..Account::new(Rule::Free) };
    scene.world.rows.insert(chart::key(from), Row::Account(from, other));
    edit(scene, ME, |row| {
        row.funds.give(&Lot { id: Id::from_number(5), source: Source::Send(wallet(YOU)), received: T0, amount });
        row.funds.account.credits_posted = amount;
    });
}

const PAYOUT_REASONS: [Reason<payout::Request>; 13] = [
    (|scene| scene.command.amount = Yen::ZERO, is_zero),
    (|scene| scene.command.holder = holder(YOU), is_unknown_wallet),
    (
        |scene| scene.command.bank_account = BankAccountId(Id::from_number(9)),
        |refusal| *refusal == Refusal::Unknown { noun: Noun::BankAccount },
    ),
    (take_the_payouts_id, |refusal| matches!(refusal, Refusal::Taken { noun: Noun::Payout, .. })),
    (stop, is_stopped),
    (|scene| scene.world.clock_drifted = true, |refusal| *refusal == Refusal::ClockDrifted),
    (close, is_closed),
    (freeze, is_frozen),
    (|scene| edit(scene, ME, |row| row.tier = Tier::Phone), |refusal| matches!(refusal, Refusal::TierTooLow { .. })),
    (|scene| scene.command.amount = Yen::new(20_001), |refusal| is_limit(refusal, Limit::PerTime)),
    (
        |scene| {
            let today = scene.world.now.day();
            edit(scene, ME, |row| (0..5).for_each(|_| row.counters.payout.count(today, Yen::new(1))));
        },
        |refusal| is_limit(refusal, Limit::CountPerMonth),
    ),
    (|scene| scene.funds = 0, |refusal| matches!(refusal, Refusal::InsufficientFunds { .. })),
    (|scene| scene.world.context.guard = steps_up, |refusal| matches!(refusal, Refusal::StepUpRequired { .. })),
];

#[test]
fn a_payouts_reasons_in_order() {
    check(a_payout, &PAYOUT_REASONS, |command| Command::Payout(payout::Command::Request(command)));
}

/// How old the money is matters once there is enough of it, and before anybody is put through a proof.
#[test]
fn a_payout_of_young_money_asks_for_no_proof() {
    let mut scene = a_payout();
    give_young(&mut scene);
    scene.world.context.guard = steps_up;
    let refusal = scene.world.refused(&Command::Payout(payout::Command::Request(scene.command)));
    assert!(is_limit(&refusal, Limit::Young), "{refusal:?}");
}

/// A movement that the guard held, as a story leaves it.
fn held(story: &str) -> Scene<()> {
    let mut told = Story::new();
    for sentence in story.split("; ") {
        told.tell(sentence);
    }
    Scene { world: told.world, command: (), funds: 0, young: false }
}

fn a_held_top_up() -> Scene<()> {
    held("A links X; the guard holds; A tops up 100 from X -> held")
}

fn a_held_payout() -> Scene<()> {
    held("A has 500 funds; A links X; the guard holds; A pays out 500 to X -> held")
}

fn top_up_of<C>(scene: &mut Scene<C>) -> &mut top_up::TopUp {
    let row = scene.world.rows.values_mut().find_map(|row| match row {
        Row::TopUp(row) => Some(row),
        _ => None,
    });
    row.expect("there is a top-up")
}

fn payout_of<C>(scene: &mut Scene<C>) -> &mut payout::Payout {
    let row = scene.world.rows.values_mut().find_map(|row| match row {
        Row::Payout(row) => Some(row),
        _ => None,
    });
    row.expect("there is a payout")
}

/// Runs the release with each pair of reasons, and with each alone.
fn check_release(scene: fn() -> Scene<()>, reasons: &[Reason<()>], release: fn(&mut Scene<()>) -> Command) {
    for (first, (make_first, is_first)) in reasons.iter().enumerate() {
        for (second, (make_second, _)) in reasons.iter().enumerate().skip(first) {
            let mut scene = scene();
            make_second(&mut scene);
            make_first(&mut scene);
            let command = release(&mut scene);
            let refusal = scene.world.refused(&command);
            assert!(is_first(&refusal), "reasons {first} and {second}: {refusal:?}");
        }
    }
}

#[test]
fn the_reasons_not_to_release_a_held_top_up_in_order() {
    let reasons: [Reason<()>; 7] = [
        (stop, is_stopped),
        (
            |scene| top_up_of(scene).status = top_up::Status::Declined,
            |refusal| matches!(refusal, Refusal::WrongStatus { noun: Noun::TopUp, .. }),
        ),
        (
            |scene| edit_mandate(scene, |row| row.status = mandate::Status::Revoked),
            |refusal| matches!(refusal, Refusal::WrongStatus { noun: Noun::Mandate, .. }),
        ),
        (close, is_closed),
        (|scene| scene.world.pass(2 * DAY_MS), |refusal| matches!(refusal, Refusal::Expired { .. })),
        (freeze, is_frozen),
        (|scene| top_up_of(scene).claims.add(Claim::NotMoved), |refusal| is_contradicted(refusal, Noun::TopUp)),
    ];
    check_release(a_held_top_up, &reasons, |scene| {
        let top_up = top_up_of(scene).debit.top_up;
        Command::TopUp(top_up::Command::DecideHeld { top_up, release: true, by: staff("ann") })
    });
}

#[test]
fn the_reasons_not_to_release_a_held_payout_in_order() {
    let reasons: [Reason<()>; 8] = [
        (
            |scene| payout_of(scene).credit.bank_account = BankAccountId(Id::from_number(9)),
            |refusal| *refusal == Refusal::Unknown { noun: Noun::BankAccount },
        ),
        (stop, is_stopped),
        (|scene| scene.world.clock_drifted = true, |refusal| *refusal == Refusal::ClockDrifted),
        (
            |scene| payout_of(scene).status = payout::Status::Declined,
            |refusal| matches!(refusal, Refusal::WrongStatus { noun: Noun::Payout, .. }),
        ),
        (close, is_closed),
        (|scene| scene.world.pass(2 * DAY_MS), |refusal| matches!(refusal, Refusal::Expired { .. })),
        (freeze, is_frozen),
        (|scene| payout_of(scene).claims.add(Claim::NotMoved), |refusal| is_contradicted(refusal, Noun::Payout)),
    ];
    check_release(a_held_payout, &reasons, |scene| {
        let payout = payout_of(scene).credit.payout;
        Command::Payout(payout::Command::DecideHeld { payout, release: true, by: staff("ann") })
    });
}

/// Whether `refusal` says that the bank denies what was asked of it.
fn is_contradicted(refusal: &Refusal, of: Noun) -> bool {
    let came = Stated::Claim(Claim::NotMoved);
    matches!(refusal, Refusal::NotAsOnRecord { noun, on_record: Stated::Amount(_), came: said } if *noun == of && *said == came)
}
