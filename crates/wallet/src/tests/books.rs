//! The books over rows that somebody changed behind the journal's back: each difference has a name, also where two of them
//! would cancel one another in a sum over all wallets.

use super::bank::{BANK, Movement};
use super::story::Story;
use super::world::{shop, wallet};
use crate::books::{Books, Finding, Open, OpenMovement};
use crate::ids::SendId;
use crate::wallet::Debt;
use crate::{Row, chart};
use domain::Id;
use ledger::Yen;

/// A has money from a bank, some of it held for a shop, some for the desk, some on its way out and some coming in; B has
/// what A sent.
fn told() -> Story {
    let mut story = Story::new();
    for sentence in [
        "A links X",
        "A tops up 50000 from X -> pending",
        "bank moved 50000 -> settled",
        "2 days pass",
        "A sends B 3000 -> completed",
        "the guard holds",
        "A sends B 700 -> held",
        "the guard allows",
        "A pays S 350 -> captured",
        "S holds 120 of A -> authorised",
        "A pays out 1000 to X -> pending",
        "A tops up 2000 from X -> pending",
        "bank is asked -> in_doubt",
    ] {
        story.tell(sentence);
    }
    story
}

fn books(story: &Story) -> Books {
    let mut books = Books::default();
    for (key, row) in &story.world.rows {
        books.add(*key, row);
    }
    books
}

/// Changes every row and expects what the books say.
fn check(change: impl Fn(&mut Row), expected: &[Finding]) {
    let mut story = told();
    story.world.rows.values_mut().for_each(change);
    assert_eq!(books(&story).findings(), expected);
}

#[test]
fn what_happened_by_the_rules_balances() {
    assert_eq!(books(&told()).findings(), []);
}

#[test]
fn what_is_open_at_a_bank_is_listed() {
    let story = told();
    let Some(Movement::TopUp(in_doubt)) = story.bank.movement else { panic!("{:?}", story.bank.movement) };
    let open = books(&story).open();
    let [top_up, payout] = open.as_slice() else { panic!("{open:?}") };
    let expected =
        Open { bank: BANK, movement: OpenMovement::TopUp(in_doubt), amount: Yen::new(2_000), in_doubt: true };
    assert_eq!(*top_up, expected);
    assert!(matches!(payout.movement, OpenMovement::Payout(_)) && !payout.in_doubt, "{payout:?}");
}

#[test]
fn a_lot_that_no_movement_brought_is_named() {
    let mut story = told();
    let sends = |row: &Row| matches!(row, Row::Send(send) if send.amount == Yen::new(3_000));
    let sent = story.world.rows.iter().find(|(_, row)| sends(row)).map(|(key, _)| *key).expect("A sent B money");
    let unsourced = [Finding::LotUnsourced { wallet: wallet(2), lot: SendId(sent.id).0, amount: 3_000 }];
    let removed = story.world.rows.remove(&sent).expect("the send is there");
    assert_eq!(books(&story).findings(), unsourced);
    let mut elsewhere = removed;
    if let Row::Send(send) = &mut elsewhere {
        send.to = wallet(3);
    }
    story.world.rows.insert(sent, elsewhere);
    assert_eq!(books(&story).findings(), unsourced, "it went to somebody else");
    let smaller = |row: &mut Row| {
        if let Row::Send(send) = row
            && send.amount == Yen::new(3_000)
        {
            send.amount = Yen::new(2_999);
        }
    };
    check(smaller, &unsourced);
}

#[test]
fn what_is_held_is_compared_wallet_by_wallet() {
    let differs = |number, purses, movements| Finding::PendingDiffers {
        wallet: wallet(number),
        arriving: false,
        purses,
        movements,
    };
    let of_another = |row: &mut Row| {
        if let Row::Payment(payment) = row
            && payment.captured.is_zero()
        {
            payment.wallet = wallet(2);
        }
    };
    check(of_another, &[differs(1, 1_820, 1_700), differs(2, 0, 120)]);
}

#[test]
fn what_is_pending_is_compared_account_by_account() {
    let differs = |number, balance, expected| Finding::AccountDiffers {
        account: chart::settlement(shop(number)),
        pending: true,
        balance,
        expected,
    };
    let at_another = |row: &mut Row| {
        if let Row::Payment(payment) = row
            && payment.captured.is_zero()
        {
            payment.shop = shop(2);
        }
    };
    check(at_another, &[differs(1, 120, 0), differs(2, 0, 120)]);
}

#[test]
fn what_is_owed_is_compared_wallet_by_wallet() {
    let owes = |row: &mut Row| {
        if let Row::Wallet(wallet) = row
            && !wallet.held().is_zero()
        {
            wallet.debts.push(Debt { lot: Id::from_number(1), amount: Yen::new(5) });
        }
    };
    check(owes, &[Finding::DebtsDiffer { wallet: wallet(1), debts: 5, account: 0 }]);
}
