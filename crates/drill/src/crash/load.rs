//! The load: commands that are a function of their number, so that any of them can be sent again, by anybody.
//!
//! First a world is set up, shops and wallets with some bonus; then people pay, hold, capture, void, refund, and redeem
//! vouchers. Every command carries an idempotency key that names its number. Start reading at [`Load::submission`].

use domain::{Id, Time};
use engine::{Actor, ActorKind, Request, Submission};
use ledger::Yen;
use wallet::payment::{Authorise, Payer};
use wallet::{
    BonusId, CampaignId, Command, ContactId, Context, HolderId, PaymentId, Policies, Policy, RefundId, ShopId,
    VoucherId, WalletId, Wallets, bonus, holder, payment, shop, voucher,
};

/// When the load begins: 2026-04-01T09:00:00+09:00.
const BEGIN: Time = Time::from_milliseconds(1_775_001_600_000);
/// Commands that arrive in one millisecond of the load's own time.
const COMMANDS_A_MILLISECOND: u64 = 10;
/// How far back a command looks for the one that it follows.
const LOOK_BACK_MAX: u64 = 400;
/// Commands that set up one wallet.
const SETUP_A_WALLET: u64 = 4;
/// What every profile says that nobody has sealed.
pub const PROFILE: [u8; 24] = [7; 24];
/// What each wallet has at first, in yen.
const BONUS_YEN: i64 = 90_000;

/// Which commands, and how many wallets and shops they are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// What the choices are drawn from.
    pub seed: u64,
    /// How many wallets.
    pub wallets: u64,
    /// How many shops.
    pub shops: u64,
}

/// What a command of the load asks for, in the words of the naive books.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Sets the world up.
    SetUp,
    /// Puts so much into a wallet.
    Fill {
        /// The wallet's index.
        wallet: u64,
        /// In yen.
        amount: i64,
    },
    /// Pays a shop at once.
    Pay(Deal),
    /// Holds an amount for a shop.
    Hold(Deal),
    /// The shop takes what was held.
    Capture(u64, Deal),
    /// The shop gives up what was held.
    Void(u64, Deal),
    /// The shop gives one yen back.
    Refund(u64, Deal),
    /// A voucher is made.
    Issue,
    /// The voucher of that number is redeemed into a wallet.
    Redeem(u64, Deal),
}

/// Who deals with whom, for how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deal {
    /// The wallet's index.
    pub wallet: u64,
    /// The shop's index.
    pub shop: u64,
    /// In yen.
    pub amount: i64,
}

impl Load {
    /// How many commands set the world up: the numbers below this.
    pub const fn setup(&self) -> u64 {
        self.shops + self.wallets * SETUP_A_WALLET
    }

    /// The rules in force: limits that a load of small payments never meets.
    pub fn context() -> Context {
        let mut policy = Policy::default();
        let plenty = Yen::new(1_000_000_000_000);
        policy.payment.per_day_max = plenty;
        policy.balance.email_max = plenty;
        policy.ageing.per_day_max = plenty;
        Context { policies: Policies::new(policy), ..Context::default() }
    }

    /// The wallet at `index`.
    pub fn wallet(&self, index: u64) -> WalletId {
        WalletId(self.id(self.shops + index * SETUP_A_WALLET, 1))
    }

    /// The shop at `index`.
    pub fn shop(&self, index: u64) -> ShopId {
        ShopId(self.id(index, 2))
    }

    /// What the command with `number` asks for.
    pub fn ask(&self, number: u64) -> Ask {
        if number < self.setup() {
            return match number.checked_sub(self.shops) {
                Some(step) if step % SETUP_A_WALLET == SETUP_A_WALLET - 1 => {
                    Ask::Fill { wallet: step / SETUP_A_WALLET, amount: BONUS_YEN }
                }
                Some(_) | None => Ask::SetUp,
            };
        }
        let follow = |kind| self.before(number, kind);
        match self.kind(number) {
            Kind::Pay => Ask::Pay(self.deal(number)),
            Kind::Hold => Ask::Hold(self.deal(number)),
            Kind::Capture => follow(Kind::Hold).map_or(Ask::Issue, |of| Ask::Capture(of, self.deal(of))),
            Kind::Void => follow(Kind::Hold).map_or(Ask::Issue, |of| Ask::Void(of, self.deal(of))),
            Kind::Refund => follow(Kind::Pay).map_or(Ask::Issue, |of| Ask::Refund(of, self.deal(of))),
            Kind::Issue => Ask::Issue,
            Kind::Redeem => follow(Kind::Issue)
                .map_or(Ask::Issue, |of| Ask::Redeem(of, Deal { amount: self.deal(of).amount, ..self.deal(number) })),
            Kind::Fill => Ask::Fill { wallet: self.deal(number).wallet, amount: self.deal(number).amount },
        }
    }

    /// The command with `number`, as an API would submit it.
    pub fn submission(&self, number: u64) -> Submission<Wallets> {
        let at = BEGIN.plus_milliseconds((number / COMMANDS_A_MILLISECOND).cast_signed());
        Submission {
            command: self.command(number, at),
            actor: Actor { kind: ActorKind::System, id: Id::default() },
            reason: None,
            request: Some(self.request(number)),
            at,
        }
    }

    /// The command's idempotency key: it names the number.
    fn request(&self, number: u64) -> Request {
        let mut key = [0; 16];
        key[..8].copy_from_slice(&mix(self.seed ^ mix(number)).to_be_bytes());
        key[8..].copy_from_slice(&number.to_be_bytes());
        Request { key, body: Id::from_number(u128::from(mix(number))).0 }
    }

    /// The number that a request's key names; none for a key that is not of this load.
    pub fn number_of(&self, request: &Request) -> Option<u64> {
        let number = u64::from_be_bytes(*request.key.last_chunk()?);
        (self.request(number) == *request).then_some(number)
    }

    fn command(&self, number: u64, at: Time) -> Command {
        let amount = |deal: Deal| Yen::checked(deal.amount).unwrap_or(Yen::ZERO);
        match self.ask(number) {
            Ask::SetUp => self.setup_command(number),
            Ask::Fill { wallet, amount } => Command::Bonus(bonus::Command::Give {
                bonus: BonusId(self.id(number, 3)),
                campaign: CampaignId(Id::from_number(1)),
                wallet: self.wallet(wallet),
                amount: Yen::checked(amount).unwrap_or(Yen::ZERO),
            }),
            Ask::Pay(deal) => self.authorise(number, deal, true),
            Ask::Hold(deal) => self.authorise(number, deal, false),
            Ask::Capture(of, deal) => Command::Payment(payment::Command::Capture {
                payment: self.payment(of),
                shop: self.shop(deal.shop),
                amount: None,
            }),
            Ask::Void(of, deal) => {
                Command::Payment(payment::Command::Void { payment: self.payment(of), shop: self.shop(deal.shop) })
            }
            Ask::Refund(of, deal) => Command::Payment(payment::Command::Refund {
                refund: RefundId(self.id(number, 5)),
                payment: self.payment(of),
                shop: self.shop(deal.shop),
                amount: Yen::new(1),
            }),
            Ask::Issue => Command::Voucher(voucher::Command::Issue {
                voucher: VoucherId(self.id(number, 6)),
                amount: amount(self.deal(number)),
                expires: at.plus_milliseconds(86_400_000),
                by: None,
            }),
            Ask::Redeem(of, deal) => Command::Voucher(voucher::Command::Redeem {
                voucher: VoucherId(self.id(of, 6)),
                wallet: self.wallet(deal.wallet),
                holder: self.holder(deal.wallet),
                origin: None,
                proof: None,
            }),
        }
    }

    fn setup_command(&self, number: u64) -> Command {
        let Some(step) = number.checked_sub(self.shops) else {
            return Command::Shop(shop::Command::Open { shop: self.shop(number) });
        };
        let wallet = step / SETUP_A_WALLET;
        let (holder, mail) = (self.holder(wallet), ContactId(self.id(number - step % SETUP_A_WALLET, 7)));
        match step % SETUP_A_WALLET {
            0 => Command::Holder(holder::Command::Open {
                holder,
                mail,
                mail_domain: None,
                profile: holder::Sealed(PROFILE.to_vec()),
            }),
            1 => Command::Holder(holder::Command::VerifyMail { holder, mail }),
            _ => Command::Wallet(wallet::wallet::Command::Open { wallet: self.wallet(wallet), holder, origin: None }),
        }
    }

    fn authorise(&self, number: u64, deal: Deal, capture: bool) -> Command {
        Command::Payment(payment::Command::Authorise(Authorise {
            payment: self.payment(number),
            payer: Payer::Holder(self.wallet(deal.wallet), self.holder(deal.wallet)),
            shop: self.shop(deal.shop),
            amount: Yen::checked(deal.amount).unwrap_or(Yen::ZERO),
            capture,
            reference: None,
            origin: None,
            proof: None,
        }))
    }

    fn holder(&self, index: u64) -> HolderId {
        HolderId(self.id(self.shops + index * SETUP_A_WALLET, 0))
    }

    fn payment(&self, number: u64) -> PaymentId {
        PaymentId(self.id(number, 4))
    }

    /// An id that grows with `number`, as a `UUIDv7` does with time.
    fn id(&self, number: u64, kind: u64) -> Id {
        let milliseconds = BEGIN.milliseconds().unsigned_abs() + (number >> 7);
        let high = (milliseconds << 16) | 0x7000 | (number & 0x7f) << 4 | kind;
        let low = (1 << 63) | (mix(self.seed ^ mix(number ^ kind << 56)) >> 2);
        Id::from_number(u128::from(high) << 64 | u128::from(low))
    }

    fn deal(&self, number: u64) -> Deal {
        let chance = mix(self.seed.rotate_left(17) ^ number);
        let amount = 1 + (mix(chance) % 50).cast_signed();
        Deal { wallet: (chance >> 8) % self.wallets, shop: (chance >> 40) % self.shops, amount }
    }

    fn kind(&self, number: u64) -> Kind {
        match mix(self.seed.rotate_left(31) ^ number) % 100 {
            0..56 => Kind::Pay,
            56..68 => Kind::Hold,
            68..74 => Kind::Capture,
            74..78 => Kind::Void,
            78..82 => Kind::Refund,
            82..90 => Kind::Issue,
            90..96 => Kind::Redeem,
            _ => Kind::Fill,
        }
    }

    /// A number of `kind` a little before `number`, far enough that it was probably answered.
    fn before(&self, number: u64, kind: Kind) -> Option<u64> {
        let back = mix(number) % (LOOK_BACK_MAX / 2);
        let latest = number.checked_sub(1 + back)?;
        let earliest = self.setup().max(number.saturating_sub(LOOK_BACK_MAX));
        (earliest..=latest).rev().find(|&candidate| self.kind(candidate) == kind)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Pay,
    Hold,
    Capture,
    Void,
    Refund,
    Issue,
    Redeem,
    Fill,
}

/// A fixed mixing of 64 bits (the finalizer of splitmix64).
const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
