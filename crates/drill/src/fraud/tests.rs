//! Small runs of the whole stack: a handful of accounts at one bank, over the end of a month.

use super::report::{Honest, Notices, Worst};
use super::scenario::{self, Method, Scenario};
use super::tactics::{self, Entry, Outcome, TACTICS, Tactics, Target};
use super::{Half, Options, Report, ablation, matrix, page, presets, report, run, run_many};
use wallet::Policy as WalletPolicy;

fn small() -> &'static Scenario {
    scenario::find("small").expect("it is there")
}

fn play(preset: &str, seed: u64) -> Report {
    let preset = presets::find(preset).expect("it is there");
    let options = Options { scenario: small(), preset, method: Method::Phish, tactics: TACTICS[0], seed, honest: 30 };
    run(&options, &|_, _, _| true).expect("it runs")
}

#[test]
fn under_the_default_controls_nothing_is_taken_and_the_same_seed_repeats() {
    let first = play("hardened", 1);
    assert_eq!((first.yen_taken, first.attacker.links_granted), (0, 0), "{}", first.to_json());
    assert!(first.attacker.wallets > 0, "somebody tried");
    let honest = &first.honest;
    assert!(honest.completed > 0 && honest.movements <= honest.completed + honest.delayed + honest.refused);
    // Who is told what a new link may bring takes it, and comes back for the rest.
    assert!(honest.delayed_by.contains_key("cooling_off"), "{}", first.to_json());
    assert!(honest.completed * 10 >= honest.movements * 9, "{}", first.to_json());
    assert_eq!(first.to_json(), play("hardened", 1).to_json());
}

#[test]
fn under_the_controls_of_2020_the_same_attacker_takes_something_and_the_same_seed_repeats() {
    let first = play("as-of-2020", 1);
    assert!(first.yen_taken > 0 && first.yen_escaped > 0, "{}", first.to_json());
    assert!(!first.honest.refused_by.contains_key("unserved"), "{}", first.to_json());
    assert_eq!(first.to_json(), play("as-of-2020", 1).to_json());
}

#[test]
fn a_run_that_is_ended_before_its_last_day_says_so() {
    let preset = presets::find("hardened").expect("it is there");
    let options = Options { scenario: small(), preset, method: Method::Phish, tactics: TACTICS[0], seed: 1, honest: 1 };
    let report = run(&options, &|_, done, _| done < 2).expect("it runs");
    assert!(report.partial && report.simulated_days < 5, "{}", report.to_json());
}

#[test]
fn an_ablation_has_two_runs_for_each_control_and_a_row_for_it() {
    let of = |name: &str| presets::find(name).expect("it is there");
    let (now, then, open) = (of("hardened"), of("as-of-2020"), of("open"));
    let options = Options {
        scenario: small(),
        preset: now.clone(),
        method: Method::Phish,
        tactics: TACTICS[0],
        seed: 1,
        honest: 1,
    };
    let controls = ablation::CONTROLS;
    let runs = ablation::runs(&options, &now, &then, &open, controls);
    assert_eq!(runs.len(), 2 + 2 * controls.len());
    let mut reports: Vec<Option<Report>> = (0..runs.len())
        .map(|index| Some(Report { yen_taken: i64::try_from(index).expect("few"), ..Report::default() }))
        .collect();
    let rows = ablation::rows(&reports, controls);
    assert_eq!((rows.len(), rows[0].all_but_it, rows[1].it_alone), (controls.len(), 2, 5));
    reports[3] = None;
    let fewer = ablation::rows(&reports, controls);
    assert_eq!((fewer.len(), fewer[0].control), (controls.len() - 1, controls[1].name), "one was cut");
    let half = Half { of: controls[0].name, side: "all_but_it", yen_taken: 2, yen_escaped: 0 };
    assert_eq!(ablation::halves(&reports, controls), [half], "and what was run beside it is not lost");
    reports[1] = None;
    assert!(ablation::rows(&reports, controls).is_empty(), "nothing to compare the honest with");
    assert_eq!(ablation::halves(&reports, controls).len(), 2 * controls.len() - 1);
    reports[1] = Some(Report::default());
    let page = page::page(&Report::default(), &rows);
    assert!(page.contains(controls[0].name) && !page.contains("http"), "the page needs nothing else");
}

/// The way called `name`.
fn way(name: &str) -> Tactics {
    *tactics::find(name).expect("it is there")
}

/// `tactics` under the default controls, and the same under those of the time.
fn row(tactics: Tactics) -> [Report; 2] {
    both(small(), Method::Phish, tactics)
}

/// The same of any scenario and method.
fn both(scenario: &'static Scenario, method: Method, tactics: Tactics) -> [Report; 2] {
    let [now, then] = ["hardened", scenario.then].map(|name| presets::find(name).expect("it is there"));
    let options = Options { scenario, preset: now, method, tactics, seed: 1, honest: 4 };
    let runs = [options.clone(), Options { preset: then, ..options }];
    let (reports, failed) = run_many(&runs, &|_, _| true);
    assert_eq!(failed, None);
    let mut reports = reports.into_iter().flatten();
    [(); 2].map(|()| reports.next().expect("both ran"))
}

#[test]
fn a_coached_victim_who_reacts_within_a_day_loses_little_and_is_told_in_time() {
    let [now, then] = row(way("coached-small"));
    assert!(
        now.attacker.links_granted > 0 && now.yen_taken > 0,
        "their face, card and telephone do link: {}",
        now.to_json()
    );
    assert!(now.worst.reacting > 0 && now.worst.yen_taken <= tactics::TAKEN_YEN_MAX, "{}", now.to_json());
    assert!(now.worst.yen_escaped <= tactics::ESCAPED_YEN_MAX, "{}", now.to_json());
    assert!(now.notices.due > 0 && now.notices.in_time == now.notices.due, "{}", now.to_json());
    assert!(then.yen_taken > now.yen_taken, "{}", then.to_json());
}

#[test]
fn who_may_send_no_more_goes_to_the_shops_with_the_rest() {
    let [now, _] = row(way("coached-mules"));
    let sent_max = WalletPolicy::default().ageing.send_per_day_max.amount();
    let victims = i64::try_from(now.victims).expect("few");
    assert!(victims > 0 && now.yen_escaped > victims * sent_max, "{}", now.to_json());
}

#[test]
fn a_hold_puts_off_whoever_is_not_stopped_for_a_day_and_no_longer() {
    let never = Tactics { react_minutes: 100_000_000, ..way("coached-victims") };
    let [now, _] = row(never);
    assert!(now.attacker.refused_by.contains_key("monitoring_with_holds"), "{}", now.to_json());
    let most = now.debits.iter().map(|day| day.yen).max().unwrap_or(0);
    assert!(most > 2 * tactics::SMALL_YEN, "who is never stopped comes back a day later: {}", now.to_json());
}

#[test]
fn in_a_wallet_of_whoever_name_a_face_that_the_way_has_is_shown_all_the_same() {
    let any_name: &'static Scenario = Box::leak(Box::new(Scenario { in_any_name: true, ..small().clone() }));
    let [now, _] = both(any_name, Method::Phish, way("coached-small"));
    assert!(now.attacker.links_granted > 0, "{}", now.to_json());
}

#[test]
fn a_guesser_with_recruits_wallets_comes_to_the_banks_pages_and_is_stopped_there() {
    let [now, _] = both(small(), Method::Guess, Tactics { faces_percent: 0, ..way("recruits") });
    assert!(now.attacker.tries > 0, "their own documents let them come so far: {}", now.to_json());
    assert_eq!((now.attacker.hits, now.yen_taken), (0, 0), "{}", now.to_json());
}

#[test]
fn a_guessers_wrong_pins_are_what_the_first_factor_refused_and_the_same_seed_repeats() {
    let [preset] = of(["as-of-2020"]);
    let options = Options { scenario: small(), preset, method: Method::Guess, tactics: TACTICS[0], seed: 1, honest: 2 };
    let report = run(&options, &|_, _, _| true).expect("it runs");
    let report::Attacker { tries, hits, refused_by, .. } = &report.attacker;
    let wrong = refused_by.get("bank_first_factor").copied().unwrap_or(0);
    assert!(wrong > 0 && hits + refused_by.values().sum::<u64>() >= *tries, "right or refused: {}", report.to_json());
    assert_eq!(report.to_json(), run(&options, &|_, _, _| true).expect("it runs").to_json());
}

#[test]
fn a_guesser_with_patience_types_once_from_each_address() {
    let [preset] = of(["as-of-2020"]);
    let options =
        Options { scenario: small(), preset, method: Method::Guess, tactics: way("slow"), seed: 1, honest: 0 };
    let report = run(&options, &|_, _, _| true).expect("it runs");
    let report::Attacker { tries, links_tried, .. } = report.attacker;
    assert!(tries > 0 && tries <= links_tried, "{tries} of {links_tried}");
}

#[test]
fn who_has_a_login_alone_brings_nothing_out() {
    let [now, then] = row(way("taken-over"));
    assert!(now.attacker.tries > 0, "{}", now.to_json());
    assert!(then.yen_taken > 0, "no device was asked anything then: {}", then.to_json());
    assert!(now.attacker.refused_by.contains_key("confirmation_per_top_up"), "{}", now.to_json());
    assert!(now.worst.reacting > 0 && now.worst.yen_taken <= tactics::TAKEN_YEN_MAX, "{}", now.to_json());
    assert_eq!(now.yen_escaped, 0, "what the day's first top-ups bring stays in the wallet: {}", now.to_json());
    assert_eq!(now.notices.in_time, now.notices.due, "{}", now.to_json());
}

#[test]
fn a_link_that_is_sent_to_the_victim_links_no_other_wallet() {
    let [now, _] = row(way("sent-link"));
    assert!(now.attacker.tries > 0, "the victim came as far as their bank: {}", now.to_json());
    assert_eq!((now.attacker.links_granted, now.yen_taken), (0, 0), "{}", now.to_json());
}

/// The presets of those names.
fn of<const N: usize>(names: [&str; N]) -> [presets::Preset; N] {
    names.map(|name| presets::find(name).expect("it is there"))
}

#[test]
fn a_recruited_persons_wallet_takes_nothing_now_and_something_where_no_name_is_compared() {
    let ([now, then, open], ways) = (of(["hardened", "as-of-2020", "open"]), [way("recruits")]);
    let options =
        Options { scenario: small(), preset: now, method: Method::Phish, tactics: ways[0], seed: 1, honest: 0 };
    let (reports, failed) = run_many(&matrix::runs(&options, [&then, &open], &ways), &|_, _| true);
    assert_eq!(failed, None);
    let [row] = matrix::rows(&reports, &ways).try_into().expect("one row");
    assert_eq!((row.yen_taken, row.then_preset.as_str(), row.outcome), (0, "open", Outcome::Met), "{row:?}");
    assert!(row.then_yen_taken > 0, "{row:?}");
}

#[test]
fn a_matrix_has_two_runs_for_each_way_and_a_row_for_it() {
    let [now, then, open] = of(["hardened", "as-of-2020", "open"]);
    let options =
        Options { scenario: small(), preset: now, method: Method::Phish, tactics: TACTICS[0], seed: 1, honest: 50 };
    let runs = matrix::runs(&options, [&then, &open], TACTICS);
    assert_eq!(runs.len(), 2 * TACTICS.len());
    for beside in runs.iter().skip(1).step_by(2) {
        let preset = if beside.tactics.entry == Entry::RecruitsWallet { "open" } else { "as-of-2020" };
        assert_eq!((beside.preset.name, beside.honest < 50), (preset, true), "{}", beside.tactics.name);
    }
    let mut reports: Vec<Option<Report>> = (0..runs.len())
        .map(|index| Some(Report { yen_taken: i64::try_from(index).expect("few"), ..Report::default() }))
        .collect();
    let rows = matrix::rows(&reports, TACTICS);
    assert_eq!((rows.len(), rows[1].yen_taken, rows[1].then_yen_taken), (TACTICS.len(), 2, 3));
    assert_eq!((rows[0].outcome, rows[1].outcome), (Outcome::Met, Outcome::Missed), "of the second two yen were taken");
    reports[0] = None;
    assert_eq!(matrix::rows(&reports, TACTICS)[0].tactics, TACTICS[1].name, "a run that was cut has no row");
    let half = Half { of: TACTICS[0].name, side: "then", yen_taken: 1, yen_escaped: 0 };
    assert_eq!(matrix::halves(&reports, TACTICS), [half], "and what was run beside it is not lost");
}

#[test]
fn every_way_has_a_name_of_its_own_and_what_bounds_it() {
    for (place, tactics) in TACTICS.iter().enumerate() {
        assert_eq!(TACTICS.iter().position(|other| other.name == tactics.name), Some(place), "{}", tactics.name);
        assert!(tactics.faces_percent <= 100 && tactics.guess_minutes.0 <= tactics.guess_minutes.1, "{}", tactics.name);
        let has_something = tactics.relays || tactics.faces_percent > 0 || tactics.entry != tactics::Entry::OwnWallet;
        assert!(has_something || tactics.target == Target::Nothing, "{}", tactics.name);
    }
}

#[test]
fn a_promise_is_kept_where_something_was_at_stake_and_all_of_it_was() {
    let check = |target, now: Report, then_yen_taken, outcome, missed: &[&str]| {
        let (tactics, then) =
            (Tactics { target, ..TACTICS[0] }, Report { yen_taken: then_yen_taken, ..Report::default() });
        assert_eq!(
            (tactics.outcome(&now, Some(&then)), tactics.missed(&now).as_slice()),
            (outcome, missed),
            "{}",
            now.to_json()
        );
    };
    let worst = |yen_taken, yen_escaped| Report {
        worst: Worst { reacting: 1, yen_taken, yen_escaped },
        yen_taken: 1_000_000,
        ..Report::default()
    };
    check(Target::Bounded, worst(30_000, 10_000), 1, Outcome::Met, &[]);
    check(Target::Bounded, worst(30_001, 10_000), 1, Outcome::Missed, &["taken"]);
    check(Target::Bounded, worst(30_000, 10_001), 1, Outcome::Missed, &["escaped"]);
    check(Target::Bounded, Report::default(), 1, Outcome::NotShown, &[]);
    check(Target::Nothing, Report::default(), 1, Outcome::Met, &[]);
    check(Target::Nothing, Report::default(), 0, Outcome::NotShown, &[]);
    check(Target::Nothing, Report { yen_escaped: 1, ..Report::default() }, 1, Outcome::Missed, &["escaped"]);
    check(Target::Reported, worst(1, 1), 1, Outcome::NotPromised, &[]);
    let late = Report { notices: Notices { due: 2, in_time: 1 }, ..Report::default() };
    check(Target::Nothing, late, 1, Outcome::Missed, &["notices"]);
    let honest = Honest { movements: 1_000, completed: 989, challenged: 11, refused: 2, ..Honest::default() };
    let trouble = Report { honest, ..Report::default() };
    check(Target::Nothing, trouble, 1, Outcome::Missed, &["completed", "challenged", "refused"]);
    let refused = |movements, refused| {
        let honest = Honest { movements, completed: movements, refused, ..Honest::default() };
        Report { honest, ..Report::default() }
    };
    check(Target::Nothing, refused(1_000, 1), 1, Outcome::Met, &[]);
    check(Target::Nothing, refused(1_000, 2), 1, Outcome::Missed, &["refused"]);
    check(Target::Nothing, refused(1_001, 2), 1, Outcome::Missed, &["refused"]);
    check(Target::Nothing, refused(999, 2), 1, Outcome::Met, &[]);
    assert!(!refused(999, 0).honest.shows_refused() && refused(1_000, 0).honest.shows_refused());
}
