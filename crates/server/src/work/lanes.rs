//! Lanes: whose turn a piece of work is. Each bank has one, the gateway has one, and one is our own; a lane goes at its own
//! speed, and nobody waits in another's.
//!
//! A lane's turn is a task of its own. Whoever steps the service from timers does not wait for it; whoever wants to know that
//! all is quiet does ([`Lanes::rest`]).

use super::{Due, Task};
use domain::Id;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use wallet::BankCode;

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// What needs nobody else.
    Ours,
    /// What is asked of the gateway itself.
    Gateway,
    /// What is asked of a bank.
    Bank(BankCode),
}

impl Lane {
    /// The lane of a piece of work. A question whose event did not name the bank is ours until the bank is known.
    pub const fn of(due: &Due) -> Self {
        match (due.task, due.bank) {
            (Task::EndMandate, _) => Self::Gateway,
            (Task::TopUp | Task::Payout | Task::GiveBack | Task::Reimbursement, Some(bank)) => Self::Bank(bank),
            (
                Task::TopUp
                | Task::Payout
                | Task::GiveBack
                | Task::Reimbursement
                | Task::ReviewTopUp
                | Task::ReviewPayout
                | Task::ReviewSend
                | Task::Authorisation
                | Task::Mandate
                | Task::Closing,
                _,
            ) => Self::Ours,
        }
    }

    /// The owner under which its rows are kept. A bank's is below all others.
    pub const fn id(self) -> Id {
        match self {
            Self::Ours => Id::from_number(1 << 64),
            Self::Gateway => Id::from_number(1 << 65),
            Self::Bank(bank) => bank.id(),
        }
    }
}

/// The lanes in which somebody is at work.
#[derive(Default)]
pub struct Lanes(Arc<Inner>);

#[derive(Default)]
struct Inner {
    busy: Mutex<BTreeSet<Id>>,
    left: Notify,
}

/// A turn in a lane; it ends when this is dropped.
pub struct Turn(Arc<Inner>, Id);

impl Inner {
    fn busy(&self) -> MutexGuard<'_, BTreeSet<Id>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lanes {
    /// Begins a turn in the lane of `owner`, unless somebody is at work there.
    pub fn enter(&self, owner: Id) -> Option<Turn> {
        self.0.busy().insert(owner).then(|| Turn(Arc::clone(&self.0), owner))
    }

    /// Whether somebody is at work in the lane of `owner`.
    pub fn is_busy(&self, owner: Id) -> bool {
        self.0.busy().contains(&owner)
    }

    /// Waits until nobody is at work.
    pub async fn rest(&self) {
        loop {
            // Made before the look: a turn that ends between the two is heard all the same.
            let left = self.0.left.notified();
            if self.0.busy().is_empty() {
                return;
            }
            left.await;
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.busy().remove(&self.1);
        self.0.left.notify_waiters();
    }
}
