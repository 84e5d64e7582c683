//! The running program: started on a port and data of its own, killed, started again on the same, told to stop.

use engine::{Clock, SystemClock};
use serde_json::json;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use tempfile::TempDir;

/// A running sandbox.
pub struct Served {
    child: Child,
    pub port: u16,
    /// What it printed until it was ready.
    pub greeting: Vec<String>,
    place: Arc<TempDir>,
    started: Started,
}

/// How a process is started.
#[derive(Clone, Debug, Default)]
pub struct Started {
    /// Without any argument, in a directory of its own: its environment says where it listens.
    pub is_bare: bool,
    /// 0 for any free port.
    pub port: u16,
    /// What stands behind `serve`, beside port and data.
    pub arguments: Vec<String>,
    pub environment: Vec<(&'static str, String)>,
}

impl Served {
    /// Starts one on a free port, with the machine's time, and waits until it says that it is ready.
    pub fn start() -> Self {
        Self::start_in(&place(), Started::default())
    }

    /// The same with the clock at `now_ms`, milliseconds since 1970: going on from there, or standing still.
    pub fn start_at(now_ms: i64, is_frozen: bool) -> Self {
        // The books are Tokyo's, wherever the machine says that it stands; a test brings its own people.
        let environment = vec![("TZ", "America/New_York".to_owned()), ("KINCHAKU_SANDBOX_PEOPLE", "0".to_owned())];
        Self::start_so_at(Started { environment, ..Started::default() }, now_ms, is_frozen)
    }

    /// The same with arguments and environment.
    pub fn start_so_at(started: Started, now_ms: i64, is_frozen: bool) -> Self {
        let place = place();
        let sandbox = place.path().join("data/sandbox");
        fs::create_dir_all(&sandbox).expect("it can be made");
        fs::write(place.path().join("data/SANDBOX"), "a test's\n").expect("it can be written");
        let offset_ms = now_ms - SystemClock.now().milliseconds();
        let frozen_at_ms = is_frozen.then_some(now_ms);
        let clock = json!({ "offset_ms": offset_ms, "frozen_at_ms": frozen_at_ms, "latest_ms": now_ms });
        fs::write(sandbox.join("clock.json"), clock.to_string()).expect("it can be written");
        Self::start_in(&place, started)
    }

    /// The same in `place`, where others may run too.
    pub fn start_in(place: &Arc<TempDir>, mut started: Started) -> Self {
        let (child, port, greeting) = spawn(place.path(), &started);
        started.port = port;
        Self { child, port, greeting, place: Arc::clone(place), started }
    }

    /// Kills it, as a power cut would, and starts it again where it was.
    pub fn kill_and_restart(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
        (self.child, ..) = spawn(self.place.path(), &self.started);
    }

    /// Tells it to stop, and starts it again where it was; how it ended.
    pub fn stop_and_restart(&mut self) -> Option<i32> {
        let code = self.end();
        (self.child, ..) = spawn(self.place.path(), &self.started);
        code
    }

    /// The most memory that it has had, in bytes.
    pub fn memory_bytes_max(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its memory is counted");
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kib << 10
    }

    /// Its data.
    pub fn data(&self) -> PathBuf {
        self.place.path().join("data")
    }

    /// What it has written to its log.
    pub fn log(&self) -> String {
        fs::read_to_string(log_file(self.place.path())).expect("there is a log")
    }

    /// The secret that it has made under `name`.
    pub fn secret(&self, name: &str) -> String {
        let path = self.place.path().join("data/secrets").join(name);
        fs::read_to_string(path).expect("there is such a secret").trim().to_owned()
    }

    /// Asks `host` for `path`; the whole answer as text.
    pub fn get(&self, host: &str, path: &str) -> String {
        self.get_with(host, path, "")
    }

    /// The same with more lines of header, each with its end.
    pub fn get_with(&self, host: &str, path: &str, headers: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        let port = self.port;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).expect("it takes the request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer
    }

    /// Tells it to stop, and says how it ended.
    pub fn stop(mut self) -> Option<i32> {
        self.end()
    }

    /// The same, with its data there until this is dropped.
    pub fn end(&mut self) -> Option<i32> {
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
        if std::thread::panicking() {
            let log = self.log();
            let end: Vec<&str> = log.lines().rev().take(40).collect();
            eprintln!("the end of its log:\n{}", end.into_iter().rev().collect::<Vec<_>>().join("\n"));
        }
    }
}

/// A directory for a test's processes.
pub fn place() -> Arc<TempDir> {
    Arc::new(TempDir::new().expect("a directory for the test"))
}

fn log_file(place: &Path) -> PathBuf {
    place.join("log")
}

/// Starts the program in `place`, and reads where it listens and what else it says until it is ready.
fn spawn(place: &Path, started: &Started) -> (Child, u16, Vec<String>) {
    let log = File::options().create(true).append(true).open(log_file(place)).expect("a log for the test");
    let listen = format!("127.0.0.1:{}", started.port);
    let mut command = Command::new(env!("CARGO_BIN_EXE_kinchaku"));
    if started.is_bare {
        command.current_dir(place).env("KINCHAKU_SERVE_LISTEN", listen);
    } else {
        command.args(["serve", "--listen", &listen, "--data"]).arg(place.join("data")).args(&started.arguments);
    }
    let mut child = command
        .envs(started.environment.iter().map(|(name, value)| (name, value)))
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .expect("the binary starts");
    let mut lines = BufReader::new(child.stdout.take().expect("its output is piped")).lines();
    let (mut port, mut greeting) = (None, Vec::new());
    loop {
        let line = lines.next().expect("it says that it is ready before it ends").expect("its output is text");
        port = port.or_else(|| line.split("listens on 127.0.0.1:").nth(1)?.split(',').next()?.parse().ok());
        if line == "ready" {
            break;
        }
        greeting.push(line);
    }
    (child, port.expect("it says where it listens"), greeting)
}
