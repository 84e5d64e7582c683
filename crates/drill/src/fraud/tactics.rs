//! Tactics: how the attacker goes about it. Whoever is tuned against one script alone is shown another. Start reading at
//! [`TACTICS`].

use super::report::Report;

/// By which door the attacker comes to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A wallet of their own, in the name of the account's holder.
    OwnWallet,
    /// The wallet of somebody who was recruited, with that person's own name, document and telephone.
    RecruitsWallet,
    /// The address of a link that was begun is sent to the victim, who shows the bank who they are.
    SentLink,
    /// The victim's own wallet, whose password was phished.
    TakenOver,
}

/// By which way money leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Shops where goods are bought that are resold.
    Resellers,
    /// A shop whose staff help: they scan whatever they are shown.
    Insiders,
    /// Wallets of people who were recruited, one after the other, and shops behind the last one.
    Mules,
    /// The same wallets, and behind the last one its holder's own bank account.
    Payouts,
}

/// What the default controls are to reach against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Nothing is taken.
    Nothing,
    /// The attacker has the victim's card, telephone or face: little of those who react within a day.
    Bounded,
    /// Several of these together: it is reported, and nothing is promised.
    Reported,
}

/// Yen that may be taken from a victim who reacts within a day, where a target is bounded.
pub const TAKEN_YEN_MAX: i64 = 30_000;
/// Yen of them that may get out of reach.
pub const ESCAPED_YEN_MAX: i64 = 10_000;

/// What became of a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was kept.
    Met,
    /// It was not.
    Missed,
    /// The run shows neither: the attacker reached nobody, or takes nothing either where nothing is in the way.
    NotShown,
    /// Nothing is promised.
    NotPromised,
}

/// What an attacker does, and has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tactics {
    /// What it is called on the command line.
    pub name: &'static str,
    /// By which door.
    pub entry: Entry,
    /// By which way out.
    pub exit: Exit,
    /// Minutes between two links of a guesser, at least and at most.
    pub guess_minutes: (i64, i64),
    /// The amount that is tried first, in yen.
    pub top_up_yen: i64,
    /// Hours between a link and the first top-up.
    pub sleeps_hours: i64,
    /// Of a hundred victims, so many faces and documents are copied well enough for the identity vendor.
    pub faces_percent: u64,
    /// Telephone numbers are bought, one a wallet.
    pub has_phones: bool,
    /// The victim tells what the bank or the wallet sends or shows them, in real time.
    pub relays: bool,
    /// The victim is talked into whatever else they could do: to confirm the link by their card, to read out an address.
    pub coaches: bool,
    /// Minutes until a victim who reacts at all does so, on average.
    pub react_minutes: u32,
    /// What is to be reached against it.
    pub target: Target,
}

/// Every way. The first one is that of September 2020.
pub const TACTICS: &[Tactics] = &[
    BURST,
    Tactics { name: "slow", guess_minutes: HOURLY, ..BURST },
    Tactics { name: "small", top_up_yen: SMALL_YEN, ..BURST },
    Tactics { name: "sleeper", sleeps_hours: 30 * 24, ..BURST },
    Tactics { name: "copied-faces", faces_percent: 20, target: Target::Bounded, ..BURST },
    Tactics { name: "bought-phones", has_phones: true, ..BURST },
    Tactics { name: "faces-and-phones", faces_percent: 20, has_phones: true, target: Target::Reported, ..BURST },
    Tactics { name: "relayed-codes", relays: true, target: Target::Bounded, ..BURST },
    Tactics { name: "insiders", exit: Exit::Insiders, ..BURST },
    Tactics { name: "mules", exit: Exit::Mules, ..BURST },
    Tactics { name: "payouts", exit: Exit::Payouts, ..BURST },
    RECRUITS,
    Tactics { name: "recruits-relayed", relays: true, target: Target::Reported, ..RECRUITS },
    Tactics { name: "sent-link", entry: Entry::SentLink, target: Target::Bounded, ..BURST },
    Tactics { name: "sent-link-coached", entry: Entry::SentLink, ..COACHED },
    TAKEN_OVER,
    Tactics { name: "taken-over-relayed", relays: true, target: Target::Reported, ..TAKEN_OVER },
    Tactics { name: "taken-over-coached", entry: Entry::TakenOver, target: Target::Reported, ..COACHED },
    COACHED,
    Tactics { name: "coached-small", top_up_yen: SMALL_YEN, ..COACHED },
    Tactics { name: "coached-patient", sleeps_hours: 25, top_up_yen: UNHELD_YEN, ..COACHED },
    Tactics { name: "coached-week", sleeps_hours: 7 * 24 + 1, ..COACHED },
    Tactics { name: "coached-sleeper", sleeps_hours: 30 * 24, target: Target::Reported, ..COACHED },
    Tactics { name: "coached-insiders", exit: Exit::Insiders, target: Target::Reported, ..COACHED },
    Tactics { name: "coached-mules", exit: Exit::Mules, target: Target::Reported, ..COACHED },
    Tactics { name: "coached-payouts", exit: Exit::Payouts, target: Target::Reported, ..COACHED },
];

/// Minutes between two links of whoever has patience.
pub const HOURLY: (i64, i64) = (60, 90);
/// An amount below what many a rule begins at.
pub const SMALL_YEN: i64 = 9_900;
/// What a new wallet may be filled with on a day before somebody looks at it, as it is published.
pub const UNHELD_YEN: i64 = 99_000;

const BURST: Tactics = Tactics {
    name: "burst",
    entry: Entry::OwnWallet,
    exit: Exit::Resellers,
    guess_minutes: (1, 6),
    top_up_yen: 100_000,
    sleeps_hours: 0,
    faces_percent: 0,
    has_phones: false,
    relays: false,
    coaches: false,
    react_minutes: 90,
    target: Target::Nothing,
};

const RECRUITS: Tactics = Tactics { name: "recruits", entry: Entry::RecruitsWallet, has_phones: true, ..BURST };

const TAKEN_OVER: Tactics = Tactics { name: "taken-over", entry: Entry::TakenOver, target: Target::Bounded, ..BURST };

/// Somebody who is told on the telephone what to do believes it for hours.
const COACHED: Tactics = Tactics {
    name: "coached-victims",
    faces_percent: 100,
    has_phones: true,
    relays: true,
    coaches: true,
    react_minutes: 360,
    target: Target::Bounded,
    ..BURST
};

/// The tactics called `name`, if there are some.
pub fn find(name: &str) -> Option<&'static Tactics> {
    TACTICS.iter().find(|tactics| tactics.name == name)
}

impl Tactics {
    /// What of the promise `report` does not keep, by name; nothing is promised of what is only reported.
    pub fn missed(&self, report: &Report) -> Vec<&'static str> {
        let worst = report.worst;
        let (taken, escaped) = match self.target {
            Target::Nothing => (report.yen_taken > 0, report.yen_escaped > 0),
            Target::Bounded => (worst.yen_taken > TAKEN_YEN_MAX, worst.yen_escaped > ESCAPED_YEN_MAX),
            Target::Reported => return Vec::new(),
        };
        let attack = [("taken", taken), ("escaped", escaped), ("notices", report.notices.in_time < report.notices.due)];
        attack
            .into_iter()
            .filter_map(|(name, is_missed)| is_missed.then_some(name))
            .chain(report.honest.missed())
            .collect()
    }

    /// What becomes of the promise in `report`; `then` is the same way under the controls of the time, where it was run.
    pub fn outcome(&self, report: &Report, then: Option<&Report>) -> Outcome {
        let reached_nobody = match self.target {
            Target::Nothing => false,
            Target::Bounded => report.worst.reacting == 0,
            Target::Reported => return Outcome::NotPromised,
        };
        if !self.missed(report).is_empty() {
            Outcome::Missed
        } else if reached_nobody || then.is_some_and(|then| then.yen_taken == 0) {
            Outcome::NotShown
        } else {
            Outcome::Met
        }
    }
}
