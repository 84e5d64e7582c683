//! Adjustments: values of the policy that the desk sets while the service runs, in force with their own commit.
//!
//! What makes a control stronger one person sets; what makes it weaker takes two, and the journal has both. An adjustment lasts
//! until another one of its kind, whatever policy takes over meanwhile. Rules of monitoring and what no adjustment names change
//! with a release alone. They stand in the switches' row, which every command that asks for them loads.
//! Start reading at [`Adjustment`].

use crate::ids::{StaffId, SwitchId};
use crate::policy::Policy;
use crate::refusal::{Noun, Refusal};
use crate::state::Decided;
use crate::switches::{Event, Switches};
use crate::traits::Tier;
use crate::{Context, Receipt};
use domain::{Moment, Time};
use ledger::Yen;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A value that the desk may set. Stored for ever: variants are added at the end, never changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Adjustment {
    /// The tier that a link takes.
    LinkTier(Tier),
    /// Whether a link takes a telephone that has answered.
    LinkPhone(bool),
    /// Whether a grant on static knowledge alone is refused.
    StrongFactor(bool),
    /// Whether the bank's name must match.
    Name(bool),
    /// Whether the bank's birth date must match.
    BirthDate(bool),
    /// Whether the account's true holder must have been told.
    Notice(bool),
    /// The most a day by an unconfirmed mandate.
    UnconfirmedPerDay(Yen),
    /// The most in all by an unconfirmed mandate.
    UnconfirmedTotal(Yen),
    /// The tier that a top-up takes.
    TopUpTier(Tier),
    /// The most at a time.
    TopUpPerTime(Yen),
    /// The most a calendar month.
    TopUpPerMonth(Yen),
    /// The most in 30 business dates.
    TopUpRolling(Yen),
    /// The most a business date without a second proof.
    TopUpUnproven(Yen),
    /// The most young money a business date.
    Young(Yen),
    /// The most young money a business date by send.
    YoungSend(Yen),
    /// [`crate::policy::MandatePolicy::new_lately_max`].
    NewLink(Yen),
    /// [`crate::policy::MandatePolicy::new_links_lately_max`].
    NewLinks(Yen),
    /// The most young money a business date that its holder pays with a second proof.
    YoungProven(Yen),
    /// The most at a time that is paid on line without a second proof.
    PaymentUnproven(Yen),
    /// Whether a top-up by a device that its holder has not proven takes a second proof.
    TopUpNewDevice(bool),
    /// Whether a link by such a device takes one.
    LinkNewDevice(bool),
}

/// An adjustment that one person proposed or set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adjusted {
    /// Its id.
    pub id: SwitchId,
    /// What it sets.
    pub adjustment: Adjustment,
    /// Who proposed it, or set it alone.
    pub by: StaffId,
    /// Who agreed, where it took two.
    pub approved_by: Option<StaffId>,
    /// Since when.
    pub at: Time,
}

impl Adjustment {
    /// Each with the value that `policy` has.
    pub const fn all_of(policy: &Policy) -> [Self; 21] {
        let (mandate, top_up) = (&policy.mandate, &policy.top_up);
        [
            Self::LinkTier(mandate.tier_min),
            Self::LinkPhone(mandate.requires_phone),
            Self::StrongFactor(mandate.refuses_static_factors),
            Self::Name(mandate.requires_name),
            Self::BirthDate(mandate.requires_birth_date),
            Self::Notice(mandate.requires_notice),
            Self::UnconfirmedPerDay(mandate.unconfirmed_per_day_max),
            Self::UnconfirmedTotal(mandate.unconfirmed_total_max),
            Self::TopUpTier(top_up.tier_min),
            Self::TopUpPerTime(top_up.per_time_max),
            Self::TopUpPerMonth(top_up.per_month_max),
            Self::TopUpRolling(top_up.rolling_max),
            Self::TopUpUnproven(top_up.unproven_per_day_max),
            Self::Young(policy.ageing.per_day_max),
            Self::YoungSend(policy.ageing.send_per_day_max),
            Self::NewLink(mandate.new_lately_max),
            Self::NewLinks(mandate.new_links_lately_max),
            Self::YoungProven(policy.ageing.proven_per_day_max),
            Self::PaymentUnproven(policy.payment.unproven_per_time_max),
            Self::TopUpNewDevice(top_up.new_device_takes_proof),
            Self::LinkNewDevice(mandate.new_device_takes_proof),
        ]
    }

    /// The name as the API shows it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LinkTier(_) => "link_tier_min",
            Self::LinkPhone(_) => "link_requires_phone",
            Self::StrongFactor(_) => "link_refuses_static_factors",
            Self::Name(_) => "link_requires_name",
            Self::BirthDate(_) => "link_requires_birth_date",
            Self::Notice(_) => "link_requires_notice",
            Self::UnconfirmedPerDay(_) => "unconfirmed_per_day_max",
            Self::UnconfirmedTotal(_) => "unconfirmed_total_max",
            Self::TopUpTier(_) => "top_up_tier_min",
            Self::TopUpPerTime(_) => "top_up_per_time_max",
            Self::TopUpPerMonth(_) => "top_up_per_month_max",
            Self::TopUpRolling(_) => "top_up_rolling_max",
            Self::TopUpUnproven(_) => "top_up_unproven_per_day_max",
            Self::Young(_) => "young_per_day_max",
            Self::YoungSend(_) => "young_send_per_day_max",
            Self::NewLink(_) => "new_link_max",
            Self::NewLinks(_) => "new_links_max",
            Self::YoungProven(_) => "young_proven_per_day_max",
            Self::PaymentUnproven(_) => "payment_unproven_per_time_max",
            Self::TopUpNewDevice(_) => "top_up_new_device_takes_proof",
            Self::LinkNewDevice(_) => "link_new_device_takes_proof",
        }
    }

    /// Whether both set the same thing.
    pub fn is_of_kind(self, other: Self) -> bool {
        self.name() == other.name()
    }

    /// Whether this is weaker than what `policy` says.
    fn weakens(self, policy: &Policy) -> bool {
        let (mandate, top_up) = (&policy.mandate, &policy.top_up);
        match self {
            Self::LinkTier(tier) => tier < mandate.tier_min,
            Self::LinkPhone(is_on) => mandate.requires_phone && !is_on,
            Self::StrongFactor(is_on) => mandate.refuses_static_factors && !is_on,
            Self::Name(is_on) => mandate.requires_name && !is_on,
            Self::BirthDate(is_on) => mandate.requires_birth_date && !is_on,
            Self::Notice(is_on) => mandate.requires_notice && !is_on,
            Self::UnconfirmedPerDay(yen) => yen > mandate.unconfirmed_per_day_max,
            Self::UnconfirmedTotal(yen) => yen > mandate.unconfirmed_total_max,
            Self::TopUpTier(tier) => tier < top_up.tier_min,
            Self::TopUpPerTime(yen) => yen > top_up.per_time_max,
            Self::TopUpPerMonth(yen) => yen > top_up.per_month_max,
            Self::TopUpRolling(yen) => yen > top_up.rolling_max,
            Self::TopUpUnproven(yen) => yen > top_up.unproven_per_day_max,
            Self::Young(yen) => yen > policy.ageing.per_day_max,
            Self::YoungSend(yen) => yen > policy.ageing.send_per_day_max,
            Self::NewLink(yen) => yen > mandate.new_lately_max,
            Self::NewLinks(yen) => yen > mandate.new_links_lately_max,
            Self::YoungProven(yen) => yen > policy.ageing.proven_per_day_max,
            Self::PaymentUnproven(yen) => yen > policy.payment.unproven_per_time_max,
            Self::TopUpNewDevice(is_on) => top_up.new_device_takes_proof && !is_on,
            Self::LinkNewDevice(is_on) => mandate.new_device_takes_proof && !is_on,
        }
    }

    const fn apply(self, policy: &mut Policy) {
        match self {
            Self::LinkTier(tier) => policy.mandate.tier_min = tier,
            Self::LinkPhone(is_on) => policy.mandate.requires_phone = is_on,
            Self::StrongFactor(is_on) => policy.mandate.refuses_static_factors = is_on,
            Self::Name(is_on) => policy.mandate.requires_name = is_on,
            Self::BirthDate(is_on) => policy.mandate.requires_birth_date = is_on,
            Self::Notice(is_on) => policy.mandate.requires_notice = is_on,
            Self::UnconfirmedPerDay(yen) => policy.mandate.unconfirmed_per_day_max = yen,
            Self::UnconfirmedTotal(yen) => policy.mandate.unconfirmed_total_max = yen,
            Self::TopUpTier(tier) => policy.top_up.tier_min = tier,
            Self::TopUpPerTime(yen) => policy.top_up.per_time_max = yen,
            Self::TopUpPerMonth(yen) => policy.top_up.per_month_max = yen,
            Self::TopUpRolling(yen) => policy.top_up.rolling_max = yen,
            Self::TopUpUnproven(yen) => policy.top_up.unproven_per_day_max = yen,
            Self::Young(yen) => policy.ageing.per_day_max = yen,
            Self::YoungSend(yen) => policy.ageing.send_per_day_max = yen,
            Self::NewLink(yen) => policy.mandate.new_lately_max = yen,
            Self::NewLinks(yen) => policy.mandate.new_links_lately_max = yen,
            Self::YoungProven(yen) => policy.ageing.proven_per_day_max = yen,
            Self::PaymentUnproven(yen) => policy.payment.unproven_per_time_max = yen,
            Self::TopUpNewDevice(is_on) => policy.top_up.new_device_takes_proof = is_on,
            Self::LinkNewDevice(is_on) => policy.mandate.new_device_takes_proof = is_on,
        }
    }
}

/// The policy in force: that of the day, with what the desk has set.
pub fn in_force<'a>(switches: Option<&Switches>, context: &'a Context, now: Time) -> Cow<'a, Policy> {
    let dated = context.policies.on(now.day());
    let adjusted = switches.map_or(&[][..], |switches| switches.adjusted.as_slice());
    if adjusted.is_empty() {
        return Cow::Borrowed(dated);
    }
    let mut policy = dated.clone();
    for adjusted in adjusted {
        adjusted.adjustment.apply(&mut policy);
    }
    Cow::Owned(policy)
}

/// What is as it should be already stays so; what is weaker waits for another person.
#[expect(clippy::unnecessary_wraps, reason = "every room decides in the same form")]
pub(crate) fn adjust(
    switches: Option<&Switches>,
    (id, adjustment, by): (SwitchId, Adjustment, StaffId),
    moment: Moment,
    context: &Context,
) -> Decided {
    let policy = in_force(switches, context, moment.now);
    let adjusted = Adjusted { id, adjustment, by, approved_by: None, at: moment.now };
    let event = if adjustment.weakens(&policy) { Event::Proposed(adjusted) } else { Event::Adjusted(adjusted) };
    let is_new = !Adjustment::all_of(&policy).contains(&adjustment);
    let events = if is_new { vec![crate::Event::Switches(event)] } else { Vec::new() };
    Ok((events, Receipt::Switch { id }))
}

/// Refusals in order: unknown, the same person, out of time.
pub(crate) fn approve(
    switches: Option<&Switches>,
    id: SwitchId,
    by: StaffId,
    moment: Moment,
    context: &Context,
) -> Decided {
    let proposed = switches.and_then(|switches| switches.proposed.iter().find(|proposed| proposed.id == id));
    let proposed = proposed.ok_or(Refusal::Unknown { noun: Noun::Switch })?;
    if proposed.by == by {
        return Err(Refusal::SecondPersonNeeded);
    }
    let until = proposed.at.plus_milliseconds(context.policies.on(moment.now.day()).review_ms);
    if moment.now >= until {
        return Err(Refusal::Expired { noun: Noun::Switch, at: until });
    }
    let event = Event::Adjusted(Adjusted { approved_by: Some(by), at: moment.now, ..*proposed });
    Ok((vec![crate::Event::Switches(event)], Receipt::Switch { id }))
}
