//! Notices that are owed: so many a day an account, and so many behind one operator's links.

use super::golden::details;
use super::world::{World, operator_id};
use crate::domain::account::NoticeKind;
use crate::domain::movement::Target;
use crate::domain::{AccountId, Command, Factor, MandateId, NoticeId, Noun, OperatorId, Policy, Refusal, notice};
use domain::Id;

fn owe(world: &mut World, number: u128, account: u128, operator: OperatorId) -> Result<(), Refusal> {
    let owe = notice::Command::Owe {
        notice: NoticeId(Id::from_number(number)),
        account: AccountId(Id::from_number(account)),
        details: details(),
        kind: NoticeKind::FirstFactor,
        mandate: MandateId(Id::from_number(1)),
        operator,
    };
    world.run(&Command::Notice(owe)).map(drop)
}

fn tell(world: &mut World, number: u128) {
    let notice = NoticeId(Id::from_number(number));
    world.done(&Command::Notice(notice::Command::Tell { notice }));
}

#[test]
fn an_accounts_holder_is_owed_few_notices_a_day_and_always_the_first() {
    let mut world = World::new();
    for number in 1..=3 {
        owe(&mut world, number, 7, operator_id()).expect("the first ones of the day");
        owe(&mut world, number, 7, operator_id()).expect("the same once more is the same");
    }
    assert_eq!(owe(&mut world, 4, 7, operator_id()), Err(Refusal::AlreadyTold));
    tell(&mut world, 1);
    assert_eq!(owe(&mut world, 4, 7, operator_id()), Err(Refusal::AlreadyTold), "what was sent counts as well");
    owe(&mut world, 4, 8, operator_id()).expect("another account");
    world.now = world.now.plus_milliseconds(24 * 3_600_000);
    owe(&mut world, 5, 7, operator_id()).expect("the first one of another day");
    // No policy keeps the first one of a day from going.
    world.policy = Policy { first_factor_notices_max: 0, ..Policy::default() };
    owe(&mut world, 6, 9, operator_id()).expect("the first one of the day");
    assert_eq!(owe(&mut world, 7, 9, operator_id()), Err(Refusal::AlreadyTold));
}

#[test]
fn what_one_operators_links_leave_owed_is_its_share_alone() {
    let mut world = World::new();
    world.policy = Policy { owed_of_operator_max: 3, ..Policy::default() };
    for number in 1..=3 {
        owe(&mut world, number, number, operator_id()).expect("there is room");
    }
    let too_many = Err(Refusal::TooManyOpen { noun: Noun::Operator, open: 3, max: 3 });
    assert_eq!(owe(&mut world, 4, 4, operator_id()), too_many);
    let other = OperatorId::new(Id::from_number(3 << 64));
    owe(&mut world, 5, 5, other).expect("another operator has a share of its own");
    let mandate = world.link(100, "w1", &[Factor::Account, Factor::OneTimePassword]);
    world.request(1, Target::DebitOf(mandate), 100).expect("debits have another share");
    tell(&mut world, 1);
    tell(&mut world, 1);
    owe(&mut world, 4, 4, operator_id()).expect("what was sent is owed no more");
}
