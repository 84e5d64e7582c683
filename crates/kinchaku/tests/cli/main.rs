//! The program as a shell, other programs and a browser see it: what it prints, how it exits, what it serves.

mod audit;
mod bench;
mod crash;
mod data;
mod drill;
mod serve;
mod served;
mod simulate;
mod stack;

use std::process::Command;

fn check(arguments: &[&str], code: i32, shows: &str) {
    let output = Command::new(env!("CARGO_BIN_EXE_kinchaku")).args(arguments).output().expect("the binary starts");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert_eq!(output.status.code(), Some(code), "kinchaku {arguments:?} printed: {text}");
    assert!(text.contains(shows), "kinchaku {arguments:?} printed: {text}");
}

#[test]
fn help_teaches() {
    check(&["--help"], 0, "Usage: kinchaku");
}

#[test]
fn the_version_is_the_workspaces() {
    check(&["--version"], 0, concat!("kinchaku ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn an_unknown_argument_exits_2_and_says_what_it_was() {
    check(&["--no-such-flag"], 2, "--no-such-flag");
    check(&["no-such-command"], 2, "no-such-command");
}
