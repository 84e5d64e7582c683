//! `kinchaku drill` as a shell sees it.

use super::check;

#[test]
fn what_is_unknown_exits_2_and_says_what_there_is() {
    check(&["drill", "november-1999"], 2, "september-2020, resona-2019");
    check(&["drill", "september-2020", "--preset", "lax"], 2, "hardened, as-of-2020");
    check(&["drill", "september-2020", "--attacker", "ghosts"], 2, "guess, phish, both");
    check(&["drill", "september-2020", "--tactics", "none"], 2, "burst, slow, small");
    check(&["drill", "september-2020", "--pace", "glacial"], 2, "burst, hourly");
    check(&["drill", "september-2020", "--faces", "101"], 2, "--faces");
    check(&["drill", "september-2020", "--amount", "1"], 2, "--amount");
    check(&["drill", "september-2020", "--seed", "one"], 2, "--seed");
    check(&["drill", "september-2020", "--seeds", "0"], 2, "--seeds");
    check(&["drill", "september-2020", "--seed", "18446744073709551615", "--seeds", "2"], 2, "there are no 2 seeds");
    check(&["drill", "september-2020", "--ablate", "--control", "luck"], 2, "spray_detection");
    check(&["drill", "september-2020", "--control", "ageing"], 2, "--ablate");
    check(&["drill", "september-2020", "--ablate", "--preset", "open"], 2, "cannot be used with");
    check(&["drill", "september-2020", "--report", "/nowhere/at-all.html"], 1, "/nowhere/at-all.html");
    check(&["drill", "september-2020", "--matrix", "--ablate"], 2, "cannot be used with");
}
