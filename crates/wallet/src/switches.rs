//! Switches (停止措置): what stops one function for one bank, one cohort or everyone, in force with its own commit. One person
//! sets a stop; to lift it takes two, as whatever makes a control weaker.
//!
//! A cohort is one predicate over a wallet's traits, evaluated in decide: it holds for wallets that join it later too.

use crate::adjustment::{self, Adjusted, Adjustment};
use crate::ids::{BankCode, StaffId, SwitchId};
use crate::refusal::{Limit, Noun, Refusal};
use crate::state::{Decided, Rows};
use crate::table;
use crate::traits::{Fingerprint, Tier, Traits};
use crate::voucher::MadeAlone;
use crate::{Context, Receipt, Row};
use domain::{Id, Key, Moment, Time};
use serde::{Deserialize, Serialize};

/// The most stops in force at once.
pub const STOPS_MAX: usize = 1_024;

/// A function of the product that can be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Function {
    /// Opening a wallet.
    Open,
    /// Linking a bank account.
    Link,
    /// Topping up by bank debit.
    TopUp,
    /// Redeeming a voucher.
    Voucher,
    /// Paying a shop.
    Payment,
    /// Sending to another wallet.
    Send,
    /// Paying out to a bank account.
    Payout,
    /// Changing where the holder is reached: seen by the guard; nothing stops it alone.
    ChangeContact,
}

impl Function {
    /// Those that a stop may name.
    pub const STOPPABLE: [Self; 7] =
        [Self::Open, Self::Link, Self::TopUp, Self::Voucher, Self::Payment, Self::Send, Self::Payout];
}

/// Whom a stop concerns: all given parts must hold.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cohort {
    /// Wallets opened at or after this.
    pub opened_from: Option<Time>,
    /// Wallets opened before this.
    pub opened_before: Option<Time>,
    /// Wallets below this tier.
    pub tier_below: Option<Tier>,
    /// Wallets whose holder's mail address has this domain.
    pub mail_domain: Option<Fingerprint>,
    /// Wallets first or last used from this device.
    pub device: Option<Fingerprint>,
    /// Wallets first or last used from this network.
    pub network: Option<Fingerprint>,
}

impl Cohort {
    /// Whether a wallet of `tier` with `traits` belongs.
    pub fn holds(&self, tier: Tier, traits: &Traits) -> bool {
        let used = |matches: &dyn Fn(&crate::traits::Origin) -> bool| {
            traits.first.iter().chain(traits.last.iter()).any(matches)
        };
        self.opened_from.is_none_or(|from| traits.opened >= from)
            && self.opened_before.is_none_or(|before| traits.opened < before)
            && self.tier_below.is_none_or(|below| tier < below)
            && self.mail_domain.is_none_or(|domain| traits.mail_domain == Some(domain))
            && self.device.is_none_or(|device| used(&|origin| origin.device == Some(device)))
            && self.network.is_none_or(|network| {
                used(&|origin| origin.network == Some(network) || origin.network_wide == Some(network))
            })
    }
}

/// A stop in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// Its id.
    pub id: SwitchId,
    /// The function that is stopped; none: every one.
    pub function: Option<Function>,
    /// The bank at which it is stopped; none: whatever the bank.
    pub bank: Option<BankCode>,
    /// For whom.
    pub cohort: Cohort,
    /// Since when.
    pub since: Time,
}

/// A stop that one person would lift; it waits for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lift {
    /// Which stop.
    pub id: SwitchId,
    /// Who would lift it.
    pub by: StaffId,
    /// Since when.
    pub at: Time,
}

/// All stops in force, what the desk has adjusted, and what of vouchers it has made by one person alone: one row.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Switches {
    /// The stops, in the order in which they were set.
    pub stops: Vec<Stop>,
    /// The adjustments in force, one of each kind at most.
    pub adjusted: Vec<Adjusted>,
    /// The ones that wait for a second person, one of each kind at most.
    pub proposed: Vec<Adjusted>,
    /// The lifts that wait for a second person, one of each stop at most.
    pub lifts: Vec<Lift>,
    /// What people of the desk have made of vouchers alone, on the last date on which one did.
    pub vouchers: Option<MadeAlone>,
}

/// The key of the one row of switches.
pub const KEY: Key = Key::new(table::SWITCHES, Id([0; 16]));

impl Switches {
    /// Refuses `function` at `bank` for a wallet of `tier` with `traits` if a stop concerns it.
    pub fn check(
        &self,
        function: Function,
        bank: Option<BankCode>,
        tier: Tier,
        traits: &Traits,
    ) -> Result<(), Refusal> {
        let stop = self.stops.iter().find(|stop| {
            stop.function.is_none_or(|stopped| stopped == function)
                && stop.bank.is_none_or(|stopped| bank == Some(stopped))
                && stop.cohort.holds(tier, traits)
        });
        match stop {
            None => Ok(()),
            Some(stop) => Err(Refusal::Stopped { function, bank: stop.bank, switch: stop.id, since: stop.since }),
        }
    }
}

/// What is asked of the switches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Stop something.
    Set {
        /// The stop's id.
        id: SwitchId,
        /// The function; none: every one.
        function: Option<Function>,
        /// The bank; none: whatever the bank.
        bank: Option<BankCode>,
        /// For whom.
        cohort: Cohort,
    },
    /// One person would let it go on.
    ProposeLift {
        /// Which stop.
        id: SwitchId,
        /// Who.
        by: StaffId,
    },
    /// Another one agrees, and it goes on.
    Lift {
        /// Which stop.
        id: SwitchId,
        /// Who agrees.
        by: StaffId,
    },
    /// Set a value of the policy; what weakens a control waits for another person.
    Adjust {
        /// The adjustment's id.
        id: SwitchId,
        /// The value.
        adjustment: Adjustment,
        /// Who says so.
        by: StaffId,
    },
    /// Agree to what another person proposed.
    Approve {
        /// Which adjustment.
        id: SwitchId,
        /// Who agrees.
        by: StaffId,
    },
}

/// What happened to the switches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// Something is stopped.
    Set(Stop),
    /// A stop is lifted.
    Lifted(SwitchId),
    /// A value of the policy is to be weaker, if another person agrees.
    Proposed(Adjusted),
    /// A value of the policy is another one.
    Adjusted(Adjusted),
    /// A stop is to be lifted, if another person agrees.
    LiftProposed(Lift),
}

impl Command {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Set { .. } => "switch.set",
            Self::ProposeLift { .. } => "switch.propose_lift",
            Self::Lift { .. } => "switch.lift",
            Self::Adjust { .. } => "switch.adjust",
            Self::Approve { .. } => "switch.approve",
        }
    }
}

pub(crate) fn decide(rows: Rows<'_>, command: &Command, moment: Moment, context: &Context) -> Decided {
    let stops = rows.switches().map_or(&[][..], |switches| switches.stops.as_slice());
    match command {
        Command::Set { id, .. } if stops.iter().any(|stop| stop.id == *id) => {
            Err(Refusal::Taken { noun: Noun::Switch, id: id.0 })
        }
        Command::Set { .. } if stops.len() >= STOPS_MAX => Err(Refusal::full(Limit::Stops, STOPS_MAX)),
        Command::Set { id, function, bank, cohort } => {
            let stop = Stop { id: *id, function: *function, bank: *bank, cohort: cohort.clone(), since: moment.now };
            Ok((vec![crate::Event::Switches(Event::Set(stop))], Receipt::Switch { id: *id }))
        }
        Command::ProposeLift { id, .. } if stops.iter().all(|stop| stop.id != *id) => {
            Err(Refusal::Unknown { noun: Noun::Switch })
        }
        // Said once more by the same person it changes nothing: a day is a day.
        Command::ProposeLift { id, by } if is_fresh(rows.switches(), *id, *by, moment, context) => {
            Ok((Vec::new(), Receipt::Switch { id: *id }))
        }
        Command::ProposeLift { id, by } => {
            let lift = Lift { id: *id, by: *by, at: moment.now };
            Ok((vec![crate::Event::Switches(Event::LiftProposed(lift))], Receipt::Switch { id: *id }))
        }
        Command::Lift { id, by } => lift(rows.switches(), *id, *by, moment, context),
        Command::Adjust { id, adjustment, by } => {
            adjustment::adjust(rows.switches(), (*id, *adjustment, *by), moment, context)
        }
        Command::Approve { id, by } => adjustment::approve(rows.switches(), *id, *by, moment, context),
    }
}

/// Refusals in order: no such stop, or nobody would lift it; the same person; out of time.
fn lift(switches: Option<&Switches>, id: SwitchId, by: StaffId, moment: Moment, context: &Context) -> Decided {
    let proposed = switches.and_then(|switches| switches.lifts.iter().find(|lift| lift.id == id));
    let proposed = proposed.ok_or(Refusal::Unknown { noun: Noun::Switch })?;
    if proposed.by == by {
        return Err(Refusal::SecondPersonNeeded);
    }
    let until = proposed.until(moment, context);
    if moment.now >= until {
        return Err(Refusal::Expired { noun: Noun::Switch, at: until });
    }
    Ok((vec![crate::Event::Switches(Event::Lifted(id))], Receipt::Switch { id }))
}

fn is_fresh(switches: Option<&Switches>, id: SwitchId, by: StaffId, moment: Moment, context: &Context) -> bool {
    let lifts = switches.map_or(&[][..], |switches| switches.lifts.as_slice());
    lifts.iter().any(|lift| lift.id == id && lift.by == by && moment.now < lift.until(moment, context))
}

impl Lift {
    /// Until when another person may agree.
    fn until(&self, moment: Moment, context: &Context) -> Time {
        self.at.plus_milliseconds(context.policies.on(moment.now.day()).review_ms)
    }
}

impl Event {
    pub(crate) fn evolve(&self, row: &mut Option<Row>) {
        let Row::Switches(switches) = row.get_or_insert_with(|| Row::Switches(Switches::default())) else {
            crate::state::wrong_row(KEY)
        };
        match self {
            Self::Set(stop) => switches.stops.push(stop.clone()),
            Self::Lifted(id) => {
                switches.stops.retain(|stop| stop.id != *id);
                switches.lifts.retain(|lift| lift.id != *id);
            }
            Self::LiftProposed(lift) => {
                switches.lifts.retain(|other| other.id != lift.id);
                switches.lifts.push(*lift);
            }
            Self::Proposed(adjusted) => {
                switches.proposed.retain(|other| !other.adjustment.is_of_kind(adjusted.adjustment));
                switches.proposed.push(*adjusted);
            }
            Self::Adjusted(adjusted) => {
                let is_other = |other: &Adjusted| !other.adjustment.is_of_kind(adjusted.adjustment);
                switches.proposed.retain(is_other);
                switches.adjusted.retain(is_other);
                switches.adjusted.push(*adjusted);
            }
        }
    }
}
