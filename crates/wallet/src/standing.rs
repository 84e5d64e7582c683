//! How something stands that a refusal is about: the statuses of all nouns as one vocabulary, and what nouns without a status can
//! be. No text that somebody made up on the way gets into a refusal, and so none into the journal.
//!
//! It is stored as its name, which is what the API shows. A name is never changed or removed.

use crate::{case, mandate, payment, payout, reimbursement, send, top_up, voucher};
use serde::de::{Error, Unexpected};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// How something stands. The same word stands for the same thing at every noun; which noun, says the refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the variants are the nouns' own statuses, each documented there")]
pub enum Standing {
    Open,
    Joined,
    Closed,
    Closing,
    Frozen,
    Requested,
    Authenticating,
    Pending,
    InReview,
    Active,
    Refused,
    Abandoned,
    Expired,
    Revoked,
    Held,
    InDoubt,
    Settled,
    Declined,
    Cancelled,
    Returned,
    Reversed,
    Authorised,
    Captured,
    Voided,
    Completed,
    GivenUp,
    Issued,
    Redeemed,
    Used,
    OwesNothing,
    HasWallet,
    MailNotVerified,
    PhoneNotVerified,
    RequestedNotExpired,
    AuthenticatingNotExpired,
    PendingNotExpired,
    InReviewNotExpired,
    HeldNotExpired,
    AuthorisedNotExpired,
    Proposed,
    Done,
    Failed,
    ConfirmedByTrueHolder,
}

impl Standing {
    /// All of them.
    pub const ALL: [Self; 43] = [
        Self::Open,
        Self::Joined,
        Self::Closed,
        Self::Closing,
        Self::Frozen,
        Self::Requested,
        Self::Authenticating,
        Self::Pending,
        Self::InReview,
        Self::Active,
        Self::Refused,
        Self::Abandoned,
        Self::Expired,
        Self::Revoked,
        Self::Held,
        Self::InDoubt,
        Self::Settled,
        Self::Declined,
        Self::Cancelled,
        Self::Returned,
        Self::Reversed,
        Self::Authorised,
        Self::Captured,
        Self::Voided,
        Self::Completed,
        Self::GivenUp,
        Self::Issued,
        Self::Redeemed,
        Self::Used,
        Self::OwesNothing,
        Self::HasWallet,
        Self::MailNotVerified,
        Self::PhoneNotVerified,
        Self::RequestedNotExpired,
        Self::AuthenticatingNotExpired,
        Self::PendingNotExpired,
        Self::InReviewNotExpired,
        Self::HeldNotExpired,
        Self::AuthorisedNotExpired,
        Self::Proposed,
        Self::Done,
        Self::Failed,
        Self::ConfirmedByTrueHolder,
    ];

    /// The name, as it is stored and as the API shows it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Joined => "joined",
            Self::Closed => "closed",
            Self::Closing => "closing",
            Self::Frozen => "frozen",
            Self::Requested => "requested",
            Self::Authenticating => "authenticating",
            Self::Pending => "pending",
            Self::InReview => "in_review",
            Self::Active => "active",
            Self::Refused => "refused",
            Self::Abandoned => "abandoned",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Held => "held",
            Self::InDoubt => "in_doubt",
            Self::Settled => "settled",
            Self::Declined => "declined",
            Self::Cancelled => "cancelled",
            Self::Returned => "returned",
            Self::Reversed => "reversed",
            Self::Authorised => "authorised",
            Self::Captured => "captured",
            Self::Voided => "voided",
            Self::Completed => "completed",
            Self::GivenUp => "given_up",
            Self::Issued => "issued",
            Self::Redeemed => "redeemed",
            Self::Used => "used",
            Self::OwesNothing => "owes nothing",
            Self::HasWallet => "has a wallet",
            Self::MailNotVerified => "mail address not verified",
            Self::PhoneNotVerified => "telephone not verified",
            Self::RequestedNotExpired => "requested, not yet expired",
            Self::AuthenticatingNotExpired => "authenticating, not yet expired",
            Self::PendingNotExpired => "pending, not yet expired",
            Self::InReviewNotExpired => "in_review, not yet expired",
            Self::HeldNotExpired => "held, not yet expired",
            Self::AuthorisedNotExpired => "authorised, not yet expired",
            Self::Proposed => "proposed",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::ConfirmedByTrueHolder => "confirmed by the account's true holder",
        }
    }

    /// Of a mandate that waits: its time has not run out yet. None if it does not wait.
    pub(crate) const fn not_expired(status: mandate::Status) -> Option<Self> {
        match status {
            mandate::Status::Requested => Some(Self::RequestedNotExpired),
            mandate::Status::Authenticating => Some(Self::AuthenticatingNotExpired),
            mandate::Status::Pending => Some(Self::PendingNotExpired),
            mandate::Status::InReview => Some(Self::InReviewNotExpired),
            mandate::Status::Active | mandate::Status::Refused | mandate::Status::Abandoned => None,
            mandate::Status::Expired | mandate::Status::Revoked => None,
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl Serialize for Standing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Standing {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let known = Self::ALL.into_iter().find(|standing| standing.name() == name);
        known.ok_or_else(|| Error::invalid_value(Unexpected::Str(&name), &"how something stands"))
    }
}

impl From<case::Status> for Standing {
    fn from(status: case::Status) -> Self {
        match status {
            case::Status::Open => Self::Open,
            case::Status::Joined(_) => Self::Joined,
            case::Status::Closed => Self::Closed,
        }
    }
}

impl From<mandate::Status> for Standing {
    fn from(status: mandate::Status) -> Self {
        match status {
            mandate::Status::Requested => Self::Requested,
            mandate::Status::Authenticating => Self::Authenticating,
            mandate::Status::Pending => Self::Pending,
            mandate::Status::InReview => Self::InReview,
            mandate::Status::Active => Self::Active,
            mandate::Status::Refused => Self::Refused,
            mandate::Status::Abandoned => Self::Abandoned,
            mandate::Status::Expired => Self::Expired,
            mandate::Status::Revoked => Self::Revoked,
        }
    }
}

impl From<payment::Status> for Standing {
    fn from(status: payment::Status) -> Self {
        match status {
            payment::Status::Authorised => Self::Authorised,
            payment::Status::Captured => Self::Captured,
            payment::Status::Voided => Self::Voided,
            payment::Status::Expired => Self::Expired,
        }
    }
}

impl From<payout::Status> for Standing {
    fn from(status: payout::Status) -> Self {
        match status {
            payout::Status::Held => Self::Held,
            payout::Status::Pending => Self::Pending,
            payout::Status::InDoubt => Self::InDoubt,
            payout::Status::Settled => Self::Settled,
            payout::Status::Declined => Self::Declined,
            payout::Status::Cancelled => Self::Cancelled,
            payout::Status::Returned => Self::Returned,
        }
    }
}

impl From<reimbursement::Status> for Standing {
    fn from(status: reimbursement::Status) -> Self {
        match status {
            reimbursement::Status::Proposed => Self::Proposed,
            reimbursement::Status::Refused => Self::Refused,
            reimbursement::Status::Pending => Self::Pending,
            reimbursement::Status::InDoubt => Self::InDoubt,
            reimbursement::Status::Done => Self::Done,
            reimbursement::Status::Failed => Self::Failed,
        }
    }
}

impl From<send::Status> for Standing {
    fn from(status: send::Status) -> Self {
        match status {
            send::Status::Held => Self::Held,
            send::Status::Completed => Self::Completed,
            send::Status::GivenUp => Self::GivenUp,
            send::Status::Expired => Self::Expired,
        }
    }
}

impl From<top_up::Status> for Standing {
    fn from(status: top_up::Status) -> Self {
        match status {
            top_up::Status::Held => Self::Held,
            top_up::Status::Pending => Self::Pending,
            top_up::Status::InDoubt => Self::InDoubt,
            top_up::Status::Settled => Self::Settled,
            top_up::Status::Declined => Self::Declined,
            top_up::Status::Cancelled => Self::Cancelled,
            top_up::Status::Returned => Self::Returned,
            top_up::Status::Reversed => Self::Reversed,
        }
    }
}

impl From<voucher::Status> for Standing {
    fn from(status: voucher::Status) -> Self {
        match status {
            voucher::Status::Issued => Self::Issued,
            voucher::Status::Redeemed => Self::Redeemed,
            voucher::Status::Cancelled => Self::Cancelled,
            voucher::Status::Proposed => Self::Proposed,
        }
    }
}
