//! The end of a mandate, and its true holder's word.

use super::{Event, RevokedBy, Status, Why, done, mandate_of, silent};
use crate::ids::MandateId;
use crate::refusal::{Noun, Refusal};
use crate::state::{Decided, Rows};
use domain::Moment;

/// Refusals in order: unknown or another's, status.
///
/// "Not me" may come at any time from the request on. It also finds a mandate that its holder had revoked before, for that
/// one still is a payout route.
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
            let route = account.filter(|(_, account)| account.route.is_some_and(|route| route.mandate == id));
            match route {
                Some((bank_account, _)) if !by.keeps_route() => {
                    let event = Event::RouteEnded { mandate: id, bank_account, by, why, at: moment.now };
                    done(event, id, Status::Revoked)
                }
                Some(_) | None => silent(id, mandate.status),
            }
        }
        Status::Refused | Status::Abandoned | Status::Expired => Err(mandate.wrong_status()),
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
