//! The embedded store against what happens to files: crashes, deletions, mixed backups, newer versions, full disks.

use super::*;
use crate::record::{Actor, ActorKind, Entry, Outcome, Place, Request, Touch, chain};
use crate::store::Changed;
use domain::{Decision, Id, Moment, State, Table, TableSpec, Time, Value};
use std::collections::BTreeMap;
use std::fs;
use tempfile::TempDir;

/// A domain of named counters: an event adds to one.
#[derive(Debug)]
pub(crate) struct Tally;

impl Domain for Tally {
    type Command = (Key, i64);
    type Context = ();
    type Row = i64;
    type Event = (Key, i64);
    type Receipt = i64;
    type Refusal = ();

    const NAME: &'static str = "tally";
    const TABLES: &'static [TableSpec] =
        &[TableSpec { name: "counter", columns: &["total", "kind"] }, TableSpec { name: "mark", columns: &[] }];

    fn keys(command: &Self::Command, keys: &mut Vec<Key>) {
        keys.push(command.0);
    }

    fn keys_further(_: &Self::Command, _: &dyn State<i64>, _: &mut Vec<Key>) {}

    fn decide(state: &dyn State<i64>, command: &Self::Command, _: Moment, (): &()) -> Decision<Self> {
        Decision { events: vec![*command], reply: Ok(state.row(command.0).copied().unwrap_or(0) + command.1) }
    }

    fn touches(event: &Self::Event, keys: &mut Vec<Key>) {
        keys.push(event.0);
    }

    fn evolve(_: Key, row: &mut Option<i64>, event: &Self::Event) {
        *row = Some(row.unwrap_or(0) + event.1);
    }

    fn assert_decided(_: &[Self::Event], _: &dyn State<i64>) {}

    fn columns(row: &i64, values: &mut Vec<Value>) {
        // The table is not named here, so the tests keep to the one with columns.
        values.extend([Value::Integer(*row), Value::Text("plain")]);
    }

    fn command_name(_: &Self::Command) -> &'static str {
        "add"
    }
}

pub(crate) fn counter(number: u128) -> Key {
    Key::new(Table(0), Id::from_number(number))
}

pub(crate) fn request_key(number: u64) -> [u8; 16] {
    *blake3::hash(&number.to_be_bytes()).as_bytes().first_chunk().expect("a hash has 32 bytes")
}

/// A store with just enough of an engine in front of it: it counts, commits and hands generations over.
pub(crate) struct Bench {
    pub(crate) directory: TempDir,
    pub(crate) options: SqliteOptions,
    pub(crate) store: Option<SqliteStore<Tally>>,
    pub(crate) rows: BTreeMap<Key, Stored<i64>>,
    changed: BTreeMap<Key, Stored<i64>>,
    pub(crate) head: Head,
    generation: u64,
}

impl Bench {
    pub(crate) fn new(options: SqliteOptions) -> Self {
        let directory = tempfile::tempdir().expect("a directory for the test");
        let store = SqliteStore::open(directory.path(), &options).expect("a new directory opens");
        let head = Store::<Tally>::recovered(&store).head;
        let (rows, changed) = (BTreeMap::new(), BTreeMap::new());
        Self { directory, options, store: Some(store), rows, changed, head, generation: 0 }
    }

    pub(crate) fn store(&mut self) -> &mut SqliteStore<Tally> {
        self.store.as_mut().expect("the store is open")
    }

    /// Adds 1 to each of `counters` with one record each, in one commit.
    pub(crate) fn commit(&mut self, counters: &[u128]) -> Result<(), StoreError> {
        let (mut head, mut rows) = (self.head, self.rows.clone());
        let mut records = Vec::new();
        let mut requests = Vec::new();
        for number in counters {
            let key = counter(*number);
            let before = rows.get(&key).cloned();
            let version = before.as_ref().map_or(1, |stored| stored.version + 1);
            let total = before.as_ref().and_then(|stored| stored.row.as_deref().copied()).unwrap_or(0) + 1;
            let place = Place { lane: 1, n: head.place.n + 1 };
            let request = Request { key: request_key(place.n), body: [0; 16] };
            let entry = Entry::<Tally> {
                actor: Actor { kind: ActorKind::System, id: Id::default() },
                command: "add".into(),
                reason: None,
                request: Some(request),
                touched: vec![Touch { key, version, previous: before.map_or(Place::default(), |stored| stored.place) }],
                events: vec![(key, 1)],
                outcome: Outcome::Done(total),
            };
            let bytes = entry.encode().expect("an entry of the tests is short");
            let at = Time::from_milliseconds(i64::try_from(place.n).expect("few records") * 10);
            let hash = chain(Tally::NAME, head.epoch, &head.hash, place, at, &bytes);
            records.push(SealedRecord { place, at, bytes, hash });
            requests.push((request.key, place.n));
            rows.insert(key, Stored { version, place, row: Some(Arc::new(total)) });
            head = Head { epoch: head.epoch, place, at, hash };
        }
        let commit = Commit { expected: self.head, records: &records, requests: &requests, changed: &[] };
        self.store().commit(&commit)?;
        for number in counters {
            let key = counter(*number);
            self.changed.insert(key, rows[&key].clone());
        }
        (self.head, self.rows) = (head, rows);
        Ok(())
    }

    /// Hands everything that changed to the keeper, and waits until it is written.
    pub(crate) fn write_back(&mut self) {
        self.generation += 1;
        let (number, watermark) = (self.generation, self.head.place.n);
        let rows = std::mem::take(&mut self.changed);
        let rows = rows.into_iter().map(|(key, stored)| Changed { key, stored }).collect();
        let taken = self.store().write_back(Generation { number, watermark, rows }, true).expect("the keeper works");
        assert!(taken.is_none(), "a keeper that was waited for takes the generation");
        assert_eq!(self.store().written_back(true), Ok(number));
    }

    pub(crate) fn close(&mut self) {
        self.store = None;
    }

    pub(crate) fn reopen(&mut self) -> Result<Recovered, StoreError> {
        self.close();
        let store = SqliteStore::open(self.directory.path(), &self.options)?;
        let recovered = Store::<Tally>::recovered(&store);
        self.store = Some(store);
        self.generation = 0;
        Ok(recovered)
    }

    fn refusal(&mut self) -> StoreError {
        self.reopen().expect_err("the directory is refused")
    }

    fn check_rows(&mut self) {
        let keys: Vec<Key> = self.rows.keys().copied().chain([counter(u128::MAX), counter(0)]).collect();
        let mut expected: Vec<_> = self.rows.values().cloned().map(Some).collect();
        expected.extend([None, None]);
        assert_eq!(self.store().load(&keys), Ok(expected));
    }

    fn check_requests(&mut self) {
        for n in 1..=self.head.place.n {
            assert_eq!(self.store().find_request(&request_key(n)), Ok(Some(n)), "the key of record {n}");
        }
        for n in self.head.place.n + 1..self.head.place.n + 2_000 {
            assert_eq!(self.store().find_request(&request_key(n)), Ok(None));
        }
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    fn bytes(&self) -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(self.directory.path()).expect("the directory is there");
        let read = |entry: std::io::Result<fs::DirEntry>| {
            let entry = entry.expect("an entry is read");
            (entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).expect("a file is read"))
        };
        entries.map(read).collect()
    }
}

#[test]
fn what_was_committed_is_there_after_a_restart_without_a_stop() {
    let mut bench = Bench::new(SqliteOptions::default());
    bench.commit(&[1, 2, 3, 2]).expect("the commit is taken");
    bench.write_back();
    bench.commit(&[2, 9]).expect("the commit is taken");
    let head = bench.head;
    let recovered = bench.reopen().expect("the directory opens");
    assert_eq!(recovered, Recovered { head, watermark: 4 });
    let records = bench.store().read(3, 10).expect("the journal is read");
    assert_eq!(records.iter().map(|record| record.place.n).collect::<Vec<_>>(), [3, 4, 5, 6]);
    bench.check_requests();
    bench.write_back();
    bench.check_rows();
}

#[test]
fn a_deleted_state_file_is_made_anew() {
    let mut bench = Bench::new(SqliteOptions::default());
    bench.commit(&[1, 2, 3]).expect("the commit is taken");
    bench.write_back();
    bench.close();
    for name in [STATE_FILE, "state.sqlite-wal", "state.sqlite-shm"] {
        drop(fs::remove_file(bench.file(name)));
    }
    assert_eq!(bench.reopen().map(|recovered| recovered.watermark), Ok(0));
    assert_eq!(bench.store().load(&[counter(1)]), Ok(vec![None]));
    bench.check_requests();
}
