//! One set of controls against every way of the attacker, and beside each the same way under the controls of the time. Start
//! reading at [`runs`].

use super::many::Half;
use super::presets::Preset;
use super::tactics::{Entry, Outcome, Tactics, Target};
use super::{Options, Report};

/// Honest people beside an attacker under the controls of the time: they are there to be robbed, and are no figure of the table.
const THEN_HONEST_MAX: u32 = 20;

/// One way of the attacker. Amounts are yen.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Row {
    /// The way.
    pub tactics: &'static str,
    /// What was debited and did not come back.
    pub yen_taken: i64,
    /// What got out of reach.
    pub yen_escaped: i64,
    /// What came back.
    pub yen_returned: i64,
    /// Accounts that were linked, or wallets that were entered.
    pub links_granted: u64,
    /// What was taken from the worst hit victim who reacted within a day.
    pub worst_yen_taken: i64,
    /// What got out of reach from one of them.
    pub worst_yen_escaped: i64,
    /// Notices that were due.
    pub notices_due: u64,
    /// Notices that came within ten seconds.
    pub notices_in_time: u64,
    /// What is promised: `nothing`, `bounded`, `reported`.
    pub target: &'static str,
    /// Victims who were told and reacted within a day.
    pub reacting: u64,
    /// What became of the promise.
    pub outcome: Outcome,
    /// What of it was missed, by name.
    pub missed: Vec<&'static str>,
    /// Whether honest people wanted enough to say of a thousand movements how many are refused.
    pub shows_refused: bool,
    /// What the same way took under the controls of the time, or under those of `then_preset`.
    pub then_yen_taken: i64,
    /// Under which controls that was.
    pub then_preset: String,
}

/// The runs of a matrix: two for each of `ways`, under the controls of `options` and under those of `then`. Whoever links to the
/// wallet of another person got nothing where the names were compared: beside those ways `open` stands, which takes any name.
pub fn runs(options: &Options, [then, open]: [&Preset; 2], ways: &[Tactics]) -> Vec<Options> {
    let beside = |tactics: &Tactics| {
        let is_of_another = tactics.entry == Entry::RecruitsWallet;
        if is_of_another && then.wallet.mandate.requires_name { open } else { then }
    };
    let both = ways.iter().flat_map(|tactics| {
        let now = Options { tactics: *tactics, ..options.clone() };
        let honest = options.honest.min(THEN_HONEST_MAX);
        [now.clone(), Options { preset: beside(tactics).clone(), honest, ..now }]
    });
    both.collect()
}

/// The rows, from the reports of those runs; without those that were not brought to their end.
pub fn rows(reports: &[Option<Report>], ways: &[Tactics]) -> Vec<Row> {
    let pairs = ways.iter().zip(reports.chunks(2));
    let row = |(tactics, pair): (&Tactics, &[Option<Report>])| {
        let [Some(now), Some(then)] = pair else { return None };
        Some(Row {
            tactics: tactics.name,
            yen_taken: now.yen_taken,
            yen_escaped: now.yen_escaped,
            yen_returned: now.yen_returned,
            links_granted: now.attacker.links_granted,
            worst_yen_taken: now.worst.yen_taken,
            worst_yen_escaped: now.worst.yen_escaped,
            notices_due: now.notices.due,
            notices_in_time: now.notices.in_time,
            target: target_name(tactics.target),
            reacting: now.worst.reacting,
            outcome: tactics.outcome(now, Some(then)),
            missed: tactics.missed(now),
            shows_refused: now.honest.shows_refused(),
            then_yen_taken: then.yen_taken,
            then_preset: then.preset.clone(),
        })
    };
    pairs.filter_map(row).collect()
}

/// What was brought to its end, and has no row because the run beside it was not.
pub fn halves(reports: &[Option<Report>], ways: &[Tactics]) -> Vec<Half> {
    let names: Vec<&'static str> = ways.iter().map(|tactics| tactics.name).collect();
    Half::of(&names, ["now", "then"], reports)
}

const fn target_name(target: Target) -> &'static str {
    match target {
        Target::Nothing => "nothing",
        Target::Bounded => "bounded",
        Target::Reported => "reported",
    }
}
