//! A domain whose events panic when they are read back: what a restart makes of our own bug in a decoder.

use crate::core::{Core, Mode};
use crate::memory::{Disk, MemoryStore};
use crate::options::Options;
use crate::record::{Actor, ActorKind, Request};
use crate::submission::{EngineError, Submission};
use domain::{Decision, Domain, Id, Key, Moment, State, Table, TableSpec, Time, Value};
use serde::{Deserialize, Deserializer, Serialize};
use std::sync::Arc;

#[derive(Debug)]
struct Brittle;

/// May be stored, and must not be looked at again.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Shard(u8);

impl<'de> Deserialize<'de> for Shard {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u8::deserialize(deserializer)? {
            13 => panic!("thirteen broke the reader"),
            other => Ok(Self(other)),
        }
    }
}

const ROW: Key = Key { table: Table(0), id: Id([1; 16]) };

impl Domain for Brittle {
    type Command = u8;
    type Context = ();
    type Row = u8;
    type Event = Shard;
    type Receipt = ();
    type Refusal = ();

    const NAME: &'static str = "brittle";
    const TABLES: &'static [TableSpec] = &[TableSpec { name: "shard", columns: &[] }];

    fn keys(_: &u8, keys: &mut Vec<Key>) {
        keys.push(ROW);
    }

    fn keys_further(_: &u8, _: &dyn State<u8>, _: &mut Vec<Key>) {}

    fn decide(_: &dyn State<u8>, command: &u8, _: Moment, (): &()) -> Decision<Self> {
        Decision { events: vec![Shard(*command)], reply: Ok(()) }
    }

    fn touches(_: &Shard, keys: &mut Vec<Key>) {
        keys.push(ROW);
    }

    fn evolve(_: Key, row: &mut Option<u8>, event: &Shard) {
        *row = Some(event.0);
    }

    fn assert_decided(_: &[Shard], _: &dyn State<u8>) {}

    fn columns(_: &u8, _: &mut Vec<Value>) {}

    fn command_name(_: &u8) -> &'static str {
        "shard.add"
    }
}

#[test]
fn a_panic_while_the_tail_is_read_opens_read_only_and_names_the_record() {
    for page in [1, 100] {
        let disk = Disk::<Brittle>::new();
        let options = Options { replay_page_records_max: page, ..Options::default() };
        let open = || Core::open(MemoryStore::open(&disk).expect("the disk is sound"), Arc::new(()), options);
        let mut core = open().expect("opened");
        for command in [1, 2, 13, 4, 5] {
            let actor = Actor { kind: ActorKind::System, id: Id::default() };
            let at = Time::from_milliseconds(1);
            core.step(&[Submission { command, actor, reason: None, request: None, at }], &mut Vec::new());
        }
        drop(core);
        let core = open().expect("opened");
        let Mode::ReadOnly(what) = core.mode() else { panic!("{:?}", core.mode()) };
        assert_eq!(what, "record 3 cannot be read: thirteen broke the reader", "pages of {page}");
    }
}

#[test]
fn an_answer_that_cannot_be_read_is_the_trouble_of_who_repeats_its_request() {
    let disk = Disk::<Brittle>::new();
    let store = MemoryStore::open(&disk).expect("the disk is sound");
    let mut core = Core::open(store, Arc::new(()), Options::default()).expect("opened");
    let asked = |command: u8, request: Option<u8>| {
        let actor = Actor { kind: ActorKind::System, id: Id::default() };
        let request = request.map(|key| Request { key: [key; 16], body: [0; 16] });
        Submission { command, actor, reason: None, request, at: Time::from_milliseconds(1) }
    };
    let mut step = |batch: &[Submission<Brittle>]| {
        let mut answers = Vec::new();
        core.step(batch, &mut answers);
        assert_eq!(core.mode(), &Mode::Running);
        answers
    };
    assert!(step(&[asked(13, Some(7)), asked(1, Some(8))]).iter().all(Result::is_ok));
    let answers = step(&[asked(2, None), asked(13, Some(7)), asked(1, Some(8)), asked(3, None)]);
    let [Ok(_), Err(EngineError::Unavailable(what)), Ok(_), Ok(_)] = answers.as_slice() else { panic!("{answers:?}") };
    assert_eq!(what, "record 1 cannot be read: thirteen broke the reader");
    assert!(matches!(core.recall(Request { key: [7; 16], body: [0; 16] }), Err(EngineError::Unavailable(_))));
}
