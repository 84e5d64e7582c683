//! The log: to standard error, for people or for programs. Of a sandbox each line says that it is one, also where the program
//! panics.

use super::config::Log;
use std::backtrace::Backtrace;
use std::io::{self, IsTerminal, Write, stderr};
use std::panic::{PanicHookInfo, set_hook};
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
    set_hook(Box::new(on_panic));
}

/// A panic is a line of the log like all others. Words that were put together when it happened may hold what somebody typed:
/// where it happened says enough then.
fn on_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let words = panic.payload().downcast_ref::<&'static str>().copied().unwrap_or("(not shown)");
    tracing::error!(place, words, backtrace = %Backtrace::capture(), "the program panicked");
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
    use super::{Log, marked, on_panic};
    use std::panic::{catch_unwind, set_hook, take_hook};
    use std::sync::{Arc, Mutex};

    /// Keeps what is written.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("nobody panicked here").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_panic_is_a_line_of_the_log_without_what_somebody_typed() {
        let kept = Kept::default();
        let writer = kept.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
        let typed = std::hint::black_box("7391");
        tracing::subscriber::with_default(subscriber, || {
            let before = take_hook();
            set_hook(Box::new(on_panic));
            catch_unwind(|| panic!("a plain word")).expect_err("it panics");
            catch_unwind(|| panic!("the PIN {typed}")).expect_err("it panics");
            set_hook(before);
        });
        let log = String::from_utf8(kept.0.lock().expect("nobody panicked here").clone()).expect("text");
        assert!(log.contains("a plain word") && log.contains("log.rs") && !log.contains(typed), "{log}");
        assert_eq!(log.matches("the program panicked").count(), 2, "{log}");
    }

    #[test]
    fn each_line_of_a_sandbox_says_so_for_people_and_for_programs() {
        assert_eq!(marked(Log::Text, b"a line"), b"SANDBOX a line");
        assert_eq!(marked(Log::Json, br#"{"level":"INFO"}"#), br#"{"sandbox":true,"level":"INFO"}"#);
    }
}
