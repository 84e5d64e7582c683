//! Small runs of the whole stack: a handful of accounts at one bank, over the end of a month.

use super::scenario::{Method, Scenario, Wave};
use super::{Options, Report, presets, run};

const SMALL: Scenario = Scenario {
    name: "small",
    days: ["2020-08-29", "2020-09-03"],
    others: 350,
    waves: &[Wave { from: "2020-08-30", until: "2020-08-31", accounts: 2 }],
    banks: &[("0125", 1)],
    news: Some("2020-09-01T08:00"),
};

fn play(preset: &str, seed: u64) -> Report {
    let preset = presets::find(preset).expect("it is there");
    let options = Options { scenario: &SMALL, preset, method: Method::Phish, seed, honest: 4 };
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
    assert!(first.yen_taken > 0 && first.cases > 0, "{}", first.to_json());
    assert_eq!(first.to_json(), play("as-of-2020", 1).to_json());
}

#[test]
fn a_run_that_is_ended_before_its_last_day_says_so() {
    let preset = presets::find("hardened").expect("it is there");
    let options = Options { scenario: &SMALL, preset, method: Method::Phish, seed: 1, honest: 1 };
    let report = run(&options, &|_, done, _| done < 2).expect("it runs");
    assert!(report.partial && report.simulated_days < 5, "{}", report.to_json());
}
