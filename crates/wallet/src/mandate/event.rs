//! What happens to mandates, and what that does to the bank account they hang on.

use super::{Grant, Mandate, RevokedBy, Status, Why, bank_account_key, mandate_key};
use crate::Row;
use crate::bank_account::{BankAccount, Route};
use crate::ids::{BankAccountId, BankCode, HolderId, MandateId, PersonId, StaffId, WalletId};
use crate::refusal::MissingFact;
use crate::state::{Rows, wrong_row};
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
        /// For which wallet.
        wallet: WalletId,
        /// Whose.
        holder: HolderId,
        /// The verified person.
        person: Option<PersonId>,
        /// At which bank.
        bank: BankCode,
        /// Until when it may be granted.
        deadline: Time,
        /// Why the desk is to look at it.
        review: Option<u16>,
        /// When.
        at: Time,
    },
    /// The bank's page was reached.
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
        /// The facts.
        grant: Grant,
        /// What they lack.
        missing: MissingFact,
        /// When.
        at: Time,
    },
    /// Its holder collected it while it is in review.
    Collected {
        /// Which.
        mandate: MandateId,
        /// When.
        at: Time,
    },
    /// The desk compared.
    Decided {
        /// Which.
        mandate: MandateId,
        /// Pending, or refused.
        status: Status,
        /// Until when it waits.
        deadline: Time,
        /// Who decided.
        by: StaffId,
        /// When.
        at: Time,
    },
    /// It took its bank account's slot.
    Activated {
        /// Which.
        mandate: MandateId,
        /// For which wallet.
        wallet: WalletId,
        /// At which bank.
        bank: BankCode,
        /// Which account.
        bank_account: BankAccountId,
        /// The verified person.
        person: Option<PersonId>,
        /// Whether the bank's name and birth date are that person's.
        matched: bool,
        /// When.
        at: Time,
    },
    /// Nothing came of it: refused by the bank, abandoned, expired.
    Ended {
        /// Which.
        mandate: MandateId,
        /// How.
        status: Status,
        /// When.
        at: Time,
    },
    /// The account's true holder confirmed it.
    ConfirmedByTrueHolder {
        /// Which.
        mandate: MandateId,
        /// On which account.
        bank_account: BankAccountId,
        /// When.
        at: Time,
    },
    /// It was ended.
    Revoked {
        /// Which.
        mandate: MandateId,
        /// The account that it was the live mandate of; none if it never was.
        bank_account: Option<BankAccountId>,
        /// By whom.
        by: RevokedBy,
        /// Why.
        why: Why,
        /// When.
        at: Time,
    },
    /// Revoked before, it is no payout route any more either, nor proof of whose the account is if it was disowned.
    RouteEnded {
        /// Which.
        mandate: MandateId,
        /// On which account.
        bank_account: BankAccountId,
        /// By whom.
        by: RevokedBy,
        /// Why.
        why: Why,
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
            | Self::Decided { mandate, .. }
            | Self::Activated { mandate, .. }
            | Self::Ended { mandate, .. }
            | Self::ConfirmedByTrueHolder { mandate, .. }
            | Self::Revoked { mandate, .. }
            | Self::RouteEnded { mandate, .. } => *mandate,
        }
    }

    /// The account whose row this changes. A grant alone changes none, and neither does the end of one.
    const fn bank_account(&self) -> Option<BankAccountId> {
        match self {
            Self::Activated { bank_account, .. }
            | Self::ConfirmedByTrueHolder { bank_account, .. }
            | Self::RouteEnded { bank_account, .. } => Some(*bank_account),
            Self::Revoked { bank_account, .. } => *bank_account,
            Self::Requested { .. } | Self::Authenticating { .. } | Self::Granted { .. } | Self::Refused { .. } => None,
            Self::Collected { .. } | Self::Decided { .. } | Self::Ended { .. } => None,
        }
    }

    pub(crate) fn touches(&self, each: &mut impl FnMut(Key)) {
        each(mandate_key(self.mandate()));
        if let Some(bank_account) = self.bank_account() {
            each(bank_account_key(bank_account));
        }
    }

    pub(crate) fn evolve(&self, row: &mut Option<Row>) {
        let key = mandate_key(self.mandate());
        if let Self::Requested { wallet, holder, person, bank, deadline, review, at, .. } = self {
            assert!(row.is_none(), "a mandate is requested once: {self:?}");
            *row = Some(Row::Mandate(Mandate {
                wallet: *wallet,
                holder: *holder,
                person: *person,
                bank: *bank,
                status: Status::Requested,
                requested: *at,
                deadline: *deadline,
                review: *review,
                grant: None,
                collected: false,
                confirmed: false,
                revoked: None,
            }));
            return;
        }
        let Some(Row::Mandate(mandate)) = row else { wrong_row(key) };
        match self {
            Self::Requested { .. } => {}
            Self::RouteEnded { .. } => mandate.pass(&[Status::Revoked], Status::Revoked),
            Self::Authenticating { .. } => mandate.pass(&[Status::Requested], Status::Authenticating),
            Self::Granted { grant, status, deadline, .. } => {
                mandate.pass(&ASKED, *status);
                mandate.grant = Some(*grant);
                mandate.deadline = *deadline;
            }
            Self::Refused { grant, .. } => {
                mandate.pass(&ASKED, Status::Refused);
                mandate.grant = Some(*grant);
            }
            Self::Collected { .. } => {
                mandate.pass(&[Status::InReview], Status::InReview);
                mandate.collected = true;
            }
            Self::Decided { status, deadline, .. } => {
                mandate.pass(&[Status::InReview], *status);
                mandate.deadline = *deadline;
            }
            Self::Activated { .. } => mandate.pass(&[Status::Pending], Status::Active),
            Self::Ended { status, .. } => mandate.pass(&UNDER_WAY, *status),
            Self::ConfirmedByTrueHolder { .. } => {
                mandate.pass(&[Status::Active], Status::Active);
                mandate.confirmed = true;
            }
            Self::Revoked { by, at, .. } => {
                mandate.pass(&LIVING, Status::Revoked);
                mandate.revoked = Some((*by, *at));
            }
        }
    }

    pub(crate) fn evolve_bank_account(&self, key: Key, row: &mut Option<Row>) {
        match self {
            Self::Activated { mandate, wallet, bank, person, matched, .. } => {
                let fresh = || Row::BankAccount(Box::new(BankAccount::new(*bank)));
                let Row::BankAccount(account) = row.get_or_insert_with(fresh) else { wrong_row(key) };
                assert!(account.live_mandate.is_none(), "one live mandate an account: {self:?}");
                account.live_mandate = Some(*mandate);
                account.person = person.filter(|_| *matched);
                account.route = Some(Route { mandate: *mandate, wallet: *wallet, person: *person });
                if !account.wallets.contains(wallet) {
                    account.wallets.push(*wallet);
                }
            }
            Self::ConfirmedByTrueHolder { .. } => {
                let account = bank_account(key, row);
                account.unconfirmed = Yen::ZERO;
                account.confirmations = account.confirmations.saturating_add(1);
            }
            Self::Revoked { mandate, by, why, .. } => {
                let account = bank_account(key, row);
                assert!(account.live_mandate == Some(*mandate), "only who has the slot leaves it: {self:?}");
                account.live_mandate = None;
                if !by.keeps_route() {
                    end_route(account, *mandate);
                }
                if by.disowns(*why) {
                    account.person = None;
                }
            }
            Self::RouteEnded { mandate, by, why, .. } => {
                let account = bank_account(key, row);
                if !by.keeps_route() {
                    end_route(account, *mandate);
                }
                if by.disowns(*why) {
                    account.person = None;
                }
            }
            Self::Requested { .. } | Self::Authenticating { .. } | Self::Granted { .. } => wrong_row(key),
            Self::Refused { .. } | Self::Collected { .. } | Self::Decided { .. } | Self::Ended { .. } => wrong_row(key),
        }
    }

    /// Asserts that a live mandate and its account's slot name each other, and that a revoked one has no slot.
    pub(crate) fn assert_decided(&self, rows: Rows<'_>) {
        let (id, Some(bank_account)) = (self.mandate(), self.bank_account()) else { return };
        let (Some(mandate), Some(account)) = (rows.mandate(id), rows.bank_account(bank_account)) else {
            wrong_row(mandate_key(id))
        };
        let is_live = account.live_mandate == Some(id);
        assert!(is_live == (mandate.status == Status::Active), "slot and mandate differ: {mandate:?} {account:?}");
    }
}

/// Before the bank has said anything.
const ASKED: [Status; 2] = [Status::Requested, Status::Authenticating];

/// Before it took its slot.
const UNDER_WAY: [Status; 4] = [Status::Requested, Status::Authenticating, Status::Pending, Status::InReview];

/// Before it is over.
const LIVING: [Status; 5] =
    [Status::Requested, Status::Authenticating, Status::Pending, Status::InReview, Status::Active];

impl Mandate {
    fn pass(&mut self, from: &[Status], to: Status) {
        assert!(from.contains(&self.status), "{:?} does not become {to:?}: {self:?}", self.status);
        self.status = to;
    }
}

fn bank_account(key: Key, row: &mut Option<Row>) -> &mut BankAccount {
    match row {
        Some(Row::BankAccount(account)) => account,
        Some(_) | None => wrong_row(key),
    }
}

fn end_route(account: &mut BankAccount, mandate: MandateId) {
    if account.route.is_some_and(|route| route.mandate == mandate) {
        account.route = None;
    }
}
