//! A connection to PostgreSQL whose answers a plain thread waits for.
//!
//! The socket is driven by a thread of its own; the engine's thread sends statements and parks until they are answered, also
//! where it stands inside of somebody's async runtime. Every wait has an end.

use super::error::{Failure, classify};
use crate::clock::{Clock, SystemClock};
use crate::store::StoreError;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;
use tokio_postgres::{Client, Config, NoTls};

/// How long a server may take to let us in.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// How long one statement may take before the server ends it, in milliseconds.
const STATEMENT_MS_MAX: u32 = 10_000;
/// How long a statement waits for a row that somebody else has locked, in milliseconds.
const LOCK_MS_MAX: u32 = 5_000;
/// How long the server keeps the locks of an engine that says nothing more, in milliseconds.
const SILENT_MS_MAX: u32 = 30_000;
/// How long an answer may be out before the connection is given up: longer than any statement may take.
const ANSWER_MAX: Duration = Duration::from_secs(15);

/// An open connection. Dropped, it closes, and the server rolls back what was not committed.
pub(super) struct Connection {
    client: Client,
}

impl Connection {
    /// Connects, and sets what every session of ours has: the schema, an end to every wait, and that rows are found by their
    /// keys: a plan that was made while a table was empty would go on reading all of it.
    pub(super) fn open(config: &Config, schema: &str) -> Result<Self, StoreError> {
        let mut config = config.clone();
        config.connect_timeout(CONNECT_MAX).application_name(format!("kinchaku {schema}"));
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        thread::Builder::new()
            .name("postgres connection".into())
            .spawn(move || drive(&config, &sender))
            .map_err(|error| StoreError::Unavailable(format!("no thread for the database's connection: {error}")))?;
        let silent = || StoreError::Unavailable("the database does not answer".into());
        let client = receiver.recv_timeout(CONNECT_MAX + CONNECT_MAX).map_err(|_| silent())?;
        let client = client.map_err(|error| classify("connecting", &error))?;
        let connection = Self { client };
        connection.run(&format!(
            "SET search_path = \"{schema}\"; SET statement_timeout = {STATEMENT_MS_MAX}; SET lock_timeout = {LOCK_MS_MAX}; \
             SET idle_in_transaction_session_timeout = {SILENT_MS_MAX}; \
             SET default_transaction_isolation = 'read committed'; SET enable_seqscan = off"
        ))?;
        connection.keep_what_is_committed()?;
        Ok(connection)
    }

    /// A commit that is answered must survive the server: a server that is set to answer before its own disk has it is told
    /// otherwise for this session, and one that never asks its disk is refused.
    fn keep_what_is_committed(&self) -> Result<(), StoreError> {
        let ask = |name| wait(self.client.query_one("SELECT current_setting($1)", &[&name]));
        let read = |name| -> Result<String, StoreError> {
            ask(name)
                .and_then(|row| row.try_get(0).map_err(Failure::from))
                .map_err(|failure| failure.said("its settings"))
        };
        if read("fsync")? == "off" {
            return Err(StoreError::Version(
                "the database runs with fsync = off and would lose money with its power: set fsync = on".into(),
            ));
        }
        match read("synchronous_commit")?.as_str() {
            "off" | "local" => self.run("SET synchronous_commit = on"),
            _ => Ok(()),
        }
    }

    /// The client: what it is asked goes out in the order in which it is first polled.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Statements without answers.
    pub(super) fn run(&self, sql: &str) -> Result<(), StoreError> {
        wait(self.client.batch_execute(sql)).map_err(|failure| failure.said("a statement"))
    }
}

/// Waits for an answer, at most so long as any answer may take.
pub(super) fn wait<T>(answer: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, Failure> {
    let deadline = Deadline::after(ANSWER_MAX);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut answer = pin!(answer);
    loop {
        if let Poll::Ready(answer) = answer.as_mut().poll(&mut context) {
            return answer.map_err(Failure::from);
        }
        let left = deadline.left();
        if left.is_zero() {
            return Err(Failure::Silent);
        }
        thread::park_timeout(left);
    }
}

/// When nobody waits any longer, by the steady clock.
pub(super) struct Deadline {
    at_ms: i64,
}

impl Deadline {
    pub(super) fn after(time: Duration) -> Self {
        let time = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        Self { at_ms: SystemClock.monotonic_milliseconds().saturating_add(time) }
    }

    /// How long there is to wait; nothing once it is over.
    pub(super) fn left(&self) -> Duration {
        let left = self.at_ms.saturating_sub(SystemClock.monotonic_milliseconds());
        Duration::from_millis(u64::try_from(left).unwrap_or(0))
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

type Connected = Result<Client, tokio_postgres::Error>;

/// Connects, gives the client away, and moves bytes until either side closes.
fn drive(config: &Config, connected: &std::sync::mpsc::SyncSender<Connected>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return };
    runtime.block_on(async {
        match config.connect(NoTls).await {
            Ok((client, connection)) => {
                // Whoever asked may have given up; then the client is gone, and the connection ends at once.
                if connected.send(Ok(client)).is_ok() {
                    // What ends it is told to whoever waits for an answer.
                    drop(connection.await);
                }
            }
            Err(error) => drop(connected.send(Err(error))),
        }
    });
}
