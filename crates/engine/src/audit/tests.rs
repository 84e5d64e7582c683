//! What somebody can do to the files behind the engine's back, and what the audit says of each.

use super::replay::replay_within;
use super::*;
use crate::anchor::{self, AnchorOptions};
use crate::core::{Core, Mode};
use crate::options::Options;
use crate::record::{Place, chain};
use crate::sqlite::tests::{Bench, Tally, counter};
use crate::sqlite::{SqliteOptions, SqliteStore};
use crate::store::{StoreError, Stored};
use domain::{Domain, Time};
use ed25519_dalek::SigningKey;
use rusqlite::{Connection, params};
use std::fs;
use std::sync::Arc;

const KEY: [u8; 32] = [42; 32];

/// A journal of 40 records over four rows, written back up to record 30, anchored at 10, 20, 30 and 40.
fn bench() -> Bench {
    let mut bench = Bench::new(SqliteOptions::default());
    for round in 1..=4 {
        bench.commit(&[1, 2, 3, 2, 1, 2, 4, 2, 1, 2]).expect("the commit is taken");
        append(&bench);
        if round == 3 {
            bench.write_back();
        }
    }
    bench.close();
    bench
}

fn append(bench: &Bench) {
    append_rows(bench, None);
}

fn append_rows(bench: &Bench, rows: Option<String>) {
    let key = SigningKey::from_bytes(&KEY);
    anchor::append(&bench.file("anchors"), &key, Tally::NAME, bench.head, rows).expect("the anchor is appended");
}

fn anchors(bench: &Bench) -> Anchors {
    Anchors { file: bench.file("anchors"), key: SigningKey::from_bytes(&KEY).verifying_key() }
}

fn edit(bench: &Bench, sql: &str) {
    let connection = Connection::open(bench.file("journal.sqlite")).expect("the journal opens");
    connection.execute_batch(sql).expect("the edit is made");
    connection.close().expect("the journal closes");
}

fn findings(bench: &Bench, anchors: Option<&Anchors>) -> Vec<Finding> {
    verify(bench.directory.path(), anchors, &mut |_| {}).expect("the journal is audited").findings
}

/// Edits the journal's file and expects what the audit says, without anchors and with them.
fn check(sql: &str, without: &[Finding], with: &[Finding]) {
    let bench = bench();
    edit(&bench, sql);
    assert_eq!(findings(&bench, None), without, "without anchors, after {sql}");
    assert_eq!(findings(&bench, Some(&anchors(&bench))), with, "with anchors, after {sql}");
}

fn check_same(sql: &str, expected: &[Finding]) {
    check(sql, expected, expected);
}

/// Moves a record to another number: its contents change places with those of the other.
fn swap(one: i64, other: i64) -> String {
    format!(
        "UPDATE journal SET n = -1 WHERE n = {one}; UPDATE journal SET n = {one} WHERE n = {other};
         UPDATE journal SET n = {other} WHERE n = -1;"
    )
}

/// Computes the chain anew from record `from` on, as somebody would who wants to hide an edit.
fn rewrite(bench: &Bench, from: i64) {
    let connection = Connection::open(bench.file("journal.sqlite")).expect("the journal opens");
    let mut hash: [u8; 32] = connection
        .query_row("SELECT hash FROM journal WHERE n = ?", [from - 1], |row| row.get(0))
        .expect("the record before is there");
    let rows: Vec<(i64, i64, Vec<u8>)> = connection
        .prepare("SELECT n, at, record FROM journal WHERE n >= ? ORDER BY n")
        .and_then(|mut select| select.query_map([from], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect())
        .expect("the records are read");
    for (n, at, bytes) in rows {
        let place = Place { lane: 1, n: u64::try_from(n).expect("a record's number") };
        hash = chain(Tally::NAME, 1, &hash, place, Time::from_milliseconds(at), &bytes);
        connection.execute("UPDATE journal SET hash = ? WHERE n = ?", params![hash, n]).expect("it is rewritten");
        connection.execute("UPDATE lane SET n = ?, at = ?, hash = ?", params![n, at, hash]).expect("the head too");
    }
}

#[test]
fn an_untouched_journal_is_clean() {
    check_same("SELECT 1", &[]);
    let bench = bench();
    let verified = verify(bench.directory.path(), Some(&anchors(&bench)), &mut |_| {}).expect("it is audited");
    assert_eq!((verified.records, verified.anchors, verified.head), (40, 4, bench.head));
}

#[test]
fn a_changed_record_is_named() {
    check_same("UPDATE journal SET record = zeroblob(100) WHERE n = 17", &[Finding::Changed { n: 17 }]);
    check_same("UPDATE journal SET at = at + 1 WHERE n = 17", &[Finding::Changed { n: 17 }]);
    check_same("UPDATE journal SET record = zeroblob(100) WHERE n = 1", &[Finding::Changed { n: 1 }]);
    check_same("UPDATE journal SET record = zeroblob(100) WHERE n = 40", &[Finding::Changed { n: 40 }]);
    check_same("UPDATE journal SET hash = zeroblob(32) WHERE n = 17", &[Finding::Changed { n: 17 }]);
    check_same("UPDATE journal SET hash = 'short' WHERE n = 17", &[Finding::Changed { n: 17 }]);
    check_same(
        "UPDATE journal SET at = at + 1 WHERE n IN (7, 17, 18, 27)",
        &[7, 17, 18, 27].map(|n| Finding::Changed { n }),
    );
    check_same("UPDATE lane SET hash = zeroblob(32)", &[Finding::HeadChanged]);
}

#[test]
fn a_removed_record_is_named() {
    check_same("DELETE FROM journal WHERE n = 17", &[Finding::Removed { from: 17, to: 17 }]);
    check_same("DELETE FROM journal WHERE n BETWEEN 12 AND 20", &[Finding::Removed { from: 12, to: 20 }]);
    check_same("DELETE FROM journal WHERE n = 1", &[Finding::Removed { from: 1, to: 1 }]);
    // The gap was closed by renumbering.
    check_same(
        "DELETE FROM journal WHERE n = 17; UPDATE journal SET n = -n WHERE n > 17;
         UPDATE journal SET n = -n - 1 WHERE n < 0;",
        &[Finding::Removed { from: 17, to: 17 }],
    );
}

#[test]
fn an_added_record_is_named() {
    let renumber = "UPDATE journal SET n = -n WHERE n > 17; UPDATE journal SET n = -n + 1 WHERE n < 0;";
    let added = "INSERT INTO journal VALUES (18, 175, zeroblob(32), zeroblob(100));";
    check_same(&format!("{renumber} {added}"), &[Finding::Added { from: 18, to: 18 }]);
    let behind = "INSERT INTO journal VALUES (41, 500, zeroblob(32), zeroblob(100));";
    check_same(behind, &[Finding::Added { from: 41, to: 41 }]);
    let two_behind = format!("{behind} INSERT INTO journal VALUES (42, 501, zeroblob(32), zeroblob(100));");
    check_same(&two_behind, &[Finding::Added { from: 41, to: 42 }]);
    check_same("INSERT INTO journal VALUES (-3, 1, zeroblob(32), zeroblob(9))", &[Finding::Added { from: -3, to: -3 }]);
}

#[test]
fn reordered_records_are_named() {
    for (one, other) in [(17, 18), (17, 25), (1, 40), (39, 40)] {
        let expected = [Finding::Reordered { n: one, found_at: other }, Finding::Reordered { n: other, found_at: one }];
        check_same(&swap(one, other), &expected);
    }
}

#[test]
fn records_swapped_far_apart_are_named() {
    let mut bench = Bench::new(SqliteOptions::default());
    bench.commit(&[1; 500]).expect("the commit is taken");
    bench.close();
    edit(&bench, &swap(100, 400));
    let expected = [Finding::Reordered { n: 100, found_at: 400 }, Finding::Reordered { n: 400, found_at: 100 }];
    assert_eq!(findings(&bench, None), expected);
}

#[test]
fn a_cut_tail_is_named() {
    check_same("DELETE FROM journal WHERE n > 35", &[Finding::Cut { from: 36, to: 40 }]);
    // The lane's head was repaired; the state has seen up to 30, the anchors up to 40.
    let repaired = |n: i64| {
        format!(
            "DELETE FROM journal WHERE n > {n}; UPDATE lane SET n = {n}, hash = (SELECT hash FROM journal WHERE n = {n}),
             at = (SELECT at FROM journal WHERE n = {n})"
        )
    };
    check(&repaired(25), &[Finding::Cut { from: 26, to: 30 }], &[Finding::Cut { from: 26, to: 40 }]);
    check(&repaired(35), &[], &[Finding::RolledBack { journal: 35, anchored: 40 }]);
}

#[test]
fn files_put_back_to_an_older_copy_need_anchors_to_be_found() {
    let mut bench = Bench::new(SqliteOptions::default());
    let copy = tempfile::tempdir().expect("a directory for the copy");
    bench.commit(&[1; 20]).expect("the commit is taken");
    bench.write_back();
    bench.close();
    let files = ["journal.sqlite", "state.sqlite"];
    for name in files {
        fs::copy(bench.file(name), copy.path().join(name)).expect("the files are copied");
    }
    bench.reopen().expect("the directory opens");
    bench.commit(&[1; 5]).expect("the commit is taken");
    append(&bench);
    bench.close();
    for name in files {
        fs::copy(copy.path().join(name), bench.file(name)).expect("the copy is put back");
    }
    assert_eq!(findings(&bench, None), []);
    let expected = [Finding::RolledBack { journal: 20, anchored: 25 }];
    assert_eq!(findings(&bench, Some(&anchors(&bench))), expected);
}

#[test]
fn a_rewritten_chain_needs_anchors_to_be_found() {
    let bench = bench();
    edit(&bench, "UPDATE journal SET at = at + 1 WHERE n = 17");
    rewrite(&bench, 17);
    assert_eq!(findings(&bench, None), []);
    assert_eq!(findings(&bench, Some(&anchors(&bench))), [Finding::Rewritten { after: 10, until: 20 }]);
}

#[test]
fn edited_anchors_are_named() {
    let bench = bench();
    let text = fs::read_to_string(bench.file("anchors")).expect("the anchors are read");
    let edited = |edit: &dyn Fn(&mut Vec<&str>) -> String| {
        let changed = edit(&mut text.lines().collect());
        fs::write(bench.file("anchors"), changed).expect("the anchors are written");
        findings(&bench, Some(&anchors(&bench)))
    };
    let invalid = |line, why: &str| vec![Finding::AnchorInvalid { line, why: why.into() }];
    let forged = edited(&|lines| lines.join("\n").replacen("\"n\":20", "\"n\":21", 1));
    assert_eq!(forged[0], invalid(2, "it was not signed with the given key")[0]);
    let removed = edited(&|lines| {
        lines.remove(1);
        lines.join("\n")
    });
    assert_eq!(removed, invalid(2, "the line before it was changed or removed"));
    // A crash cut a line off, and the next start went on behind it.
    assert_eq!(edited(&|lines| format!("{}\n{{\"domain\":\"ta", lines.join("\n"))), []);
    append(&bench);
    assert_eq!(findings(&bench, Some(&anchors(&bench))), []);
    // The last line has no other behind it that names it.
    let of_last = |line: &str| {
        let line = line.to_owned();
        edited(&move |lines| format!("{}\n{line}\n", lines[..3].join("\n")))
    };
    assert_eq!(of_last("{\"domain\":\"ta"), invalid(4, "it is cut short, and no anchor follows"));
    assert_eq!(of_last("garbage"), invalid(4, "it is no anchor"));
    assert_eq!(of_last("{}"), invalid(4, "it is no anchor"));
    // Nothing was compared with anything.
    assert_eq!(edited(&|_| String::new()), [Finding::NoAnchor]);
    let nothing = |line| [invalid(line, "it is no anchor"), vec![Finding::NoAnchor]].concat();
    assert_eq!(edited(&|_| "garbage\n".into()), nothing(1));
    assert_eq!(edited(&|_| "garbage".into()), nothing(1));
    let replayed = replay::<Tally>(bench.directory.path(), Some(&anchors(&bench)), &mut |_, _| {}, &mut |_| {});
    assert_eq!(replayed.map(|replayed| replayed.anchor_findings), Ok(nothing(1)));
    let mut bytes = text.into_bytes();
    bytes.extend(b"\xff\xfe\n");
    fs::write(bench.file("anchors"), bytes).expect("the anchors are written");
    assert_eq!(findings(&bench, Some(&anchors(&bench))), invalid(5, "it is no text in UTF-8"));
}

#[test]
fn an_anchor_of_the_rows_holds_until_they_are_others() {
    let root =
        |bench: &Bench, n| rows_root::<Tally>(bench.directory.path(), n, &mut |_| {}).expect("the journal is replayed");
    let replayed = |bench: &Bench| {
        replay::<Tally>(bench.directory.path(), Some(&anchors(bench)), &mut |_, _| {}, &mut |_| {})
            .map(|replayed| (replayed.roots, replayed.root_findings, replayed.findings.len()))
    };
    let bench = bench();
    assert_eq!(replayed(&bench), Ok((0, vec![], 0)), "no anchor has a root yet");
    append_rows(&bench, Some(root(&bench, 40)));
    assert_eq!(replayed(&bench), Ok((1, vec![], 0)));
    assert_ne!(root(&bench, 39), root(&bench, 40));
    append_rows(&bench, Some(root(&bench, 39)));
    append_rows(&bench, Some(format!("9.9{}", root(&bench, 40))));
    assert_eq!(findings(&bench, Some(&anchors(&bench))), [], "all of them are signed");
    assert_eq!(replayed(&bench), Ok((1, vec![RootFinding { n: 40 }], 0)), "the last word for a record counts");
}

#[test]
fn a_replay_in_little_memory_comes_to_the_same() {
    let mut bench = Bench::new(SqliteOptions::default());
    bench.commit(&(0..3_000).map(|n| n % 700).collect::<Vec<_>>()).expect("the commit is taken");
    bench.write_back();
    bench.commit(&(300..900).collect::<Vec<_>>()).expect("the commit is taken");
    bench.close();
    let whole = replay_within::<Tally>(bench.directory.path(), usize::MAX, 2_222).expect("the journal is replayed");
    assert_eq!((whole.0.rows, whole.0.compared, whole.0.findings.len()), (900, 700, 0));
    for rows_in_memory_max in [50, 400] {
        let little = replay_within::<Tally>(bench.directory.path(), rows_in_memory_max, 2_222);
        assert_eq!(little.as_ref(), Ok(&whole), "at most {rows_in_memory_max} rows in memory");
    }
}

#[test]
fn a_running_store_anchors_by_count_and_at_its_stop() {
    let mut bench = Bench::new(SqliteOptions::default());
    bench.close();
    let anchors = anchors(&bench);
    let options =
        AnchorOptions { records_max: 10, ..AnchorOptions::new(anchors.file.clone(), SigningKey::from_bytes(&KEY)) };
    bench.options.anchors = Some(options);
    bench.reopen().expect("the directory opens");
    bench.commit(&[1; 7]).expect("the commit is taken");
    bench.close();
    bench.reopen().expect("the directory opens");
    bench.commit(&[1; 20]).expect("the commit is taken");
    bench.close();
    let verified = verify(bench.directory.path(), Some(&anchors), &mut |_| {}).expect("it is audited");
    assert!(verified.findings.is_empty() && verified.anchors >= 2, "{verified:?}");
}

#[test]
fn one_key_signs_an_anchor_file() {
    let place = tempfile::tempdir().expect("a directory for the test");
    let (file, key) = (place.path().join("anchors"), place.path().join("key"));
    let open = |key| {
        AnchorOptions::open(file.clone(), key, &mut |bytes: &mut [u8]| bytes.fill(5))
            .map(|options| options.key)
            .map_err(|error| error.to_string())
    };
    let first = open(&key).expect("the key is made");
    assert_eq!(open(&key), Ok(first));
    let refused = |words: &str| {
        let error = open(&key).expect_err("no other key signs here");
        assert!(error.contains(words), "{error}");
    };
    fs::write(&key, [6; 32]).expect("another key is put there");
    refused("is not the one");
    fs::remove_file(&key).expect("the key is taken away");
    refused("is missing");
    assert!(!key.exists(), "no key was made in its place");
}

#[test]
fn an_anchor_that_failed_is_tried_again() {
    let mut bench = Bench::new(SqliteOptions::default());
    bench.close();
    let anchors = anchors(&bench);
    let options =
        AnchorOptions { records_max: 5, ..AnchorOptions::new(anchors.file.clone(), SigningKey::from_bytes(&KEY)) };
    bench.options.anchors = Some(options);
    bench.reopen().expect("the directory opens");
    fs::remove_file(&anchors.file).expect("the anchor file is taken away");
    fs::create_dir(&anchors.file).expect("something else stands there");
    bench.commit(&[1; 7]).expect("the commit is taken");
    let gauges = bench.store().gauges();
    while gauges.anchors_failed.load(std::sync::atomic::Ordering::Relaxed) == 0 {
        std::thread::yield_now();
    }
    fs::remove_dir(&anchors.file).expect("it is taken away again");
    bench.close();
    let verified = verify(bench.directory.path(), Some(&anchors), &mut |_| {}).expect("it is audited");
    assert_eq!(
        (verified.findings, verified.anchors),
        (Vec::new(), 1),
        "nothing new came, and the stop anchors all the same"
    );
}

#[test]
fn a_replay_sees_that_a_record_is_not_what_was_written() {
    let bench = bench();
    assert_eq!(replayed(&bench).unchained, None);
    edit(&bench, "UPDATE journal SET at = at + 1 WHERE n IN (17, 30)");
    assert_eq!(replayed(&bench).unchained, Some(17));
    let root = rows_root::<Tally>(bench.directory.path(), 40, &mut |_| {});
    assert!(matches!(root, Err(StoreError::Damaged(what)) if what.contains("record 17")));
}

#[test]
fn records_of_before_a_take_over_are_of_their_own_epoch() {
    let mut bench = bench();
    edit(&bench, "UPDATE lane SET epoch = 3");
    bench.head = bench.reopen().expect("the lane is taken over").head;
    assert_eq!(bench.head.epoch, 3);
    bench.commit(&[1, 2, 1]).expect("the commit is taken");
    bench.close();
    assert_eq!((findings(&bench, None), replayed(&bench).unchained), (Vec::new(), None));

    let store = SqliteStore::<Tally>::open(bench.directory.path(), &bench.options).expect("the store opens");
    let core = Core::open(store, Arc::new(()), Options::default()).expect("the core opens");
    assert_eq!(*core.mode(), Mode::Running, "the tail goes from one epoch into the other");
    drop(core.close().expect("it stops"));
    for n in [17, 41, 42] {
        edit(&bench, &format!("UPDATE journal SET at = at + 1 WHERE n = {n}"));
        assert_eq!(findings(&bench, None), [Finding::Changed { n }]);
        assert_eq!(replayed(&bench).unchained, u64::try_from(n).ok());
        edit(&bench, &format!("UPDATE journal SET at = at - 1 WHERE n = {n}"));
    }
}

fn replayed(bench: &Bench) -> Replayed {
    replay::<Tally>(bench.directory.path(), None, &mut |_, _| {}, &mut |_| {}).expect("the journal is replayed")
}

#[test]
fn stored_rows_follow_from_the_journal() {
    let bench = bench();
    let mut total = 0;
    let clean = replay::<Tally>(bench.directory.path(), None, &mut |_, row| total += row, &mut |_| {});
    let expected = Replayed {
        records: 40,
        rows: 4,
        compared: 4,
        findings: Vec::new(),
        more_findings: false,
        roots: 0,
        root_findings: Vec::new(),
        anchor_findings: Vec::new(),
        unchained: None,
    };
    assert_eq!((clean, total), (Ok(expected), 40));
}

/// Edits the state's file and expects what the replay says.
fn check_state(sql: &str, expected: &[RowFinding]) {
    let bench = bench();
    let connection = Connection::open(bench.file("state.sqlite")).expect("the state opens");
    connection.execute_batch(sql).expect("the edit is made");
    connection.close().expect("the state closes");
    assert_eq!(replayed(&bench).findings, expected, "after {sql}");
}

#[test]
fn stored_rows_that_were_edited_are_named() {
    let differs = |version, what| vec![RowFinding::Differs { key: counter(2), version, what }];
    let row = "WHERE hex(id) LIKE '%02'";
    check_state(&format!("UPDATE counter SET total = 1000000 {row}"), &differs(15, "columns"));
    check_state(&format!("UPDATE counter SET row = X'0102' {row}"), &differs(15, "content"));
    check_state(&format!("UPDATE counter SET version = 99 {row}"), &differs(99, "version"));
    check_state(&format!("UPDATE counter SET place = 29 {row}"), &differs(15, "place"));
    // The row as it was six records ago, whole and true then; the watermark is at record 30.
    check_state(
        &format!("UPDATE counter SET version = 12, place = 24, total = 12, row = X'0118' {row}"),
        &[RowFinding::Lags { key: counter(2), version: 12, written: 15 }],
    );
    check_state(
        &format!(
            "UPDATE counter SET version = 12, place = 24, total = 12, row = X'0118' {row}; UPDATE progress SET watermark = 25"
        ),
        &[],
    );
    check_state(&format!("DELETE FROM counter {row}"), &[RowFinding::Missing { key: counter(2) }]);
    check_state(
        "INSERT INTO counter SELECT zeroblob(16), version, place, total, kind, row FROM counter LIMIT 1",
        &[RowFinding::Unknown { key: counter(0) }],
    );
}

#[test]
fn rows_that_cannot_be_read_do_not_pass_as_compared() {
    let bench = bench();
    let audit = || replay::<Tally>(bench.directory.path(), None, &mut |_, _| {}, &mut |_| {});
    fs::write(bench.file("state.sqlite"), "somebody's notes, longer than the header of a database; ".repeat(10))
        .expect("the state is overwritten");
    assert!(matches!(audit(), Err(StoreError::Damaged(what)) if what.contains("state.sqlite")));
    fs::remove_file(bench.file("state.sqlite")).expect("the state is removed");
    assert_eq!(audit().map(|replayed| (replayed.rows, replayed.compared)), Ok((4, 0)), "the journal has everything");
}

#[test]
fn a_row_is_shown_as_it_was() {
    let bench = bench();
    let check = |number: u128, until: Until, expected: Option<(u64, u64)>| {
        let found = as_of::<Tally>(bench.directory.path(), counter(number), until).expect("the past is read");
        let expected = expected.map(|(version, n)| Stored {
            version,
            place: Place { lane: 1, n },
            row: Some(Arc::new(i64::try_from(version).expect("a small total"))),
        });
        assert_eq!(found, expected, "row {number} until {until:?}");
    };
    check(2, Until::Number(1), None);
    check(2, Until::Number(2), Some((1, 2)));
    check(2, Until::Number(25), Some((12, 24)));
    check(2, Until::Number(99), Some((20, 40)));
    check(2, Until::Time(Time::from_milliseconds(259)), Some((12, 24)));
    check(9, Until::Number(99), None);
}

#[test]
fn a_journal_of_a_running_store_is_audited() {
    let mut bench = Bench::new(SqliteOptions::default());
    bench.commit(&[1, 2, 3]).expect("the commit is taken");
    bench.write_back();
    bench.commit(&[3, 3]).expect("the commit is taken");
    assert_eq!(findings(&bench, None), []);
    assert_eq!(replayed(&bench).findings, []);
}

#[test]
fn a_damaged_page_is_a_finding() {
    let bench = bench();
    let path = bench.file("journal.sqlite");
    let mut bytes = fs::read(&path).expect("the journal is read");
    let half = bytes.len() / 2;
    bytes[half..].fill(0xff);
    fs::write(&path, bytes).expect("the journal is written");
    let unread = verify(bench.directory.path(), None, &mut |_| {});
    assert!(unread.is_err() || unread.is_ok_and(|verified| !verified.findings.is_empty()));
}

#[test]
fn an_anchor_is_believed_with_its_own_key_alone() {
    let (place, at) = (Place { lane: 1, n: 7 }, Time::from_milliseconds(1));
    let head = crate::store::Head { epoch: 1, place, at, hash: [3; 32] };
    let anchor = anchor::sign(&SigningKey::from_bytes(&KEY), "tally", head, "", None);
    assert!(anchor.is_signed_by(&SigningKey::from_bytes(&KEY).verifying_key()));
    assert!(!anchor.is_signed_by(&SigningKey::from_bytes(&[1; 32]).verifying_key()));
}
