//! What holds for any history at all: the ledger agrees with the naive model in every answer and every sum, money is
//! conserved and rules are kept (the world looks after each command), the history alone comes to the same rows, and a
//! repeated command comes to nothing.

use super::model::Model;
use super::world::World;
use crate::{Account, Command, Event, Receipt, Refusal, Row, Rule, Yen, account_as_of};
use domain::{Id, Time};
use proptest::prelude::*;
use proptest::sample::Index;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

const ACCOUNTS: u128 = 5;
const TRANSFERS: u128 = 24;
const COMMANDS_MAX: usize = 120;

#[derive(Clone, Debug)]
enum Act {
    Ask(Command),
    /// The command that was asked so many acts ago.
    AskAgain(usize),
    Wait(i64),
    ClockDrifts(bool),
}

fn account() -> impl Strategy<Value = Id> {
    (0..=ACCOUNTS).prop_map(Id::from_number)
}

fn transfer() -> impl Strategy<Value = Id> {
    (0..TRANSFERS).prop_map(Id::from_number)
}

fn amount() -> impl Strategy<Value = Yen> {
    prop_oneof![
        20 => (1..200_i64).prop_map(Yen::new),
        1 => Just(Yen::ZERO),
        1 => Just(Yen::MAX),
        1 => (1..200_i64).prop_map(|less| Yen::new(Yen::MAX.amount() - less)),
    ]
}

fn rule() -> impl Strategy<Value = Rule> {
    prop_oneof![Just(Rule::Free), Just(Rule::DebitsNeverExceedCredits), Just(Rule::CreditsNeverExceedDebits)]
}

fn time() -> impl Strategy<Value = Time> {
    (0..60_i64).prop_map(Time::from_milliseconds)
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        1 => (account(), rule()).prop_map(|(id, rule)| Command::OpenAccount { id, rule }),
        1 => account().prop_map(|id| Command::CloseAccount { id }),
        8 => (transfer(), account(), account(), amount())
            .prop_map(|(id, debit, credit, amount)| Command::Transfer { id, debit, credit, amount }),
        8 => (transfer(), account(), account(), amount(), proptest::option::of(time())).prop_map(
            |(id, debit, credit, amount, expires_at)| Command::Hold { id, debit, credit, amount, expires_at }
        ),
        4 => (transfer(), proptest::option::of(amount()))
            .prop_map(|(hold, amount)| Command::PostHold { hold, amount }),
        2 => transfer().prop_map(|hold| Command::VoidHold { hold }),
        3 => transfer().prop_map(|hold| Command::ExpireHold { hold }),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        20 => command().prop_map(Act::Ask),
        3 => (1..12_usize).prop_map(Act::AskAgain),
        3 => (0..8_i64).prop_map(Act::Wait),
        1 => any::<bool>().prop_map(Act::ClockDrifts),
    ]
}

/// Accounts of every rule, so that most of what is asked can happen; one of the ids stays unknown at first.
fn opening() -> Vec<Act> {
    let purse = Rule::DebitsNeverExceedCredits;
    let rules = [Rule::Free, purse, purse, Rule::CreditsNeverExceedDebits, Rule::Free];
    let open = |(id, rule)| Act::Ask(Command::OpenAccount { id: Id::from_number(id), rule });
    (0..ACCOUNTS).zip(rules).map(open).collect()
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    proptest::collection::vec(act(), 0..COMMANDS_MAX).prop_map(|acts| [opening(), acts].concat())
}

/// Plays `acts` in the ledger and in the model, and answers the world with what was carried out anew.
fn play(acts: &[Act]) -> (World, Vec<(Command, Receipt)>) {
    let (mut world, mut model) = (World::default(), Model::default());
    let (mut asked, mut done) = (Vec::new(), Vec::new());
    for act in acts {
        let command = match *act {
            Act::Ask(command) => command,
            Act::AskAgain(back) => match asked.iter().rev().nth(back - 1) {
                Some(command) => *command,
                None => continue,
            },
            Act::Wait(milliseconds) => {
                world.now = world.now.plus_milliseconds(milliseconds);
                model.now = world.now;
                continue;
            }
            Act::ClockDrifts(drifts) => {
                (world.clock_drifted, model.clock_drifted) = (drifts, drifts);
                continue;
            }
        };
        asked.push(command);
        let before = world.rows.clone();
        let expected = model.run(command);
        let (event, reply) = world.run(command);
        assert_eq!(reply.map(|_| event.is_some()), expected, "answer to {command:?}");
        if expected != Ok(true) {
            assert_eq!(world.rows, before, "{command:?} did nothing and yet changed a row");
        }
        if let (Ok(receipt), Some(_)) = (reply, event) {
            done.push((command, receipt));
        }
        for number in 0..=ACCOUNTS {
            let id = Id::from_number(number);
            if let Some(account) = world.account(id) {
                assert_eq!(sums(&account), model.sums(id), "sums of {id} after {command:?}");
                assert_eq!(account.closed, model.is_closed(id));
            }
        }
    }
    (world, done)
}

fn sums(account: &Account) -> super::model::Sums {
    [account.debits_pending, account.debits_posted, account.credits_pending, account.credits_posted]
        .map(|sum| sum.amount().into())
}

proptest! {
    #[test]
    fn the_ledger_agrees_with_the_model_and_with_its_own_history(acts in acts()) {
        let (world, _) = play(&acts);
        prop_assert_eq!(world.replayed(), world.rows);
    }

    #[test]
    fn what_was_done_is_done_once(acts in acts(), later in 0..100_i64) {
        let (mut world, done) = play(&acts);
        world.now = world.now.plus_milliseconds(later);
        let rows = world.rows.clone();
        for (command, receipt) in done {
            prop_assert_eq!(world.run(command), (None, Ok(receipt)), "{:?} again", command);
        }
        prop_assert_eq!(world.rows, rows);
    }

    #[test]
    fn the_past_is_what_a_shorter_history_says(acts in acts(), then in time(), number in 0..=ACCOUNTS) {
        let (world, _) = play(&acts);
        let id = Id::from_number(number);
        let history = world.history.iter().map(|(time, event)| (*time, event));
        let until = world.history.iter().filter(|(time, _)| *time <= then).copied().collect();
        let past = World { history: until, ..World::default() };
        let expected = past.replayed().get(&crate::account_key(id)).map(Row::account).copied();
        prop_assert_eq!(account_as_of(id, then, history), expected);
    }

    #[test]
    fn what_is_stored_comes_back(acts in acts()) {
        let (world, done) = play(&acts);
        for (_, event) in &world.history {
            let stored = postcard::to_stdvec(event).expect("an event can be stored");
            prop_assert_eq!(postcard::from_bytes::<Event>(&stored), Ok(*event));
        }
        for row in world.rows.values() {
            let stored = postcard::to_stdvec(row).expect("a row can be stored");
            prop_assert_eq!(postcard::from_bytes::<Row>(&stored), Ok(*row));
        }
        for (_, receipt) in &done {
            let stored = postcard::to_stdvec(receipt).expect("a receipt can be stored");
            prop_assert_eq!(postcard::from_bytes::<Receipt>(&stored), Ok(*receipt));
        }
    }

    #[test]
    fn any_bytes_are_refused_or_stay_the_same(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
        any_bytes(&bytes);
    }

    #[test]
    fn damaged_bytes_are_refused_or_stay_the_same(
        acts in acts(),
        which in any::<Index>(),
        flips in proptest::collection::vec((any::<Index>(), 0..8_u8), 0..4),
        cut in proptest::option::of(any::<Index>()),
    ) {
        let (world, _) = play(&acts);
        let stored = |(_, event): &(Time, Event)| postcard::to_stdvec(event).expect("an event can be stored");
        let mut valid: Vec<Vec<u8>> = world.history.iter().map(stored).collect();
        valid.extend(world.rows.values().map(|row| postcard::to_stdvec(row).expect("a row can be stored")));
        let mut bytes = which.get::<Vec<u8>>(&valid).clone();
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        bytes.truncate(cut.map_or(bytes.len(), |cut| cut.index(bytes.len())));
        any_bytes(&bytes);
    }
}

/// Whatever `bytes` are, they are refused or a value that is the same when it is stored and read again.
fn any_bytes(bytes: &[u8]) {
    check_bytes::<Event>(bytes);
    check_bytes::<Row>(bytes);
    check_bytes::<Receipt>(bytes);
    check_bytes::<Refusal>(bytes);
}

fn check_bytes<T: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) {
    if let Ok(value) = postcard::from_bytes::<T>(bytes) {
        let again = postcard::to_stdvec(&value).expect("what was read can be stored");
        assert_eq!(postcard::from_bytes(&again).as_ref(), Ok(&value));
    }
}
