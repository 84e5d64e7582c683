//! Progress of long work on standard error: a bar on a terminal; elsewhere a line for each stage and each tenth of it.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::{IsTerminal, stderr};
use std::sync::{Mutex, PoisonError};

/// What is shown at the moment.
#[derive(Default)]
pub struct Shown(Mutex<Option<Stage>>);

struct Stage {
    name: &'static str,
    bar: ProgressBar,
    /// Tenths that have a line already.
    tenths: u64,
}

impl Shown {
    /// Shows that `done` of `of` is done of `stage`; 0 and the largest number where nobody knows of how much.
    #[expect(clippy::print_stderr, reason = "plain progress where there is no terminal")]
    pub fn show(&self, stage: &'static str, done: u64, of: u64) {
        let mut shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_plain = !stderr().is_terminal();
        if shown.as_ref().is_none_or(|before| before.name != stage) {
            if is_plain {
                eprintln!("{stage}");
            }
            let style = ProgressStyle::with_template("{msg:22} {wide_bar} {pos} {per_sec}");
            let bar = ProgressBar::new(of).with_message(stage);
            let bar = bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            *shown = Some(Stage { name: stage, bar, tenths: 0 });
        }
        let Some(shown) = shown.as_mut() else { return };
        shown.bar.set_position(done);
        let tenths = done.saturating_mul(10).checked_div(of).unwrap_or(0);
        if is_plain && of < u64::MAX && tenths > shown.tenths {
            shown.tenths = tenths;
            eprintln!("{stage}: {done} of {of}");
        }
    }

    /// Takes the bar away: the result follows.
    pub fn end(&self) {
        if let Some(shown) = self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            shown.bar.finish_and_clear();
        }
    }
}
