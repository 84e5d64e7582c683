//! The banks' books under any order of commands: the rules alone, without an engine.

use crate::domain::account::{self, AccountKind, AccountNumber, Customer, Pin};
use crate::domain::bank::{self, BankCode, Booking, Factor, Faults};
use crate::domain::movement::{self, Direction, Outcome, Reference};
use crate::domain::{Command, Event, Receipt, Row, World};
use domain::{Day, Domain, Key, Moment, State, Time};
use ledger::Yen;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// The rows, and those that the present command may see.
#[derive(Default)]
struct Books {
    rows: BTreeMap<Key, Row>,
    named: BTreeSet<Key>,
}

impl State<Row> for Books {
    fn row(&self, key: Key) -> Option<&Row> {
        assert!(self.named.contains(&key), "a command sees the rows that it named");
        self.rows.get(&key)
    }
}

impl Books {
    /// Does `command` as the engine does: named rows, events row by row, asserts.
    fn submit(&mut self, command: &Command, now: Time) -> (Vec<Event>, Option<Receipt>) {
        let mut keys = Vec::new();
        World::keys(command, &mut keys);
        self.named = keys.iter().copied().collect();
        let mut further = Vec::new();
        World::keys_further(command, self, &mut further);
        self.named.extend(further);
        let decision = World::decide(self, command, Moment { now, clock_drifted: false }, &());
        for event in &decision.events {
            let mut touched = Vec::new();
            World::touches(event, &mut touched);
            for key in touched {
                assert!(self.named.contains(&key), "{command:?} changes a row that it did not name");
                let mut row = self.rows.remove(&key);
                World::evolve(key, &mut row, event);
                self.rows.extend(row.map(|row| (key, row)));
            }
        }
        World::assert_decided(&decision.events, self);
        (decision.events, decision.reply.ok())
    }

    fn balance(&self, number: AccountNumber) -> i64 {
        self.rows[&number.key()].account().balance
    }
}

fn number(number: u32) -> AccountNumber {
    AccountNumber { bank: BankCode::parse("0125").expect("a code"), branch: 100, kind: AccountKind::Ordinary, number }
}

fn opened(number: AccountNumber, balance: i64, overdraft_max: i64) -> Command {
    let customer = Customer {
        family_name: "七海".into(),
        given_name: "花子".into(),
        family_kana: "ナナミ".into(),
        given_kana: "ハナコ".into(),
        birth_date: Day::from_number(0),
        pin: Pin::parse("0000").expect("a PIN"),
        mail: None,
        phone: None,
        card_seed: 0,
    };
    Command::Account(account::Command::Open {
        number,
        customer: Box::new(customer),
        balance: Yen::new(balance),
        overdraft_max: Yen::new(overdraft_max),
    })
}

#[derive(Clone, Debug)]
enum Step {
    Move { reference: u8, direction: Direction, account: u32, amount: i64 },
    Reverse { reference: u8, direction: Direction },
    Inquire { reference: u8 },
    Wait { hours: i64 },
    Misbehave { wrong_amount: bool, late_seconds: u32 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let direction = || prop_oneof![Just(Direction::Debit), Just(Direction::Credit)];
    let step = prop_oneof![
        6 => (0..12_u8, direction(), 1..4_u32, 0..60_000_i64)
            .prop_map(|(reference, direction, account, amount)| Step::Move { reference, direction, account, amount }),
        2 => (0..12_u8, direction()).prop_map(|(reference, direction)| Step::Reverse { reference, direction }),
        1 => (0..12_u8).prop_map(|reference| Step::Inquire { reference }),
        1 => (1..30_i64).prop_map(|hours| Step::Wait { hours }),
        1 => (any::<bool>(), 0..7_200_u32)
            .prop_map(|(wrong_amount, late_seconds)| Step::Misbehave { wrong_amount, late_seconds }),
    ];
    prop::collection::vec(step, 1..80)
}

fn reference(text: u8, direction: Direction) -> Reference {
    Reference { bank: number(1).bank, direction, text: text.to_string() }
}

fn command(step: &Step, day: Day) -> Option<Command> {
    Some(match *step {
        Step::Move { reference: text, direction, account, amount } => Command::Movement(movement::Command::Request {
            reference: reference(text, direction),
            account: number(account),
            amount: Yen::new(amount),
            descriptor: "キンチャク".into(),
            day,
            may_overdraw: true,
        }),
        Step::Reverse { reference: text, direction } => {
            Command::Movement(movement::Command::Reverse { reference: reference(text, direction), day })
        }
        Step::Inquire { reference: text } => {
            Command::Movement(movement::Command::Inquire { reference: reference(text, Direction::Debit) })
        }
        Step::Wait { .. } => return None,
        Step::Misbehave { wrong_amount, late_seconds } => {
            let booking = if wrong_amount { Booking::OneYenMore } else { Booking::AsAsked };
            let faults = Faults { booking, late_seconds, ..Faults::default() };
            Command::Bank(bank::Command::SetFaults { bank: number(1).bank, faults })
        }
    })
}

proptest! {
    #[test]
    fn a_balance_is_what_moved_and_a_reference_moves_once(steps in steps()) {
        let mut now = Time::from_milliseconds(1_598_929_200_000);
        let mut books = Books::default();
        let set = [Factor::Account, Factor::Pin].into_iter().collect();
        let policy = Command::Bank(bank::Command::SetFactors { bank: number(1).bank, sets: vec![set] });
        books.submit(&policy, now);
        let mut expected: BTreeMap<u32, i64> = BTreeMap::new();
        // Number 3 is nobody's.
        for (account, balance, overdraft_max) in [(1, 100_000, 0), (2, 0, 50_000)] {
            books.submit(&opened(number(account), balance, overdraft_max), now);
            expected.insert(account, balance);
        }
        let mut settled = BTreeSet::new();
        let mut gave_up = BTreeSet::new();
        for step in &steps {
            if let Step::Wait { hours } = step {
                now = now.plus_milliseconds(hours * 3_600_000);
            }
            let Some(command) = command(step, now.day()) else { continue };
            let (events, receipt) = books.submit(&command, now);
            if let (Step::Inquire { reference }, Some(Receipt::Missed { cut_off_passed: true })) = (step, &receipt) {
                gave_up.insert(*reference);
            }
            for event in events {
                let Event::Movement(event) = event else { continue };
                let (account, signed) = match event {
                    movement::Event::Decided(movement) if movement.outcome == Outcome::Settled => {
                        let text: u8 = movement.reference.text.parse().expect("a number");
                        prop_assert!(settled.insert((text, movement.reference.direction)), "once");
                        let is_debit = movement.reference.direction == Direction::Debit;
                        prop_assert!(!(is_debit && gave_up.contains(&text)), "what was given up does not appear");
                        let signed = if is_debit { -movement.booked.amount() } else { movement.booked.amount() };
                        (movement.account, signed)
                    }
                    movement::Event::Reversed { reference, account, booked, .. } => {
                        let is_debit = reference.direction == Direction::Debit;
                        (account, if is_debit { booked.amount() } else { -booked.amount() })
                    }
                    movement::Event::Decided(_) | movement::Event::Missed { .. } | movement::Event::Told { .. } => continue,
                };
                *expected.get_mut(&account.number).expect("somebody's") += signed;
            }
            for (account, balance) in &expected {
                prop_assert_eq!(books.balance(number(*account)), *balance);
            }
        }
    }
}
