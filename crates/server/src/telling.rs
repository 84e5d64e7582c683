//! Telling: notices become letters, in words, to where their people can be reached.
//!
//! A letter's id is made from the notice's: told twice is delivered once. A page of notices is given up only after every letter
//! of it is kept.

use crate::contacts::Address;
use crate::journals::aside_if_many;
use crate::letters::{LETTER_MS, Text};
use crate::notices::{Told, follower};
use crate::service::Service;
use crate::{refusals, words};
use domain::{Id, Key, Time};
use engine::sqlite::SqliteJournal;
use engine::{Follower, Progress, StoreError};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wallet::notice::{Kind, To};
use wallet::{ContactId, HolderId, Row, Wallets, table};
use web::{Due, Problem};

/// The notices' consumer and the outbox that it fills.
pub struct Teller {
    follower: Mutex<Follower<Wallets>>,
    progress: Arc<Progress>,
    pending: Mutex<crate::notices::Pending>,
}

impl Teller {
    /// Opens both in the data directory.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let follower = follower(directory, Box::new(SqliteJournal::open(directory)?))?;
        let pending = crate::notices::Pending::open(directory)?;
        Ok(Self { progress: follower.progress(), follower: Mutex::new(follower), pending: Mutex::new(pending) })
    }

    /// How far the notices are, and what keeps them.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    fn follower(&self) -> MutexGuard<'_, Follower<Wallets>> {
        self.follower.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pending(&self) -> MutexGuard<'_, crate::notices::Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows the journal up to record `head`, and gives the oldest notices that nobody was told of.
    fn next(&self, head: u64, limit: usize) -> Result<Vec<Told>, engine::ConsumerError> {
        let mut follower = self.follower();
        for _ in 0..4 {
            if !follower.catch_up(head)? {
                break;
            }
        }
        follower.settle()?;
        drop(follower);
        Ok(self.pending().read(limit)?)
    }
}

impl Service {
    /// Writes the letters of what happened.
    pub async fn tell(self: &Arc<Self>, _: Time, budget: usize) -> Result<Due, Problem> {
        let status = self.engine.status().await.map_err(|error| refusals::engine_problem(&error))?;
        let (service, head) = (Arc::clone(self), status.head.place.n);
        // The follower has said in the log what keeps it.
        let behind = head.saturating_sub(self.teller.progress().n());
        let told =
            aside_if_many(behind, move || service.teller.next(head, budget).map_err(|_| refusals::unavailable()));
        let told = told.await?;
        let Some(last) = told.last().map(|told| told.id) else { return Ok(Due::default()) };
        for notice in &told {
            self.tell_one(notice).await?;
        }
        self.teller.pending().take(last).map_err(|error| {
            tracing::error!(%error, "notices");
            refusals::unavailable()
        })?;
        Ok(Due { done: told.len(), next: None })
    }

    async fn tell_one(&self, told: &Told) -> Result<(), Problem> {
        let notice = &told.notice;
        let Some(text) = words::notice(notice.kind, notice.amount, notice.at) else { return Ok(()) };
        let Some((holder, addresses)) = self.reach(notice.to, notice.about, notice.kind).await? else { return Ok(()) };
        for (n, address) in addresses.into_iter().enumerate() {
            let id = self.keys.secret("letter", &format!("{} {n}", told.id));
            let text = Text { subject: text.subject.clone(), text: text.text.clone() };
            self.keep_letter(id, holder, &address, text, LETTER_MS)?;
        }
        Ok(())
    }

    /// Whom a notice is for, and the addresses at which they are told: of a change of where they are reached every one, of
    /// anything else the mail. The desk looks at its own pages.
    async fn reach(&self, to: To, about: Id, kind: Kind) -> Result<Option<(HolderId, Vec<Address>)>, Problem> {
        let holder = match to {
            To::Desk => return Ok(None),
            To::Contact(contact) => {
                let holder = HolderId(about);
                let address = self.address(holder, contact)?;
                return Ok(address.map(|address| (holder, vec![address])));
            }
            To::Holder(holder) => Some(holder),
            To::Wallet(wallet) => match self.row(Key::new(table::WALLET, wallet.0)).await?.as_deref() {
                Some(Row::Wallet(wallet)) => Some(wallet.holder),
                Some(_) | None => None,
            },
            To::Mandate(mandate) => match self.row(Key::new(table::MANDATE, mandate.0)).await?.as_deref() {
                Some(Row::Mandate(mandate)) => Some(mandate.holder),
                Some(_) | None => None,
            },
        };
        let Some(id) = holder else { return Ok(None) };
        let row = self.holder(id).await?;
        let is_of_contacts = matches!(kind, Kind::ContactChangeRequested | Kind::ContactVerified);
        let proven: [Option<ContactId>; 2] =
            [row.mail_verified.map(|_| row.mail), row.phone.filter(|_| is_of_contacts)];
        let mut addresses = Vec::new();
        for contact in proven.into_iter().flatten() {
            addresses.extend(self.address(id, contact)?);
        }
        Ok(Some((id, addresses)))
    }
}

/// Kinds that are told by a letter of their own elsewhere, or at every step of one movement where its end is what counts.
pub const fn is_quiet(kind: Kind) -> bool {
    matches!(kind, Kind::Joined | Kind::TopUpRequested | Kind::PayoutRequested | Kind::PaymentReleased)
}
