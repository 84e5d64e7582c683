//! The wallet: holders, wallets, mandates, every way that money moves, as pure functions.
//!
//! One room a noun: `payment` holds what a payment is, what can be asked of it, what can happen to it, and the rules.
//! This crate knows no clock, no chance, no store and no HTTP; ids and times come in with the commands. Personal data
//! comes in sealed: the rules see grades, tokens and keyed hashes.
//! Start reading at [`Command`], then at the room of a noun: `payment::decide` is a good first one.
#![warn(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm
)]
#![expect(clippy::match_same_arms, reason = "arms that do the same for different reasons stay apart, line by line")]

pub mod adjustment;
mod ageing;
pub mod bank_account;
pub mod bank_answer;
pub mod bonus;
pub mod books;
pub mod canary;
pub mod case;
pub mod chart;
mod effect;
pub mod guard;
pub mod holder;
mod ids;
mod inline;
mod limits;
pub mod mandate;
pub mod movement;
pub mod notice;
mod operation;
pub mod payment;
pub mod payout;
pub mod person;
mod policy;
mod purse;
mod refusal;
pub mod reimbursement;
pub mod safeguarding;
pub mod send;
pub mod shop;
mod standing;
mod state;
pub mod switches;
pub mod table;
pub mod top_up;
mod traits;
pub mod voucher;
pub mod wallet;
mod wallets;

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::wildcard_enum_match_arm,
    reason = "tests count in numbers far from their ends, and ask for the one variant that they expect"
)]
mod tests;

pub use effect::Counters;
pub use ids::{
    BankAccountId, BankCode, BonusId, CampaignId, CaseId, ContactId, GiveBackId, HolderId, MandateId, PaymentCodeId,
    PaymentId, PayoutId, PersonId, RefundId, ReimbursementId, SendId, ShopId, StaffId, SwitchId, TopUpId, VoucherId,
    WalletId,
};
pub use limits::{DailySums, ROLLING_DAYS};
pub use policy::{
    AgeingPolicy, BalancePolicy, CasePolicy, Displacing, HolderPolicy, MandatePolicy, PaymentPolicy, PayoutPolicy,
    Policies, Policy, SafeguardingPolicy, SendPolicy, TopUpPolicy, VoucherPolicy,
};
pub use purse::{Balance, Lot, Lots, PURSE_LOTS_MAX, Piece, Purse, Source};
pub use refusal::{FrozenBy, Limit, MissingFact, Noun, Proof, Refusal, Stated, Unable};
pub use standing::Standing;
pub use traits::{Fingerprint, IdentificationMethod, Origin, Tier, Traits};
pub use wallets::Wallets;

use domain::{Id, Time};
use ledger::{Account, AccountId, Yen};
use serde::{Deserialize, Serialize};

/// What the moment supplies beside the time.
#[derive(Clone, Debug)]
pub struct Context {
    /// The figures in force, by date.
    pub policies: Policies,
    /// The guard.
    pub guard: guard::Guard,
}

impl Default for Context {
    fn default() -> Self {
        Self { policies: Policies::new(Policy::default()), guard: guard::allow }
    }
}

/// What somebody asks for, by noun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Of a holder.
    Holder(holder::Command),
    /// Of a wallet itself.
    Wallet(wallet::Command),
    /// Of a shop.
    Shop(shop::Command),
    /// Of mandates.
    Mandate(mandate::Command),
    /// Of top-ups.
    TopUp(top_up::Command),
    /// Of payouts.
    Payout(payout::Command),
    /// Of payments.
    Payment(payment::Command),
    /// Of sends.
    Send(send::Command),
    /// Of vouchers.
    Voucher(voucher::Command),
    /// Of bonus.
    Bonus(bonus::Command),
    /// Of the switches.
    Switches(switches::Command),
    /// Of cases.
    Case(case::Command),
    /// Of reimbursements.
    Reimbursement(reimbursement::Command),
}

/// What happened, by noun. Stored for ever: variants are added at the end, never changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// An attempt was refused. The reply beside it says why.
    Refused(Refused),
    /// To a holder.
    Holder(holder::Event),
    /// To a wallet itself.
    Wallet(wallet::Event),
    /// To a shop.
    Shop(shop::Event),
    /// To a mandate.
    Mandate(mandate::Event),
    /// To a top-up.
    TopUp(top_up::Event),
    /// To a payout.
    Payout(payout::Event),
    /// To a payment.
    Payment(payment::Event),
    /// To a send.
    Send(send::Event),
    /// To a voucher.
    Voucher(voucher::Event),
    /// To bonus.
    Bonus(bonus::Event),
    /// To the switches.
    Switches(switches::Event),
    /// To a case.
    Case(case::Event),
    /// To a reimbursement.
    Reimbursement(reimbursement::Event),
}

/// A refused attempt, as it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The wallet it was about, if there is such a wallet.
    pub wallet: Option<WalletId>,
    /// How much it was about.
    pub amount: Yen,
    /// When.
    pub at: Time,
}

/// A row of any table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Row {
    /// A holder.
    Holder(Box<holder::Holder>),
    /// A verified person.
    Person(Box<person::Person>),
    /// Who has proven to be reached at an address or number.
    Contact(holder::ContactHolders),
    /// A wallet.
    Wallet(Box<wallet::Wallet>),
    /// A bank account.
    BankAccount(Box<bank_account::BankAccount>),
    /// A mandate.
    Mandate(mandate::Mandate),
    /// A top-up.
    TopUp(Box<top_up::TopUp>),
    /// A payout.
    Payout(Box<payout::Payout>),
    /// A shop.
    Shop(shop::Shop),
    /// A payment.
    Payment(payment::Payment),
    /// A payment code.
    PaymentCode(payment::PaymentCode),
    /// A send.
    Send(send::Send),
    /// A voucher.
    Voucher(voucher::Voucher),
    /// A grant of bonus.
    Bonus(bonus::Bonus),
    /// A ledger account that is not a purse.
    Account(AccountId, Account),
    /// The switches.
    Switches(switches::Switches),
    /// A case.
    Case(Box<case::Case>),
    /// A reimbursement.
    Reimbursement(Box<reimbursement::Reimbursement>),
}

/// What a command that was carried out answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Receipt {
    /// A holder.
    Holder {
        /// Its id.
        id: HolderId,
        /// How far the holder's identity is proven.
        tier: Tier,
    },
    /// A wallet.
    Wallet {
        /// Its id.
        id: WalletId,
        /// Its status.
        status: String,
    },
    /// A shop.
    Shop {
        /// Its id.
        id: ShopId,
    },
    /// A payment.
    Payment {
        /// Its id.
        id: PaymentId,
        /// How far it is.
        status: payment::Status,
        /// What was authorised.
        amount: Yen,
        /// What was captured.
        captured: Yen,
        /// What was refunded.
        refunded: Yen,
    },
    /// A payment code.
    PaymentCode {
        /// Its id.
        id: PaymentCodeId,
        /// Until when it is good.
        expires: Time,
    },
    /// A mandate.
    Mandate {
        /// Its id.
        id: MandateId,
        /// How far it is.
        status: mandate::Status,
        /// What the bank's grant lacked, if that is why it is refused.
        missing: Option<MissingFact>,
    },
    /// A top-up.
    TopUp {
        /// Its id.
        id: TopUpId,
        /// How far it is.
        status: top_up::Status,
        /// What was asked for.
        amount: Yen,
        /// Whether the desk must settle what the bank said.
        is_flagged: bool,
    },
    /// A payout.
    Payout {
        /// Its id.
        id: PayoutId,
        /// How far it is.
        status: payout::Status,
        /// What was asked for.
        amount: Yen,
        /// Whether the desk must settle what the bank said.
        is_flagged: bool,
    },
    /// A refund.
    Refund {
        /// Its id.
        id: RefundId,
        /// Of which payment.
        payment: PaymentId,
        /// How much.
        amount: Yen,
        /// What was refunded of the payment so far.
        payment_refunded: Yen,
    },
    /// A send.
    Send {
        /// Its id.
        id: SendId,
        /// How far it is.
        status: send::Status,
        /// How much.
        amount: Yen,
    },
    /// A voucher.
    Voucher {
        /// Its id.
        id: VoucherId,
        /// How far it is.
        status: voucher::Status,
        /// What it is worth.
        amount: Yen,
    },
    /// A grant of bonus.
    Bonus {
        /// Its id.
        id: BonusId,
        /// How much.
        amount: Yen,
    },
    /// A stop.
    Switch {
        /// Its id.
        id: SwitchId,
    },
    /// A case.
    Case {
        /// Its id.
        id: CaseId,
        /// How far it is.
        status: case::Status,
    },
    /// A reimbursement.
    Reimbursement {
        /// Its id.
        id: ReimbursementId,
        /// How far it is.
        status: reimbursement::Status,
        /// How much.
        amount: Yen,
        /// Whether the bank said something against what is on record.
        is_flagged: bool,
    },
}

impl Command {
    /// The wallet, movement amount that a refused attempt counts for, and the command's fixed name.
    fn subject(&self) -> (&'static str, Option<WalletId>, Yen) {
        match self {
            Self::Holder(command) => command.subject(),
            Self::Wallet(command) => command.subject(),
            Self::Mandate(command) => command.subject(),
            Self::TopUp(command) => command.subject(),
            Self::Payout(command) => command.subject(),
            Self::Shop(command) => (command.name(), None, Yen::ZERO),
            Self::Payment(command) => command.subject(),
            Self::Send(command) => command.subject(),
            Self::Voucher(command) => command.subject(),
            Self::Bonus(command) => command.subject(),
            Self::Switches(command) => (command.name(), None, Yen::ZERO),
            Self::Case(command) => command.subject(),
            Self::Reimbursement(command) => command.subject(),
        }
    }
}

/// The id of singletons and of what belongs to the operator alone.
pub const OPERATOR: Id = Id([0; 16]);
