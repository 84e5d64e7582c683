//! Forgetting: once a day, the codes that say "not me" and whose time is over; and with the last of them the accounts that were
//! only ever tried, whose key goes as well, so that what the journal has of them opens no more.

use crate::domain::{AccountId, Command, Row, account, expiry, table};
use crate::gateway::{Gateway, NotDone};
use domain::{Day, Key, Time};
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use tokio::sync::{RwLock, RwLockReadGuard};
use web::Due;

/// How many days back a process looks that does not know how far the one before it came. What was left longer ago stays.
const DAYS_BACK_MAX: i32 = 31;

/// Up to which day everything is forgotten, as far as this process knows.
#[derive(Debug, Default)]
pub struct Forgetting {
    until: Mutex<Option<Day>>,
    sealing: RwLock<()>,
}

impl Forgetting {
    /// While this is held no account is forgotten: for whoever seals what a command is about to keep.
    pub async fn hold(&self) -> RwLockReadGuard<'_, ()> {
        self.sealing.read().await
    }

    /// Forgets what is over at `now`.
    pub async fn run_due(&self, gateway: &Gateway, now: Time) -> Due {
        let today = now.day();
        let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        let first = until.map_or(today.plus(-DAYS_BACK_MAX), |until| until.plus(1));
        let mut done = 0;
        for day in (first.number()..=today.number()).map(Day::from_number) {
            match self.forget(gateway, day).await {
                Ok(pages) => done += pages,
                Err(error) => {
                    tracing::warn!(?error, "codes whose time is over are forgotten later");
                    return Due { done, next: None };
                }
            }
            *self.until.lock().unwrap_or_else(PoisonError::into_inner) = Some(day);
        }
        Due { done, next: Some(today.plus(1).start()) }
    }

    /// Forgets the codes of `day`, and before them the accounts that nobody can answer for any more: how many pages there were.
    /// A page that is met again after a crash has all of it done once more.
    async fn forget(&self, gateway: &Gateway, day: Day) -> Result<usize, NotDone> {
        let mut pages = 0;
        for page in 0..expiry::PAGES {
            let row = gateway.row(expiry::key(day, page)).await?;
            let Some(Row::Expiry(row)) = row.as_deref() else { continue };
            for account in noticed(gateway, row).await? {
                self.forget_account(gateway, account).await?;
            }
            let command = Command::Expiry(expiry::Command::Forget { day, page });
            gateway.submit(command, gateway.system(), None).await?;
            pages += 1;
        }
        Ok(pages)
    }

    async fn forget_account(&self, gateway: &Gateway, account: AccountId) -> Result<(), NotDone> {
        let _nobody_seals = self.sealing.write().await;
        let clients = gateway.oauth().clients.all();
        let refs = clients.iter().map(|client| (client.operator, gateway.account_ref(client.operator, account)));
        let command = Command::Account(account::Command::Forget { account, refs: refs.collect() });
        gateway.submit(command, gateway.system(), None).await?;
        if gateway.account(account).await?.is_none()
            && let Err(error) = gateway.forget_key(account)
        {
            tracing::error!(%error, "the key of a forgotten account stays");
        }
        Ok(())
    }
}

/// Whose notices had the codes of a page.
async fn noticed(gateway: &Gateway, page: &expiry::Page) -> Result<BTreeSet<AccountId>, NotDone> {
    let mut accounts = BTreeSet::new();
    for code in &page.codes {
        if let Some(Row::NotMe(code)) = gateway.row(Key::new(table::NOT_ME, code.0)).await?.as_deref() {
            accounts.insert(code.account);
        }
    }
    Ok(accounts)
}
