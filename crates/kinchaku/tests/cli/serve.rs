//! `serve` as whoever starts it sees it: where it listens, what it refuses, how it ends.

use crate::check;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A running sandbox on a free port, with data of its own.
pub struct Served {
    child: Child,
    pub port: u16,
    _data: TempDir,
}

impl Served {
    /// Starts one, and waits until it says that it is ready.
    pub fn start() -> Self {
        let data = TempDir::new().expect("a directory for the test");
        let mut child = Command::new(env!("CARGO_BIN_EXE_kinchaku"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output is piped")).lines();
        let mut port = None;
        loop {
            let line = lines.next().expect("it says that it is ready before it ends").expect("its output is text");
            port = port.or_else(|| line.split("listens on 127.0.0.1:").nth(1)?.split(',').next()?.parse().ok());
            if line == "ready" {
                break;
            }
        }
        Self { child, port: port.expect("it says where it listens"), _data: data }
    }

    /// Asks `host` for `path`; the whole answer as text.
    pub fn get(&self, host: &str, path: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}:{}\r\nConnection: close\r\n\r\n", self.port);
        stream.write_all(request.as_bytes()).expect("it takes the request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer
    }

    /// Tells it to stop, and says how it ended.
    pub fn stop(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        let told = Command::new("kill").args(["-TERM", &pid]).status().expect("`kill` is there");
        assert!(told.success());
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // After `stop` there is nobody left to kill.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

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
    let simulated = served.get("sandbox.localhost", "/").to_ascii_lowercase();
    assert!(simulated.contains("x-kinchaku-sandbox: simulated"), "{simulated}");
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
