//! A ledger in memory that runs one command after the other and checks what must hold after each: the smallest engine
//! there can be. It knows nothing of how balances ought to come out; that is the model's.

use crate::{Account, Command, Event, Ledger, Receipt, Refusal, Row};
use domain::{Decision, Domain, Id, Key, Moment, State, Time};
use std::collections::BTreeMap;

#[derive(Default)]
pub struct World {
    pub now: Time,
    pub clock_drifted: bool,
    pub rows: BTreeMap<Key, Row>,
    pub history: Vec<(Time, Event)>,
}

/// The rows that a command named; asking for another is a bug.
struct Named<'a> {
    rows: &'a BTreeMap<Key, Row>,
    keys: &'a [Key],
}

impl State<Row> for Named<'_> {
    fn row(&self, key: Key) -> Option<&Row> {
        assert!(self.keys.contains(&key), "{key:?} was not named");
        self.rows.get(&key)
    }
}

impl World {
    /// Runs `command`; answers what happened, if anything did, and the reply.
    pub fn run(&mut self, command: Command) -> (Option<Event>, Result<Receipt, Refusal>) {
        let mut keys = Vec::new();
        Ledger::keys(&command, &mut keys);
        let mut further = Vec::new();
        Ledger::keys_further(&command, &Named { rows: &self.rows, keys: &keys }, &mut further);
        keys.append(&mut further);

        let moment = Moment { now: self.now, clock_drifted: self.clock_drifted };
        let before = Named { rows: &self.rows, keys: &keys };
        let Decision { events, reply } = Ledger::decide(&before, &command, moment, &());
        for event in &events {
            apply(&mut self.rows, event, &keys);
            self.history.push((self.now, *event));
        }
        Ledger::assert_decided(&events, &Named { rows: &self.rows, keys: &keys });
        self.assert_invariants();
        assert!(events.len() <= 1, "{events:?}");
        let event = events.first().copied();
        match (event, reply) {
            (Some(Event::Refused { id, refusal }), Err(told)) => assert!(id == command.id() && refusal == told),
            (Some(Event::Refused { .. }), Ok(_)) | (_, Err(_)) => panic!("{event:?} and {reply:?} to {command:?}"),
            (_, Ok(_)) => {}
        }
        (event, reply)
    }

    pub fn account(&self, id: Id) -> Option<Account> {
        self.rows.get(&crate::account_key(id)).map(Row::account).copied()
    }

    /// The rows that the history alone comes to.
    pub fn replayed(&self) -> BTreeMap<Key, Row> {
        let mut rows = BTreeMap::new();
        for (_, event) in &self.history {
            let mut keys = Vec::new();
            Ledger::touches(event, &mut keys);
            apply(&mut rows, event, &keys);
        }
        rows
    }

    /// Debits equal credits over all accounts, posted and pending alike, and every account keeps its rule.
    fn assert_invariants(&self) {
        let mut surplus = (0_i128, 0_i128);
        for (key, row) in &self.rows {
            let Row::Account(account) = row else { continue };
            surplus.0 += i128::from(account.debits_posted.amount()) - i128::from(account.credits_posted.amount());
            surplus.1 += i128::from(account.debits_pending.amount()) - i128::from(account.credits_pending.amount());
            account.assert_rule(crate::event::account_id(key.id));
        }
        assert_eq!(surplus, (0, 0), "debits and credits differ");
    }
}

/// Applies `event` to the rows that it touches, which must be among `named`.
fn apply(rows: &mut BTreeMap<Key, Row>, event: &Event, named: &[Key]) {
    let mut touched = Vec::new();
    Ledger::touches(event, &mut touched);
    for key in touched {
        assert!(named.contains(&key), "{event:?} touches {key:?}, which its command did not name");
        let mut row = rows.get(&key).copied();
        Ledger::evolve(key, &mut row, event);
        rows.insert(key, row.expect("no row is ever removed"));
    }
}
