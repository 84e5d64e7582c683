//! Whatever banks say, in whatever order and however often: a status only moves on, the first firm word stands, sums hold,
//! and the journal alone comes to the same rows.

use super::world::World;
use crate::domain::Factor;
use crate::domain::mandate::{self, RevokedBy, Why};
use crate::domain::movement::{self, Code, Outcome, Source, Status, Target};
use crate::domain::{Command, MovementId};
use domain::Id;
use ledger::Yen;
use proptest::prelude::*;

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
                    drop(world.request(number, Target::ReturnOf(debit), amount));
                }
                Step::Take(number) if known(number) => {
                    let movement = MovementId::of_hash(Id::from_number(number));
                    world.done(&Command::Movement(movement::Command::Take { movement, by_file: false }));
                }
                Step::Answer(number, outcome, source) if known(number) => world.answer(number, outcome, source),
                Step::Take(_) | Step::Answer(..) => {}
                Step::Revoke => {
                    let (by, why) = (RevokedBy::AccountHolder, Why::NotMine);
                    world.done(&Command::Mandate(mandate::Command::Revoke { mandate, operator: None, by, why }));
                }
                Step::Confirm => {
                    let channel = Factor::Letter;
                    drop(world.run(&Command::Mandate(mandate::Command::Confirm { mandate, channel })));
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
