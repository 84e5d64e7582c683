//! `kinchaku drill` as a shell sees it.

use super::check;

#[test]
fn what_is_unknown_exits_2_and_says_what_there_is() {
    check(&["drill", "november-1999"], 2, "september-2020, resona-2019");
    check(&["drill", "september-2020", "--preset", "lax"], 2, "hardened, as-of-2020");
    check(&["drill", "september-2020", "--attacker", "ghosts"], 2, "guess, phish, both");
    check(&["drill", "september-2020", "--tactics", "none"], 2, "burst, slow, small");
    check(&["drill", "september-2020", "--seed", "one"], 2, "--seed");
    check(&["drill", "september-2020", "--seeds", "0"], 2, "--seeds");
    check(&["drill", "september-2020", "--matrix", "--ablate"], 2, "cannot be used with");
}
