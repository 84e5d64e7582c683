//! `kinchaku simulate` as a shell sees it.

use super::check;

#[test]
fn a_few_seeds_find_nothing_and_say_what_was_tried() {
    check(&["simulate", "--seeds", "2"], 0, "faults injected");
    check(&["simulate", "--seeds", "1", "--from-seed", "9", "--json"], 0, r#""violations":[]"#);
    check(&["simulate", "--seed", "3"], 0, "1 seeds");
    // What only many seeds meet is required of nobody who runs one.
    check(&["simulate", "--seed", "3"], 0, "that 2000 seeds must meet were not met yet");
}

#[test]
fn what_makes_no_sense_exits_2() {
    check(&["simulate", "--seeds", "0"], 2, "--seeds");
    check(&["simulate", "--seed", "1", "--seeds", "2"], 2, "cannot be used with");
    check(&["simulate", "--canary", "no_such_bug"], 2, "no_such_bug");
}
