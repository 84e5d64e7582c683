//! A recording: every write, sync, truncation, creation and removal that a process did below its data directory, in
//! order, with its acknowledgements among them. It is read from what strace prints.
//!
//! A call has a first and a last line. What is printed between them may have happened before or after it, and whoever
//! asks what was durable at a moment must assume the worse. Start reading at [`Recording::read`].

use std::collections::HashMap;
use std::io::BufRead;
use std::path::Path;

/// The calls that strace is asked for: whatever can change a file, or make a change durable.
pub const CALLS: &str = "open,openat,creat,write,pwrite64,writev,pwritev,pwritev2,ftruncate,truncate,fallocate,\
                         fsync,fdatasync,sync_file_range,unlink,unlinkat,rename,renameat,renameat2,link,linkat,mkdir,\
                         mkdirat,mmap,copy_file_range,sendfile,splice";

/// One call of the recorded process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The line on which it began.
    pub first: usize,
    /// The line on which it was over.
    pub last: usize,
    /// What it did.
    pub action: Action,
}

/// What a call did. Names are relative to the recorded directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Opened a file that may not have been there before.
    Create {
        /// Which.
        name: String,
        /// Whether what was in it is gone.
        truncates: bool,
    },
    /// Made a directory.
    MakeDirectory(String),
    /// Wrote bytes into a file.
    Write {
        /// Which.
        name: String,
        /// Where; at its end if there is no place.
        offset: Option<u64>,
        /// What.
        bytes: Vec<u8>,
    },
    /// Gave a file a length.
    Truncate {
        /// Which.
        name: String,
        /// How many bytes it has then.
        length: u64,
    },
    /// Made a file or directory durable.
    Sync(String),
    /// Took a name away.
    Remove(String),
    /// Gave a file another name.
    Rename {
        /// The old one.
        from: String,
        /// The new one.
        to: String,
    },
    /// Told somebody outside: these lines were acknowledged.
    Acknowledge(String),
}

/// What was recorded.
#[derive(Debug, Default)]
pub struct Recording {
    /// The calls, in the order of their first lines.
    pub calls: Vec<Call>,
    /// How many lines there are.
    pub lines: usize,
}

impl Recording {
    /// Reads what strace wrote about the files below `directory`; what was written to `acknowledgements` was said.
    /// An error says which line shows something that a crash image could not be made from.
    pub fn read(trace: impl BufRead, directory: &Path, acknowledgements: &Path) -> Result<Self, String> {
        let mut reader = Reader {
            directory: directory.to_string_lossy().into_owned(),
            acknowledgements: acknowledgements.to_string_lossy().into_owned(),
            unfinished: HashMap::new(),
            recording: Self::default(),
        };
        for (line, text) in trace.lines().enumerate() {
            let text = text.map_err(|error| format!("cannot read the trace: {error}"))?;
            reader.line(line, &text).map_err(|why| format!("line {} of the trace: {why}", line + 1))?;
            reader.recording.lines = line + 1;
        }
        let mut recording = reader.recording;
        recording.calls.sort_by_key(|call| call.first);
        Ok(recording)
    }
}

struct Reader {
    directory: String,
    acknowledgements: String,
    /// Calls that were begun, by process: the first line, and the text so far.
    unfinished: HashMap<String, (usize, String)>,
    recording: Recording,
}

impl Reader {
    fn line(&mut self, line: usize, text: &str) -> Result<(), String> {
        let Some((process, text)) = text.split_once(' ') else { return Ok(()) };
        let text = text.trim_start();
        if text.starts_with("+++") || text.starts_with("---") {
            return Ok(());
        }
        if let Some(begun) = text.strip_suffix("<unfinished ...>") {
            self.unfinished.insert(process.into(), (line, begun.trim_end().into()));
            return Ok(());
        }
        if let Some(resumed) = text.strip_prefix("<... ") {
            let (_, rest) = resumed.split_once("resumed>").ok_or("a resumed call without its end")?;
            let (first, begun) = self.unfinished.remove(process).ok_or("a call is resumed that was never begun")?;
            return self.call(first, line, &format!("{begun}{rest}"));
        }
        self.call(line, line, text)
    }

    fn call(&mut self, first: usize, last: usize, text: &str) -> Result<(), String> {
        let Some((name, rest)) = text.split_once('(') else { return Ok(()) };
        let Some((arguments, result)) = rest.rsplit_once(" = ") else { return Ok(()) };
        if result.starts_with('-') || result.starts_with('?') {
            return Ok(());
        }
        let arguments: Vec<&str> = arguments.trim_end().trim_end_matches(')').split(", ").collect();
        if let Some(action) = self.action(name, &arguments, result)? {
            self.recording.calls.push(Call { first, last, action });
        }
        Ok(())
    }

    fn action(&self, call: &str, arguments: &[&str], result: &str) -> Result<Option<Action>, String> {
        let argument = |index: usize| arguments.get(index).copied().unwrap_or_default();
        match call {
            "openat" => Ok(self.opened(arguments, result)),
            "write" | "pwrite64" => self.written(call, arguments, result),
            "ftruncate" => {
                let Some(name) = self.file(argument(0)) else { return Ok(None) };
                Ok(Some(Action::Truncate { name, length: number(argument(1))? }))
            }
            "fsync" | "fdatasync" => Ok(self.file(argument(0)).map(Action::Sync)),
            "unlink" => Ok(self.path("", argument(0)).map(Action::Remove)),
            "unlinkat" => Ok(self.path(argument(0), argument(1)).map(Action::Remove)),
            "mkdir" => Ok(self.path("", argument(0)).map(Action::MakeDirectory)),
            "mkdirat" => Ok(self.path(argument(0), argument(1)).map(Action::MakeDirectory)),
            "rename" => Ok(self.renamed(("", argument(0)), ("", argument(1)))),
            "renameat" | "renameat2" => Ok(self.renamed((argument(0), argument(1)), (argument(2), argument(3)))),
            "mmap" => match self.file(argument(4)) {
                Some(name) if is_written_through(argument(2), argument(3)) && !name.ends_with("-shm") => {
                    Err(format!("{name} is written through memory, which nobody can record"))
                }
                Some(_) | None => Ok(None),
            },
            other => {
                let concerned =
                    arguments.iter().any(|argument| self.file(argument).is_some() || self.path("", argument).is_some());
                if concerned { Err(format!("the call {other} is not understood")) } else { Ok(None) }
            }
        }
    }

    fn opened(&self, arguments: &[&str], result: &str) -> Option<Action> {
        let flags = arguments.get(2)?;
        let name = self.file(result)?;
        let truncates = flags.contains("O_TRUNC");
        (truncates || flags.contains("O_CREAT")).then_some(Action::Create { name, truncates })
    }

    fn written(&self, call: &str, arguments: &[&str], result: &str) -> Result<Option<Action>, String> {
        let [file, text, ..] = arguments else { return Err("a write without its bytes".into()) };
        let path = descriptor(file);
        let acknowledges = path.as_deref() == Some(self.acknowledgements.as_str());
        let Some(name) = self.file(file).or_else(|| acknowledges.then(String::new)) else { return Ok(None) };
        let mut bytes = unquote(text).ok_or("the bytes that were written are cut short")?;
        bytes.truncate(usize::try_from(number(result)?).unwrap_or(usize::MAX));
        if acknowledges {
            return Ok(Some(Action::Acknowledge(String::from_utf8_lossy(&bytes).into_owned())));
        }
        let offset = match call {
            "pwrite64" => Some(number(arguments.get(3).copied().unwrap_or_default())?),
            _ => None,
        };
        Ok(Some(Action::Write { name, offset, bytes }))
    }

    fn renamed(&self, from: (&str, &str), to: (&str, &str)) -> Option<Action> {
        Some(Action::Rename { from: self.path(from.0, from.1)?, to: self.path(to.0, to.1)? })
    }

    /// The name of the open file that `argument` shows, if it is one of ours and still has a name.
    fn file(&self, argument: &str) -> Option<String> {
        if argument.ends_with("(deleted)") {
            return None;
        }
        self.relative(&descriptor(argument)?)
    }

    /// The name that `text` shows, from the open directory `from` or from the root.
    fn path(&self, from: &str, text: &str) -> Option<String> {
        let path = String::from_utf8(unquote(text)?).ok()?;
        let path = if path.starts_with('/') { path } else { format!("{}/{path}", descriptor(from)?) };
        self.relative(&path)
    }

    fn relative(&self, path: &str) -> Option<String> {
        let rest = path.strip_prefix(&self.directory)?;
        if rest.is_empty() {
            return Some(String::new());
        }
        rest.strip_prefix('/').map(Into::into)
    }
}

/// Whether a mapping with these arguments changes its file.
fn is_written_through(protection: &str, flags: &str) -> bool {
    protection.contains("PROT_WRITE") && flags.contains("MAP_SHARED")
}

/// The path behind a descriptor such as `5<\x2f\x74>`.
fn descriptor(argument: &str) -> Option<String> {
    let (_, rest) = argument.split_once('<')?;
    let (path, _) = rest.rsplit_once('>')?;
    String::from_utf8(unescape(path)?).ok()
}

fn unquote(text: &str) -> Option<Vec<u8>> {
    unescape(text.strip_prefix('"')?.strip_suffix('"')?)
}

/// The bytes of `\x4b\x6e`.
fn unescape(text: &str) -> Option<Vec<u8>> {
    let (bytes, rest) = text.as_bytes().as_chunks::<4>();
    if !rest.is_empty() {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    bytes
        .iter()
        .map(|&[backslash, x, high, low]| {
            let byte = digit(high)? * 16 + digit(low)?;
            (backslash == b'\\' && x == b'x').then_some(byte)
        })
        .collect()
}

fn number(text: &str) -> Result<u64, String> {
    let digits = text.split(|character: char| !character.is_ascii_digit()).next().unwrap_or_default();
    digits.parse().map_err(|_| format!("`{text}` is not a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> String {
        use std::fmt::Write;
        text.bytes().fold(String::new(), |mut hex, byte| {
            write!(hex, "\\x{byte:02x}").expect("a string takes it");
            hex
        })
    }

    /// `trace` has paths and bytes in the clear between slashes: `/d/f` is what strace prints in hexadecimal.
    fn check(trace: &str, expected: &[(usize, usize, Action)]) {
        let mut shown = String::new();
        for line in trace.lines() {
            let mut parts = line.trim().split('`');
            shown.push_str(parts.next().expect("a first part"));
            while let (Some(inside), Some(outside)) = (parts.next(), parts.next()) {
                shown.push_str(&hex(inside));
                shown.push_str(outside);
            }
            shown.push('\n');
        }
        let recording = Recording::read(shown.as_bytes(), Path::new("/d"), Path::new("/acks")).expect("a good trace");
        let calls: Vec<_> = recording.calls.into_iter().map(|call| (call.first, call.last, call.action)).collect();
        assert_eq!(calls, expected);
    }

    #[test]
    fn a_trace_becomes_calls() {
        let name = || "f".to_owned();
        check(
            "7 openat(AT_FDCWD<`/`>, \"`/d/f`\", O_RDWR|O_CREAT|O_CLOEXEC, 0644) = 5<`/d/f`>
             7 openat(AT_FDCWD<`/`>, \"`/d/f`\", O_RDONLY) = 6<`/d/f`>
             7 pwrite64(5<`/d/f`>, \"`ab`\", 2, 40) = 2
             7 write(1<`/acks`>, \"`ack 1`\", 5) = 5
             7 write(1<`/other`>, \"`x`\", 1) = 1
             7 ftruncate(5<`/d/f`>, 3) = 0
             7 unlink(\"`/d/f`\") = -1 ENOENT (No such file or directory)
             7 unlink(\"`/d/f`\") = 0
             7 +++ exited with 0 +++",
            &[
                (0, 0, Action::Create { name: name(), truncates: false }),
                (2, 2, Action::Write { name: name(), offset: Some(40), bytes: b"ab".into() }),
                (3, 3, Action::Acknowledge("ack 1".into())),
                (5, 5, Action::Truncate { name: name(), length: 3 }),
                (7, 7, Action::Remove(name())),
            ],
        );
    }

    #[test]
    fn a_call_lasts_from_its_first_line_to_its_last() {
        check(
            "7 fdatasync(5<`/d/f`> <unfinished ...>
             8 pwrite64(5<`/d/f`>, \"`ab`\", 2, 0) = 1
             7 <... fdatasync resumed>) = 0",
            &[
                (0, 2, Action::Sync("f".into())),
                (1, 1, Action::Write { name: "f".into(), offset: Some(0), bytes: b"a".into() }),
            ],
        );
    }

    #[test]
    fn what_cannot_be_recorded_is_an_error() {
        let path = hex("/d/f");
        for trace in [
            format!("7 mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_SHARED, 5<{path}>, 0) = 0x7f00"),
            format!("7 fallocate(5<{path}>, 0, 0, 8192) = 0"),
            format!("7 write(5<{path}>, \"\\x00\"..., 9000) = 9000"),
        ] {
            Recording::read(trace.as_bytes(), Path::new("/d"), Path::new("/acks")).expect_err(&trace);
        }
    }
}
