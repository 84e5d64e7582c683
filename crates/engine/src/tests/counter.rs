//! A tiny domain for the tests: counters with a limit, pointers to counters, and commands that panic where told.

use crate::record::{Actor, ActorKind, Request};
use crate::submission::Submission;
use domain::{Decision, Domain, Id, Key, Moment, State, Table, TableSpec, Time, Value};
use serde::{Deserialize, Serialize};

/// No counter goes beyond.
pub(crate) const LIMIT: u64 = 1_000;
const COUNTER: Table = Table(0);
const POINTER: Table = Table(1);

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Counter;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Add {
        counter: u8,
        by: u64,
    },
    Move {
        from: u8,
        to: u8,
        by: u64,
    },
    Point {
        pointer: u8,
        counter: u8,
    },
    /// Adds one where the pointer points: the second round of keys.
    Follow {
        pointer: u8,
    },
    Remove {
        counter: u8,
    },
    Panic {
        counter: u8,
        stage: Stage,
    },
    /// Adds one to many counters at once.
    Sweep {
        counters: u8,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stage {
    Decide,
    Evolve,
    Assert,
    /// Changes a row that the command did not name.
    Unnamed,
    /// When asked whether an operation has begun.
    Begin,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Row {
    Counter { total: u64, tried: u64 },
    Pointer { counter: u8 },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Event {
    Added { counter: u8, by: u64 },
    Moved { from: u8, to: u8, by: u64 },
    Pointed { pointer: u8, counter: u8 },
    Tried { counter: u8 },
    Removed { counter: u8 },
    Cursed { counter: u8, stage: Stage },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Receipt {
    pub total: u64,
    pub now: Time,
    pub clock_drifted: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Refusal {
    Full { total: u64 },
    NoPointer,
}

pub(crate) fn counter_key(counter: u8) -> Key {
    Key::new(COUNTER, Id::from_number(counter.into()))
}

pub(crate) fn pointer_key(pointer: u8) -> Key {
    Key::new(POINTER, Id::from_number(pointer.into()))
}

pub(crate) fn total(state: &dyn State<Row>, counter: u8) -> u64 {
    match state.row(counter_key(counter)) {
        Some(Row::Counter { total, .. }) => *total,
        Some(Row::Pointer { .. }) => panic!("a pointer stands where a counter belongs"),
        None => 0,
    }
}

fn pointed(state: &dyn State<Row>, pointer: u8) -> Option<u8> {
    match state.row(pointer_key(pointer)) {
        Some(Row::Pointer { counter }) => Some(*counter),
        Some(Row::Counter { .. }) => panic!("a counter stands where a pointer belongs"),
        None => None,
    }
}

/// What adding comes to: the events, and the total after it or the refusal.
fn add(state: &dyn State<Row>, counter: u8, by: u64) -> (Vec<Event>, Result<u64, Refusal>) {
    let before = total(state, counter);
    if before + by > LIMIT {
        (vec![Event::Tried { counter }], Err(Refusal::Full { total: before }))
    } else {
        (vec![Event::Added { counter, by }], Ok(before + by))
    }
}

impl Domain for Counter {
    type Command = Command;
    type Context = ();
    type Row = Row;
    type Event = Event;
    type Receipt = Receipt;
    type Refusal = Refusal;

    const NAME: &'static str = "counter";
    const TABLES: &'static [TableSpec] = &[
        TableSpec { name: "counter", columns: &["total", "tried"] },
        TableSpec { name: "pointer", columns: &["counter"] },
    ];

    fn keys(command: &Command, keys: &mut Vec<Key>) {
        match *command {
            Command::Add { counter, .. } | Command::Remove { counter } | Command::Panic { counter, .. } => {
                keys.push(counter_key(counter));
            }
            Command::Move { from, to, .. } => keys.extend([counter_key(from), counter_key(to)]),
            Command::Point { pointer, .. } | Command::Follow { pointer } => keys.push(pointer_key(pointer)),
            Command::Sweep { counters } => keys.extend((0..counters).map(counter_key)),
        }
    }

    fn keys_further(command: &Command, state: &dyn State<Row>, keys: &mut Vec<Key>) {
        if let Command::Follow { pointer } = *command
            && let Some(counter) = pointed(state, pointer)
        {
            keys.push(counter_key(counter));
        }
    }

    fn decide(state: &dyn State<Row>, command: &Command, moment: Moment, _context: &()) -> Decision<Self> {
        let (events, total) = match *command {
            Command::Add { counter, by } => add(state, counter, by),
            Command::Move { from, to, by } => {
                let available = total(state, from);
                if available < by || from == to || total(state, to) + by > LIMIT {
                    (vec![], Err(Refusal::Full { total: available }))
                } else {
                    (vec![Event::Moved { from, to, by }], Ok(available - by))
                }
            }
            Command::Point { pointer, counter } => (vec![Event::Pointed { pointer, counter }], Ok(0)),
            Command::Follow { pointer } => match pointed(state, pointer) {
                Some(counter) => add(state, counter, 1),
                None => (vec![], Err(Refusal::NoPointer)),
            },
            Command::Remove { counter } => {
                let existed = state.row(counter_key(counter)).is_some();
                (if existed { vec![Event::Removed { counter }] } else { vec![] }, Ok(0))
            }
            Command::Panic { stage: Stage::Decide, .. } => panic!("told to panic in decide"),
            Command::Panic { counter, stage } => {
                (vec![Event::Added { counter, by: 1 }, Event::Cursed { counter, stage }], Ok(0))
            }
            Command::Sweep { counters } => {
                let events = (0..counters).flat_map(|counter| add(state, counter, 1).0).collect();
                (events, Ok(counters.into()))
            }
        };
        let reply = total.map(|total| Receipt { total, now: moment.now, clock_drifted: moment.clock_drifted });
        Decision { events, reply }
    }

    fn touches(event: &Event, keys: &mut Vec<Key>) {
        match *event {
            Event::Cursed { counter, stage: Stage::Unnamed } => keys.push(counter_key(counter.wrapping_add(1))),
            Event::Added { counter, .. }
            | Event::Tried { counter }
            | Event::Removed { counter }
            | Event::Cursed { counter, .. } => keys.push(counter_key(counter)),
            Event::Moved { from, to, .. } => keys.extend([counter_key(from), counter_key(to)]),
            Event::Pointed { pointer, .. } => keys.push(pointer_key(pointer)),
        }
    }

    fn evolve(key: Key, row: &mut Option<Row>, event: &Event) {
        let mut counter = |added: u64, taken: u64, tried_more: u64| {
            let (total, tried) = match row {
                Some(Row::Counter { total, tried }) => (*total, *tried),
                Some(Row::Pointer { .. }) => panic!("a pointer stands where a counter belongs"),
                None => (0, 0),
            };
            let total = (total + added).checked_sub(taken).expect("decide promised enough");
            assert!(total <= LIMIT, "decide promised the limit");
            *row = Some(Row::Counter { total, tried: tried + tried_more });
        };
        match *event {
            Event::Moved { from, by, .. } if key == counter_key(from) => counter(0, by, 0),
            Event::Added { by, .. } | Event::Moved { by, .. } => counter(by, 0, 0),
            Event::Tried { .. } => counter(0, 0, 1),
            Event::Removed { .. } => *row = None,
            Event::Pointed { counter, .. } => *row = Some(Row::Pointer { counter }),
            Event::Cursed { stage: Stage::Evolve, .. } => panic!("told to panic in evolve"),
            Event::Cursed { .. } => {}
        }
    }

    fn assert_decided(events: &[Event], after: &dyn State<Row>) {
        for event in events {
            match *event {
                Event::Added { counter, .. } | Event::Tried { counter } => assert!(total(after, counter) <= LIMIT),
                Event::Cursed { stage: Stage::Assert, .. } => panic!("told to panic in the assert"),
                Event::Cursed { .. } | Event::Moved { .. } | Event::Pointed { .. } | Event::Removed { .. } => {}
            }
        }
    }

    fn operation_begun(events: &[Event]) -> Option<Key> {
        for event in events {
            assert!(
                !matches!(event, Event::Cursed { stage: Stage::Begin, .. }),
                "told to panic when asked what has begun"
            );
        }
        None
    }

    fn asks_for_more(refusal: &Refusal) -> bool {
        *refusal == Refusal::NoPointer
    }

    fn columns(row: &Row, values: &mut Vec<Value>) {
        let integer = |number: u64| Value::Integer(i64::try_from(number).unwrap_or(i64::MAX));
        match *row {
            Row::Counter { total, tried } => values.extend([integer(total), integer(tried)]),
            Row::Pointer { counter } => values.push(Value::Integer(counter.into())),
        }
    }

    fn command_name(command: &Command) -> &'static str {
        match command {
            Command::Add { .. } => "counter.add",
            Command::Move { .. } => "counter.move",
            Command::Point { .. } => "pointer.set",
            Command::Follow { .. } => "pointer.follow",
            Command::Remove { .. } => "counter.remove",
            Command::Panic { .. } => "counter.panic",
            Command::Sweep { .. } => "counter.sweep",
        }
    }
}

/// A submission at `at` milliseconds, of the actor with that number, without a request key.
pub(crate) fn submission(command: Command, at: i64, actor: u8) -> Submission<Counter> {
    Submission {
        command,
        actor: Actor { kind: ActorKind::Holder, id: Id::from_number(actor.into()) },
        reason: None,
        request: None,
        at: Time::from_milliseconds(at),
    }
}

/// The request key with that number; `body` tells bodies apart.
pub(crate) fn request(key: u8, body: u8) -> Request {
    Request { key: [key; 16], body: [body; 16] }
}

/// `command` with a request key.
pub(crate) fn with_request(command: Command, key: u8, body: u8) -> Submission<Counter> {
    Submission { request: Some(request(key, body)), ..submission(command, 0, 1) }
}
