//! Loads in small: that each of them runs, is audited and says so, and that what makes no sense is refused.

use super::check;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

#[test]
fn payments_and_transfers_are_audited_on_both_stores() {
    let pay = &["pay", "--wallets", "12", "--past-payments", "200", "--warm-up-seconds", "0"][..];
    let transfer = &["transfer", "--accounts", "12"][..];
    for (load, store, audited) in [
        (pay, "sqlite", "\"audited\":true,\"replayed\":true"),
        (pay, "memory", "\"audited\":true,\"replayed\":false"),
        (transfer, "sqlite", "\"audited\":true,\"replayed\":true"),
        (transfer, "memory", "\"audited\":true,\"replayed\":false"),
    ] {
        let small = &["--in-flight", "8", "--seconds", "0", "--store", store, "--json"];
        check(&[&["bench"], load, small].concat(), 0, audited);
    }
}

#[test]
fn options_that_make_no_run_exit_2_and_say_what_is_possible() {
    check(&["bench", "pay", "--in-flight", "0"], 2, "1..");
    check(&["bench", "pay", "--rate", "0"], 2, "1..");
    check(&["bench", "pay", "--wallets", "0"], 2, "1..");
    check(&["bench", "pay", "--cache-rows", "0"], 2, "1..");
    check(&["bench", "transfer", "--accounts", "1"], 2, "2..");
    for option in [&["--verify-beside"][..], &["--list-readers", "1"], &["--data", "data"]] {
        let asked = [&["bench", "pay", "--store", "memory"], option].concat();
        check(&asked, 2, "take --store sqlite");
    }
    check(&["bench", "pay", "--store", "postgres", "--verify-beside"], 2, "take --store sqlite");
    check(&["bench", "pay", "--database", "postgres://localhost/db"], 2, "take --store postgres");
    check(&["bench", "transfer", "--store", "postgres", "--database", "no address"], 2, "postgres://");
}

#[test]
fn a_database_for_other_loads_is_named_and_ends_with_its_input() {
    if !engine::postgres::throwaway::is_installed() {
        assert!(std::env::var_os("CI").is_none(), "no PostgreSQL: apt-get install postgresql-15");
        eprintln!("SKIPPED: there is no PostgreSQL: apt-get install postgresql-15");
        return;
    }
    let mut process = Command::new(env!("CARGO_BIN_EXE_kinchaku"));
    process.args(["bench", "databases", "one"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = process.spawn().expect("it starts");
    let mut url = String::new();
    BufReader::new(process.stdout.take().expect("it prints")).read_line(&mut url).expect("it can be read");
    let small = ["bench", "transfer", "--store", "postgres", "--database", url.trim(), "--accounts", "12"];
    check(&[&small[..], &["--in-flight", "8", "--seconds", "0", "--json"]].concat(), 0, "\"audited\":true");
    drop(process.stdin.take());
    assert!(process.wait().expect("it ends").success());
    let directory = url.trim().split("host=").nth(1).and_then(|rest| rest.split('&').next()).expect("a directory");
    assert!(!Path::new(directory).exists(), "{directory} is left");
}
