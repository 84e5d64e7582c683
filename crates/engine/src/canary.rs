//! Planted bugs. A build with the feature `canaries` can switch on one of them; the simulation must catch each.
//!
//! Without the feature [`active`] is the constant `false`, and every planted line is gone.

/// The bugs that are planted in the engine, by name.
pub const NAMES: &[&str] = &[
    "answer_before_commit",
    "watermark_too_high",
    "replay_skips_version_check",
    "request_body_not_compared",
    "request_forgotten_at_restart",
    "overlay_kept_after_failed_commit",
    "generation_loses_last_row",
    "time_steps_back",
    "refuses_without_reason",
];

/// The bugs that only a disk shows: crash images must catch each.
pub const NAMES_ON_DISK: &[&str] = &["synchronous_off", "answer_before_commit", "watermark_too_high"];

#[cfg(feature = "canaries")]
mod switch {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};

    static ANY: AtomicBool = AtomicBool::new(false);
    static SELECTED: Mutex<String> = Mutex::new(String::new());

    /// Switches the bug `name` on for the whole process, or every bug off. Other crates may plant names of their own.
    pub fn select(name: Option<&str>) {
        let mut selected = SELECTED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        name.unwrap_or_default().clone_into(&mut selected);
        ANY.store(name.is_some(), Ordering::SeqCst);
    }

    /// Whether the bug `name` is switched on.
    pub fn active(name: &str) -> bool {
        ANY.load(Ordering::SeqCst) && *SELECTED.lock().unwrap_or_else(std::sync::PoisonError::into_inner) == name
    }
}

#[cfg(feature = "canaries")]
pub use switch::{active, select};

/// Whether the bug `name` is switched on: never, in this build.
#[cfg(not(feature = "canaries"))]
#[inline]
pub const fn active(_name: &str) -> bool {
    false
}
