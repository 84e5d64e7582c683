//! Progress of long work on standard error: a bar on a terminal; elsewhere a line for each stage.

use indicatif::{ProgressBar, ProgressStyle};
use std::cell::RefCell;
use std::io::{IsTerminal, stderr};

/// What is shown at the moment.
#[derive(Default)]
pub struct Shown(RefCell<Option<(&'static str, ProgressBar)>>);

impl Shown {
    /// Shows that `done` of `of` is done of `stage`.
    #[expect(clippy::print_stderr, reason = "plain progress where there is no terminal")]
    pub fn show(&self, stage: &'static str, done: u64, of: u64) {
        let mut shown = self.0.borrow_mut();
        if shown.as_ref().is_none_or(|(before, _)| *before != stage) {
            if !stderr().is_terminal() {
                eprintln!("{stage}");
            }
            let style = ProgressStyle::with_template("{msg:22} {wide_bar} {pos} {per_sec}");
            let bar = ProgressBar::new(of).with_message(stage);
            *shown = Some((stage, bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))));
        }
        if let Some((_, bar)) = shown.as_ref() {
            bar.set_position(done);
        }
    }

    /// Takes the bar away: the result follows.
    pub fn end(&self) {
        if let Some((_, bar)) = self.0.borrow().as_ref() {
            bar.finish_and_clear();
        }
    }
}
