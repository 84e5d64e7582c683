//! What holds for any history of payments, sends, vouchers and bonus: the balances are those of a naive model that knows
//! neither lots nor accounts; the limits count what was kept; the lists and the day's debt add up to the balances; the
//! journal alone comes to the same rows.

use super::world::{DAY_MS, T0, World, holder, shop, wallet};
use crate::bonus;
use crate::guard::{self, Attempt, Verdict};
use crate::ids::{BonusId, CampaignId, PaymentId, RefundId, SendId, StaffId, VoucherId};
use crate::movement::{Change, of_shop, of_wallet};
use crate::payment::{self, Authorise, Payer};
use crate::purse::Purse;
use crate::refusal::Refusal;
use crate::safeguarding::Outstanding;
use crate::wallet::Asker;
use crate::{Command, Receipt, Tier, chart, send, voucher};
use domain::{Day, Id};
use ledger::Yen;
use proptest::prelude::*;

const WALLETS: usize = 3;
const SHOPS: usize = 2;
const GIVEN: [i64; 3] = [500, 3_000, 400_000];

/// Something that somebody does. Which wallet, shop, payment or send is meant is a number modulo those that there are.
#[derive(Clone, Debug)]
enum Deed {
    Pay { wallet: usize, shop: usize, amount: i64, capture: bool },
    Capture { payment: usize, shop: usize, amount: Option<i64> },
    Void { payment: usize, shop: usize },
    Expire { payment: usize },
    Refund { payment: usize, shop: usize, amount: i64 },
    Send { from: usize, to: usize, amount: i64 },
    Decide { send: usize, release: bool },
    Redeem { wallet: usize, amount: i64 },
    Give { wallet: usize, amount: i64 },
    Freeze { wallet: usize },
    Unfreeze { wallet: usize },
    Close { wallet: usize },
    Pass { hours: i64 },
    GuardHolds { sends: bool },
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let (index, yen) = (0_usize..8, prop_oneof![0_i64..50, 0_i64..4_000, 0_i64..320_000]);
    let deed = prop_oneof![
        6 => (index.clone(), index.clone(), yen.clone(), any::<bool>())
            .prop_map(|(wallet, shop, amount, capture)| Deed::Pay { wallet, shop, amount, capture }),
        4 => (index.clone(), index.clone(), proptest::option::of(yen.clone()))
            .prop_map(|(payment, shop, amount)| Deed::Capture { payment, shop, amount }),
        2 => (index.clone(), index.clone()).prop_map(|(payment, shop)| Deed::Void { payment, shop }),
        1 => index.clone().prop_map(|payment| Deed::Expire { payment }),
        5 => (index.clone(), index.clone(), yen.clone())
            .prop_map(|(payment, shop, amount)| Deed::Refund { payment, shop, amount }),
        4 => (index.clone(), index.clone(), yen.clone())
            .prop_map(|(from, to, amount)| Deed::Send { from, to, amount }),
        2 => (index.clone(), any::<bool>()).prop_map(|(send, release)| Deed::Decide { send, release }),
        2 => (index.clone(), yen.clone()).prop_map(|(wallet, amount)| Deed::Redeem { wallet, amount }),
        2 => (index.clone(), yen.clone()).prop_map(|(wallet, amount)| Deed::Give { wallet, amount }),
        1 => index.clone().prop_map(|wallet| Deed::Freeze { wallet }),
        2 => index.clone().prop_map(|wallet| Deed::Unfreeze { wallet }),
        1 => index.prop_map(|wallet| Deed::Close { wallet }),
        3 => (1_i64..100).prop_map(|hours| Deed::Pass { hours }),
        1 => any::<bool>().prop_map(|sends| Deed::GuardHolds { sends }),
    ];
    prop::collection::vec(deed, 1..60)
}

/// The naive model: signed sums, and what is under way.
#[derive(Default)]
struct Model {
    purses: [[i64; 3]; WALLETS],
    held: [i64; WALLETS],
    shops: [i64; SHOPS],
    suspense: i64,
    closed: [bool; WALLETS],
    payments: Vec<Payment>,
    sends: Vec<(usize, usize, i64, bool)>,
}

/// A payment: what of each purse is with the shop or held for it, and what counts on its day.
struct Payment {
    wallet: usize,
    shop: usize,
    day: Day,
    taken: [i64; 3],
    counts: i64,
    open: bool,
}

impl Model {
    fn pay(&mut self, wallet: usize, shop: usize, amount: i64, day: Day, capture: bool) {
        let mut taken = [0; 3];
        let mut left = amount;
        for (purse, taken) in self.purses[wallet].iter_mut().zip(&mut taken) {
            *taken = left.min(*purse);
            *purse -= *taken;
            left -= *taken;
        }
        assert_eq!(left, 0, "there was not as much");
        if capture {
            self.shops[shop] += amount;
        } else {
            self.held[wallet] += amount;
        }
        self.payments.push(Payment { wallet, shop, day, taken, counts: amount, open: !capture });
    }

    /// Keeps `kept` of an open payment, what would be spent first, and gives the rest back.
    fn close(&mut self, index: usize, kept: i64) {
        let payment = &mut self.payments[index];
        self.held[payment.wallet] -= payment.counts;
        self.shops[payment.shop] += kept;
        let mut left = kept;
        for (purse, taken) in self.purses[payment.wallet].iter_mut().zip(&mut payment.taken) {
            let keeps = left.min(*taken);
            *purse += *taken - keeps;
            *taken = keeps;
            left -= keeps;
        }
        payment.counts = kept;
        payment.open = false;
    }

    /// Gives back `amount`, what was spent last first.
    fn refund(&mut self, index: usize, amount: i64) {
        let payment = &mut self.payments[index];
        self.shops[payment.shop] -= amount;
        let mut left = amount;
        for (purse, taken) in self.purses[payment.wallet].iter_mut().zip(&mut payment.taken).rev() {
            let back = left.min(*taken);
            *taken -= back;
            left -= back;
            let to = if self.closed[payment.wallet] { &mut self.suspense } else { purse };
            *to += back;
        }
        assert_eq!(left, 0, "more than was paid");
    }
}

fn number(index: usize) -> u128 {
    u128::try_from(index).expect("an index")
}

struct Run {
    world: World,
    model: Model,
    last_id: u128,
}

fn holds_sends(attempt: &Attempt<'_>) -> Verdict {
    match attempt.function {
        crate::switches::Function::Send => Verdict::Hold { reason: 1 },
        _ => Verdict::Allow,
    }
}

impl Run {
    fn new() -> Self {
        let mut world = World::new();
        let mut model = Model::default();
        for index in 0..WALLETS {
            let id = world.give_wallet(number(index), Tier::Identified);
            for (purse, amount) in Purse::ALL.into_iter().zip(GIVEN) {
                let lot = 10 * number(index) + u128::from(purse.code().0);
                world.give_money(id, purse, lot, amount, T0.plus_milliseconds(-2 * DAY_MS));
            }
            model.purses[index] = GIVEN;
        }
        for index in 0..SHOPS {
            world.give_shop(number(index));
        }
        Self { world, model, last_id: 1_000 }
    }

    fn fresh(&mut self) -> Id {
        self.last_id += 1;
        Id::from_number(self.last_id)
    }

    fn payment(&self, index: usize) -> Option<(usize, PaymentId)> {
        let index = index.checked_rem(self.model.payments.len())?;
        Some((index, PaymentId(Id::from_number(1_000_000 + number(index)))))
    }

    fn deed(&mut self, deed: &Deed) {
        match *deed {
            Deed::Pay { wallet, shop, amount, capture } => self.pay(wallet % WALLETS, shop % SHOPS, amount, capture),
            Deed::Capture { payment, shop, amount } => self.capture(payment, shop % SHOPS, amount),
            Deed::Void { payment, shop: seller } => {
                let Some((index, payment)) = self.payment(payment) else { return };
                let shop = shop(number(seller % SHOPS));
                if self.payment_deed(payment::Command::Void { payment, shop }).is_ok() {
                    self.model.close(index, 0);
                }
            }
            Deed::Expire { payment } => {
                let Some((index, payment)) = self.payment(payment) else { return };
                if self.payment_deed(payment::Command::Expire { payment }).is_ok() {
                    self.model.close(index, 0);
                }
            }
            Deed::Refund { payment, shop, amount } => self.refund(payment, shop % SHOPS, amount),
            Deed::Send { from, to, amount } => self.send(from % WALLETS, to % WALLETS, amount),
            Deed::Decide { send, release } => self.decide(send, release),
            Deed::Redeem { wallet, amount } => self.redeem(wallet % WALLETS, amount),
            Deed::Give { wallet: index, amount } => {
                let index = index % WALLETS;
                let (bonus, campaign) = (BonusId(self.fresh()), CampaignId(Id::from_number(1)));
                let give =
                    bonus::Command::Give { bonus, campaign, wallet: wallet(number(index)), amount: Yen::new(amount) };
                if self.world.run(&Command::Bonus(give)).is_ok() {
                    self.model.purses[index][0] += amount;
                }
            }
            Deed::Freeze { wallet: index } => {
                let (wallet, by) = (wallet(number(index % WALLETS)), Asker::Desk(StaffId(Id::from_number(1))));
                let _refused_if_closed =
                    self.world.run(&Command::Wallet(crate::wallet::Command::Freeze { wallet, by }));
            }
            Deed::Unfreeze { wallet: index } => {
                let (wallet, by) = (wallet(number(index % WALLETS)), Asker::Desk(StaffId(Id::from_number(1))));
                let _refused_if_open =
                    self.world.run(&Command::Wallet(crate::wallet::Command::Unfreeze { wallet, by }));
            }
            Deed::Close { wallet: index } => self.close(index % WALLETS),
            Deed::Pass { hours } => self.world.pass(hours * 3_600_000),
            Deed::GuardHolds { sends } => self.world.context.guard = if sends { holds_sends } else { guard::allow },
        }
        self.compare();
    }

    fn payment_deed(&mut self, command: payment::Command) -> Result<Receipt, Refusal> {
        self.world.run(&Command::Payment(command))
    }

    fn pay(&mut self, wallet_index: usize, shop_index: usize, amount: i64, capture: bool) {
        let id = wallet(number(wallet_index));
        let reply = self.payment_deed(payment::Command::Authorise(Authorise {
            payment: PaymentId(Id::from_number(1_000_000 + number(self.model.payments.len()))),
            payer: Payer::Holder(id, holder(number(wallet_index))),
            shop: shop(number(shop_index)),
            amount: Yen::new(amount),
            capture,
            reference: None,
            origin: None,
            proof: None,
        }));
        let there: i64 = self.model.purses[wallet_index].iter().sum();
        match reply {
            Ok(_) => self.model.pay(wallet_index, shop_index, amount, self.world.now.day(), capture),
            Err(Refusal::InsufficientFunds { available, .. }) => assert!(available.amount() == there && there < amount),
            Err(_) => {}
        }
    }

    fn capture(&mut self, payment: usize, shop_index: usize, amount: Option<i64>) {
        let Some((index, payment)) = self.payment(payment) else { return };
        let (shop, part) = (shop(number(shop_index)), amount.map(Yen::new));
        if self.payment_deed(payment::Command::Capture { payment, shop, amount: part }).is_ok() {
            let whole = self.model.payments[index].counts;
            assert!(self.model.payments[index].open && self.model.payments[index].shop == shop_index);
            self.model.close(index, amount.unwrap_or(whole));
        }
    }

    fn refund(&mut self, payment: usize, shop_index: usize, amount: i64) {
        let Some((index, payment)) = self.payment(payment) else { return };
        let (refund, shop) = (RefundId(self.fresh()), shop(number(shop_index)));
        let command = payment::Command::Refund { refund, payment, shop, amount: Yen::new(amount) };
        let reply = self.payment_deed(command);
        let row = &self.model.payments[index];
        let left: i64 = row.taken.iter().sum();
        let possible = !row.open && row.shop == shop_index && 0 < amount && amount <= left;
        assert_eq!(reply.is_ok(), possible, "{reply:?}");
        if possible {
            self.model.refund(index, amount);
        }
    }

    fn send(&mut self, from: usize, to: usize, amount: i64) {
        let command = send::Command::Request(send::Request {
            send: SendId(Id::from_number(2_000_000 + number(self.model.sends.len()))),
            wallet: wallet(number(from)),
            holder: holder(number(from)),
            to: wallet(number(to)),
            amount: Yen::new(amount),
            message: None,
            origin: None,
            proof: None,
        });
        let Ok(Receipt::Send { status, .. }) = self.world.run(&Command::Send(command)) else { return };
        let held = status == send::Status::Held;
        self.model.purses[from][2] -= amount;
        let arrives = if held { &mut self.model.held[from] } else { &mut self.model.purses[to][2] };
        *arrives += amount;
        self.model.sends.push((from, to, amount, held));
    }

    fn decide(&mut self, index: usize, release: bool) {
        let Some(index) = index.checked_rem(self.model.sends.len()) else { return };
        let (send, by) = (SendId(Id::from_number(2_000_000 + number(index))), StaffId(Id::from_number(1)));
        let command = send::Command::DecideHeld { send, release, by };
        if self.world.run(&Command::Send(command)).is_ok() {
            let (from, to, amount, held) = &mut self.model.sends[index];
            assert!(std::mem::replace(held, false), "decided twice");
            self.model.held[*from] -= *amount;
            self.model.purses[if release { *to } else { *from }][2] += *amount;
        }
    }

    fn redeem(&mut self, index: usize, amount: i64) {
        let (voucher, wallet) = (VoucherId(self.fresh()), wallet(number(index)));
        let expires = self.world.now.plus_milliseconds(1);
        let issue = voucher::Command::Issue { voucher, amount: Yen::new(amount), expires, by: None };
        if self.world.run(&Command::Voucher(issue)).is_err() {
            return;
        }
        let holder = holder(number(index));
        let redeem = voucher::Command::Redeem { voucher, wallet, holder, origin: None, proof: None };
        if self.world.run(&Command::Voucher(redeem)).is_ok() {
            self.model.purses[index][1] += amount;
        }
    }

    fn close(&mut self, index: usize) {
        let (wallet, holder) = (wallet(number(index)), holder(number(index)));
        let command = crate::wallet::Command::Close { wallet, holder };
        if self.world.run(&Command::Wallet(command)).is_ok() {
            let empty = self.model.purses[index] == [0; 3] && self.model.held[index] == 0;
            assert!(empty && !self.model.closed[index], "closed with money in it");
            self.model.closed[index] = true;
        }
    }

    fn compare(&self) {
        let day = self.world.now.day();
        for index in 0..WALLETS {
            let row = self.world.wallet(wallet(number(index)));
            let there = Purse::ALL.map(|purse| row.purse(purse).account.available().amount());
            assert_eq!(there, self.model.purses[index], "purses of wallet {index}");
            assert_eq!(row.held().amount(), self.model.held[index], "held of wallet {index}");
            let today = self.model.payments.iter().filter(|payment| payment.wallet == index && payment.day == day);
            let counted: i64 = today.map(|payment| payment.counts).sum();
            assert_eq!(row.counters.payment.on(day).amount(), counted, "what counts today");
            assert!(counted <= 500_000, "more than a day's limit");
        }
        for index in 0..SHOPS {
            let account = self.world.account(chart::settlement(shop(number(index))));
            assert_eq!(account.credit_balance(), self.model.shops[index], "shop {index}");
        }
        let suspense = self.world.account(chart::suspense(None)).credit_balance();
        assert_eq!(suspense, self.model.suspense - GIVEN[2] * i64::try_from(WALLETS).expect("few"), "suspense");
    }

    /// The lists and the day's debt are sums over the events, and come to the balances too.
    fn compare_sums(&self) {
        let mut outstanding = Outstanding::default();
        let mut purses = [GIVEN; WALLETS];
        let mut shops = [0; SHOPS];
        for event in self.world.journal.iter().flatten() {
            outstanding.apply(event);
            for (index, sums) in purses.iter_mut().enumerate() {
                let Some(movement) = of_wallet(event, wallet(number(index))) else { continue };
                let Change::Purses { bonus, prepaid, funds } = movement.change else { panic!("{movement:?}") };
                *sums = [sums[0] + bonus, sums[1] + prepaid, sums[2] + funds];
            }
            for (index, sum) in shops.iter_mut().enumerate() {
                let Some(movement) = of_shop(event, shop(number(index))) else { continue };
                let Change::Settlement(change) = movement.change else { panic!("{movement:?}") };
                *sum += change;
            }
        }
        assert_eq!(purses, self.model.purses);
        assert_eq!(shops, self.model.shops);
        let owed = |purse: usize| self.model.purses.iter().map(|sums| sums[purse] - GIVEN[purse]).sum::<i64>();
        let held: i64 = self.model.held.iter().sum();
        let sum = outstanding.bonus + outstanding.prepaid + outstanding.funds;
        assert_eq!(sum, owed(0) + owed(1) + owed(2) + held);
        assert_eq!(outstanding.suspense.values().sum::<i64>(), self.model.suspense);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_history_comes_to_the_naive_models_balances(deeds in deeds()) {
        let mut run = Run::new();
        for deed in &deeds {
            run.deed(deed);
        }
        run.compare_sums();
        prop_assert_eq!(run.world.replayed(), run.world.rows);
    }
}
