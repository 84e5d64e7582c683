//! The windows: who fails to authenticate how often, across accounts, sources, wallets, banks and tried values.

use domain::Time;
use std::sync::Arc;
use web::Chance;

/// The figures of the windows.
#[derive(Clone, Debug, Default)]
pub struct WindowPolicy {}

/// What is counted.
pub struct Windows {}

impl Windows {
    /// Nothing yet.
    pub fn new(_: WindowPolicy, _: Arc<dyn Chance>) -> Self {
        Self {}
    }

    /// Forgets what is over.
    pub fn forget(&self, _: Time) {}
}
