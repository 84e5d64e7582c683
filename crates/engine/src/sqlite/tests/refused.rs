//! Directories that are refused: newer, damaged, mixed, held by somebody else; and what is refused has been written by nobody.

use super::*;
use rusqlite::config::DbConfig;

impl Bench {
    /// Ends the process, in a manner of speaking: the directory is as it was while the store ran, with the logs beside.
    fn crash(&mut self) {
        let left = tempfile::tempdir().expect("a directory for the test");
        for (name, bytes) in self.bytes() {
            fs::write(left.path().join(name), bytes).expect("a file is copied");
        }
        self.close();
        self.directory = left;
    }

    /// Edits a file and leaves the edit in the log beside it.
    fn edit_in_log(&self, name: &str, sql: &str) {
        let connection = Connection::open(self.file(name)).expect("the file opens");
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).expect("the log is kept");
        connection.execute_batch(sql).expect("the edit is made");
        drop(connection);
        let log = fs::metadata(self.file(&format!("{name}-wal"))).expect("there is a log");
        assert!(log.len() > 0, "the edit stands in the log");
    }

    /// Edits a file.
    fn edit(&self, name: &str, sql: &str) {
        let connection = Connection::open(self.file(name)).expect("the file opens");
        connection.execute_batch(sql).expect("the edit is made");
        connection.close().expect("the file closes");
    }

    /// Opens the directory, sees it refused in these words, and sees that nothing was written.
    fn check_refused_unwritten(&mut self, words: &str) {
        let before = self.bytes();
        let refusal = self.refusal().to_string();
        assert!(refusal.contains(words), "{refusal}");
        let after = self.bytes();
        let files = |bytes: &BTreeMap<String, Vec<u8>>| bytes.keys().cloned().collect::<Vec<_>>();
        assert_eq!(files(&before), files(&after), "{words}");
        assert!(before == after, "nothing was written: {words}");
    }
}

#[test]
fn a_state_newer_than_its_journal_is_refused() {
    let mut bench = Bench::new(SqliteOptions::default());
    bench.commit(&[1, 2]).expect("the commit is taken");
    bench.close();
    let older = fs::read(bench.file(JOURNAL_FILE)).expect("the journal is read");
    bench.reopen().expect("the directory opens");
    bench.commit(&[3]).expect("the commit is taken");
    bench.write_back();
    bench.close();
    fs::write(bench.file(JOURNAL_FILE), older).expect("the older journal is put back");
    bench.check_refused_unwritten("the state is newer than the journal: it has seen record 3, the journal ends at 2");
}

#[test]
fn a_newer_version_is_refused_without_a_write() {
    for (name, known) in [(JOURNAL_FILE, 2), (STATE_FILE, 1)] {
        let mut bench = Bench::new(SqliteOptions::default());
        bench.commit(&[1]).expect("the commit is taken");
        bench.write_back();
        bench.close();
        let newer = Connection::open(bench.file(name)).expect("the file opens");
        newer.pragma_update(None, "user_version", 99).expect("the version is set");
        newer.close().expect("the file closes");
        let before = bench.bytes();
        assert_eq!(
            bench.refusal(),
            StoreError::Version(format!(
                "{name} has version 99, this program knows up to {known}; run the newer program, nothing was written"
            ))
        );
        assert!(before == bench.bytes(), "nothing was written");
    }
}

#[test]
fn another_domains_journal_is_refused() {
    let mut bench = Bench::new(SqliteOptions::default());
    bench.store().journal.connection().execute("UPDATE lane SET domain = 'other'", []).expect("the lane is edited");
    assert!(matches!(bench.refusal(), StoreError::Version(what) if what.contains("the domain other")));
}

#[test]
fn a_locked_directory_is_refused() {
    let bench = Bench::new(SqliteOptions::default());
    let second = SqliteStore::<Tally>::open(bench.directory.path(), &bench.options).err();
    assert!(matches!(second, Some(StoreError::Fenced(what)) if what.contains("another process holds")));
}

#[test]
fn a_place_that_takes_no_directory_is_refused() {
    let bench = Bench::new(SqliteOptions::default());
    let under_a_file = bench.file(JOURNAL_FILE).join("data");
    let refused = SqliteStore::<Tally>::open(&under_a_file, &bench.options).err();
    assert!(matches!(refused, Some(StoreError::Unavailable(what)) if what.contains("cannot make the data directory")));
}

#[cfg(unix)]
#[test]
fn a_directory_that_may_not_be_written_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new(SqliteOptions::default());
    let closed = bench.file("closed");
    fs::create_dir(&closed).expect("a directory is made");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).expect("its permissions are set");
    if fs::write(closed.join("try"), []).is_ok() {
        eprintln!(
            "SKIPPED: whoever may write everywhere cannot see the refusal; run the tests as another user than root"
        );
        return;
    }
    let refused = SqliteStore::<Tally>::open(&closed, &bench.options).err();
    assert!(matches!(refused, Some(StoreError::Unavailable(what)) if what.contains("cannot write to the data")));
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    for name in [JOURNAL_FILE, STATE_FILE] {
        let mut bench = Bench::new(SqliteOptions::default());
        bench.close();
        fs::write(bench.file(name), "a letter to somebody".repeat(100)).expect("the file is written");
        let before = bench.bytes();
        check_damaged(&mut bench, "is not a database");
        assert!(before == bench.bytes(), "nothing was written");
    }
}

#[test]
fn a_truncated_journal_is_refused() {
    let mut bench = Bench::new(SqliteOptions::default());
    for _ in 0..20 {
        bench.commit(&[1; 100]).expect("the commit is taken");
    }
    bench.close();
    let length = fs::metadata(bench.file(JOURNAL_FILE)).expect("the journal is there").len();
    let file = fs::File::options().write(true).open(bench.file(JOURNAL_FILE)).expect("the journal opens");
    file.set_len(length / 2).expect("the journal is cut");
    bench.check_refused_unwritten("is cut short");
}

#[test]
fn a_first_start_that_lost_power_between_two_pages_begins_anew() {
    let mut bench = Bench::new(SqliteOptions::default());
    bench.close();
    let file = fs::File::options().write(true).open(bench.file(JOURNAL_FILE)).expect("the journal opens");
    file.set_len(8_192).expect("its other pages never came to the disk");
    bench.check_refused_unwritten("is cut short");
    // The head of a rollback journal of SQLite: no record, and before its transaction the file had no page.
    let head = [0xd9d5_05f9_u32, 0x20a1_63d7, 0, 0, 0, 512, 4_096].map(u32::to_be_bytes).concat();
    let beside = bench.file(JOURNAL_FILE).with_extension("sqlite-journal");
    fs::write(beside, [head, vec![0; 484]].concat()).expect("the rollback journal is written");
    fs::remove_file(bench.file(STATE_FILE)).expect("nor did the rows");
    bench.reopen().expect("SQLite takes back what it had begun");
    bench.commit(&[1]).expect("the commit is taken");
}

#[test]
fn a_cut_tail_is_noticed_at_the_start() {
    let mut bench = Bench::new(SqliteOptions::default());
    bench.commit(&[1, 2, 3]).expect("the commit is taken");
    bench.store().journal.connection().execute("DELETE FROM journal WHERE n > 1", []).expect("the tail is cut");
    check_damaged(&mut bench, "the journal's head says record 3, its last record is 1");
}

#[test]
fn a_directory_that_is_refused_keeps_the_logs_beside_it() {
    let cut = "DELETE FROM journal WHERE n > 2; UPDATE lane SET n = 2, at = (SELECT at FROM journal WHERE n = 2),
               hash = (SELECT hash FROM journal WHERE n = 2)";
    for (file, sql, words) in [
        (JOURNAL_FILE, "DELETE FROM journal WHERE n > 2", "it was cut or edited"),
        (JOURNAL_FILE, cut, "the state is newer than the journal"),
        (JOURNAL_FILE, "UPDATE lane SET domain = 'other'", "the domain other"),
        (
            JOURNAL_FILE,
            "UPDATE lane SET vocabulary = 2",
            "in words that this one cannot read (it has 2, this one knows 1)",
        ),
        (JOURNAL_FILE, "PRAGMA user_version = 99", "journal.sqlite has version 99"),
        (STATE_FILE, "PRAGMA user_version = 99", "state.sqlite has version 99"),
        (STATE_FILE, "UPDATE progress SET signature = 'tally rows 9.9: counter(total)'", "rows of a newer program"),
    ] {
        let mut bench = Bench::new(SqliteOptions::default());
        bench.commit(&[1, 2, 3]).expect("the commit is taken");
        bench.write_back();
        bench.crash();
        bench.edit_in_log(file, sql);
        bench.check_refused_unwritten(words);
    }
}

#[test]
fn a_journal_of_larger_vocabulary_is_refused_before_its_rows_are_made_anew() {
    let mut bench = Bench::new(SqliteOptions::default());
    bench.commit(&[1, 2, 3]).expect("the commit is taken");
    bench.write_back();
    bench.close();
    bench.edit(JOURNAL_FILE, "UPDATE lane SET vocabulary = 2");
    bench.edit(STATE_FILE, "UPDATE progress SET signature = 'tally rows 1.1: counter(total)'");
    bench.check_refused_unwritten("nothing is damaged, and nothing was written");
    let audited = crate::audit::replay::<Tally>(bench.directory.path(), None, &mut |_, _| {}, &mut |_| {});
    assert!(matches!(audited, Err(StoreError::Version(_))), "{audited:?}");
}

#[test]
fn a_journal_of_before_vocabularies_gets_one() {
    let mut bench = Bench::new(SqliteOptions::default());
    bench.commit(&[1, 2, 3]).expect("the commit is taken");
    bench.close();
    bench.edit(JOURNAL_FILE, "ALTER TABLE lane DROP COLUMN vocabulary; PRAGMA user_version = 1");
    let audited = crate::audit::replay::<Tally>(bench.directory.path(), None, &mut |_, _| {}, &mut |_| {});
    assert_eq!(audited.map(|replayed| replayed.records), Ok(3), "an audit reads it as it is");
    bench.reopen().expect("the directory opens");
    bench.commit(&[1]).expect("the commit is taken");
    for _ in 0..2 {
        bench.reopen().expect("the directory opens");
        let vocabulary =
            bench.store().journal.connection().query_row("SELECT vocabulary FROM lane", [], |row| row.get(0));
        assert_eq!(vocabulary, Ok(1_i64));
    }
}

#[test]
fn a_journal_keeps_its_vocabulary_until_something_is_written_in_a_larger_one() {
    let mut bench = Bench::new(SqliteOptions::default());
    bench.commit(&[1, 2, 3]).expect("the commit is taken");
    bench.close();
    bench.edit(JOURNAL_FILE, "UPDATE lane SET vocabulary = 0");
    let vocabulary = |bench: &mut Bench| {
        bench.close();
        let journal = Connection::open(bench.file(JOURNAL_FILE)).expect("the journal opens");
        journal.query_row("SELECT vocabulary FROM lane", [], |row| row.get::<_, i64>(0)).expect("there is a lane")
    };
    bench.reopen().expect("the directory opens");
    assert_eq!(vocabulary(&mut bench), 0, "whoever only opened it, or could not replay it, keeps no older program out");
    bench.reopen().expect("the directory opens");
    bench.commit(&[4]).expect("the commit is taken");
    assert_eq!(vocabulary(&mut bench), 1);
}

#[test]
fn a_state_without_its_journal_is_refused() {
    let mut bench = Bench::new(SqliteOptions::default());
    bench.commit(&[1, 2, 3]).expect("the commit is taken");
    bench.write_back();
    bench.close();
    fs::remove_file(bench.file(JOURNAL_FILE)).expect("the journal is taken away");
    bench.check_refused_unwritten("the state has seen record 3: put the journal back");
}

#[test]
fn a_damaged_journal_with_a_log_beside_it_is_to_be_restored() {
    let mut bench = Bench::new(SqliteOptions::default());
    for _ in 0..20 {
        bench.commit(&[1; 100]).expect("the commit is taken");
    }
    bench.reopen().expect("the directory opens");
    bench.commit(&[1]).expect("the commit is taken");
    bench.crash();
    let mut bytes = fs::read(bench.file(JOURNAL_FILE)).expect("the journal is read");
    bytes[8_192..].fill(0xff);
    fs::write(bench.file(JOURNAL_FILE), bytes).expect("the journal is written");
    bench.check_refused_unwritten("restore them from a backup");
}
#[test]
fn rows_of_a_newer_program_are_refused_without_a_write() {
    for newer in ["tally rows 1.9: counter(total)", "tally rows 2.1: counter(total)"] {
        let mut bench = Bench::new(SqliteOptions::default());
        bench.commit(&[1]).expect("the commit is taken");
        bench.write_back();
        bench.close();
        let state = Connection::open(bench.file(STATE_FILE)).expect("the state opens");
        state.execute("UPDATE progress SET signature = ?", [newer]).expect("it is edited");
        state.close().expect("the state closes");
        let before = bench.bytes();
        match bench.refusal() {
            StoreError::Version(what) => assert!(what.contains("run the newer program"), "{what}"),
            other => panic!("a newer program's rows are refused, not {other:?}"),
        }
        assert!(before == bench.bytes(), "nothing was written");
    }
}
