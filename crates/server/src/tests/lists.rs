//! A list that follows a row's chain shows what a plain walk over the whole journal finds.

use super::world::{World, shop, wallet};
use crate::lists::{Cursor, LIST_RECORDS_MAX, Line, Page, of_shop, of_wallet, shop_key, wallet_key};
use domain::Id;
use engine::StoreError;
use ledger::Yen;
use wallet::movement::{self, Change, Movement};
use wallet::wallet::Asker;
use wallet::{Event, Purse, Row, StaffId};

fn walk(world: &World, shown: impl Fn(&Event) -> Option<Movement>) -> Vec<Line> {
    let mut lines = Vec::new();
    for record in world.records() {
        let place = record.place;
        lines.extend(record.entry.events.iter().filter_map(&shown).map(|movement| Line { place, movement }));
    }
    lines.reverse();
    lines
}

/// Reads a list page by page.
fn pages(newest: Cursor, limit: usize, read: impl Fn(Cursor) -> Result<Page, StoreError>) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut next = Some(newest);
    while let Some(cursor) = next {
        let page = read(cursor).expect("the list is read");
        assert!(page.lines.len() <= limit, "a page keeps to its limit");
        lines.extend(page.lines);
        next = page.next;
    }
    lines
}

#[test]
fn lists_are_what_the_journal_says() {
    let mut world = World::new();
    for _ in 0..9 {
        world.round();
    }
    let journal = world.journal();
    for limit in [1, 2, 3, 7, 100] {
        for id in (1..=3).map(wallet) {
            let newest = Cursor::newest(&world.row(wallet_key(id)));
            let lines = pages(newest, limit, |cursor| of_wallet(&journal, id, cursor, limit));
            assert_eq!(lines, walk(&world, |event| movement::of_wallet(event, id)), "{id}, {limit} a page");
        }
        for id in (1..=2).map(shop) {
            let newest = Cursor::newest(&world.row(shop_key(id)));
            let lines = pages(newest, limit, |cursor| of_shop(&journal, id, cursor, limit));
            assert_eq!(lines, walk(&world, |event| movement::of_shop(event, id)), "{id}, {limit} a page");
        }
    }
}

#[test]
fn what_a_list_shows_sums_up_to_the_balance() {
    let mut world = World::new();
    for _ in 0..9 {
        world.round();
    }
    let journal = world.journal();
    for id in (1..=3).map(wallet) {
        let stored = world.row(wallet_key(id));
        let lines = pages(Cursor::newest(&stored), 5, |cursor| of_wallet(&journal, id, cursor, 5));
        let mut sums = [0_i64; 3];
        for line in lines {
            let Change::Purses { bonus, prepaid, funds } = line.movement.change else { panic!("a wallet's change") };
            for (sum, change) in sums.iter_mut().zip([bonus, prepaid, funds]) {
                *sum += change;
            }
        }
        let Some(Row::Wallet(row)) = stored.row.as_deref() else { panic!("a wallet") };
        assert_eq!(sums, Purse::ALL.map(|purse| row.purse(purse).account.available().amount()));
    }
    for id in (1..=2).map(shop) {
        let stored = world.row(shop_key(id));
        let lines = pages(Cursor::newest(&stored), 5, |cursor| of_shop(&journal, id, cursor, 5));
        let sum: i64 = lines
            .iter()
            .map(|line| match line.movement.change {
                Change::Settlement(change) => change,
                Change::Purses { .. } => panic!("a shop's change"),
            })
            .sum();
        let Some(Row::Account(_, account)) = stored.row.as_deref() else { panic!("an account") };
        assert_eq!(sum, account.credit_balance());
    }
}

#[test]
fn a_long_stretch_without_movements_is_read_in_parts() {
    let mut world = World::new();
    let id = wallet(1);
    for _ in 0..LIST_RECORDS_MAX {
        let (by, wallet) = (Asker::Desk(StaffId(Id::from_number(1))), id);
        world.run(vec![
            ::wallet::Command::Wallet(::wallet::wallet::Command::Freeze { wallet, by }),
            ::wallet::Command::Wallet(::wallet::wallet::Command::Unfreeze { wallet, by }),
        ]);
    }
    let journal = world.journal();
    let newest = Cursor::newest(&world.row(wallet_key(id)));
    let first = of_wallet(&journal, id, newest, 10).expect("the list is read");
    assert!(first.lines.is_empty() && first.next.is_some(), "one read does not go through all of it");
    let lines = pages(newest, 10, |cursor| of_wallet(&journal, id, cursor, 10));
    assert_eq!(lines.iter().map(|line| line.movement.amount).collect::<Vec<_>>(), [10_000, 500].map(Yen::new));
}
