//! What takes two people, and what one does alone.

use super::world::{World, bank_code};
use crate::domain::bank::{self, Function, Side};
use crate::domain::mandate;
use crate::domain::operator::PROPOSAL_MS;
use crate::domain::proposal::{PROPOSALS_MAX, PROPOSALS_OF_ONE_MAX};
use crate::domain::{Command, Factor, Factors, MandateId, Receipt, Refusal, StaffId};
use domain::Id;

const STATIC: [Factor; 3] = [Factor::Account, Factor::NameKana, Factor::Pin];

fn person(number: u128) -> StaffId {
    StaffId(Id::from_number(number))
}

fn switch(side: Side, stop: bool, by: u128) -> Command {
    let (bank, function, by) = (bank_code(), Function::Debit, Some(person(by)));
    Command::Bank(bank::Command::Switch { bank, function, stop, side, by, reason: "a look at it".into() })
}

fn factors(sets: &[&[Factor]], by: u128) -> Command {
    let sets = sets.iter().map(|set| set.iter().copied().collect()).collect();
    let own: Vec<Factors> = vec![STATIC.into_iter().chain([Factor::SmsCode]).collect()];
    Command::Bank(bank::Command::SetFactors { bank: bank_code(), sets, own, by: person(by) })
}

fn confirm(mandate: MandateId, by: Option<u128>) -> Command {
    Command::Mandate(mandate::Command::Confirm { mandate, channel: Factor::BankApp, by: by.map(person) })
}

/// Whether the command was only proposed.
fn waits(world: &mut World, command: &Command) -> bool {
    match world.done(command) {
        Receipt::Proposed { .. } => true,
        Receipt::Done | Receipt::Mandate { .. } | Receipt::Movement { .. } => false,
    }
}

#[test]
fn a_stop_is_lifted_by_two_of_one_desk_within_a_day_and_not_beside_a_newer_stop() {
    for side in [Side::Gateway, Side::Bank] {
        let mut world = World::new();
        let is_stopped = |world: &World| world.bank().is_some_and(|row| row.stop(Function::Debit).is_some());
        assert!(!waits(&mut world, &switch(side, false, 1)), "nothing is stopped: nothing to agree to");
        assert!(!waits(&mut world, &switch(side, true, 1)) && is_stopped(&world));
        for by in [1, 1] {
            assert!(waits(&mut world, &switch(side, false, by)) && is_stopped(&world), "one person is one");
        }
        world.now = world.now.plus_milliseconds(PROPOSAL_MS);
        assert!(waits(&mut world, &switch(side, false, 2)), "after a day it is forgotten");
        // The windows stop the same: whoever wanted it to go on did not know.
        let windows = bank::Command::Switch {
            bank: bank_code(),
            function: Function::Debit,
            stop: true,
            side: Side::Windows,
            by: None,
            reason: "a spray".into(),
        };
        world.done(&Command::Bank(windows));
        assert!(waits(&mut world, &switch(side, false, 1)));
        assert!(!waits(&mut world, &switch(side, false, 2)));
        assert_eq!(is_stopped(&world), side == Side::Bank, "the bank's desk does not lift what the windows stopped");
        assert_eq!(world.bank().map(|row| row.proposals.len()), Some(0));
    }
}

#[test]
fn another_desk_does_not_agree() {
    let mut world = World::new();
    world.done(&switch(Side::Gateway, true, 1));
    world.done(&switch(Side::Bank, true, 11));
    assert!(waits(&mut world, &switch(Side::Gateway, false, 1)));
    assert!(waits(&mut world, &switch(Side::Bank, false, 11)));
    assert_eq!(world.bank().map(|row| (row.stops.len(), row.proposals.len())), Some((2, 2)));
}

#[test]
fn what_one_desk_wants_leaves_room_for_what_the_other_wants() {
    let mut world = World::new();
    world.done(&switch(Side::Gateway, true, 1));
    let optional = [Factor::NameKana, Factor::Pin, Factor::BirthDate, Factor::Balance, Factor::CardSerial];
    let sets: Vec<Vec<Factor>> = (1_usize..32)
        .map(|chosen| {
            let some =
                optional.iter().enumerate().filter(|(place, _)| (chosen >> place) & 1 == 1).map(|(_, factor)| *factor);
            [Factor::Account].into_iter().chain(some).collect()
        })
        .collect();
    let (mut wanted, mut by) = (0, 11);
    for first in &sets {
        for second in &sets {
            let mut said = world.run(&factors(&[first, second], by));
            if matches!(said, Err(Refusal::TooManyOpen { .. })) {
                by += 1;
                said = world.run(&factors(&[first, second], by));
            }
            if let Err(refusal) = said {
                assert!(matches!(refusal, Refusal::Full { .. }), "{refusal:?}");
                assert_eq!(wanted, PROPOSALS_MAX, "so many of one desk wait");
                let people = usize::try_from(by - 11).expect("few");
                assert_eq!(people, PROPOSALS_MAX / PROPOSALS_OF_ONE_MAX, "and no person has the room of all");
                assert!(waits(&mut world, &switch(Side::Gateway, false, 1)), "the other desk has its own room");
                assert!(!waits(&mut world, &switch(Side::Gateway, false, 2)));
                return;
            }
            wanted += 1;
        }
    }
    panic!("nobody was refused");
}

#[test]
fn a_bank_asks_for_more_by_one_person_and_for_less_by_two() {
    let with = |factor| [Factor::Account, Factor::NameKana, Factor::Pin, factor];
    let (own, more) = (with(Factor::SmsCode), with(Factor::BankApp));
    let most: Vec<Factor> = own.into_iter().chain([Factor::CardSerial]).collect();
    let mut world = World::new();
    assert!(!waits(&mut world, &factors(&[&most], 1)), "more than the bank asks for itself");
    assert!(!waits(&mut world, &factors(&[&most], 1)), "as it is");
    assert!(waits(&mut world, &factors(&[&own], 1)), "less than now");
    assert!(waits(&mut world, &factors(&[&most, &more], 1)), "a second way in");
    assert!(waits(&mut world, &factors(&[], 1)), "what the bank asks for itself is less than now");
    assert!(!waits(&mut world, &factors(&[&own], 2)), "the second person for the first");
    assert_eq!(world.bank().map(|row| row.proposals.len()), Some(0), "the others were about what is no more");
    assert!(waits(&mut world, &factors(&[&STATIC], 2)));
    assert!(waits(&mut world, &factors(&[&STATIC], 2)));
}

#[test]
fn what_a_bank_that_cannot_be_asked_asks_for_is_never_more() {
    let mut world = World::new();
    let more: Vec<Factor> = STATIC.into_iter().chain([Factor::SmsCode, Factor::CardSerial]).collect();
    assert!(!waits(&mut world, &factors(&[&more], 1)), "more than the bank asks for itself");
    let unsaid = bank::Command::SetFactors { bank: bank_code(), sets: vec![], own: vec![], by: person(1) };
    assert!(waits(&mut world, &Command::Bank(unsaid)));
}

#[test]
fn people_confirm_in_twos_and_the_holders_own_channel_alone() {
    for (by, waited) in [(None, false), (Some(1), true)] {
        let mut world = World::new();
        let mandate = world.link(100, "w", &[Factor::Account, Factor::OneTimePassword]);
        assert_eq!(waits(&mut world, &confirm(mandate, by)), waited);
        assert_eq!(waits(&mut world, &confirm(mandate, by)), waited, "said twice by one person");
        assert!(!waits(&mut world, &confirm(mandate, Some(2))));
        assert!(world.mandate(mandate).is_confirmed());
    }
}
