//! The holder (利用者): the person who owns a wallet, and how far who they are is proven.

use crate::ids::{PersonId, WalletId};
use crate::traits::{IdentificationMethod, Tier};
use domain::Time;
use serde::{Deserialize, Serialize};

/// A person who owns a wallet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// When they joined.
    pub opened: Time,
    /// How far their identity is proven.
    pub tier: Tier,
    /// Who they are, once identified.
    pub person: Option<PersonId>,
    /// When their telephone answered.
    pub phone_verified: Option<Time>,
    /// How and when they were identified.
    pub identified: Option<(IdentificationMethod, Time)>,
    /// Their wallet.
    pub wallet: Option<WalletId>,
}
