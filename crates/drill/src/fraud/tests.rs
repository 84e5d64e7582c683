//! Small runs of the whole stack: a handful of accounts at one bank, over the end of a month.

use super::scenario::{Method, Scenario, Wave};
use super::tactics::TACTICS;
use super::{Options, Report, ablation, page, presets, run};

const SMALL: Scenario = Scenario {
    name: "small",
    days: ["2020-08-29", "2020-09-03"],
    others: 350,
    waves: &[Wave { from: "2020-08-30", until: "2020-08-31", accounts: 2 }],
    banks: &[("0125", 1)],
    news: Some("2020-09-01T08:00"),
    published: &[],
    in_any_name: false,
};

fn play(preset: &str, seed: u64) -> Report {
    let preset = presets::find(preset).expect("it is there");
    let options = Options { scenario: &SMALL, preset, method: Method::Phish, tactics: &TACTICS[0], seed, honest: 4 };
    run(&options, &|_, _, _| true).expect("it runs")
}

#[test]
fn under_the_default_controls_nothing_is_taken_and_the_same_seed_repeats() {
    let first = play("hardened", 1);
    assert_eq!((first.yen_taken, first.attacker.links_granted), (0, 0), "{}", first.to_json());
    assert!(first.attacker.wallets > 0, "somebody tried");
    assert!(first.honest.movements > 0 && first.honest.refused == 0, "{}", first.to_json());
    assert_eq!(first.to_json(), play("hardened", 1).to_json());
}

#[test]
fn under_the_controls_of_2020_the_same_attacker_takes_something_and_the_same_seed_repeats() {
    let first = play("as-of-2020", 1);
    assert!(first.yen_taken > 0 && first.yen_escaped > 0, "{}", first.to_json());
    assert_eq!(first.to_json(), play("as-of-2020", 1).to_json());
}

#[test]
fn a_run_that_is_ended_before_its_last_day_says_so() {
    let preset = presets::find("hardened").expect("it is there");
    let options = Options { scenario: &SMALL, preset, method: Method::Phish, tactics: &TACTICS[0], seed: 1, honest: 1 };
    let report = run(&options, &|_, done, _| done < 2).expect("it runs");
    assert!(report.partial && report.simulated_days < 5, "{}", report.to_json());
}

#[test]
fn an_ablation_has_two_runs_for_each_control_and_a_row_for_it() {
    let of = |name: &str| presets::find(name).expect("it is there");
    let (now, then, open) = (of("hardened"), of("as-of-2020"), of("open"));
    let options = Options {
        scenario: &SMALL,
        preset: now.clone(),
        method: Method::Phish,
        tactics: &TACTICS[0],
        seed: 1,
        honest: 1,
    };
    let runs = ablation::runs(&options, &now, &then, &open);
    assert_eq!(runs.len(), 2 + 2 * ablation::KNOBS.len());
    let reports: Vec<Option<Report>> = (0..runs.len())
        .map(|index| Some(Report { yen_taken: i64::try_from(index).expect("few"), ..Report::default() }))
        .collect();
    let rows = ablation::rows(&reports);
    assert_eq!((rows.len(), rows[0].all_but_it, rows[1].it_alone), (ablation::KNOBS.len(), 2, 5));
    let page = page::page(&Report::default(), &rows);
    assert!(page.contains(ablation::KNOBS[0].0) && !page.contains("http"), "the page needs nothing else");
}
