//! Whatever banks say, in whatever order and however often: a status only moves on, the first firm word stands, sums hold,
//! and the journal alone comes to the same rows.

use super::world::{World, bank_code, operator_id, reference};
use crate::domain::Factor;
use crate::domain::bank;
use crate::domain::calendar::{Calendar, Maintenance};
use crate::domain::mandate::{self, RevokedBy, Why};
use crate::domain::movement::{self, Code, Next, Outcome, Source, Status, Target};
use crate::domain::{Command, MovementId, Receipt, Spread, StaffId};
use domain::Id;
use ledger::Yen;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Something that happens around three debits and two returns of the first.
#[derive(Clone, Debug)]
enum Step {
    Debit(u128, i64),
    Return(u128, i64),
    Take(u128),
    Answer(u128, Outcome, Source),
    Revoke,
    Confirm,
    Pass(i64),
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        3 => Just(Outcome::Settled { amount: Yen::new(1_000) }),
        1 => Just(Outcome::Settled { amount: Yen::new(900) }),
        1 => Just(Outcome::Settled { amount: Yen::ZERO }),
        2 => Just(Outcome::Declined { code: Code::InsufficientFunds }),
        1 => any::<bool>().prop_map(|last| Outcome::NotFound { last }),
        1 => Just(Outcome::Reversed { amount: Yen::new(1_000) }),
        1 => Just(Outcome::Unknown),
    ]
}

fn source() -> impl Strategy<Value = Source> {
    prop_oneof![Just(Source::Request), Just(Source::Inquiry), Just(Source::Callback), Just(Source::DayFile)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1_u128..4, prop_oneof![Just(1_000_i64), Just(9_000)]).prop_map(|(id, amount)| Step::Debit(id, amount)),
        2 => (4_u128..6, prop_oneof![Just(1_000_i64), Just(400)]).prop_map(|(id, amount)| Step::Return(id, amount)),
        2 => (1_u128..6).prop_map(Step::Take),
        6 => (1_u128..6, outcome(), source()).prop_map(|(id, outcome, source)| Step::Answer(id, outcome, source)),
        1 => Just(Step::Revoke),
        1 => Just(Step::Confirm),
        1 => (0_i64..200_000_000).prop_map(Step::Pass),
    ]
}

/// Every movement's status, before and after.
fn statuses(world: &World) -> Vec<Option<Status>> {
    (1..6).map(|number| world.movement(number).map(|row| row.status)).collect()
}

proptest! {
    #[test]
    fn a_status_only_moves_on_and_the_journal_comes_to_the_same_rows(steps in proptest::collection::vec(step(), 1..40)) {
        let mut world = World::new();
        let mandate = world.link(100, "w", &[Factor::Account, Factor::Pin]);
        for step in steps {
            let before = statuses(&world);
            let is_revoked = matches!(step, Step::Revoke);
            let known = |number: u128| before[usize::try_from(number - 1).expect("small")].is_some();
            match step {
                Step::Debit(number, amount) => drop(world.request(number, Target::DebitOf(mandate), amount)),
                Step::Return(number, amount) => {
                    let debit = MovementId::of_hash(Id::from_number(1));
                    let events_read = world.told_last();
                    drop(world.request(number, Target::ReturnOf { debit, events_read }, amount));
                }
                Step::Take(number) if known(number) => {
                    let movement = MovementId::of_hash(Id::from_number(number));
                    world.done(&Command::Movement(movement::Command::Take { movement, by_file: false, spread: Spread::default() }));
                }
                Step::Answer(number, outcome, source) if known(number) => world.answer(number, outcome, source),
                Step::Take(_) | Step::Answer(..) => {}
                Step::Revoke => {
                    let (by, why) = (RevokedBy::AccountHolder, Why::NotMine);
                    world.done(&Command::Mandate(mandate::Command::Revoke { mandate, operator: None, by, why }));
                }
                Step::Confirm => {
                    let channel = Factor::Letter;
                    drop(world.run(&Command::Mandate(mandate::Command::Confirm { mandate, channel, by: None })));
                }
                Step::Pass(milliseconds) => world.now = world.now.plus_milliseconds(milliseconds),
            }
            for (before, after) in before.iter().zip(statuses(&world)) {
                prop_assert!(*before <= after, "{before:?} became {after:?}");
            }
            if is_revoked {
                prop_assert!(world.request(77, Target::DebitOf(mandate), 1).is_err(), "a revoked mandate debits nothing");
            }
        }
        prop_assert_eq!(world.replayed(), world.rows);
    }

    #[test]
    fn a_banks_firm_no_is_never_undone(outcomes in proptest::collection::vec((outcome(), source()), 0..12)) {
        let mut world = World::new();
        let mandate = world.link(100, "w", &[Factor::Account, Factor::OneTimePassword]);
        world.request(1, Target::DebitOf(mandate), 1_000).expect("it may be asked");
        world.answer(1, Outcome::Declined { code: Code::NoAccount }, Source::Inquiry);
        for (outcome, source) in outcomes {
            world.answer(1, outcome, source);
            prop_assert_eq!(world.movement(1).map(|row| row.status), Some(Status::Declined));
        }
    }
}

/// What befalls a debit of 1,000 yen that is given back in parts, while its bank comes and goes.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// A part is asked for: at once, or when the bank opens.
    Ask(u128, i64, bool),
    /// The worker's turn with it.
    Work(u128),
    /// The bank takes the debit back by itself, or says that there was none.
    TakeBack,
    Deny,
    /// It goes down, or comes up; what it is sent while it is down is lost.
    Down(bool),
    /// Its hours, or an outage that was announced.
    Close(bool),
    Pass(i64),
}

fn way() -> impl Strategy<Value = Way> {
    prop_oneof![
        4 => (4_u128..8, 1_i64..1_001, any::<bool>()).prop_map(|(id, amount, at_once)| Way::Ask(id, amount, at_once)),
        8 => (4_u128..8).prop_map(Way::Work),
        1 => Just(Way::TakeBack),
        1 => Just(Way::Deny),
        1 => any::<bool>().prop_map(Way::Down),
        1 => any::<bool>().prop_map(Way::Close),
        2 => (0_i64..20_000_000).prop_map(Way::Pass),
    ]
}

/// A bank that pays what it is sent, each reference once.
#[derive(Default)]
struct Bank {
    is_down: bool,
    paid: BTreeMap<u128, i64>,
    /// It has taken the debit back, or says that it never made it: the account lacks nothing.
    is_whole: bool,
}

impl Bank {
    fn asked(&mut self, number: u128, amount: i64, next: Next) -> Outcome {
        if self.is_down {
            return Outcome::Unknown;
        }
        if next == Next::Send && !self.paid.contains_key(&number) {
            assert!(!self.is_whole, "{amount} are sent to an account that lacks nothing");
            self.paid.insert(number, amount);
        }
        let paid = self.paid.get(&number);
        paid.map_or(Outcome::NotFound { last: false }, |amount| Outcome::Settled { amount: Yen::new(*amount) })
    }
}

fn exchange(world: &mut World, bank: &mut Bank, number: u128, receipt: &Receipt) {
    let Receipt::Movement { next: Some(next), .. } = *receipt else { return };
    let amount = world.movement(number).expect("it was asked for").order.amount.amount();
    let outcome = bank.asked(number, amount, next);
    world.answer(number, outcome, if next == Next::Send { Source::Request } else { Source::Inquiry });
}

/// The calendar of a bank under maintenance for a day from now on, or of one that is open.
fn close(world: &mut World, is_closed: bool) {
    let until = world.now.plus_milliseconds(86_400_000);
    let maintenance = Maintenance { from: world.now, until, reason: "定期点検".into() };
    let calendar = Calendar { hours: None, maintenance: if is_closed { vec![maintenance] } else { Vec::new() } };
    let command = bank::Command::SetCalendar { bank: bank_code(), calendar, by: StaffId(Id::from_number(9)) };
    world.done(&Command::Bank(command));
}

proptest! {
    #[test]
    fn nothing_goes_to_an_account_that_lacks_nothing(ways in proptest::collection::vec(way(), 1..60)) {
        let (mut world, mut bank) = (World::new(), Bank::default());
        let mandate = world.link(100, "w", &[Factor::Account, Factor::OneTimePassword]);
        world.request(1, Target::DebitOf(mandate), 1_000).expect("it may be asked");
        world.answer(1, Outcome::Settled { amount: Yen::new(1_000) }, Source::Request);
        let debit = MovementId::of_hash(Id::from_number(1));
        let mut events_read = world.told_last();
        for way in ways {
            match way {
                // Whoever asks has not read what the bank says against the debit: who has, asks for nothing more.
                Way::Ask(number, amount, at_once) => {
                    if !bank.is_whole {
                        events_read = world.told_last();
                    }
                    let request = movement::Request {
                        movement: MovementId::of_hash(Id::from_number(number)),
                        operator: operator_id(),
                        reference: reference(&format!("r{number}")),
                        target: Target::ReturnOf { debit, events_read },
                        amount: Yen::new(amount),
                        at_once,
                        spread: Spread::default(),
                    };
                    if let Ok(receipt) = world.run(&Command::Movement(movement::Command::Request(request))) {
                        exchange(&mut world, &mut bank, number, &receipt);
                    }
                }
                Way::Work(number) if world.movement(number).is_some() => {
                    let movement = MovementId::of_hash(Id::from_number(number));
                    let take = Command::Movement(movement::Command::Take { movement, by_file: false, spread: Spread::default() });
                    let receipt = world.done(&take);
                    exchange(&mut world, &mut bank, number, &receipt);
                }
                Way::TakeBack | Way::Deny if bank.paid.is_empty() && !bank.is_whole => {
                    bank.is_whole = true;
                    let reversed = Outcome::Reversed { amount: Yen::new(1_000) };
                    let denied = Outcome::Declined { code: Code::Other };
                    let outcome = if matches!(way, Way::TakeBack) { reversed } else { denied };
                    world.answer(1, outcome, Source::Callback);
                }
                Way::Work(_) | Way::TakeBack | Way::Deny => {}
                Way::Down(is_down) => bank.is_down = is_down,
                Way::Close(is_closed) => close(&mut world, is_closed),
                Way::Pass(milliseconds) => world.now = world.now.plus_milliseconds(milliseconds),
            }
            prop_assert!(bank.paid.values().sum::<i64>() <= 1_000, "{:?}", bank.paid);
        }
        prop_assert_eq!(world.replayed(), world.rows);
    }
}
