//! The model of what the desk sets while the service runs: stops, and values of the policy.

use super::voucher::REVIEW_MS;
use super::{Oracle, Reasons, Why, date};
use domain::{Moment, Time};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::mem::{discriminant, replace};
use wallet::adjustment::Adjustment;
use wallet::switches::{Command, Function, Lift, Stop};
use wallet::{BankCode, Noun, Policy, Receipt, Row, StaffId, SwitchId, Tier, switches};

/// What the desk has set.
#[derive(Default)]
pub struct Switches {
    stops: Vec<Stop>,
    /// Who would lift a stop, and since when.
    lifts: BTreeMap<SwitchId, (StaffId, Time)>,
    /// The values in force, one of each kind.
    adjusted: Vec<Adjustment>,
    /// The weaker ones that wait for a second person, one of each kind.
    proposed: Vec<Proposed>,
}

/// A value that one person proposed.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Proposed {
    id: SwitchId,
    adjustment: Adjustment,
    by: StaffId,
    at: Time,
}

impl Oracle {
    /// The figures in force at `at`: those of the date, with what the desk has set.
    pub(super) fn in_force(&self, at: Time) -> Policy {
        let (day, later) = &self.later;
        let mut policy = if date(at) >= *day { later.clone() } else { self.first.clone() };
        for adjustment in &self.switches.adjusted {
            set(&mut policy, *adjustment);
        }
        policy
    }

    /// Each value that the desk may set, as it is in force at `at`.
    pub fn values_in_force(&self, at: Time) -> Vec<Adjustment> {
        Adjustment::all_of(&self.in_force(at)).to_vec()
    }

    /// A stop, if there is one.
    pub fn stop_in_force(&self) -> Option<SwitchId> {
        self.switches.stops.first().map(|stop| stop.id)
    }

    pub(super) fn switches_reasons(&self, command: &Command, moment: Moment, reasons: &mut Reasons) {
        let Switches { stops, lifts, proposed, .. } = &self.switches;
        let unknown = Why::Unknown(Noun::Switch);
        match command {
            Command::Set { id, .. } => {
                reasons.add(stops.iter().any(|stop| stop.id == *id), Why::IdTaken(Noun::Switch));
            }
            Command::ProposeLift { id, .. } => reasons.add(stops.iter().all(|stop| stop.id != *id), unknown),
            Command::Lift { id, by } => match lifts.get(id) {
                None => reasons.add(true, unknown),
                Some((first, at)) => agree_reasons((*first, *at), *by, moment, reasons),
            },
            // One person's word is taken always: it counts at once, or it waits.
            Command::Adjust { .. } => {}
            Command::Approve { id, by } => match proposed.iter().find(|proposed| proposed.id == *id) {
                None => reasons.add(true, unknown),
                Some(proposed) => agree_reasons((proposed.by, proposed.at), *by, moment, reasons),
            },
        }
    }

    pub(super) fn switches_apply(
        &mut self,
        command: &Command,
        receipt: &Receipt,
        moment: Moment,
    ) -> Result<(), String> {
        let switches = &mut self.switches;
        let (Command::Set { id, .. }
        | Command::ProposeLift { id, .. }
        | Command::Lift { id, .. }
        | Command::Adjust { id, .. }
        | Command::Approve { id, .. }) = command;
        match command {
            Command::Set { id, function, bank, cohort } => {
                let (id, function, bank, cohort) = (*id, *function, *bank, cohort.clone());
                switches.stops.push(Stop { id, function, bank, cohort, since: moment.now });
            }
            Command::ProposeLift { id, by } => {
                let before = switches.lifts.get(id).filter(|(first, at)| first == by && !is_over(*at, moment));
                if before.is_none() {
                    switches.lifts.insert(*id, (*by, moment.now));
                }
            }
            Command::Lift { id, .. } => {
                switches.stops.retain(|stop| stop.id != *id);
                switches.lifts.remove(id);
            }
            Command::Adjust { id, adjustment, by } => match set(&mut self.policy.clone(), *adjustment) {
                Ordering::Less => {
                    switches.proposed.retain(|other| !is_of_kind(other.adjustment, *adjustment));
                    let (id, adjustment, by, at) = (*id, *adjustment, *by, moment.now);
                    switches.proposed.push(Proposed { id, adjustment, by, at });
                }
                Ordering::Equal => {}
                Ordering::Greater => switches.adjust(*adjustment),
            },
            Command::Approve { id, .. } => {
                let proposed = switches.proposed.iter().find(|proposed| proposed.id == *id);
                let adjustment = proposed.expect("an unknown proposal is a reason").adjustment;
                switches.adjust(adjustment);
            }
        }
        super::payment::expect(receipt, &Receipt::Switch { id: *id })
    }

    /// The row of switches beside the model's.
    pub(super) fn compare_switches(&self, row: Option<&Row>) -> Result<(), String> {
        let nothing = switches::Switches::default();
        let row = if let Some(Row::Switches(row)) = row { row } else { &nothing };
        let model = &self.switches;
        let lift = |lift: &Lift| model.lifts.get(&lift.id) == Some(&(lift.by, lift.at));
        let is_same = row.stops == model.stops
            && row.lifts.len() == model.lifts.len()
            && row.lifts.iter().all(lift)
            && row.adjusted.iter().map(|adjusted| adjusted.adjustment).eq(model.adjusted.iter().copied())
            && row.proposed.iter().map(Proposed::of).eq(model.proposed.iter().copied())
            && row.vouchers.map(|made| (made.day, made.amount.amount()))
                == self.made_alone.map(|(at, amount)| (at.day(), amount));
        if is_same { Ok(()) } else { Err(format!("the switches are {row:?}, in the model others")) }
    }

    /// Notes each stop that concerns `function` at `bank` for such a wallet.
    pub(super) fn stopped_reasons(
        &self,
        function: Function,
        bank: Option<BankCode>,
        tier: Tier,
        opened: Time,
        reasons: &mut Reasons,
    ) {
        for stop in self.stops(function, bank, tier, opened) {
            let (bank, switch, since) = (stop.bank, stop.id, stop.since);
            reasons.add(true, Why::Stopped { function, bank, switch, since });
        }
    }

    /// The stops that concern `function` at `bank` for such a wallet.
    pub(super) fn stops(
        &self,
        function: Function,
        bank: Option<BankCode>,
        tier: Tier,
        opened: Time,
    ) -> impl Iterator<Item = &Stop> {
        self.switches.stops.iter().filter(move |stop| {
            let concerned = stop.function.is_none_or(|stopped| stopped == function)
                && stop.bank.is_none_or(|stopped| Some(stopped) == bank);
            let cohort = &stop.cohort;
            let member = cohort.tier_below.is_none_or(|below| tier < below)
                && cohort.opened_from.is_none_or(|from| opened >= from)
                && cohort.opened_before.is_none_or(|before| opened < before)
                // Nobody in this world has these.
                && cohort.mail_domain.is_none()
                && cohort.device.is_none()
                && cohort.network.is_none();
            concerned && member
        })
    }
}

impl Switches {
    /// A value is in force: nobody waits to be asked for another one of its kind.
    fn adjust(&mut self, adjustment: Adjustment) {
        self.proposed.retain(|other| !is_of_kind(other.adjustment, adjustment));
        self.adjusted.retain(|other| !is_of_kind(*other, adjustment));
        self.adjusted.push(adjustment);
    }
}

impl Proposed {
    const fn of(row: &wallet::adjustment::Adjusted) -> Self {
        Self { id: row.id, adjustment: row.adjustment, by: row.by, at: row.at }
    }
}

fn is_over(at: Time, moment: Moment) -> bool {
    moment.now >= at.plus_milliseconds(REVIEW_MS)
}

/// Notes why the second person's word does not count: within a day, and of another one.
fn agree_reasons((first, at): (StaffId, Time), by: StaffId, moment: Moment, reasons: &mut Reasons) {
    let until = at.plus_milliseconds(REVIEW_MS);
    reasons.add(first == by, Why::SecondPerson);
    reasons.add(is_over(at, moment), Why::Expired(Noun::Switch, until));
}

fn is_of_kind(one: Adjustment, other: Adjustment) -> bool {
    discriminant(&one) == discriminant(&other)
}

/// Sets a value of `policy`, and says whether it is now less strict than before, as strict, or more: of what may be done a
/// larger sum is less strict, of what it takes a lower demand is.
fn set(policy: &mut Policy, to: Adjustment) -> Ordering {
    let (mandate, top_up, ageing) = (&mut policy.mandate, &mut policy.top_up, &mut policy.ageing);
    match to {
        Adjustment::LinkTier(tier) => tier.cmp(&replace(&mut mandate.tier_min, tier)),
        Adjustment::LinkPhone(is_on) => is_on.cmp(&replace(&mut mandate.requires_phone, is_on)),
        Adjustment::StrongFactor(is_on) => is_on.cmp(&replace(&mut mandate.refuses_static_factors, is_on)),
        Adjustment::Name(is_on) => is_on.cmp(&replace(&mut mandate.requires_name, is_on)),
        Adjustment::BirthDate(is_on) => is_on.cmp(&replace(&mut mandate.requires_birth_date, is_on)),
        Adjustment::Notice(is_on) => is_on.cmp(&replace(&mut mandate.requires_notice, is_on)),
        Adjustment::UnconfirmedPerDay(yen) => replace(&mut mandate.unconfirmed_per_day_max, yen).cmp(&yen),
        Adjustment::UnconfirmedTotal(yen) => replace(&mut mandate.unconfirmed_total_max, yen).cmp(&yen),
        Adjustment::TopUpTier(tier) => tier.cmp(&replace(&mut top_up.tier_min, tier)),
        Adjustment::TopUpPerTime(yen) => replace(&mut top_up.per_time_max, yen).cmp(&yen),
        Adjustment::TopUpPerMonth(yen) => replace(&mut top_up.per_month_max, yen).cmp(&yen),
        Adjustment::TopUpRolling(yen) => replace(&mut top_up.rolling_max, yen).cmp(&yen),
        Adjustment::TopUpUnproven(yen) => replace(&mut top_up.unproven_per_day_max, yen).cmp(&yen),
        Adjustment::Young(yen) => replace(&mut ageing.per_day_max, yen).cmp(&yen),
        Adjustment::YoungSend(yen) => replace(&mut ageing.send_per_day_max, yen).cmp(&yen),
        Adjustment::NewLink(yen) => replace(&mut mandate.new_lately_max, yen).cmp(&yen),
        Adjustment::NewLinks(yen) => replace(&mut mandate.new_links_lately_max, yen).cmp(&yen),
        Adjustment::YoungProven(yen) => replace(&mut ageing.proven_per_day_max, yen).cmp(&yen),
        Adjustment::PaymentUnproven(yen) => replace(&mut policy.payment.unproven_per_time_max, yen).cmp(&yen),
        Adjustment::TopUpNewDevice(is_on) => is_on.cmp(&replace(&mut top_up.new_device_takes_proof, is_on)),
        Adjustment::LinkNewDevice(is_on) => is_on.cmp(&replace(&mut mandate.new_device_takes_proof, is_on)),
    }
}
