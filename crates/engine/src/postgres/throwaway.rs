//! A private PostgreSQL for tests and benchmarks: its own data directory and unix socket, gone with the process that started it.

use super::connection::Deadline;
use std::fs;
use std::io;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;
use tokio_postgres::Config;

/// How long a fresh cluster may take to answer.
const START_MAX: Duration = Duration::from_mins(1);
/// How long to wait between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// The server runs until its parent closes the pipe, whatever ends the parent; then it stops at once and leaves nothing.
const KEEPER: &str = r#"
"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c shared_buffers=512MB -c max_wal_size=4GB -c max_connections=64 \
    >"$2/log" 2>&1 </dev/null &
server=$!
read -r _
kill -QUIT $server
wait $server
rm -rf "$2"
"#;

/// Why there is no cluster.
#[derive(Debug)]
pub enum NotStarted {
    /// PostgreSQL is not installed: `apt-get install postgresql-15`.
    NotInstalled,
    /// It is, and does not start.
    Failed(String),
}

impl std::fmt::Display for NotStarted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotInstalled => {
                write!(
                    f,
                    "PostgreSQL is not installed (neither `pg_config --bindir` nor /usr/lib/postgresql has initdb): apt-get install postgresql-15"
                )
            }
            Self::Failed(why) => write!(f, "a private PostgreSQL does not start: {why}"),
        }
    }
}

impl std::error::Error for NotStarted {}

impl From<io::Error> for NotStarted {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// A running cluster.
#[derive(Debug)]
pub struct Throwaway {
    directory: PathBuf,
    keeper: Child,
}

/// The user that the server runs as: it refuses to run as root.
#[derive(Clone, Copy)]
struct User {
    id: u32,
    group: u32,
}

impl Throwaway {
    /// Makes a cluster and waits until it answers.
    pub fn start() -> Result<Self, NotStarted> {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let programs = programs().ok_or(NotStarted::NotInstalled)?;
        let nth = STARTED.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("kinchaku-postgres-{}-{nth}", std::process::id()));
        fs::create_dir(&directory)?;
        let user = other_user(&directory)?;
        if let Some(User { id, group }) = user {
            chown(&directory, Some(id), Some(group))?;
        }
        let mut initdb = Command::new(programs.join("initdb"));
        initdb.arg("-D").arg(directory.join("data")).args([
            "-U",
            "kinchaku",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-locale",
            "-N",
        ]);
        let made = run_as(&mut initdb, user).current_dir(&directory).stdin(Stdio::null()).output()?;
        if !made.status.success() {
            return Err(NotStarted::Failed(String::from_utf8_lossy(&made.stderr).into_owned()));
        }
        let mut keeper = Command::new("/bin/sh");
        keeper.args(["-c", KEEPER, "sh"]).arg(&programs).arg(&directory);
        let keeper =
            run_as(&mut keeper, user).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let cluster = Self { directory, keeper };
        cluster.wait_until_ready()?;
        Ok(cluster)
    }

    /// How to connect to the database `name` of the cluster.
    pub fn config(&self, name: &str) -> Config {
        let mut config = Config::new();
        config.host_path(&self.directory).user("kinchaku").dbname(name);
        config
    }

    /// The address of the database `name`, as other programs take it.
    pub fn url(&self, name: &str) -> String {
        format!("postgres:///{name}?host={}&user=kinchaku", self.directory.display())
    }

    /// Makes the database `name`, and says how to connect to it.
    pub fn database(&self, name: &str) -> Result<Config, NotStarted> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let made = runtime.block_on(async {
            let (client, connection) = self.config("postgres").connect(tokio_postgres::NoTls).await?;
            tokio::spawn(connection);
            client.batch_execute(&format!("CREATE DATABASE \"{name}\"")).await
        });
        made.map_err(|error: tokio_postgres::Error| NotStarted::Failed(error.to_string()))?;
        Ok(self.config(name))
    }

    /// Where the server writes what it does.
    pub fn log(&self) -> PathBuf {
        self.directory.join("log")
    }

    fn wait_until_ready(&self) -> Result<(), NotStarted> {
        let deadline = Deadline::after(START_MAX);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        loop {
            match runtime.block_on(self.config("postgres").connect(tokio_postgres::NoTls)) {
                Ok(_) => return Ok(()),
                Err(error) if deadline.left().is_zero() => {
                    let log = fs::read_to_string(self.log()).unwrap_or_default();
                    return Err(NotStarted::Failed(format!("{error}; it says: {log}")));
                }
                Err(_) => thread::park_timeout(LOOK_AGAIN),
            }
        }
    }
}

impl Drop for Throwaway {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        // The keeper ends by itself; waiting only keeps the directory from outliving us.
        drop(self.keeper.wait());
    }
}

/// Whether there is a PostgreSQL to start.
pub fn is_installed() -> bool {
    programs().is_some()
}

/// The folder of PostgreSQL's own programs, the newest version first.
fn programs() -> Option<PathBuf> {
    let asked = Command::new("pg_config").arg("--bindir").output().ok();
    let asked = asked.filter(|output| output.status.success()).and_then(|output| String::from_utf8(output.stdout).ok());
    let mut folders: Vec<PathBuf> = asked.map(|folder| PathBuf::from(folder.trim())).into_iter().collect();
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut installed: Vec<PathBuf> = installed.map(|entry| entry.path().join("bin")).collect();
    installed.sort_unstable();
    folders.extend(installed.into_iter().rev());
    folders.into_iter().find(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file())
}

/// As root: the user `postgres`, whom its package makes. Otherwise ourselves.
fn other_user(directory: &Path) -> Result<Option<User>, NotStarted> {
    use std::os::unix::fs::MetadataExt;
    if fs::metadata(directory)?.uid() != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let line = users.lines().find(|line| line.starts_with("postgres:"));
    let mut fields = line.into_iter().flat_map(|line| line.split(':')).skip(2).map(str::parse);
    match (fields.next(), fields.next()) {
        (Some(Ok(id)), Some(Ok(group))) => Ok(Some(User { id, group })),
        _ => Err(NotStarted::Failed("PostgreSQL does not run as root, and there is no user `postgres`".into())),
    }
}

fn run_as(command: &mut Command, user: Option<User>) -> &mut Command {
    if let Some(User { id, group }) = user {
        command.uid(id).gid(group);
    }
    command
}
