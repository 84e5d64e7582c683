//! Short forms of the crash proofs; the long ones are steps of continuous integration.

use super::check;
use std::process::{Command, Stdio};

/// Whether strace is here. Without it a test skips loudly; in continuous integration it must be there.
fn has_strace() -> bool {
    let found =
        Command::new("strace").arg("--version").stdout(Stdio::null()).status().is_ok_and(|status| status.success());
    assert!(found || std::env::var_os("CI").is_none(), "strace is missing: apt-get install strace");
    if !found {
        eprintln!("SKIPPED: strace is missing, no crash images were made: apt-get install strace");
    }
    found
}

#[test]
fn killed_three_times_nothing_is_lost() {
    check(&["crash", "kill", "--rounds", "3", "--wallets", "20", "--json"], 0, "\"lost\":0");
}

#[test]
fn twenty_crash_images_open() {
    if has_strace() {
        check(&["crash", "images", "--images", "20", "--commits", "60", "--json"], 0, "\"violations\":0");
    }
}

#[test]
fn progress_is_plain_lines_where_there_is_no_terminal() {
    check(&["crash", "kill", "--rounds", "2", "--wallets", "5"], 0, "kills: 2 of 2");
}
