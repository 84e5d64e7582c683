//! The end of a mandate, and its true holder's word.

use super::{Event, Mandate, RevokedBy, Status, Why, done, mandate_of, silent};
use crate::bank_account::BankAccount;
use crate::ids::{MandateId, WalletId};
use crate::refusal::{Noun, Refusal};
use crate::state::{Decided, Rows};
use crate::wallet::{Link, Wallet};
use domain::Moment;

/// Refusals in order: unknown or another's, status.
///
/// "Not me" may come at any time from the request on. It also finds a mandate that was revoked before, for that one may still
/// be a payout route, and the account may still be taken for its person's own.
pub(super) fn revoke(rows: Rows<'_>, id: MandateId, by: RevokedBy, why: Why, moment: Moment) -> Decided {
    let mandate = mandate_of(rows, id)?;
    if matches!(by, RevokedBy::Holder(holder) if mandate.holder != holder) {
        return Err(Refusal::Unknown { noun: Noun::Mandate });
    }
    let bank_account = mandate.grant.map(|grant| grant.bank_account);
    match mandate.status {
        Status::Requested | Status::Authenticating | Status::Pending | Status::InReview | Status::Active => {
            let live_on = bank_account.filter(|_| mandate.status == Status::Active);
            let event = Event::Revoked { mandate: id, bank_account: live_on, by, why, at: moment.now };
            done(event, id, Status::Revoked)
        }
        Status::Revoked => {
            let account = bank_account.and_then(|id| rows.bank_account(id).map(|account| (id, account)));
            match account {
                Some((bank_account, account)) if leaves_more_to_end(id, mandate, account, by, why) => {
                    let event = Event::RouteEnded { mandate: id, bank_account, by, why, at: moment.now };
                    done(event, id, Status::Revoked)
                }
                Some(_) | None => silent(id, mandate.status),
            }
        }
        Status::Refused | Status::Abandoned | Status::Expired => Err(mandate.wrong_status()),
    }
}

/// What ends the mandates that a wallet has still live when its holder closes it.
pub(crate) fn closing(rows: Rows<'_>, id: WalletId, wallet: &Wallet, moment: Moment) -> Vec<crate::Event> {
    let live =
        |link: &&Link| rows.mandate(link.mandate).is_some_and(|row| row.wallet == id && row.status == Status::Active);
    let revoked = |link: &Link| {
        let (by, why) = (RevokedBy::Holder(wallet.holder), Why::Unneeded);
        let bank_account = Some(link.bank_account);
        crate::Event::Mandate(Event::Revoked { mandate: link.mandate, bank_account, by, why, at: moment.now })
    };
    wallet.links().iter().filter(live).map(revoked).collect()
}

/// Whether the account still has something of a mandate that was revoked before: the way out, or its person's name. An
/// account on which another mandate hangs since is that one's.
fn leaves_more_to_end(id: MandateId, mandate: &Mandate, account: &BankAccount, by: RevokedBy, why: Why) -> bool {
    let is_named = by.disowns(why) && account.is_of(mandate.person);
    match account.route {
        Some(route) if route.mandate == id => !by.keeps_route() || is_named,
        Some(_) => false,
        None => is_named && account.live_mandate.is_none(),
    }
}

impl RevokedBy {
    /// Whether the account stays a payout route: only who ends their own link keeps it.
    pub const fn keeps_route(self) -> bool {
        match self {
            Self::Holder(_) => true,
            Self::BankAccountHolder | Self::Bank | Self::Desk(_) | Self::StrongerLink(_) => false,
        }
    }

    /// Whether this says that the account never was the person's who linked it. What was debited there is then nobody's to
    /// pay out elsewhere: between the accounts of one person money moves, out of a stranger's it does not.
    pub const fn disowns(self, why: Why) -> bool {
        match (self, why) {
            (Self::BankAccountHolder, _) | (_, Why::NotMine | Why::Fraud) => true,
            (
                Self::Holder(_) | Self::Bank | Self::Desk(_) | Self::StrongerLink(_),
                Why::Unneeded | Why::AccountClosed,
            ) => false,
        }
    }
}

pub(super) fn confirm_by_true_holder(rows: Rows<'_>, id: MandateId, moment: Moment) -> Decided {
    let mandate = mandate_of(rows, id)?;
    match (mandate.status, mandate.grant) {
        (Status::Active, _) if mandate.confirmed => silent(id, mandate.status),
        (Status::Active, Some(grant)) => {
            let event = Event::ConfirmedByTrueHolder { mandate: id, bank_account: grant.bank_account, at: moment.now };
            done(event, id, mandate.status)
        }
        (Status::Active, None) | (Status::Requested | Status::Authenticating | Status::Pending, _) => {
            Err(mandate.wrong_status())
        }
        (Status::InReview | Status::Refused | Status::Abandoned | Status::Expired | Status::Revoked, _) => {
            Err(mandate.wrong_status())
        }
    }
}
