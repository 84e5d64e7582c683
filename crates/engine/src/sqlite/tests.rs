//! The embedded store against what happens to files: crashes, deletions, mixed backups, newer versions, full disks.

mod refused;

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

    fn operation_begun(events: &[Self::Event]) -> Option<Key> {
        events.iter().map(|(key, _)| *key).find(|key| begins(key.id.number()))
    }

    fn is_final(row: &i64) -> bool {
        *row > 1
    }

    fn columns(row: &i64, values: &mut Vec<Value>) {
        // The table is not named here, so the tests keep to the one with columns.
        values.extend([Value::Integer(*row), Value::Text("plain")]);
    }

    fn command_name(_: &Self::Command) -> &'static str {
        "add"
    }
}

/// Whether the first event of that counter begins an operation, which the second one ends.
fn begins(number: u128) -> bool {
    number >= 1_000
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
    now_milliseconds: i64,
}

impl Bench {
    pub(crate) fn new(options: SqliteOptions) -> Self {
        let directory = tempfile::tempdir().expect("a directory for the test");
        let store = SqliteStore::open(directory.path(), &options).expect("a new directory opens");
        let head = Store::<Tally>::recovered(&store).head;
        let (rows, changed) = (BTreeMap::new(), BTreeMap::new());
        Self { directory, options, store: Some(store), rows, changed, head, generation: 0, now_milliseconds: 0 }
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
            let at = head.at.max(Time::from_milliseconds(self.now_milliseconds)).plus_milliseconds(10);
            let hash = chain(Tally::NAME, head.epoch, &head.hash, place, at, &bytes);
            records.push(SealedRecord { place, at, bytes, hash });
            requests.push(KnownRequest { key: request.key, n: place.n, begins_operation: begins(*number) });
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

    /// Days pass, and enough is committed that the index looks for what is old.
    fn pass_days(&mut self, days: i64) {
        self.now_milliseconds = self.head.at.milliseconds() + days * 86_400_000;
        self.commit(&[1; 100]).expect("the commit is taken");
        self.write_back();
    }

    /// The keeper forgets beside the test, which only needs it to get there.
    fn wait_until_forgotten(&mut self, n: u64) {
        while self.store().find_request(&request_key(n)) != Ok(None) {
            std::thread::yield_now();
        }
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

    pub(crate) fn file(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    /// What is in the directory's files. A log's index is made anew by whoever opens the file, and holds no data.
    fn bytes(&self) -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(self.directory.path()).expect("the directory is there");
        let read = |entry: std::io::Result<fs::DirEntry>| {
            let entry = entry.expect("an entry is read");
            (entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).expect("a file is read"))
        };
        entries.map(read).filter(|(name, bytes)| !bytes.is_empty() && !name.ends_with("-shm")).collect()
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

fn check_damaged(bench: &mut Bench, words: &str) {
    match bench.refusal() {
        StoreError::Damaged(what) => assert!(what.contains(words), "{what}"),
        other => panic!("damage is called damage, not {other}"),
    }
}

#[test]
fn a_batch_decided_elsewhere_is_fenced() {
    let mut bench = Bench::new(SqliteOptions::default());
    bench.commit(&[1, 2]).expect("the commit is taken");
    // Another program moved the lane, past the lock.
    bench.store().journal.connection().execute("UPDATE lane SET epoch = 2", []).expect("the lane is edited");
    assert!(matches!(bench.commit(&[3]), Err(StoreError::Fenced(_))));
    assert_eq!(bench.store().read(3, 1), Ok(Vec::new()));
}

#[test]
fn a_full_disk_changes_nothing_and_may_be_tried_again() {
    let mut bench = Bench::new(SqliteOptions::default());
    bench.commit(&[1, 2]).expect("the commit is taken");
    let limit = |bench: &mut Bench, pages: i64| {
        bench.store().journal.connection().pragma_update(None, "max_page_count", pages).expect("a limit is set");
    };
    limit(&mut bench, 1);
    let many = [7; 500];
    match bench.commit(&many) {
        Err(StoreError::Unavailable(what)) => assert!(what.contains("the disk is full"), "{what}"),
        other => panic!("a full disk is refused, not {other:?}"),
    }
    assert_eq!(bench.store().read(3, 1), Ok(Vec::new()));
    limit(&mut bench, 1_000_000);
    bench.commit(&many).expect("with room the same batch is taken");
    bench.write_back();
    bench.check_rows();
    assert_eq!(bench.reopen().map(|recovered| recovered.head.place.n), Ok(502));
}

/// Begins a read on the state that lasts until the connection is dropped.
fn hold_state_open(bench: &Bench) -> Connection {
    let reader = open_for_read(&bench.file(STATE_FILE)).expect("the state opens");
    reader.execute_batch("BEGIN; SELECT count(*) FROM counter").expect("a read begins");
    reader
}

#[test]
fn a_reader_that_holds_the_states_log_open_meets_its_bound() {
    let options =
        SqliteOptions { state_checkpoint_log_bytes_min: 0, state_log_bytes_max: 64 << 10, ..SqliteOptions::default() };
    let mut bench = Bench::new(options);
    bench.commit(&[1]).expect("the commit is taken");
    bench.write_back();
    let reader = hold_state_open(&bench);
    let many: Vec<u128> = (1..12_000).collect();
    bench.commit(&many).expect("the journal takes what the state does not");
    let rows = bench.rows.iter().map(|(key, stored)| Changed { key: *key, stored: stored.clone() }).collect();
    let generation = Generation { number: 2, watermark: bench.head.place.n, rows };
    assert!(bench.store().write_back(generation, true).is_ok_and(|refused| refused.is_none()));
    match bench.store().written_back(true) {
        Err(StoreError::Unavailable(what)) => assert!(what.contains("end that reader"), "{what}"),
        other => panic!("the log is at its bound: {other:?}"),
    }
    let log = fs::metadata(bench.file("state.sqlite-wal")).expect("the log is there").len();
    assert!(log < 2 << 20, "{log} bytes: one transaction more than the bound");
    drop(reader);
    while bench.store().written_back(true) != Ok(2) {
        std::thread::yield_now();
    }
    bench.check_rows();
}

#[test]
fn changed_tables_rebuild_the_state() {
    let mut bench = Bench::new(SqliteOptions::default());
    bench.commit(&[1]).expect("the commit is taken");
    bench.write_back();
    bench.close();
    let state = Connection::open(bench.file(STATE_FILE)).expect("the state opens");
    state.execute("UPDATE progress SET signature = 'tally rows 1.0: counter(total)'", []).expect("it is edited");
    state.close().expect("the state closes");
    assert_eq!(bench.reopen().map(|recovered| recovered.watermark), Ok(0));
    assert_eq!(bench.store().load(&[counter(1)]), Ok(vec![None]));
}

#[test]
fn an_operator_reads_typed_columns() {
    let mut bench = Bench::new(SqliteOptions::default());
    bench.commit(&[5, 5, 5]).expect("the commit is taken");
    bench.write_back();
    let row = bench.store().rows.connection.query_row(
        "SELECT version, place, total, kind FROM counter WHERE id = ?",
        [Id::from_number(5).0],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
    );
    assert_eq!(row, Ok((3, 3, 3, String::from("plain"))));
}

#[test]
fn request_keys_are_found_across_segments_merges_and_restarts() {
    let options = SqliteOptions { requests_segment_max: 256, ..SqliteOptions::default() };
    let mut bench = Bench::new(options);
    for round in 0..90_u32 {
        bench.commit(&[1; 100]).expect("the commit is taken");
        if round % 4 == 3 {
            bench.write_back();
        }
        if round % 30 == 17 {
            bench.check_requests();
            bench.reopen().expect("the directory opens");
            bench.check_requests();
        }
    }
    assert_eq!(bench.store().written_back(true).map(|_| ()), Ok(()));
    bench.check_requests();
    let segments = |bench: &mut Bench| -> (i64, i64) {
        let connection = &bench.store().rows.connection;
        connection
            .query_row("SELECT count(*), coalesce(max(tier), 0) FROM request_segment", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .expect("the segments are counted")
    };
    // Nothing is waiting, so the keeper merges; the test only needs it to get there.
    while segments(&mut bench).1 == 0 || segments(&mut bench).0 > 2 * 8 {
        std::thread::yield_now();
    }
    bench.check_requests();
    bench.reopen().expect("the directory opens");
    bench.check_requests();
}

/// Runs `sql` on the closed state file, whose one segment has the records 1 to 100.
fn with_edited_index(sql: &str) -> Bench {
    let mut bench = Bench::new(SqliteOptions { requests_segment_max: 100, ..SqliteOptions::default() });
    bench.commit(&[1; 100]).expect("the commit is taken");
    bench.write_back();
    bench.close();
    let edited = Connection::open(bench.file(STATE_FILE)).and_then(|connection| connection.execute(sql, []));
    assert!(edited.is_ok_and(|rows| rows > 0), "{sql}");
    bench
}

/// A key that is not found is carried out again: so an index that cannot be understood must say so.
#[test]
fn a_damaged_request_index_is_refused() {
    let cut = "UPDATE request_block SET entries = substr(entries, 1, length(entries) - 1) WHERE length(entries) > 0";
    let mut bench = with_edited_index(cut);
    bench.reopen().expect("blocks are read when they are needed");
    match bench.store().find_request(&request_key(1)) {
        Err(StoreError::Damaged(what)) => assert!(what.contains("delete state.sqlite, it is rebuilt"), "{what}"),
        other => panic!("a cut block is called damage, not {other:?}"),
    }
    let words = "of segment 1 cannot be read; stop, delete state.sqlite, it is rebuilt";
    check_damaged(&mut with_edited_index("UPDATE request_segment SET bits = 25"), words);
    check_damaged(&mut with_edited_index("UPDATE request_segment SET filter = x'00'"), words);
}

#[test]
fn old_segments_are_dropped() {
    let mut bench = Bench::new(SqliteOptions { requests_segment_max: 100, ..SqliteOptions::default() });
    bench.commit(&[1; 100]).expect("the commit is taken");
    bench.store().written_back(true).expect("the keeper works");
    assert_eq!(bench.store().find_request(&request_key(1)), Ok(Some(1)));
    bench.pass_days(401);
    bench.wait_until_forgotten(1);
    assert_eq!(bench.store().find_request(&request_key(101)), Ok(Some(101)));
}

#[test]
fn how_long_keys_are_kept_is_set_and_has_a_least() {
    let options = |request_days| SqliteOptions { requests_segment_max: 100, request_days, ..SqliteOptions::default() };
    let mut bench = Bench::new(options(REQUEST_DAYS_MIN));
    bench.commit(&[1; 100]).expect("the commit is taken");
    bench.store().written_back(true).expect("the keeper works");
    bench.pass_days(i64::from(REQUEST_DAYS_MIN) - 1);
    assert_eq!(bench.store().find_request(&request_key(1)), Ok(Some(1)));
    bench.pass_days(2);
    bench.wait_until_forgotten(1);
    bench.options = options(REQUEST_DAYS_MIN - 1);
    assert!(matches!(bench.refusal(), StoreError::Options(what) if what.contains("at least 100")));
}

#[test]
fn a_journal_that_another_program_holds_is_said_to_be() {
    let mut bench = Bench::new(SqliteOptions::default());
    bench.commit(&[1, 2]).expect("the commit is taken");
    let other = Connection::open(bench.file("journal.sqlite")).expect("the journal opens");
    other.execute_batch("BEGIN IMMEDIATE").expect("the other program writes");
    match bench.commit(&[3]) {
        Err(StoreError::Unavailable(what)) => {
            assert!(what.contains("another program holds the file; close it"), "{what}");
        }
        other => panic!("a file that another program holds is told, not {other:?}"),
    }
    drop(other);
    bench.commit(&[3]).expect("the same batch is taken once the other program is gone");
    assert_eq!(bench.reopen().map(|recovered| recovered.head.place.n), Ok(3));
}

#[test]
fn keys_of_operations_that_are_open_outlive_the_retention() {
    let mut bench = Bench::new(SqliteOptions { requests_segment_max: 100, ..SqliteOptions::default() });
    let open = [[1_000, 1_001, 1_002].as_slice(), &[1; 97]].concat();
    bench.commit(&open).expect("the commit is taken");
    // Record 101 ends the first of the operations at once, and record 201 the second 399 days later.
    bench.commit(&[[1_000].as_slice(), &[1; 99]].concat()).expect("the commit is taken");
    bench.write_back();
    bench.pass_days(399);
    bench.commit(&[[1_001].as_slice(), &[1; 99]].concat()).expect("the commit is taken");
    bench.write_back();
    bench.pass_days(2);
    bench.wait_until_forgotten(1);
    bench.reopen().expect("the directory opens");
    for (days, known) in [(0, [false, true, true]), (500, [false, false, true]), (900, [false, false, true])] {
        bench.pass_days(days);
        for (n, known) in (1..).zip(known) {
            if known {
                assert_eq!(bench.store().find_request(&request_key(n)), Ok(Some(n)), "after {days} days");
            } else {
                bench.wait_until_forgotten(n);
            }
        }
        bench.wait_until_forgotten(4);
    }
}

#[test]
fn the_embedded_store_keeps_the_contract() {
    crate::tests::contract::check(|| {
        let directory = tempfile::tempdir().expect("a directory for the test");
        move || SqliteStore::open(directory.path(), &SqliteOptions::default()).expect("the directory opens")
    });
}
