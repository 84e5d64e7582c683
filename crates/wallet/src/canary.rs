//! Planted bugs. A build with the feature `canaries` can switch on one of them; the simulation must catch each.
//!
//! Without the feature [`active`] is the constant `false`, and every planted line is gone.

/// The bugs that are planted in the wallet, by name.
pub const NAMES: &[&str] = &[
    "limits_count_utc_days",
    "decline_frees_today",
    "refund_goes_to_funds",
    "void_keeps_the_hold",
    "doubled_answer_credits_twice",
    "late_answer_after_cancel_is_credited",
    "frozen_wallet_sends",
    "recipient_cap_is_ignored",
    "young_money_is_unchecked",
    "mandate_slot_is_not_unique",
    "expired_authorisation_is_captured",
    "reversal_owes_nothing",
    "write_off_is_forgotten",
];

#[cfg(feature = "canaries")]
mod switch {
    use std::sync::atomic::{AtomicUsize, Ordering};

    static SELECTED: AtomicUsize = AtomicUsize::new(usize::MAX);

    /// Switches the bug `name` on for the whole process, or every bug off.
    pub fn select(name: Option<&str>) {
        let index = name.and_then(|name| super::NAMES.iter().position(|planted| *planted == name));
        SELECTED.store(index.unwrap_or(usize::MAX), Ordering::SeqCst);
    }

    /// Whether the bug `name` is switched on.
    pub fn active(name: &str) -> bool {
        super::NAMES.get(SELECTED.load(Ordering::SeqCst)).is_some_and(|selected| *selected == name)
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
