//! The figures of a drill, as a person reads them and as a program does: of one run, of several seeds, of a matrix, of an
//! ablation. Start reading at [`runs`].

use drill::fraud::ablation::Trouble;
use drill::fraud::report::{ComparedEnd, Honest, Report};
use drill::fraud::seeds::{Range, Seeds, Sums};
use drill::fraud::tactics::Outcome;
use drill::fraud::{Half, ablation, matrix};
use serde_json::Value;
use std::fmt::{self, Write as _};
use std::iter;

/// Under a table that was not brought to its end.
const PARTIAL: &str = "PARTIAL: ended before the last row";

/// The reports of one or several seeds, as text; so many were asked for.
pub fn runs(reports: &[Report], asked: u64) -> String {
    let mut text = String::new();
    for report in reports {
        run(&mut text, report).expect("a string takes what is written");
    }
    if asked > 1 {
        seeds(&mut text, &Seeds::of(reports), is_partial(reports, asked)).expect("a string takes what is written");
    }
    text.trim_end().to_owned()
}

/// Whether not all of the seeds were brought to their last day.
fn is_partial(reports: &[Report], asked: u64) -> bool {
    let whole = reports.iter().filter(|report| !report.partial).count();
    u64::try_from(whole).unwrap_or(u64::MAX) < asked
}

/// One report as it is; several with their ranges.
pub fn runs_json(reports: &[Report], asked: u64) -> String {
    if let ([report], 1) = (reports, asked) {
        return report.to_json();
    }
    let mut all = serde_json::to_value(Seeds::of(reports)).unwrap_or(Value::Null);
    if is_partial(reports, asked) {
        all["partial"] = true.into();
    }
    all["reports"] = serde_json::to_value(reports).unwrap_or(Value::Null);
    all.to_string()
}

/// The rows of an ablation, and what is taken with every control `now` and with those of the time, `then`; of one that was ended
/// before its last row the runs that have none.
pub fn ablation(rows: &[ablation::Row], presets: [(&str, Option<i64>); 2], partial: Option<&[Half]>) -> String {
    let shown = |yen: Option<i64>| yen.map_or_else(|| "not run".to_owned(), |yen| yen.to_string());
    let head = format!(
        "{:28} {:>14} {:>14}  honest people, beyond: challenged, delayed, refused",
        "yen taken", "all but it", "it alone"
    );
    let row = |row: &ablation::Row| {
        let Trouble { challenged, delayed, refused } = row.honest;
        let (all_but_it, it_alone) = (row.all_but_it, row.it_alone);
        format!("{:28} {all_but_it:>14} {it_alone:>14}  {challenged:+} {delayed:+} {refused:+}", row.control)
    };
    let mut lines: Vec<String> = iter::once(head).chain(rows.iter().map(row)).collect();
    lines.extend(presets.map(|(name, taken)| format!("{name:28} {:>14}", shown(taken))));
    lines.extend(partial.into_iter().flat_map(ended_early));
    lines.join("\n")
}

/// The rows of a matrix under `now`, each beside the same way under `then`; of one that was ended before its last row the runs that
/// have none.
pub fn matrix(rows: &[matrix::Row], [now, then]: [&str; 2], partial: Option<&[Half]>) -> String {
    let mut lines = vec![format!(
        "{now:20}{:>11}{:>11}{:>11}{:>7}{:>22}{:>13}{then:>12}  {}",
        "taken", "escaped", "returned", "links", "worst of who reacted", "told in 10s", "target"
    )];
    lines.extend(rows.iter().map(|row| {
        let met = match row.outcome {
            Outcome::Met if !row.shows_refused => "met; too few movements to show 1 in 1,000 refused".to_owned(),
            Outcome::Met => "met".to_owned(),
            Outcome::Missed => format!("MISSED: {}", row.missed.join(", ")),
            Outcome::NotShown => "not shown".to_owned(),
            Outcome::NotPromised => String::new(),
        };
        format!(
            "{:20}{:>11}{:>11}{:>11}{:>7}{:>22}{:>13}{:>12}  {} {met}{}",
            row.tactics,
            row.yen_taken,
            row.yen_escaped,
            row.yen_returned,
            row.links_granted,
            format!("{}/{} of {}", row.worst_yen_taken, row.worst_yen_escaped, row.reacting),
            format!("{}/{}", row.notices_in_time, row.notices_due),
            row.then_yen_taken,
            row.target,
            if row.then_preset == then { String::new() } else { format!(" (beside {})", row.then_preset) }
        )
    }));
    lines.extend(partial.into_iter().flat_map(ended_early));
    lines.join("\n")
}

/// What stands under a table that was ended before its last row.
fn ended_early(halves: &[Half]) -> Vec<String> {
    let half = |Half { of, side, yen_taken, yen_escaped }: &Half| {
        format!("{of}, {side} alone: {yen_taken} yen taken, {yen_escaped} escaped")
    };
    iter::once(PARTIAL.to_owned()).chain(halves.iter().map(half)).collect()
}

fn run(text: &mut String, report: &Report) -> fmt::Result {
    let Report { attacker, honest, .. } = report;
    let partial = if report.partial { ", PARTIAL: ended before its last day" } else { "" };
    writeln!(text, "{} under {}, seed {}{partial}", report.drill, report.preset, report.seed)?;
    writeln!(
        text,
        "  taken          {:>12} yen from {} accounts at {} banks",
        report.yen_taken, report.victims, report.banks_hit
    )?;
    writeln!(text, "  returned       {:>12} yen", report.yen_returned)?;
    writeln!(text, "  escaped        {:>12} yen", report.yen_escaped)?;
    writeln!(text, "  known cases    {:>12}", report.cases)?;
    if let Some(hours) = report.first_detection_hours {
        writeln!(text, "  first noticed  {hours:>12} hours after the first debit")?;
    }
    writeln!(
        text,
        "  the worst hit of {} who reacted within a day: {} yen taken, {} escaped; {} of {} notices within 10 seconds",
        report.worst.reacting,
        report.worst.yen_taken,
        report.worst.yen_escaped,
        report.notices.in_time,
        report.notices.due
    )?;
    writeln!(
        text,
        "  the attacker opened {} wallets, typed {} times, linked {} of {} accounts, asked for {} top-ups",
        attacker.wallets, attacker.tries, attacker.links_granted, attacker.links_tried, attacker.top_ups_tried
    )?;
    let a_hit = attacker.tries.checked_div(attacker.hits);
    let a_hit = a_hit
        .map_or_else(|| "no hit".to_owned(), |tries| format!("{} hits, one in {tries} of all tries", attacker.hits));
    writeln!(text, "  by guessing: {a_hit}; the accounts of the time say one in tens of thousands")?;
    for (control, count) in &attacker.refused_by {
        writeln!(text, "    stopped by {control:28} {count:>8}")?;
    }
    crowd(text, honest)?;
    compared(text, report)?;
    for end in &report.in_the_end {
        ended(text, end)?;
    }
    for earlier in &report.earlier {
        writeln!(
            text,
            "  on record from {}, in no sum here: {} case at least, of a sum that was never published",
            earlier.month, earlier.cases_min
        )?;
    }
    writeln!(text, "  {} simulated days in {:.1} seconds", report.simulated_days, report.seconds)
}

fn crowd(text: &mut String, honest: &Honest) -> fmt::Result {
    writeln!(
        text,
        "  {} honest holders wanted {} movements and got {}; challenged {}, delayed {}, refused {}",
        honest.holders, honest.movements, honest.completed, honest.challenged, honest.delayed, honest.refused
    )?;
    if !honest.shows_refused() {
        writeln!(text, "  too few movements to show whether more than 1 in 1,000 is refused")?;
    }
    writeln!(
        text,
        "  {} of them gave up on a link that was refused; {} have a bank that could not know them on line, and are in no figure",
        honest.turned_away, honest.unreachable
    )?;
    for (control, count) in &honest.delayed_by {
        writeln!(text, "    delayed by {control:28} {count:>8}")?;
    }
    for (control, count) in &honest.refused_by {
        writeln!(text, "    refused by {control:28} {count:>8}")?;
    }
    Ok(())
}

fn compared(text: &mut String, report: &Report) -> fmt::Result {
    for published in &report.published {
        let kind = if published.is_fitted { "fitted" } else { "held out" };
        writeln!(
            text,
            "  known {}: {} cases ({:+} %), {} yen ({:+} %), published {} and {}, {kind}; debited {} and {}, mistaken {} and {}",
            published.at,
            published.cases,
            published.cases_error_percent,
            published.yen,
            published.yen_error_percent,
            published.published_cases,
            published.published_yen,
            published.debited.cases,
            published.debited.yen,
            published.mistaken.cases,
            published.mistaken.yen
        )?;
    }
    Ok(())
}

fn ended(text: &mut String, end: &ComparedEnd) -> fmt::Result {
    writeln!(
        text,
        "  debited in the end, {}: {} accounts ({}), {} yen ({:+} %), published {} and {}, held out",
        of_bank(end.bank.as_deref()),
        end.cases,
        if end.are_cases_given { "given".to_owned() } else { format!("{:+} %", end.cases_error_percent) },
        end.yen,
        end.yen_error_percent,
        end.published_cases,
        end.published_yen
    )
}

fn of_bank(bank: Option<&str>) -> String {
    bank.map_or_else(|| "all banks".to_owned(), |bank| format!("bank {bank}"))
}

/// The median of each figure, and its range.
fn seeds(text: &mut String, all: &Seeds, partial: bool) -> fmt::Result {
    let shown = |range: Range| format!("{} ({}..{})", range.median, range.least, range.most);
    let both = |sums: Sums| format!("{} cases, {} yen", shown(sums.cases), shown(sums.yen));
    let of_fewer = if partial { ", PARTIAL: of fewer than were asked for" } else { "" };
    writeln!(text, "{} seeds: the median, and the least and the most{of_fewer}", all.seeds)?;
    writeln!(text, "  taken          {} yen from {} accounts", shown(all.yen_taken), shown(all.victims))?;
    writeln!(text, "  escaped        {} yen", shown(all.yen_escaped))?;
    writeln!(text, "  known cases    {}", shown(all.cases))?;
    for series in &all.series {
        let kind = if series.is_fitted { "fitted" } else { "held out" };
        writeln!(
            text,
            "  {}, published {} cases, {} yen, {kind}",
            series.at, series.published.cases, series.published.yen
        )?;
        writeln!(text, "    known        {}", both(series.known))?;
        writeln!(text, "    debited      {}", both(series.debited))?;
        writeln!(text, "    mistaken     {}", both(series.mistaken))?;
    }
    for end in &all.in_the_end {
        writeln!(
            text,
            "  in the end, {}, published {} cases, {} yen, held out",
            of_bank(end.bank.as_deref()),
            end.published.cases,
            end.published.yen
        )?;
        writeln!(text, "    debited      {}", both(end.debited))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use drill::fraud::report::Attacker;
    use drill::fraud::tactics::TACTICS;

    #[test]
    fn a_report_says_how_many_tries_a_hit_took_beside_the_word_of_the_time() {
        let check = |tries, hits, shows: &str| {
            let attacker = Attacker { tries, hits, ..Attacker::default() };
            let text = runs(&[Report { attacker, ..Report::default() }], 1);
            assert!(text.contains(shows) && text.contains("one in tens of thousands"), "{text}");
        };
        check(400, 2, "2 hits, one in 200 of all tries");
        check(400, 0, "no hit");
    }

    #[test]
    fn a_row_says_what_was_missed_and_what_a_run_does_not_show() {
        let check = |now: Report, then_yen_taken, shows: &str| {
            let then = Report { yen_taken: then_yen_taken, preset: "as-of-2020".to_owned(), ..Report::default() };
            let rows = matrix::rows(&[Some(now), Some(then)], &TACTICS[..1]);
            let text = matrix(&rows, ["hardened", "as-of-2020"], None);
            assert!(text.contains(shows), "{text}");
        };
        check(Report::default(), 1, "nothing met");
        check(Report::default(), 0, "nothing not shown");
        check(Report { yen_taken: 7, ..Report::default() }, 1, "nothing MISSED: taken");
    }

    #[test]
    fn what_was_ended_early_says_so_and_keeps_what_was_whole() {
        let (whole, cut) =
            (Report { yen_taken: 7, ..Report::default() }, Report { partial: true, ..Report::default() });
        let json: Value = serde_json::from_str(&runs_json(&[whole.clone(), cut.clone()], 3)).expect("it is JSON");
        assert_eq!(
            (&json["partial"], &json["seeds"], &json["yen_taken"]["median"]),
            (&true.into(), &1.into(), &7.into())
        );
        let json: Value = serde_json::from_str(&runs_json(&[cut], 3)).expect("it is JSON");
        assert_eq!((&json["partial"], &json["seeds"]), (&true.into(), &0.into()), "{json}");
        let json: Value = serde_json::from_str(&runs_json(&[whole.clone(), whole.clone()], 2)).expect("it is JSON");
        assert_eq!(json.get("partial"), None);
        assert!(
            runs(std::slice::from_ref(&whole), 3).contains("PARTIAL")
                && !runs(&[whole.clone(), whole], 2).contains("PARTIAL")
        );
        let half = vec![Half { of: "small", side: "now", yen_taken: 5, yen_escaped: 3 }];
        let text = matrix(&[], ["hardened", "as-of-2020"], Some(&half));
        assert!(text.contains(PARTIAL) && text.contains("small, now alone: 5 yen taken, 3 escaped"), "{text}");
    }
}
