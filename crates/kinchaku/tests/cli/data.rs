//! Data that `serve` cannot work with: it says what is wrong and what to do, exits with 1, and changes nothing of what it refuses.

use crate::check;
use crate::served::{Served, Started, place};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use tempfile::TempDir;

/// What befalls a file.
type Ruin<'a> = &'a dyn Fn(&Path);

/// A sandbox's data, with one person in it, after an end in order.
fn data() -> Arc<TempDir> {
    let place = place();
    let environment = vec![("KINCHAKU_SANDBOX_PEOPLE", "0".to_owned())];
    let served = Served::start_in(&place, Started { environment, ..Started::default() });
    assert_eq!(served.stop(), Some(0));
    place
}

fn serve(data: &Path) -> Vec<&str> {
    vec!["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().expect("a path of letters")]
}

/// Of another version than this program writes.
fn newer(file: &Path) {
    let connection = Connection::open(file).expect("it opens");
    connection.pragma_update(None, "user_version", 999).expect("it is written");
}

/// As a disk gives it back that has lost its first page.
fn scrambled(file: &Path) {
    let file = File::options().write(true).open(file).expect("it opens");
    file.write_all_at(&[0x5a; 4_096], 0).expect("it is written");
}

#[test]
fn what_is_newer_damaged_or_without_its_key_is_refused_with_what_to_do() {
    let place = data();
    let data = place.path().join("data");
    let gone = |file: &Path| fs::remove_file(file).expect("it is there");
    let emptied = |file: &Path| fs::write(file, "").expect("it is written");
    // A service whose books are refused leaves its whole directory as it was.
    let cases: [(&str, &str, Ruin<'_>, &str); 11] = [
        ("wallet/journal.sqlite", "wallet", &newer, "run the newer program, nothing was written"),
        ("wallet/state.sqlite", "wallet", &newer, "run the newer program, nothing was written"),
        ("gateway/journal.sqlite", "gateway", &newer, "run the newer program, nothing was written"),
        ("sandbox/journal.sqlite", "sandbox", &newer, "run the newer program, nothing was written"),
        ("wallet/server.sqlite", "wallet/server.sqlite", &newer, "start the newer program that wrote it"),
        ("wallet/work.sqlite", "wallet/work.sqlite", &newer, "start the newer program that wrote it"),
        ("wallet/journal.sqlite", "wallet", &scrambled, "restore it from a backup"),
        ("gateway/state.sqlite", "gateway", &scrambled, "restore it from a backup"),
        ("secrets/wallet.key", "secrets", &gone, "put the file back that belongs to this data"),
        ("secrets/wallet.key", "secrets", &emptied, "a key has 32"),
        ("sandbox/clock.json", "sandbox", &emptied, "clock.json"),
    ];
    for (name, refused, ruin, says) in cases {
        let copy = TempDir::new().expect("a directory for the test");
        let copied = Command::new("cp").arg("-r").arg(&data).arg(copy.path()).status().expect("cp is there");
        assert!(copied.success());
        let directory = copy.path().join("data");
        ruin(&directory.join(name));
        let before = contents(&directory.join(refused));
        assert!(!before.is_empty(), "{refused} is there");
        check(&serve(&directory), 1, says);
        assert!(
            contents(&directory.join(refused)) == before,
            "{name} was refused, and {refused} is another than before"
        );
    }
}

/// The file, or every file below the directory, byte for byte.
fn contents(path: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    if path.is_file() {
        return BTreeMap::from([(path.to_owned(), fs::read(path).expect("it can be read"))]);
    }
    let entries = fs::read_dir(path).expect("it can be listed").map(|entry| entry.expect("it can be read").path());
    entries.flat_map(|path| contents(&path)).collect()
}

#[test]
fn data_that_another_process_serves_is_left_to_it() {
    let served = Served::start();
    check(&serve(&served.data()), 1, "stop it first, or name another data directory");
    assert!(served.get("localhost", "/readyz").ends_with("ready\n"));
    assert_eq!(served.stop(), Some(0));
}

#[test]
fn a_disk_that_is_full_from_the_start_is_said_to_be() {
    let place = TempDir::new().expect("a directory for the test");
    let binary = env!("CARGO_BIN_EXE_kinchaku");
    // No file may grow beyond 64 blocks of 512 bytes, which to whoever writes is a full disk.
    let script = format!("trap '' XFSZ; ulimit -f 64; exec {binary} serve --listen 127.0.0.1:0 --data data");
    let output = Command::new("sh").args(["-c", &script]).current_dir(&place).output().expect("sh is there");
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("kinchaku serve: ") && !text.contains("panicked"), "{text}");
    assert!(text.contains("make room") || text.contains("the disk refuses"), "it says what to do: {text}");
}
