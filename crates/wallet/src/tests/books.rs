//! The books over rows that somebody changed behind the journal's back: each difference has a name, also where two of them
//! would cancel one another in a sum over all wallets.

use super::bank::{BANK, Movement};
use super::story::Story;
use super::world::{holder, shop, wallet};
use crate::books::{Finding, Issued, Open, OpenMovement};
use crate::ids::SendId;
use crate::purse::{Lot, Purse};
use crate::wallet::Debt;
use crate::{OPERATOR, Row, chart};
use domain::Id;
use ledger::{AccountId, Yen};

/// A has money from a bank, some of it held for a shop, some for the desk, some on its way out and some coming in; B has
/// what A sent.
const MONEY: &str = "A links X; A tops up 50000 from X -> pending; bank moved 50000 -> settled; 2 days pass
    A sends B 3000 -> completed; the guard holds; A sends B 700 -> held; the guard allows
    A pays S 350 -> captured; S holds 120 of A -> authorised; A pays out 1000 to X -> pending
    A tops up 2000 from X -> pending; bank is asked -> in_doubt";

/// C closed its wallet with points in it, and a shop gave back afterwards; a bank debited D of another amount than was asked.
const WAITING: &str =
    "C links Y; C tops up 9000 from Y -> pending; bank moved 9000 -> settled; C pays S 9000 -> captured
    campaign gives C 50 -> done; 1 days pass; C closes -> closed; S refunds 4000 -> done
    D links Z; D tops up 6000 from Z -> pending; bank moved 600 -> in_doubt, flagged";

fn told(deeds: &str) -> Story {
    let mut story = Story::new();
    for sentence in deeds.split([';', '\n']).map(str::trim) {
        story.tell(sentence);
    }
    story
}

fn findings(story: &Story) -> Vec<Finding> {
    story.world.books().findings()
}

/// Changes every row of what `deeds` come to, and expects what the books say.
fn check(deeds: &str, change: impl Fn(&mut Row), expected: &[Finding]) {
    let mut story = told(deeds);
    story.world.rows.values_mut().for_each(change);
    assert_eq!(findings(&story), expected);
}

fn account_differs(account: AccountId, balance: i128, expected: i128) -> Finding {
    Finding::AccountDiffers { account, pending: false, balance, expected }
}

fn worth_differs(number: u128, rows: i128, movements: i128) -> Finding {
    Finding::WorthDiffers { wallet: wallet(number), rows, movements }
}

/// Credits or debits `account` of nothing.
fn post(story: &mut Story, account: AccountId, credits: i64, debits: i64) {
    let key = chart::key(account);
    let mut row = story.world.account(account);
    row.credits_posted = row.credits_posted.checked_add(Yen::new(credits)).expect("a sum in range");
    row.debits_posted = row.debits_posted.checked_add(Yen::new(debits)).expect("a sum in range");
    story.world.rows.insert(key, Row::Account(account, row));
}

#[test]
fn what_happened_by_the_rules_balances() {
    assert_eq!(findings(&told(MONEY)), []);
    assert_eq!(findings(&told(WAITING)), []);
}

#[test]
fn where_the_money_is_that_was_issued_adds_up() {
    let gone = Issued { issued: 50_000, outstanding: 49_650, redeemed: 350, ..Issued::default() };
    assert_eq!(told(MONEY).world.books().issued(), gone);
    let waits = Issued { issued: 9_050, redeemed: 5_000, lapsed: 50, waiting: 4_000, ..Issued::default() };
    assert_eq!(told(WAITING).world.books().issued(), waits);
    let lost = "A links X; A tops up 9000 from X -> pending; bank moved 9000 -> settled; A pays S 9000 -> captured
        bank takes back 9000 -> reversed; B links Y; B tops up 5000 from Y -> pending; bank moved 5000 -> settled
        2 days pass; B pays out 2000 to Y -> pending; bank moved 2000 -> settled
        ann proposes writing off 9000 of A -> open; bob approves writing off 9000 of A -> open; S refunds 1000 -> done";
    let lost = told(lost).world.books();
    let (issued, outstanding, redeemed, returned) = (14_000, 3_000, 8_000, 2_000);
    let known = Issued { issued, outstanding, redeemed, returned, ..Issued::default() };
    assert_eq!(lost.issued(), Issued { clawed_back: 9_000, written_off: 8_000, ..known });
}

#[test]
fn what_left_a_purse_without_a_movement_is_missed() {
    let mut story = told(MONEY);
    for row in story.world.rows.values_mut() {
        if let Row::Wallet(wallet) = row
            && wallet.holder == holder(2)
        {
            let lot = *wallet.funds.lots.first().expect("what A sent");
            wallet.funds.take(&Lot { amount: Yen::new(100), ..lot });
            wallet.funds.account.debits_posted = Yen::new(100);
        }
    }
    post(&mut story, chart::suspense(None), 100, 0);
    let expected = [account_differs(chart::suspense(None), 100, 0), worth_differs(2, 2_900, 3_000)];
    assert_eq!(findings(&story), expected, "balance and lot together went to suspense");
}

#[test]
fn what_left_an_account_without_a_movement_is_missed() {
    let fees = AccountId { owner: OPERATOR, code: chart::FEES };
    for (from, was) in [(chart::suspense(None), 4_000), (chart::suspense(Some(BANK)), 600), (chart::bonus_lapsed(), 50)]
    {
        let mut story = told(WAITING);
        post(&mut story, from, 0, 100);
        post(&mut story, fees, 100, 0);
        let found = findings(&story);
        let expected = [account_differs(from, was - 100, was), account_differs(fees, 100, 0)];
        assert!(found.len() == 2 && expected.iter().all(|finding| found.contains(finding)), "{found:?}");
    }
}

#[test]
fn what_waits_or_lapsed_without_a_movement_that_says_so_is_named() {
    let forgets_refund = |row: &mut Row| {
        if let Row::Payment(payment) = row {
            payment.suspended = Yen::ZERO;
        }
    };
    let missing = [account_differs(chart::suspense(None), 4_000, 0), worth_differs(3, 50, 4_050)];
    check(WAITING, forgets_refund, &missing);
    let forgets_points = |row: &mut Row| {
        if let Row::Wallet(wallet) = row
            && wallet.closed
        {
            wallet.ties_mut().lapsed = Yen::ZERO;
        }
    };
    let missing = [account_differs(chart::bonus_lapsed(), 50, 0), worth_differs(3, 4_000, 4_050)];
    check(WAITING, forgets_points, &missing);
}

#[test]
fn what_is_open_at_a_bank_is_listed() {
    let story = told(MONEY);
    let Some(Movement::TopUp(in_doubt)) = story.bank.movement else { panic!("{:?}", story.bank.movement) };
    let open = story.world.books().open();
    let [top_up, payout] = open.as_slice() else { panic!("{open:?}") };
    let expected =
        Open { bank: BANK, movement: OpenMovement::TopUp(in_doubt), amount: Yen::new(2_000), in_doubt: true };
    assert_eq!(*top_up, expected);
    assert!(matches!(payout.movement, OpenMovement::Payout(_)) && !payout.in_doubt, "{payout:?}");
}

#[test]
fn a_lot_that_no_movement_brought_is_named() {
    let mut story = told(MONEY);
    let sends = |row: &Row| matches!(row, Row::Send(send) if send.amount == Yen::new(3_000));
    let sent = story.world.rows.iter().find(|(_, row)| sends(row)).map(|(key, _)| *key).expect("A sent B money");
    let unsourced = Finding::LotUnsourced { wallet: wallet(2), lot: SendId(sent.id).0, amount: 3_000 };
    let removed = story.world.rows.remove(&sent).expect("the send is there");
    let lacks = [worth_differs(1, 46_650, 49_650), worth_differs(2, 3_000, 0), unsourced.clone()];
    assert_eq!(findings(&story), lacks);
    let mut elsewhere = removed;
    if let Row::Send(send) = &mut elsewhere {
        send.to = wallet(3);
    }
    story.world.rows.insert(sent, elsewhere);
    let elsewhere = [worth_differs(2, 3_000, 0), worth_differs(3, 0, 3_000), unsourced.clone()];
    assert_eq!(findings(&story), elsewhere, "it went to somebody else");
    let smaller = |row: &mut Row| {
        if let Row::Send(send) = row
            && send.amount == Yen::new(3_000)
        {
            send.amount = Yen::new(2_999);
        }
    };
    check(MONEY, smaller, &[worth_differs(1, 46_650, 46_651), worth_differs(2, 3_000, 2_999), unsourced]);
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
    check(MONEY, of_another, &[differs(1, 1_820, 1_700), differs(2, 0, 120)]);
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
    check(MONEY, at_another, &[differs(1, 120, 0), differs(2, 0, 120)]);
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
    check(
        MONEY,
        owes,
        &[worth_differs(1, 46_645, 46_650), Finding::DebtsDiffer { wallet: wallet(1), debts: 5, account: 0 }],
    );
}

#[test]
fn money_that_changed_its_kind_is_named() {
    let deeds = "seller issues 1 worth 5000 -> issued; A redeems 1 -> redeemed; campaign gives A 70 -> done";
    // Balance and lots move together, so that nothing but what the purses are for is broken.
    let into_funds = |row: &mut Row| {
        if let Row::Wallet(wallet) = row
            && !wallet.prepaid.lots.is_empty()
        {
            wallet.funds = std::mem::take(&mut wallet.prepaid);
        }
    };
    let mut story = told(deeds);
    let lot = |story: &Story, purse| story.world.wallet(wallet(1)).purse(purse).lots.first().expect("a lot").id;
    let (voucher, bonus) = (lot(&story, Purse::Prepaid), lot(&story, Purse::Bonus));
    story.world.rows.values_mut().for_each(into_funds);
    let found = findings(&story);
    assert!(found.contains(&Finding::WrongPurse { wallet: wallet(1), lot: voucher, purse: Purse::Funds }), "{found:?}");
    let points_to_prepaid = |row: &mut Row| {
        if let Row::Wallet(wallet) = row
            && !wallet.bonus.lots.is_empty()
        {
            std::mem::swap(&mut wallet.bonus, &mut wallet.prepaid);
        }
    };
    let mut story = told(deeds);
    story.world.rows.values_mut().for_each(points_to_prepaid);
    let found = findings(&story);
    for (lot, purse) in [(voucher, Purse::Bonus), (bonus, Purse::Prepaid)] {
        assert!(found.contains(&Finding::WrongPurse { wallet: wallet(1), lot, purse }), "{found:?}");
    }
}

#[test]
fn an_active_mandate_is_a_link_of_an_open_wallet() {
    let closed = |row: &mut Row| {
        if let Row::Wallet(wallet) = row
            && wallet.holder == holder(2)
        {
            wallet.closed = true;
        }
    };
    let deeds = "A links X; B asks to link -> requested; bank grants Y -> pending; B collects Y -> active";
    let mandate = |story: &Story| story.world.wallet(wallet(2)).links().first().expect("B links Y").mandate;
    let unlinked = Finding::MandateUnlinked(mandate(&told(deeds)));
    check(deeds, closed, std::slice::from_ref(&unlinked));
    let of_another = |row: &mut Row| {
        if let Row::Mandate(mandate) = row
            && mandate.wallet == wallet(2)
        {
            mandate.wallet = wallet(1);
        }
    };
    check(deeds, of_another, &[unlinked]);
}
