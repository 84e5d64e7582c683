//! The bank's grant: which facts suffice, which need a person's eyes, which do not do.

use super::{Event, Grant, Mandate, NameGrade, Status, done, mandate_of, refused, silent};
use crate::Context;
use crate::ids::MandateId;
use crate::policy::Policy;
use crate::refusal::{MissingFact, Noun, Refusal, Stated};
use crate::state::{Decided, Rows};
use domain::{Moment, Time};

/// What the facts come to.
enum Judgement {
    Suffices,
    NeedsEyes,
    Lacks(MissingFact),
}

/// Refusals in order: unknown, over, expired, another grant before. A grant that lacks a fact is no refusal of the command:
/// the mandate ends as `refused`, and the receipt names the fact.
pub(super) fn grant(rows: Rows<'_>, id: MandateId, grant: &Grant, moment: Moment, context: &Context) -> Decided {
    let mandate = mandate_of(rows, id)?;
    match mandate.status {
        Status::Requested | Status::Authenticating => judge(rows, id, mandate, grant, moment, context),
        Status::Pending | Status::InReview | Status::Active | Status::Refused if mandate.grant == Some(*grant) => {
            silent(id, mandate.status)
        }
        Status::Pending | Status::InReview | Status::Active => {
            let on_record = mandate.grant.map_or(Stated::Nothing, Stated::Grant);
            Err(Refusal::NotAsOnRecord { noun: Noun::Mandate, on_record, came: Stated::Grant(*grant) })
        }
        Status::Refused | Status::Abandoned | Status::Expired | Status::Revoked => Err(mandate.wrong_status()),
    }
}

fn judge(
    rows: Rows<'_>,
    id: MandateId,
    mandate: &Mandate,
    grant: &Grant,
    moment: Moment,
    context: &Context,
) -> Decided {
    mandate.check_deadline(moment.now)?;
    let policy = &*rows.policy(context, moment);
    let status = match judgement(grant, policy) {
        Judgement::Lacks(missing) => {
            let event = Event::Refused { mandate: id, grant: *grant, missing, at: moment.now };
            return Ok((vec![crate::Event::Mandate(event)], refused(id, missing)));
        }
        Judgement::NeedsEyes => Status::InReview,
        Judgement::Suffices if mandate.review.is_some() => Status::InReview,
        Judgement::Suffices => Status::Pending,
    };
    let deadline = deadline(status, moment.now, policy);
    done(Event::Granted { mandate: id, grant: *grant, status, deadline, at: moment.now }, id, status)
}

/// Until when a grant waits: for the wallet, or for the desk.
pub(super) const fn deadline(status: Status, now: Time, policy: &Policy) -> Time {
    let wait_ms = if matches!(status, Status::InReview) { policy.review_ms } else { policy.mandate.pending_ms };
    now.plus_milliseconds(wait_ms)
}

/// The facts, in the order in which a lack is named.
const fn judgement(grant: &Grant, policy: &Policy) -> Judgement {
    if policy.mandate.refuses_static_factors && !grant.factors_strong {
        return Judgement::Lacks(MissingFact::StrongFactor);
    }
    if policy.mandate.requires_notice && !grant.contact_notified {
        return Judgement::Lacks(MissingFact::HolderNotified);
    }
    if policy.mandate.requires_birth_date && !grant.birth_date_matches {
        return Judgement::Lacks(MissingFact::BirthDateMatch);
    }
    if !policy.mandate.requires_name {
        return Judgement::Suffices;
    }
    match grant.name {
        NameGrade::Match | NameGrade::MatchTruncated => Judgement::Suffices,
        NameGrade::Close | NameGrade::Undecidable => Judgement::NeedsEyes,
        NameGrade::No => Judgement::Lacks(MissingFact::NameMatch),
    }
}
