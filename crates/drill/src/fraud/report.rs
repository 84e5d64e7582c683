//! The report of a run: its figures, and the same as JSON with the members that programs read.

use super::scenario::{Earlier, InTheEnd, Published, moment};
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
    /// The worst that happened to a victim who was told and reacted within a day.
    pub worst: Worst,
    /// What account holders were to be told of these attempts.
    pub notices: Notices,
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
    /// What was published when it was over, beside what was debited here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub in_the_end: Vec<ComparedEnd>,
    /// Cases that are on record from before the first day, and are in no sum here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Recorded>,
    /// By day, what was debited without the holder's will.
    pub debits: Vec<Tally>,
    /// By bank, the same in all.
    pub banks: BTreeMap<String, Sum>,
    /// What it was like for everybody else.
    pub honest: Honest,
    /// Days from the first of the report to the last.
    pub simulated_days: i64,
    /// What was asked for: what honest people wished, their links among it, and each top-up, payment, send and payout that the
    /// attacker tried.
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
    /// Payments, sends and payouts asked for.
    pub exits_tried: u64,
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
    /// How far the cases here are from those, in per cent: negative where there are fewer.
    pub cases_error_percent: i64,
    /// The same of the yen.
    pub yen_error_percent: i64,
    /// The free numbers were fitted to it; the others are held out.
    pub is_fitted: bool,
    /// What had been debited without the holder's will by then, known or not.
    pub debited: Sum,
    /// Claims of people who were mistaken, which what is known holds too.
    pub mistaken: Sum,
}

/// What was published in the end of one bank or of all, and the same of this run: what was debited, and no mistaken claim.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ComparedEnd {
    /// The bank's code; none for all banks.
    pub bank: Option<String>,
    /// Cases then.
    pub published_cases: u64,
    /// Accounts here.
    pub cases: u64,
    /// Yen then.
    pub published_yen: i64,
    /// Yen here.
    pub yen: i64,
    /// That number was put in: what comes out of it shows nothing.
    pub are_cases_given: bool,
    /// How far the accounts here are from those cases, in per cent: negative where there are fewer.
    pub cases_error_percent: i64,
    /// The same of the yen.
    pub yen_error_percent: i64,
}

/// Cases on record from before a drill's first day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Recorded {
    /// In which month.
    pub month: String,
    /// How many at least.
    pub cases_min: u64,
}

/// Of those who were told, and reacted within a day: the worst that happened to any of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Worst {
    /// How many there are.
    pub reacting: u64,
    /// Yen that were debited from the worst hit and did not come back.
    pub yen_taken: i64,
    /// Yen that got out of reach from the worst hit.
    pub yen_escaped: i64,
}

/// Notices: one for each contact of somebody whose bank, or wallet, saw an attempt with something right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Notices {
    /// How many were due.
    pub due: u64,
    /// How many had come ten seconds later.
    pub in_time: u64,
}

/// A number of accounts and a sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sum {
    /// How many.
    pub cases: u64,
    /// How many yen.
    pub yen: i64,
}

/// What it was like for honest people. A movement is counted once, when it is wanted, a link as one of them; what became of it is
/// as the wallet has it in the end.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Honest {
    /// How many they are.
    pub holders: u64,
    /// Those of them whose bank has no contact by which it could let them link on line; they are in no other figure.
    pub unreachable: u64,
    /// Those who were refused a link until they gave up.
    pub turned_away: u64,
    /// Movements that they wanted.
    pub movements: u64,
    /// Movements that they got, at once or later, and wholly.
    pub completed: u64,
    /// Proofs that belong to what they did: logins, codes, second looks.
    pub authentications: u64,
    /// Movements for which they were asked for more than that.
    pub challenged: u64,
    /// Movements that had to wait, or of which they got a part.
    pub delayed: u64,
    /// The same, by control.
    pub delayed_by: BTreeMap<&'static str, u64>,
    /// Movements that they did not get.
    pub refused: u64,
    /// The same, by control.
    pub refused_by: BTreeMap<&'static str, u64>,
}

/// Of a hundred movements that honest people want, so many are got at least.
const COMPLETED_PERCENT_MIN: u64 = 99;
/// Of a hundred, so many are asked for more than usual at most.
const CHALLENGED_PERCENT_MAX: u64 = 1;
/// Of a thousand, so many are refused at most.
const REFUSED_PER_MILLE_MAX: u64 = 1;
/// Movements from which on that can be told: of fewer a single one is more than that.
const REFUSED_SHOWN_MIN: u64 = 1_000;

impl Honest {
    /// What of the bounds on their trouble is not kept, by name.
    pub fn missed(&self) -> impl Iterator<Item = &'static str> {
        let all = self.movements;
        let parts = [
            ("completed", self.completed * 100 < all * COMPLETED_PERCENT_MIN),
            ("challenged", self.challenged * 100 > all * CHALLENGED_PERCENT_MAX),
            ("refused", self.shows_refused() && self.refused * 1_000 > all * REFUSED_PER_MILLE_MAX),
        ];
        parts.into_iter().filter_map(|(name, is_missed)| is_missed.then_some(name))
    }

    /// Whether there were enough movements to say of a thousand how many are refused.
    pub const fn shows_refused(&self) -> bool {
        self.movements >= REFUSED_SHOWN_MIN
    }
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

/// What happened in a run, each with its moment and its yen.
#[derive(Clone, Copy, Debug)]
pub struct Moments<'a> {
    /// Cases that became known, mistaken ones among them.
    pub known: &'a [(Time, i64)],
    /// Those of people who were mistaken.
    pub mistaken: &'a [(Time, i64)],
    /// Debits; and whether it was the account's first one.
    pub debited: &'a [(Time, i64, bool)],
}

/// What was published, beside what was known here at the same moment.
pub fn compare(published: &[Published], moments: Moments<'_>) -> Vec<Compared> {
    let beside = |published: &Published| {
        let at = moment(published.at);
        let until = |cases: &[(Time, i64)]| {
            let here = || cases.iter().filter(|(case_at, _)| *case_at <= at);
            Sum { cases: here().map(|_| 1).sum(), yen: here().map(|(_, yen)| yen).sum() }
        };
        let here = until(moments.known);
        let debits = || moments.debited.iter().filter(|(debited_at, ..)| *debited_at <= at);
        Compared {
            at: published.at.to_owned(),
            published_cases: published.cases,
            cases: here.cases,
            published_yen: published.yen,
            yen: here.yen,
            cases_error_percent: error_percent(count(here.cases), count(published.cases)),
            yen_error_percent: error_percent(here.yen, published.yen),
            is_fitted: published.is_fitted,
            debited: Sum {
                cases: debits().map(|(_, _, is_first)| u64::from(*is_first)).sum(),
                yen: debits().map(|(_, yen, _)| yen).sum(),
            },
            mistaken: until(moments.mistaken),
        }
    };
    published.iter().map(beside).collect()
}

/// What was published in the end, beside what was debited here in all: by bank, and of all.
pub fn compare_end(published: &[InTheEnd], banks: &BTreeMap<String, Sum>) -> Vec<ComparedEnd> {
    let beside = |published: &InTheEnd| {
        let here = || banks.iter().filter(|(bank, _)| published.bank.is_none_or(|code| code == bank.as_str()));
        let (cases, yen) = (here().map(|(_, sum)| sum.cases).sum(), here().map(|(_, sum)| sum.yen).sum());
        ComparedEnd {
            bank: published.bank.map(str::to_owned),
            are_cases_given: published.are_cases_given,
            published_cases: published.cases,
            cases,
            published_yen: published.yen,
            yen,
            cases_error_percent: error_percent(count(cases), count(published.cases)),
            yen_error_percent: error_percent(yen, published.yen),
        }
    };
    published.iter().map(beside).collect()
}

/// What is on record from before.
pub fn recorded(earlier: &[Earlier]) -> Vec<Recorded> {
    let told = |earlier: &Earlier| Recorded { month: earlier.month.to_owned(), cases_min: earlier.cases_min };
    earlier.iter().map(told).collect()
}

/// How far `here` is from `published`, in whole per cent towards zero.
const fn error_percent(here: i64, published: i64) -> i64 {
    if published == 0 { 0 } else { (here - published) * 100 / published }
}

fn count(cases: u64) -> i64 {
    i64::try_from(cases).unwrap_or(i64::MAX)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_known_at_a_moment_stands_beside_what_was_published_and_says_how_far_it_is_off() {
        let at = |text| moment(text);
        let published = [Published { at: "2020-09-10T12:00", cases: 2, yen: 1_000, is_fitted: true }];
        let before = [(at("2020-09-09"), 300), (at("2020-09-10T12:00"), 450), (at("2020-09-10T12:01"), 9)];
        let moments = Moments {
            known: &before,
            mistaken: &before[..1],
            debited: &[(at("2020-09-01"), 500, true), (at("2020-09-02"), 500, false), (at("2020-09-11"), 500, true)],
        };
        let [beside] = compare(&published, moments).try_into().expect("one moment");
        assert_eq!((beside.cases, beside.yen), (2, 750), "what came a minute later is not in it");
        assert_eq!((beside.cases_error_percent, beside.yen_error_percent), (0, -25));
        assert_eq!(beside.debited, Sum { cases: 1, yen: 1_000 });
        assert_eq!(beside.mistaken, Sum { cases: 1, yen: 300 });
    }

    #[test]
    fn the_report_has_the_members_that_programs_read() {
        let tally = || Tally { date: "2020-09-01".to_owned(), cases: 1, yen: 2 };
        let report = Report { tallies: vec![tally()], debits: vec![tally()], ..Report::default() };
        let json: serde_json::Value = serde_json::from_str(&report.to_json()).expect("it is JSON");
        let has = |at: &str, names: &[&str]| {
            let object = json.pointer(at).and_then(serde_json::Value::as_object).expect("it is there");
            for name in names {
                assert!(object.contains_key(*name), "{at}/{name} of {json}");
            }
        };
        has(
            "",
            &[
                "drill",
                "preset",
                "seed",
                "cases",
                "victims",
                "banks_hit",
                "yen_taken",
                "yen_returned",
                "yen_escaped",
                "first_detection_hours",
                "attacker",
                "tallies",
                "debits",
                "honest",
                "simulated_days",
                "movements",
                "seconds",
            ],
        );
        has("/attacker", &["tries", "wallets", "links_tried", "links_granted", "top_ups_tried", "refused_by"]);
        has("/honest", &["holders", "movements", "completed", "authentications", "challenged", "delayed", "refused"]);
        for day in ["/tallies/0", "/debits/0"] {
            has(day, &["date", "cases", "yen"]);
        }
    }

    #[test]
    fn in_the_end_a_bank_is_compared_by_itself_and_all_banks_together() {
        let banks = [("0125", Sum { cases: 1, yen: 50 }), ("9900", Sum { cases: 3, yen: 100 })];
        let banks = banks.map(|(bank, sum)| (bank.to_owned(), sum)).into();
        let published = [(Some("9900"), 2, 200), (None, 4, 100)].map(|(bank, cases, yen)| InTheEnd {
            bank,
            cases,
            are_cases_given: false,
            yen,
        });
        let ends = compare_end(&published, &banks);
        let errors: Vec<_> = ends.iter().map(|end| (end.cases_error_percent, end.yen_error_percent)).collect();
        assert_eq!(errors, [(50, -50), (0, 50)]);
        assert_eq!((ends[0].cases, ends[1].yen), (3, 150));
    }
}
