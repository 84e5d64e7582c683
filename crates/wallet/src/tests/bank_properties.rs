//! What holds whatever banks say, holders wish and desks decide, in any order: the books agree with the movements' rows
//! after every deed, each top-up is credited at most once, and the limits count what a naive list of dates and amounts does.

use super::bank::{BANK, Movement};
use super::story::{Story, in_words};
use super::world::{DAY_MS, wallet};
use crate::books::Books;
use crate::ids::{BankAccountId, PersonId};
use crate::{Command, Receipt, Row, chart, payout, table, top_up};
use domain::{Day, Id, Key};
use ledger::Yen;
use proptest::prelude::*;

/// What may happen to a movement, as often as it likes.
const DEEDS: [&str; 28] = [
    "bank is asked",
    "bank moved 7000",
    "bank moved 7000",
    "bank moved 700",
    "file shows 7000",
    "bank declines",
    "bank finds nothing",
    "bank finds nothing yet",
    "file shows nothing",
    "bank babbles",
    "A cancels",
    "desk releases",
    "desk gives up",
    "nobody looks",
    "bank takes back 7000",
    "bank takes back 700",
    "bank sends back 7000",
    "bank sends back 700",
    "bank gave back",
    "bank cannot give back",
    "ann proposes settle",
    "ann proposes decline",
    "ann proposes return",
    "bob approves settle",
    "bob approves decline",
    "bob approves return",
    "ann proposes keep",
    "bob approves keep",
];

/// What may happen beside.
const AROUND: [&str; 9] = [
    "A tops up 7000 from X",
    "A tops up 7000 from Y",
    "A tops up 7000 from Y",
    "A pays out 7000 to X",
    "A pays out 7000 to Y",
    "A pays S 3000",
    "S holds 2000 of A",
    "S voids",
    "S refunds 1000",
];

/// What makes everything else harder, and so happens seldom.
const SELDOM: [&str; 4] = ["desk freezes A", "desk unfreezes A", "desk unfreezes A", "A closes"];

#[derive(Clone, Debug)]
enum Step {
    /// A deed, about one of the movements so far.
    Deed(&'static str, usize),
    Around(&'static str),
    GuardHolds(bool),
    Pass(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => (prop::sample::select(&DEEDS[..]), 0_usize..8).prop_map(|(deed, which)| Step::Deed(deed, which)),
        8 => prop::sample::select(&AROUND[..]).prop_map(Step::Around),
        1 => prop::sample::select(&SELDOM[..]).prop_map(Step::Around),
        1 => prop::bool::weighted(0.2).prop_map(Step::GuardHolds),
        2 => (0_i64..6).prop_map(|days| Step::Pass(days * DAY_MS / 2)),
    ];
    prop::collection::vec(step, 1..120)
}

/// Tells `deed`, whatever comes of it.
fn tell(story: &mut Story, deed: &str) -> Option<Receipt> {
    let words: Vec<_> = deed.split_whitespace().collect();
    let command = match story.bank_deed(&words) {
        Some(command) => command,
        // A deed that is of the other kind of movement.
        None if DEEDS.contains(&deed) => return None,
        None => story.command(&words, deed),
    };
    story.world.run(&command).ok()
}

fn findings(story: &Story) -> Vec<String> {
    let mut books = Books::default();
    for (key, row) in &story.world.rows {
        books.add(*key, row);
    }
    books.findings().iter().map(ToString::to_string).collect()
}

fn top_ups(story: &Story) -> impl Iterator<Item = &top_up::TopUp> {
    story.world.rows.values().filter_map(|row| match row {
        Row::TopUp(row) => Some(&**row),
        _ => None,
    })
}

fn payouts(story: &Story) -> impl Iterator<Item = &payout::Payout> {
    story.world.rows.values().filter_map(|row| match row {
        Row::Payout(row) => Some(&**row),
        _ => None,
    })
}

/// Whether a top-up counts towards limits: all but those that came to nothing.
const fn counts(status: top_up::Status) -> bool {
    match status {
        top_up::Status::Held | top_up::Status::Pending | top_up::Status::InDoubt => true,
        top_up::Status::Settled | top_up::Status::Reversed => true,
        top_up::Status::Declined | top_up::Status::Cancelled | top_up::Status::Returned => false,
    }
}

/// The sums of a naive list, in the month of `today` and in the thirty dates that end with it.
fn naive(list: impl Iterator<Item = (Day, Yen)>, today: Day) -> (i64, i64) {
    let mut sums = (0, 0);
    for (day, amount) in list.filter(|(day, _)| *day <= today) {
        if day.month() == today.month() {
            sums.0 += amount.amount();
        }
        if today.number() - day.number() < 30 {
            sums.1 += amount.amount();
        }
    }
    sums
}

fn assert_counters(story: &Story) {
    let today = story.world.now.day();
    let counted = || top_ups(story).filter(|row| counts(row.status)).map(|row| row.debit);
    let dated = |debit: top_up::Debit| (debit.accepted.day(), debit.amount);
    for (key, row) in &story.world.rows {
        let (counters, expected) = match row {
            Row::Wallet(row) => {
                (&row.counters, naive(counted().filter(|debit| debit.wallet.0 == key.id).map(dated), today))
            }
            Row::Person(row) => {
                let theirs = counted().filter(|debit| debit.person == Some(PersonId(key.id)));
                (&row.counters, naive(theirs.map(dated), today))
            }
            Row::BankAccount(row) => {
                let of_it = counted().filter(|debit| debit.bank_account == BankAccountId(key.id));
                (&row.counters, naive(of_it.map(dated), today))
            }
            _ => continue,
        };
        let found = (counters.top_up.in_month(today).amount(), counters.top_up.rolling(today).amount());
        assert_eq!(found, expected, "{key:?} counts {counters:?}");
    }
    let paid_out = payouts(story)
        .filter(|row| row.status.is_open() || row.status == payout::Status::Settled)
        .filter(|row| row.credit.accepted.day().month() == today.month());
    let counted = story.world.wallet(wallet(1)).counters.payout.count_in_month(today);
    assert_eq!(paid_out.count(), usize::try_from(counted).expect("a small number"), "payouts of the month");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn the_books_agree_whatever_is_said_and_in_whatever_order(steps in steps()) {
        let mut story = Story::new();
        let given = [
            "A links X",
            "A links Y unconfirmed",
            "A tops up 50000 from X -> pending",
            "bank moved 50000 -> settled",
            "2 days pass",
        ];
        for sentence in given {
            story.tell(sentence);
        }
        let mut movements: Vec<Movement> = Vec::new();
        for step in steps {
            let receipt = match step {
                Step::Deed(deed, which) => {
                    let Some(movement) = movements.get(which % movements.len().max(1)) else { continue };
                    story.bank.movement = Some(*movement);
                    tell(&mut story, deed)
                }
                Step::Around(deed) => tell(&mut story, deed),
                Step::GuardHolds(holds) => {
                    story.tell(if holds { "the guard holds" } else { "the guard allows" });
                    None
                }
                Step::Pass(ms) => {
                    story.world.pass(ms);
                    None
                }
            };
            match receipt {
                Some(Receipt::TopUp { id, .. }) if !movements.iter().any(|m| matches!(m, Movement::TopUp(i) if *i == id)) => {
                    movements.push(Movement::TopUp(id));
                }
                Some(Receipt::Payout { id, .. }) if !movements.iter().any(|m| matches!(m, Movement::Payout(i) if *i == id)) => {
                    movements.push(Movement::Payout(id));
                }
                Some(Receipt::Payment { id, .. }) => story.last_payment = id,
                Some(_) | None => {}
            }
            prop_assert_eq!(findings(&story), Vec::<String>::new());
        }
        assert_counters(&story);
        let credited = |id: Id| story.world.journal.iter().flatten().filter(|event| {
            matches!(event, crate::Event::TopUp(top_up::Event::Settled { debit, .. }) if debit.top_up.0 == id)
        }).count();
        prop_assert!(top_ups(&story).all(|row| credited(row.debit.top_up.0) <= 1));
        prop_assert_eq!(story.world.replayed(), story.world.rows);
    }

    #[test]
    fn limits_are_those_of_a_naive_list(
        requests in prop::collection::vec((0_i64..9, 1_i64..120_000, prop::sample::select(&["A X", "A Y", "D Y", "B Z"][..]), 0_usize..4), 1..60),
    ) {
        let mut story = same_person();
        for given in ["A links X", "B links Z", "D links Y"] {
            story.tell(given);
        }
        // A and D are one person with a wallet each; who debits which account changes nothing in what it counted.
        for (days, amount, who, end) in requests {
            story.world.pass(days * DAY_MS);
            let Some((who, account)) = who.split_once(' ') else { continue };
            let deed = format!("{who} tops up {amount} from {account}");
            let words: Vec<_> = deed.split_whitespace().collect();
            let command = story.bank_deed(&words).expect("a deed");
            let Command::TopUp(top_up::Command::Request(request)) = &command else { continue };
            if story.world.row(Key::new(table::MANDATE, request.mandate.0)).is_none() {
                continue;
            }
            let expected = fits(&story, request);
            let reply = story.world.run(&command);
            prop_assert_eq!(reply.is_ok(), expected, "{}: {}", deed, in_words(&reply));
            if let Ok(Receipt::TopUp { id, .. }) = reply {
                story.bank.movement = Some(Movement::TopUp(id));
                match end {
                    0 => drop(tell(&mut story, "bank declines")),
                    1 => {
                        drop(tell(&mut story, &format!("bank moved {amount}")));
                        drop(tell(&mut story, &format!("bank takes back {amount}")));
                    }
                    _ => {}
                }
            }
            assert_counters(&story);
        }
    }
}

/// Whether a request stays within the limits, by the naive list. What is on its way counts towards what a wallet may hold.
fn fits(story: &Story, request: &top_up::Request) -> bool {
    let today = story.world.now.day();
    let amount = request.amount.amount();
    let Some(Row::Mandate(mandate)) = story.world.row(Key::new(table::MANDATE, request.mandate.0)) else {
        return false;
    };
    let account = mandate.grant.map(|grant| grant.bank_account);
    let counted = || top_ups(story).filter(|row| counts(row.status)).map(|row| row.debit);
    let dated = |debit: top_up::Debit| (debit.accepted.day(), debit.amount);
    let person = story.world.wallet(request.wallet).person;
    let sums = [
        naive(counted().filter(|debit| debit.wallet == request.wallet).map(dated), today),
        naive(counted().filter(|debit| debit.person == person).map(dated), today),
        naive(counted().filter(|debit| Some(debit.bank_account) == account).map(dated), today),
    ];
    let held = story.world.wallet(request.wallet);
    let occupied = held.available().amount() + held.arriving().amount();
    (100..=100_000).contains(&amount)
        && occupied + amount <= 1_000_000
        && sums.iter().all(|(month, rolling)| month + amount <= 300_000 && rolling + amount <= 300_000)
}

/// A story in which D is the person that A is.
fn same_person() -> Story {
    let mut story = Story::new();
    let mut row = story.world.wallet(wallet(4)).clone();
    row.person = story.world.wallet(wallet(1)).person;
    story.world.give_row(Key::new(table::WALLET, wallet(4).0), Row::Wallet(row.into()));
    story
}

#[test]
fn a_persons_limits_are_over_all_their_wallets() {
    let mut story = same_person();
    for sentence in [
        "A links X",
        "D links Y",
        "A tops up 100000 from X -> pending",
        "D tops up 100000 from Y -> pending",
        "A tops up 100000 from X -> pending",
        "D tops up 100 from Y -> limit person per month, 0 left",
        "16 days pass",
        "D tops up 100 from Y -> limit person rolling, 0 left",
    ] {
        story.tell(sentence);
    }
    assert_eq!(story.world.account(chart::clearing(BANK)).debits_pending, Yen::new(300_000));
}
