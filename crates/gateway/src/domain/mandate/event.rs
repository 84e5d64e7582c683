//! What happens to mandates, and what that does to the accounts they hang on.

use super::{Grant, Limits, Mandate, MissingFact, RevokedBy, Status, Why};
use crate::domain::account::{AccountRef, account_of};
use crate::domain::factor::Factor;
use crate::domain::ids::{AccountId, AccountRefId, BankCode, MandateId, OperatorId, Reference, StaffId};
use crate::domain::open::{self, Thing};
use crate::domain::state::{Rows, account_key, account_ref_key, mandate_key, wrong_row};
use crate::domain::sums::DailySums;
use crate::domain::{Row, table};
use domain::{Key, Time};
use ledger::Yen;
use serde::{Deserialize, Serialize};

/// What happened to a mandate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// It was asked for.
    Requested {
        /// Its id.
        mandate: MandateId,
        /// By which operator.
        operator: OperatorId,
        /// What that operator calls it.
        reference: Reference,
        /// What that operator calls the wallet.
        wallet: Reference,
        /// At which bank.
        bank: BankCode,
        /// What may be debited.
        limits: Limits,
        /// Until when it may be granted.
        deadline: Time,
        /// When.
        at: Time,
    },
    /// The bank's questions were reached.
    Authenticating {
        /// Which.
        mandate: MandateId,
        /// When.
        at: Time,
    },
    /// The bank granted it.
    Granted {
        /// Which.
        mandate: MandateId,
        /// On which facts.
        grant: Grant,
        /// Pending, or in review.
        status: Status,
        /// Until when it waits.
        deadline: Time,
        /// When.
        at: Time,
    },
    /// The bank granted it on facts that do not suffice.
    Refused {
        /// Which.
        mandate: MandateId,
        /// At which bank.
        bank: BankCode,
        /// The facts.
        grant: Grant,
        /// What they lack.
        missing: MissingFact,
        /// When.
        at: Time,
    },
    /// Its operator collected it while it is in review.
    Collected {
        /// Which.
        mandate: MandateId,
        /// When.
        at: Time,
    },
    /// The desk compared, and it is the same person.
    Accepted {
        /// Which.
        mandate: MandateId,
        /// Until when it waits to be collected.
        deadline: Time,
        /// Who decided.
        by: StaffId,
        /// When.
        at: Time,
    },
    /// It took its account's slot.
    Activated {
        /// Which.
        mandate: MandateId,
        /// Of which operator.
        operator: OperatorId,
        /// At which bank.
        bank: BankCode,
        /// Which account.
        account: AccountId,
        /// What the operator calls the account.
        account_ref: AccountRefId,
        /// When.
        at: Time,
    },
    /// Nothing came of it: refused, abandoned, expired.
    Ended {
        /// Which.
        mandate: MandateId,
        /// At which bank.
        bank: BankCode,
        /// How.
        status: Status,
        /// When.
        at: Time,
    },
    /// The account's true holder confirmed it, and the sums of every unconfirmed mandate of the account began anew. Not
    /// decided any more: one person's word for their own link said nothing of a stranger's.
    Confirmed {
        /// Which.
        mandate: MandateId,
        /// Of which account.
        account: AccountId,
        /// By which channel.
        channel: Factor,
        /// When.
        at: Time,
    },
    /// Somebody ended it.
    Revoked {
        /// Which.
        mandate: MandateId,
        /// Of which operator.
        operator: OperatorId,
        /// At which bank.
        bank: BankCode,
        /// Whether it was still waiting for something.
        was_open: bool,
        /// The account whose slot becomes free.
        active: Option<AccountId>,
        /// The route for payouts that ends with it.
        route: Option<AccountRefId>,
        /// Who.
        by: RevokedBy,
        /// Why.
        why: Why,
        /// When.
        at: Time,
    },
    /// The account's true holder confirmed it, and its own share leaves the sums of what is unconfirmed there.
    ConfirmedAlone {
        /// Which.
        mandate: MandateId,
        /// Of which account.
        account: AccountId,
        /// By which channel.
        channel: Factor,
        /// What it was debited before, by date.
        debited: DailySums,
        /// The same in all.
        total: Yen,
        /// When.
        at: Time,
    },
    /// Somebody took the number of the letter that confirms it. The books alone have that.
    LetterTaken {
        /// Which.
        mandate: MandateId,
        /// Who of the bank's desk; none where its own systems did.
        by: Option<StaffId>,
        /// When.
        at: Time,
    },
}

impl Event {
    const fn mandate(&self) -> MandateId {
        match self {
            Self::Requested { mandate, .. }
            | Self::Authenticating { mandate, .. }
            | Self::Granted { mandate, .. }
            | Self::Refused { mandate, .. }
            | Self::Collected { mandate, .. }
            | Self::Accepted { mandate, .. }
            | Self::Activated { mandate, .. }
            | Self::Ended { mandate, .. }
            | Self::Confirmed { mandate, .. }
            | Self::Revoked { mandate, .. }
            | Self::ConfirmedAlone { mandate, .. }
            | Self::LetterTaken { mandate, .. } => *mandate,
        }
    }

    pub(crate) fn touches(&self, each: &mut impl FnMut(Key)) {
        let mandate = self.mandate();
        each(mandate_key(mandate));
        let page = |bank: &BankCode| Thing::Mandate(mandate).page_key(*bank);
        match self {
            Self::Requested { bank, .. } | Self::Refused { bank, .. } | Self::Ended { bank, .. } => each(page(bank)),
            Self::Authenticating { .. } | Self::Granted { .. } | Self::Collected { .. } | Self::Accepted { .. } => {}
            Self::LetterTaken { .. } => {}
            Self::Activated { bank, account, account_ref, .. } => {
                each(page(bank));
                each(account_key(*account));
                each(account_ref_key(*account_ref));
            }
            Self::Confirmed { account, .. } | Self::ConfirmedAlone { account, .. } => each(account_key(*account)),
            Self::Revoked { bank, was_open, active, route, .. } => {
                was_open.then(|| each(page(bank)));
                active.map(account_key).into_iter().chain(route.map(account_ref_key)).for_each(each);
            }
        }
    }

    pub(crate) fn evolve(&self, key: Key, row: &mut Option<Row>) {
        match key.table {
            table::OPEN => self.evolve_page(key, row),
            table::ACCOUNT => self.evolve_account(key, row),
            table::ACCOUNT_REF => self.evolve_account_ref(key, row),
            _ => self.evolve_mandate(key, row),
        }
    }

    fn evolve_page(&self, key: Key, row: &mut Option<Row>) {
        let thing = Thing::Mandate(self.mandate());
        match self {
            Self::Requested { .. } => open::add(key, row, thing),
            Self::Refused { .. } | Self::Activated { .. } | Self::Ended { .. } | Self::Revoked { .. } => {
                open::remove(key, row, thing);
            }
            Self::Authenticating { .. } | Self::Granted { .. } | Self::Collected { .. } => wrong_row(key),
            Self::Accepted { .. } | Self::Confirmed { .. } | Self::ConfirmedAlone { .. } => wrong_row(key),
            Self::LetterTaken { .. } => wrong_row(key),
        }
    }

    fn evolve_account(&self, key: Key, row: &mut Option<Row>) {
        let account = account_of(key, row);
        match self {
            Self::Activated { mandate, operator, .. } => {
                assert!(account.live_mandate(*operator).is_none(), "an account has one live mandate an operator");
                account.live.push((*operator, *mandate));
            }
            Self::Confirmed { .. } => {
                account.confirmations = account.confirmations.saturating_add(1);
                account.unconfirmed = DailySums::default();
                account.unconfirmed_total = Yen::ZERO;
            }
            Self::ConfirmedAlone { debited, total, .. } => account.release_unconfirmed(debited, *total),
            Self::Revoked { mandate, .. } => account.live.retain(|(_, live)| live != mandate),
            Self::Requested { .. } | Self::Authenticating { .. } | Self::Granted { .. } => wrong_row(key),
            Self::Refused { .. } | Self::Collected { .. } | Self::Accepted { .. } => wrong_row(key),
            Self::Ended { .. } | Self::LetterTaken { .. } => wrong_row(key),
        }
    }

    fn evolve_account_ref(&self, key: Key, row: &mut Option<Row>) {
        match self {
            Self::Activated { operator, bank, account, .. } => {
                *row = Some(Row::AccountRef(AccountRef {
                    operator: *operator,
                    account: *account,
                    bank: *bank,
                    is_open: true,
                }));
            }
            Self::Revoked { .. } => {
                let Some(Row::AccountRef(route)) = row else { wrong_row(key) };
                route.is_open = false;
            }
            Self::Requested { .. } | Self::Authenticating { .. } | Self::Granted { .. } => wrong_row(key),
            Self::Refused { .. } | Self::Collected { .. } | Self::Accepted { .. } => wrong_row(key),
            Self::Ended { .. } | Self::Confirmed { .. } | Self::ConfirmedAlone { .. } => wrong_row(key),
            Self::LetterTaken { .. } => wrong_row(key),
        }
    }

    fn evolve_mandate(&self, key: Key, row: &mut Option<Row>) {
        if let Self::Requested { operator, reference, wallet, bank, limits, deadline, at, .. } = self {
            *row = Some(Row::Mandate(Box::new(Mandate {
                operator: *operator,
                reference: reference.clone(),
                wallet: wallet.clone(),
                bank: *bank,
                limits: *limits,
                status: Status::Requested,
                requested: *at,
                deadline: *deadline,
                grant: None,
                collected: false,
                confirmed: None,
                revoked: None,
                debited: DailySums::default(),
                unconfirmed_total: Yen::ZERO,
            })));
            return;
        }
        let Some(Row::Mandate(mandate)) = row else { wrong_row(key) };
        match self {
            Self::Requested { .. } => wrong_row(key),
            Self::LetterTaken { .. } => {}
            Self::Authenticating { .. } => mandate.status = Status::Authenticating,
            Self::Granted { grant, status, deadline, .. } => {
                mandate.grant = Some(*grant);
                mandate.status = *status;
                mandate.deadline = *deadline;
            }
            Self::Refused { grant, .. } => {
                mandate.grant = Some(*grant);
                mandate.status = Status::Refused;
            }
            Self::Collected { .. } => mandate.collected = true,
            Self::Accepted { deadline, .. } => {
                mandate.status = Status::Pending;
                mandate.deadline = *deadline;
            }
            Self::Activated { .. } => mandate.status = Status::Active,
            Self::Ended { status, .. } => mandate.status = *status,
            Self::Confirmed { channel, .. } | Self::ConfirmedAlone { channel, .. } => {
                mandate.confirmed = Some(*channel);
            }
            Self::Revoked { by, why, at, .. } => {
                mandate.status = Status::Revoked;
                mandate.revoked = Some((*by, *why, *at));
            }
        }
    }

    /// An active mandate is its account's live one with its operator; another one is not.
    pub(crate) fn assert_decided(&self, rows: Rows<'_>) {
        match self {
            Self::Activated { mandate, operator, account, .. } => {
                let live = rows.account(*account).and_then(|account| account.live_mandate(*operator));
                assert_eq!(live, Some(*mandate), "an active mandate has its account's slot");
            }
            Self::Revoked { mandate, operator, active: Some(account), .. } => {
                let live = rows.account(*account).and_then(|account| account.live_mandate(*operator));
                assert_ne!(live, Some(*mandate), "a revoked mandate has no slot");
            }
            Self::Requested { .. } | Self::Authenticating { .. } | Self::Granted { .. } | Self::Refused { .. } => {}
            Self::Collected { .. } | Self::Accepted { .. } | Self::Ended { .. } | Self::Confirmed { .. } => {}
            Self::ConfirmedAlone { .. } | Self::Revoked { active: None, .. } | Self::LetterTaken { .. } => {}
        }
    }
}
