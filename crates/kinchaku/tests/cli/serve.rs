//! `serve` as whoever starts it sees it: where it listens, what it refuses, how it ends.

use crate::check;
use crate::served::Served;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

#[test]
fn the_sandbox_has_a_host_for_each_service_says_what_it_is_and_ends_when_told() {
    let served = Served::start();
    for (host, path, status) in [
        ("localhost", "/", "200"),
        ("localhost", "/sandbox/v1/banks", "200"),
        ("sandbox.localhost", "/", "200"),
        ("bank-0125.localhost", "/connector/v1/about", "401"),
        ("gateway.localhost", "/.well-known/oauth-authorization-server", "200"),
        ("evil.example", "/", "421"),
        ("localhost", "/nothing", "404"),
    ] {
        let answer = served.get(host, path);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{host}{path}: {answer}");
    }
    assert_eq!(served.stop(), Some(0));
}

/// The README as it stands.
const README: &str = include_str!("../../../../README.md");

#[test]
fn the_readmes_commands_do_what_it_says() {
    let served = Served::start();
    let blocks = README.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let story: Vec<&str> = blocks.filter(|block| block.contains("post() {")).collect();
    assert_eq!(story.len(), 1, "the README has one story");
    let story = story[0].replace(":8080", &format!(":{}", served.port));
    let output = Command::new("bash").args(["-euc", &story]).output().expect("bash is there");
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{text}");
    for shows in [
        r#""status":"approved""#,
        r#""status":"active""#,
        r#""status":"settled","amount":10000"#,
        r#""status":"captured""#,
        r#""status":"completed""#,
        r#""status":"settled","amount":1000"#,
        // Of 10,000 yen, 500 went to the shop, 300 to the friend and 1,000 back.
        r#""balance_after":8200"#,
        // And the bank's own statement.
        r#""amount":-10000"#,
        r#""balance":491000"#,
    ] {
        assert!(text.contains(shows), "{shows} is not in: {text}");
    }
}

#[test]
fn a_sandbox_and_an_operators_data_never_meet() {
    let data = TempDir::new().expect("a directory for the test");
    std::fs::write(data.path().join("journal.sqlite"), b"an operator's").expect("it can be written");
    let directory = data.path().to_str().expect("a path of letters");
    check(&["serve", "--listen", "127.0.0.1:0", "--data", directory], 1, "no sandbox's");
    check(&["serve", "--listen", "0.0.0.0:0", "--data", directory], 1, "loopback");
    let config = data.path().join("kinchaku.toml");
    std::fs::write(&config, "[serve]\nlisten_at = 1\n").expect("it can be written");
    check(&["serve", "--config", path(&config)], 1, "listen_at");
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a path of letters")
}
