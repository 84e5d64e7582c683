//! The log: to standard error, for people or for programs. Of a sandbox each line says that it is one.

use super::config::Log;
use std::io::{self, IsTerminal, Write, stderr};
use tracing_subscriber::EnvFilter;

/// What each line of a sandbox's log for people begins with.
const MARK: &[u8] = b"SANDBOX ";
/// The same as the first member of a line for programs, which begins with a brace.
const MEMBER: &[u8] = br#"{"sandbox":true,"#;

/// From now on everything is logged like that.
pub fn start(log: Log, is_sandbox: bool) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let writer = move || Lines { log, is_sandbox };
    let subscriber =
        tracing_subscriber::fmt().with_env_filter(filter).with_ansi(stderr().is_terminal()).with_writer(writer);
    match log {
        Log::Text => subscriber.init(),
        Log::Json => subscriber.json().init(),
    }
}

/// Standard error; each line comes whole.
struct Lines {
    log: Log,
    is_sandbox: bool,
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let marked = self.is_sandbox.then(|| marked(self.log, line));
        stderr().lock().write_all(marked.as_deref().unwrap_or(line))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        stderr().flush()
    }
}

fn marked(log: Log, line: &[u8]) -> Vec<u8> {
    match (log, line.strip_prefix(b"{")) {
        (Log::Json, Some(members)) => [MEMBER, members].concat(),
        (Log::Json | Log::Text, _) => [MARK, line].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Log, marked};

    #[test]
    fn each_line_of_a_sandbox_says_so_for_people_and_for_programs() {
        assert_eq!(marked(Log::Text, b"a line"), b"SANDBOX a line");
        assert_eq!(marked(Log::Json, br#"{"level":"INFO"}"#), br#"{"sandbox":true,"level":"INFO"}"#);
    }
}
