//! What evolve asserts of what decide promised: an event that ends something does not end it twice.

use super::story::Story;
use crate::{Event, Wallets, mandate, payment, voucher};
use domain::{Domain, Key};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Whether `event` takes its noun's row to a status that it does not leave by the same event.
const fn ends_something(event: &Event) -> bool {
    match event {
        Event::Payment(event) => {
            matches!(event, payment::Event::Captured { .. } | payment::Event::Released { .. })
        }
        Event::Voucher(event) => {
            matches!(event, voucher::Event::Redeemed { .. } | voucher::Event::Cancelled { .. })
        }
        Event::Mandate(event) => !matches!(
            event,
            mandate::Event::Collected { .. }
                | mandate::Event::ConfirmedByTrueHolder { .. }
                | mandate::Event::RouteEnded { .. }
        ),
        Event::Refused(_) | Event::Holder(_) | Event::Wallet(_) | Event::TopUp(_) | Event::Payout(_) => false,
        Event::Shop(_) | Event::Send(_) | Event::Bonus(_) | Event::Switches(_) | Event::Case(_) => false,
        Event::Reimbursement(_) => false,
    }
}

/// Tells `story`; then nothing that ended in it ends once more, whatever of it. Says how many events that were.
fn check(story: &str) -> usize {
    let mut told = Story::new();
    for sentence in story.split([';', '\n']).map(str::trim) {
        told.tell(sentence);
    }
    let events = told.world.journal.iter().flatten().filter(|event| ends_something(event));
    let mut tried = 0;
    for event in events {
        let mut keys = Vec::new();
        match event {
            Event::Payment(event) => event.touches(&mut |key| keys.push(key)),
            Event::Voucher(event) => event.touches(&mut |key| keys.push(key)),
            Event::Mandate(event) => event.touches(&mut |key| keys.push(key)),
            _ => {}
        }
        let noun: Key = keys[0];
        let mut row = told.world.rows.get(&noun).cloned();
        let twice = catch_unwind(AssertUnwindSafe(|| Wallets::evolve(noun, &mut row, event)));
        assert!(twice.is_err(), "{event:?} happens twice: {row:?}");
        tried += 1;
    }
    tried
}

#[test]
fn nothing_ends_twice() {
    let payments = "A has 900 bonus; S holds 100 of A -> authorised; S captures 60 -> captured
                    S holds 100 of A -> authorised; S voids -> voided; S holds 100 of A -> authorised; S captures -> captured";
    assert_eq!(check(payments), 3);
    let vouchers = "seller issues 1 worth 500 -> issued; seller cancels 1 -> cancelled
                    seller issues 2 worth 500 -> issued; A redeems 2 -> redeemed";
    assert_eq!(check(vouchers), 2);
    let mandates = "A asks to link -> requested; bank's page opens -> authenticating; bank says no -> refused
                    A asks to link -> requested; bank grants X static -> refused: strong factor
                    A asks to link -> requested; bank grants X close -> in_review; A collects X -> in_review
                    desk accepts X -> active; A revokes -> revoked";
    assert_eq!(check(mandates), 10);
}
