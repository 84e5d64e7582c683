//! Loads in small: that each of them runs, is audited and says so, and that what makes no sense is refused.

use super::check;

#[test]
fn payments_and_transfers_are_audited_on_both_stores() {
    let pay = &["pay", "--wallets", "12", "--past-payments", "200", "--warm-up-seconds", "0"][..];
    let transfer = &["transfer", "--accounts", "12"][..];
    for (load, store, audited) in [
        (pay, "sqlite", "\"audited\":true,\"replayed\":true"),
        (pay, "memory", "\"audited\":true,\"replayed\":false"),
        (transfer, "sqlite", "\"audited\":true,\"replayed\":true"),
        (transfer, "memory", "\"audited\":true,\"replayed\":false"),
    ] {
        let small = &["--in-flight", "8", "--seconds", "0", "--store", store, "--json"];
        check(&[&["bench"], load, small].concat(), 0, audited);
    }
}

#[test]
fn options_that_make_no_run_exit_2_and_say_what_is_possible() {
    check(&["bench", "pay", "--in-flight", "0"], 2, "1..");
    check(&["bench", "pay", "--rate", "0"], 2, "1..");
    check(&["bench", "pay", "--wallets", "0"], 2, "1..");
    check(&["bench", "pay", "--cache-rows", "0"], 2, "1..");
    check(&["bench", "transfer", "--accounts", "1"], 2, "2..");
    for option in [&["--verify-beside"][..], &["--list-readers", "1"], &["--data", "data"]] {
        let asked = [&["bench", "pay", "--store", "memory"], option].concat();
        check(&asked, 2, "take --store sqlite");
    }
    check(&["bench", "pay", "--store", "postgres", "--verify-beside"], 2, "take --store sqlite");
    check(&["bench", "pay", "--database", "postgres://localhost/db"], 2, "take --store postgres");
    check(&["bench", "transfer", "--store", "postgres", "--database", "no address"], 2, "postgres://");
}
