//! Proposals: what takes two people of one desk. Whatever makes a stop, a set of factors, the comparison of two names or the caps
//! of a link weaker, leaves an account's holder untold or a day's paper unread, stands in its bank's row by one person's word, until another person of that desk says the same within a day.
//!
//! It is the command itself that both give: the first is answered that it is proposed, the second carries it out. Nothing is
//! proposed that would be refused or change nothing. What makes something stronger is no matter of this room.
//! Start reading at [`asked`]: what takes two.

use super::bank::{self, Bank};
use super::factor::{Factor, Factors};
use super::finding::About;
use super::ids::{BankCode, MandateId, NoticeId, StaffId};
use super::operator::PROPOSAL_MS;
use super::refusal::{Noun, Refusal};
use super::state::{Decided, Rows};
use super::{Command, Event, Receipt, comparison, mandate, notice};
use domain::{Day, Time};
use serde::{Deserialize, Serialize};

/// Proposals of one desk that wait at one bank, at most.
pub const PROPOSALS_MAX: usize = 64;
/// Those of one person, at most: nobody takes the room of the others.
pub const PROPOSALS_OF_ONE_MAX: usize = 16;

/// What takes two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wish {
    /// A function goes on.
    Lift {
        /// Which.
        function: bank::Function,
        /// Which side lets it.
        side: bank::Side,
    },
    /// Sets of factors that may be weaker than those in force.
    Factors {
        /// The sets.
        sets: Vec<Factors>,
    },
    /// Two names that are nearly the same are one person's.
    Accept {
        /// Of which mandate.
        mandate: MandateId,
    },
    /// The account's true holder confirmed a mandate, as somebody of the bank's desk says.
    Confirm {
        /// Which.
        mandate: MandateId,
        /// By which channel.
        channel: Factor,
    },
    /// An account's true holder is not told of what they are owed.
    Untold {
        /// Of which notice.
        notice: NoticeId,
    },
    /// A day's paper is waited for no longer: nobody sees what it says that the bank moved.
    GiveUp {
        /// What the paper is about.
        about: About,
        /// Of which day.
        day: Day,
    },
}

impl Wish {
    /// Whose desk may want it.
    pub const fn side(&self) -> bank::Side {
        match self {
            Self::Lift { side, .. } => *side,
            Self::Factors { .. } | Self::Accept { .. } | Self::Confirm { .. } => bank::Side::Bank,
            Self::Untold { .. } | Self::GiveUp { .. } => bank::Side::Gateway,
        }
    }
}

/// What one person said, and no other yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// What is to be.
    pub wish: Wish,
    /// Who said so.
    pub by: StaffId,
    /// When.
    pub at: Time,
}

impl Proposal {
    /// Until when a second person may say the same.
    pub const fn until(&self) -> Time {
        self.at.plus_milliseconds(PROPOSAL_MS)
    }
}

/// What a command comes to that takes two.
pub(crate) struct Asked {
    bank: BankCode,
    wish: Wish,
    by: StaffId,
}

/// What `command` asks for, and who, where it takes two; none where one person may do it alone.
pub(crate) fn asked(rows: Rows<'_>, command: &Command) -> Option<Asked> {
    match command {
        Command::Bank(command) => of_bank(rows, command),
        Command::Mandate(command) => of_mandate(rows, command),
        Command::Notice(notice::Command::GiveUp { notice, by, .. }) => {
            rows.notice(*notice).map(|row| Asked { bank: row.bank, wish: Wish::Untold { notice: *notice }, by: *by })
        }
        Command::Notice(notice::Command::Owe { .. } | notice::Command::Tell { .. }) => None,
        Command::Operator(_) | Command::Account(_) | Command::Movement(_) => None,
        Command::Comparison(paper, comparison::Command::GiveUp { bank, day, by, .. }) => {
            let (about, day) = (paper.about(), *day);
            Some(Asked { bank: *bank, wish: Wish::GiveUp { about, day }, by: *by })
        }
        Command::Comparison(
            _,
            comparison::Command::Begin { .. }
            | comparison::Command::Compare { .. }
            | comparison::Command::PutAside { .. },
        ) => None,
        Command::Finding(_) | Command::Expiry(_) => None,
    }
}

fn of_bank(rows: Rows<'_>, command: &bank::Command) -> Option<Asked> {
    match command {
        bank::Command::Switch { bank, function, stop: false, side, by: Some(by), .. } => {
            Some(Asked { bank: *bank, wish: Wish::Lift { function: *function, side: *side }, by: *by })
        }
        bank::Command::SetFactors { bank, sets, own, by } => {
            let before = rows.bank(*bank).map(|row| row.factor_sets.as_slice()).unwrap_or_default();
            is_weaker(before, sets, own).then(|| Asked {
                bank: *bank,
                wish: Wish::Factors { sets: sets.clone() },
                by: *by,
            })
        }
        bank::Command::Switch { .. } | bank::Command::SetCalendar { .. } | bank::Command::Report(_) => None,
    }
}

fn of_mandate(rows: Rows<'_>, command: &mandate::Command) -> Option<Asked> {
    let of = |mandate: MandateId, wish, by| rows.mandate(mandate).map(|row| Asked { bank: row.bank, wish, by });
    match command {
        mandate::Command::Decide { mandate, accept: true, by, .. } => {
            of(*mandate, Wish::Accept { mandate: *mandate }, *by)
        }
        mandate::Command::Confirm { mandate, channel, by: Some(by) } => {
            of(*mandate, Wish::Confirm { mandate: *mandate, channel: *channel }, *by)
        }
        mandate::Command::Decide { .. } | mandate::Command::Confirm { .. } | mandate::Command::Request(_) => None,
        mandate::Command::Authenticate { .. } | mandate::Command::Grant { .. } | mandate::Command::Collect { .. } => {
            None
        }
        mandate::Command::Refuse { .. } | mandate::Command::Abandon { .. } => None,
        mandate::Command::Expire { .. } | mandate::Command::Revoke { .. } | mandate::Command::TakeLetter { .. } => None,
    }
}

/// Whether one of `after` neither asks for all that one of `before` asks for, nor for something that is worth more. No set of the
/// desk's means what the bank says itself, `own`; where that is unknown too, whatever is set may be weaker.
fn is_weaker(before: &[Factors], after: &[Factors], own: &[Factors]) -> bool {
    let in_force = |sets: &[Factors]| if sets.is_empty() { own.to_vec() } else { sets.to_vec() };
    let before = in_force(before);
    if in_force(after).is_empty() {
        return true;
    }
    let is_no_weaker = |set: &Factors, known: &Factors| set.covers(*known) || set.strength() > known.strength();
    in_force(after).iter().any(|set| !before.iter().any(|known| is_no_weaker(set, known)))
}

/// Decides what takes two: `alone` is what the command comes to where one person may do it. Refusals in order: the command's
/// own, as many proposals of that person as may wait, no room for one more. What would change nothing needs nobody.
pub(crate) fn decide(rows: Rows<'_>, asked: Asked, alone: Decided, at: Time) -> Decided {
    let (events, receipt) = alone?;
    if events.is_empty() {
        return Ok((events, receipt));
    }
    let Asked { bank, wish, by } = asked;
    let since = at.plus_milliseconds(PROPOSAL_MS.saturating_neg());
    let waiting = rows.bank(bank).map(|row| row.proposals.as_slice()).unwrap_or_default();
    let fresh = waiting.iter().filter(|proposal| proposal.at > since && proposal.wish.side() == wish.side());
    match fresh.clone().find(|proposal| proposal.wish == wish) {
        Some(proposal) if proposal.by == by => Ok((Vec::new(), Receipt::Proposed { until: proposal.until() })),
        Some(proposal) => {
            let proposed_by = proposal.by;
            let agreed = bank::Event::Agreed { bank, wish, proposed_by, by, at };
            Ok(([Event::Bank(agreed)].into_iter().chain(events).collect(), receipt))
        }
        None => {
            let own = fresh.clone().filter(|proposal| proposal.by == by).count();
            if own >= PROPOSALS_OF_ONE_MAX {
                let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
                let (open, max) = (count(own), count(PROPOSALS_OF_ONE_MAX));
                return Err(Refusal::TooManyOpen { noun: Noun::Bank, open, max });
            }
            if fresh.count() >= PROPOSALS_MAX {
                return Err(Refusal::Full { noun: Noun::Bank });
            }
            let proposal = Proposal { wish, by, at };
            let until = proposal.until();
            Ok((vec![Event::Bank(bank::Event::Proposed { bank, proposal, since })], Receipt::Proposed { until }))
        }
    }
}

impl Bank {
    /// What one person wants and no other has agreed to yet, at `now`.
    pub fn proposed(&self, now: Time) -> impl Iterator<Item = &Proposal> {
        self.proposals.iter().filter(move |proposal| now < proposal.until())
    }

    /// Adds what one person said; what was said no later than `since` is over.
    pub(crate) fn propose(&mut self, proposal: &Proposal, since: Time) {
        self.proposals.retain(|waiting| waiting.at > since);
        self.proposals.push(proposal.clone());
    }

    /// Nothing of that kind waits any more.
    pub(crate) fn settle(&mut self, is_settled: impl Fn(&Wish) -> bool) {
        self.proposals.retain(|waiting| !is_settled(&waiting.wish));
    }
}
