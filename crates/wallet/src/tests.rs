//! Tests across the rooms. `world` runs commands as an engine would and checks the invariants after each; `stories` are
//! what a reader should read first.

mod world;

pub(crate) use world::{DAY_MS, T0, World, holder, payment_code, shop, wallet};

use crate::payment::{self, Authorise, Payer};
use crate::purse::Purse;
use crate::{Command, PaymentId, Tier, chart};
use domain::Id;
use ledger::Yen;

#[test]
fn a_payment_takes_bonus_first_then_prepaid_then_funds() {
    let mut world = World::new();
    let payer = world.give_wallet(1, Tier::Identified);
    let shop = world.give_shop(1);
    world.give_money(payer, Purse::Bonus, 11, 100, T0);
    world.give_money(payer, Purse::Prepaid, 12, 200, T0);
    world.give_money(payer, Purse::Funds, 13, 300, T0);
    world.done(&Command::Payment(payment::Command::Authorise(Authorise {
        payment: PaymentId(Id::from_number(1)),
        payer: Payer::Holder(payer, holder(1)),
        shop,
        amount: Yen::new(350),
        capture: true,
        origin: None,
        proof: None,
    })));
    let left = Purse::ALL.map(|purse| world.wallet(payer).purse(purse).account.available().amount());
    assert_eq!(left, [0, 0, 250]);
    assert_eq!(world.account(chart::settlement(shop)).credit_balance(), 350);
    assert_eq!(world.replayed(), world.rows);
}
