//! The load: wallets and shops, and payments that are a function of their number, so that any of them can be sent again.
//!
//! How the wallets are opened and filled stands in `opening`.

use super::callers::Source;
use domain::{Id, Time};
use engine::{Actor, ActorKind, Request, Submission};
use ledger::Yen;
use serde::{Deserialize, Serialize};
use wallet::payment::{Authorise, Command as Payment, Payer};
use wallet::{Command, HolderId, PaymentId, Refusal, ShopId, WalletId, Wallets};

/// Shops that get the hot traffic.
const HOT_SHOPS: u64 = 10;
/// The largest payment, in yen. Small, so that no wallet runs dry in a long run.
const PAYMENT_YEN_MAX: u64 = 50;
/// Where the run's ids and times begin: 2026-01-01T00:00:00+09:00.
pub const BEGIN: Time = Time::from_milliseconds(1_767_193_200_000);
/// Ids that one millisecond of their time stamp holds.
const IDS_A_MILLISECOND: u64 = 128;

/// The size and shape of a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workload {
    /// How many wallets pay.
    pub wallets: u64,
    /// How many shops are paid.
    pub shops: u64,
    /// The share of payments that go to ten hot shops, in per cent.
    pub hot_percent: u64,
    /// What the run's ids and choices are drawn from.
    pub seed: u64,
}

/// One payment of the load, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// The index of the wallet that pays.
    pub wallet: u64,
    /// The index of the shop that is paid.
    pub shop: u64,
    /// How many yen.
    pub amount: u64,
    /// The payment's id.
    pub payment: PaymentId,
    key: u128,
}

/// The kinds of ids that the load makes; each has a range of its own.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A wallet's holder.
    Holder,
    /// A wallet.
    Wallet,
    /// A shop.
    Shop,
    /// A payment.
    Payment,
    /// A mail address.
    Mail,
    /// A telephone number.
    Phone,
    /// A person.
    Person,
    /// A bank account.
    BankAccount,
    /// A mandate.
    Mandate,
    /// Points that are given.
    Bonus,
    /// A voucher.
    Voucher,
    /// A top-up.
    TopUp,
    /// What a top-up's answer may need.
    GiveBack,
}

impl Workload {
    /// The id of the `number`th thing of `kind`: a `UUIDv7` whose time grows with the number.
    pub fn id(&self, kind: Kind, number: u64) -> Id {
        let kind = match kind {
            Kind::Holder => 1,
            Kind::Wallet => 2,
            Kind::Shop => 3,
            Kind::Payment => 4,
            Kind::Mail => 5,
            Kind::Phone => 6,
            Kind::Person => 7,
            Kind::BankAccount => 8,
            Kind::Mandate => 9,
            Kind::Bonus => 10,
            Kind::Voucher => 11,
            Kind::TopUp => 12,
            Kind::GiveBack => 13,
        };
        let milliseconds = BEGIN.milliseconds().unsigned_abs() + number / IDS_A_MILLISECOND;
        let chance = mix(self.seed ^ mix(number) ^ kind);
        let high = (milliseconds << 16) | 0x7000 | (number % IDS_A_MILLISECOND) << 4 | kind;
        let low = 0x8000_0000_0000_0000 | (chance >> 2);
        Id::from_number(u128::from(high) << 64 | u128::from(low))
    }

    /// The wallet at `index`.
    pub fn wallet(&self, index: u64) -> WalletId {
        WalletId(self.id(Kind::Wallet, index))
    }

    /// The holder of the wallet at `index`.
    pub fn holder(&self, index: u64) -> HolderId {
        HolderId(self.id(Kind::Holder, index))
    }

    /// The shop at `index`.
    pub fn shop(&self, index: u64) -> ShopId {
        ShopId(self.id(Kind::Shop, index))
    }

    /// The payment with `number`.
    pub fn order(&self, number: u64) -> Order {
        let chance = mix(self.seed.wrapping_add(number));
        let more = mix(chance);
        let hot = chance % 100 < self.hot_percent;
        let shops = if hot { HOT_SHOPS.min(self.shops) } else { self.shops };
        Order {
            wallet: (more >> 8) % self.wallets,
            shop: (chance >> 16) % shops,
            amount: 1 + mix(more) % PAYMENT_YEN_MAX,
            payment: PaymentId(self.id(Kind::Payment, number)),
            key: u128::from(mix(chance ^ 1)) << 64 | u128::from(mix(more ^ 2)),
        }
    }

    /// The command of `order`, with the request key and body MAC that an API would compute for it.
    pub fn submission(&self, order: &Order, at: Time) -> Submission<Wallets> {
        let (wallet, holder) = (self.wallet(order.wallet), self.holder(order.wallet));
        let amount = Yen::checked(order.amount.cast_signed()).unwrap_or(Yen::ZERO);
        let shop = self.shop(order.shop);
        let command = Command::Payment(Payment::Authorise(Authorise {
            payment: order.payment,
            payer: Payer::Holder(wallet, holder),
            shop,
            amount,
            capture: true,
            reference: None,
            origin: None,
            proof: None,
        }));
        let mut body = blake3::Hasher::new_keyed(&[7; 32]);
        body.update(&order.payment.0.0).update(&wallet.0.0).update(&shop.0.0).update(&order.amount.to_be_bytes());
        let mut key = blake3::Hasher::new_keyed(&[9; 32]);
        key.update(b"POST /v1/wallets/{id}/payments").update(&holder.0.0).update(&order.key.to_be_bytes());
        let request = Request { key: first_half(&key), body: first_half(&body) };
        let actor = Actor { kind: ActorKind::Holder, id: holder.0 };
        Submission { command, actor, reason: None, request: Some(request), at }
    }
}

fn first_half(hasher: &blake3::Hasher) -> [u8; 16] {
    let mut half = [0; 16];
    hasher.finalize_xof().fill(&mut half);
    half
}

/// Payments behind the newest that may be repeated: they have been answered long ago.
const REPEAT_DISTANCE_MIN: u64 = 10_000;

/// The payments of a load, one after the other, with some old ones sent again.
pub struct Orders {
    /// The load.
    pub workload: Workload,
    next: u64,
    repeats_permille: u64,
    draws: u64,
}

impl Orders {
    /// Payments from number `next` on.
    pub fn new(workload: Workload, next: u64, repeats_permille: u64) -> Self {
        Self { workload, next, repeats_permille, draws: 0 }
    }
}

impl Source for Orders {
    type Domain = Wallets;
    type Order = Order;

    fn ran_dry(refusal: &Refusal) -> bool {
        matches!(refusal, Refusal::InsufficientFunds { .. })
    }

    fn draw(&mut self) -> (Order, bool) {
        self.draws += 1;
        let chance = mix(self.next ^ mix(self.draws));
        if chance % 1_000 < self.repeats_permille && self.next > REPEAT_DISTANCE_MIN {
            return (self.workload.order((chance >> 10) % (self.next - REPEAT_DISTANCE_MIN)), true);
        }
        self.next += 1;
        (self.workload.order(self.next - 1), false)
    }

    fn drawn(&self) -> u64 {
        self.next
    }

    fn submission(&self, order: &Order, at: Time) -> Submission<Wallets> {
        self.workload.submission(order, at)
    }
}

/// A fixed mixing of 64 bits (the finalizer of splitmix64).
pub const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
