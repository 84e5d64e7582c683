//! The report of a run: its figures, and the same as JSON with the members that programs read.

use super::scenario::{Published, moment};
use domain::{Day, Time};
use serde::Serialize;
use std::collections::BTreeMap;

/// What a run came to. Amounts are yen.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Which drill.
    pub drill: String,
    /// Under which controls.
    pub preset: String,
    /// With which tactics of the attacker.
    pub tactics: String,
    /// From which seed.
    pub seed: u64,
    /// The run was ended before its last day.
    #[serde(skip_serializing_if = "is_false")]
    pub partial: bool,
    /// Cases that were known by the end, mistaken claims among them.
    pub cases: u64,
    /// Accounts that were debited without their holder's will.
    pub victims: u64,
    /// At how many banks.
    pub banks_hit: u64,
    /// Debited without the account holder's will, and not returned by the end.
    pub yen_taken: i64,
    /// Returned to those accounts.
    pub yen_returned: i64,
    /// Spent by the attacker, out of reach.
    pub yen_escaped: i64,
    /// From the first such debit until somebody knew of one; none where nobody did.
    pub first_detection_hours: Option<i64>,
    /// What the attacker tried, and what stopped it.
    pub attacker: Attacker,
    /// Cumulative, by the day on which cases became known.
    pub tallies: Vec<Tally>,
    /// Cumulative: claims of people who were mistaken, which the tallies hold too.
    pub mistaken: Vec<Tally>,
    /// What was published at the time, beside what is known here at the same moment.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub published: Vec<Compared>,
    /// By day, what was debited without the holder's will.
    pub debits: Vec<Tally>,
    /// By bank, the same in all.
    pub banks: BTreeMap<String, Sum>,
    /// What it was like for everybody else.
    pub honest: Honest,
    /// Days from the first of the report to the last.
    pub simulated_days: i64,
    /// Movements of money that were asked for.
    pub movements: u64,
    /// Seconds of the machine's time.
    pub seconds: f64,
}

/// What the attacker did.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Attacker {
    /// Credentials typed into a bank's form.
    pub tries: u64,
    /// Tries that met the right credentials by guessing.
    pub hits: u64,
    /// Wallets opened.
    pub wallets: u64,
    /// Accounts that were to be linked.
    pub links_tried: u64,
    /// Accounts that were.
    pub links_granted: u64,
    /// Top-ups asked for.
    pub top_ups_tried: u64,
    /// Steps that a control stopped, by its name.
    pub refused_by: BTreeMap<&'static str, u64>,
}

/// How many cases and how many yen on a day, or up to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// The day in Tokyo.
    pub date: String,
    /// How many.
    pub cases: u64,
    /// How many yen.
    pub yen: i64,
}

/// A published sum, and the same of this run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// The moment in Tokyo.
    pub at: String,
    /// Cases then.
    pub published_cases: u64,
    /// Cases here.
    pub cases: u64,
    /// Yen then.
    pub published_yen: i64,
    /// Yen here.
    pub yen: i64,
    /// The free numbers were fitted to it; the others are held out.
    pub is_fitted: bool,
}

/// A number of accounts and a sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sum {
    /// How many.
    pub cases: u64,
    /// How many yen.
    pub yen: i64,
}

/// What it was like for honest people.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Honest {
    /// How many they are.
    pub holders: u64,
    /// Movements that they wanted.
    pub movements: u64,
    /// Movements that they got.
    pub completed: u64,
    /// Proofs that belong to what they did: logins, codes, second looks.
    pub authentications: u64,
    /// Movements for which they were asked for more than that.
    pub challenged: u64,
    /// Movements that had to wait.
    pub delayed: u64,
    /// What they were refused.
    pub refused: u64,
    /// The same, by control.
    pub refused_by: BTreeMap<&'static str, u64>,
}

impl Report {
    /// As one JSON object.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Sums of days as tallies, each day with what came before it where `is_cumulative`.
pub fn tallies(days: &BTreeMap<Day, Sum>, is_cumulative: bool) -> Vec<Tally> {
    let mut total = Sum::default();
    let each = days.iter().map(|(day, sum)| {
        total = Sum { cases: total.cases + sum.cases, yen: total.yen + sum.yen };
        let shown = if is_cumulative { total } else { *sum };
        Tally { date: day.to_string(), cases: shown.cases, yen: shown.yen }
    });
    each.collect()
}

/// What was published, beside the cases that were known here at the same moment: each with its time and its yen.
pub fn compare(published: &[Published], known: &[(Time, i64)]) -> Vec<Compared> {
    let beside = |published: &Published| {
        let at = moment(published.at);
        let here = || known.iter().filter(|(known_at, _)| *known_at <= at);
        Compared {
            at: published.at.to_owned(),
            published_cases: published.cases,
            cases: here().map(|_| 1).sum(),
            published_yen: published.yen,
            yen: here().map(|(_, yen)| yen).sum(),
            is_fitted: published.is_fitted,
        }
    };
    published.iter().map(beside).collect()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}
