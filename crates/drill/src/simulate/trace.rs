//! The trace: one line for everything that happened, hashed, so that two runs of a seed can be compared, with its last
//! lines kept for whoever must understand a failure.

use std::collections::VecDeque;
use std::fmt::Arguments;

/// Lines that a failing seed shows.
const TAIL_LINES_MAX: usize = 40;

/// What happened so far.
pub struct Trace {
    hasher: blake3::Hasher,
    tail: VecDeque<String>,
    lines: u64,
}

impl Trace {
    /// Nothing happened yet.
    pub fn new() -> Self {
        Self { hasher: blake3::Hasher::new(), tail: VecDeque::new(), lines: 0 }
    }

    /// Notes a line.
    pub fn note(&mut self, line: Arguments<'_>) {
        self.lines += 1;
        let mut text = if self.tail.len() < TAIL_LINES_MAX { None } else { self.tail.pop_front() }.unwrap_or_default();
        text.clear();
        std::fmt::write(&mut text, line).expect("a String takes every line");
        self.hasher.update(text.as_bytes());
        self.hasher.update(b"\n");
        self.tail.push_back(text);
    }

    /// How many lines there were: the step that a failure names.
    pub const fn lines(&self) -> u64 {
        self.lines
    }

    /// The hash of all lines.
    pub fn hash(&self) -> String {
        self.hasher.finalize().to_hex().to_string()
    }

    /// The last lines.
    pub fn tail(&self) -> Vec<String> {
        self.tail.iter().cloned().collect()
    }
}
