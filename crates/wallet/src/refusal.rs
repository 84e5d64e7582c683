//! Refusals: why a command was not carried out, with what was asked and what is possible.
//!
//! The variants stand in order of precedence: of several reasons the first is given. One exception is in the nature of
//! things: what a movement would be made of (how old the money is, how many lots) is looked at once there is enough of it.

use crate::ids::{BankCode, SwitchId};
use crate::standing::Standing;
use crate::switches::Function;
use crate::traits::Tier;
use domain::{Day, Time};
use ledger::Yen;
use serde::{Deserialize, Serialize};

/// A noun that a refusal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the variants are the design's nouns, each documented at its type")]
pub enum Noun {
    Holder,
    Person,
    Contact,
    Wallet,
    Recipient,
    BankAccount,
    Mandate,
    TopUp,
    GiveBack,
    Voucher,
    PaymentCode,
    Payment,
    Refund,
    Send,
    Payout,
    Shop,
    Bonus,
    Switch,
    Bank,
    Account,
    Case,
}

/// A figure of the policy that a command went over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Limit {
    /// Yen at a time.
    PerTime,
    /// Yen a business date.
    PerDay,
    /// Yen a calendar month, of the wallet.
    PerMonth,
    /// Yen in 30 dates, of the wallet.
    Rolling,
    /// Yen a calendar month, of the person, over all wallets.
    PersonPerMonth,
    /// Yen in 30 dates, of the person, over all wallets.
    PersonRolling,
    /// Yen a calendar month, of the bank account, over all wallets.
    BankAccountPerMonth,
    /// Yen in 30 dates, of the bank account, over all wallets.
    BankAccountRolling,
    /// Yen a business date, by a mandate that the account's true holder has not confirmed.
    UnconfirmedPerDay,
    /// Yen in all, by a mandate that the account's true holder has not confirmed.
    UnconfirmedTotal,
    /// Movements a calendar month.
    CountPerMonth,
    /// Yen of young money a business date.
    Young,
    /// Yen of young money a business date by send.
    YoungSend,
    /// Yen a wallet may hold.
    Balance,
    /// How many lots a purse may hold.
    Lots,
    /// How many pieces a movement may be made of.
    Pieces,
    /// How many refunds a payment may have.
    Refunds,
    /// How often a give-back that failed is tried again.
    GiveBacks,
    /// How many bank accounts a wallet may link.
    Links,
    /// Yen a business date, of the person, over all wallets.
    PersonPerDay,
    /// In how many wallets a case keeps money, and how many blocks lie on a wallet.
    Blocks,
    /// How many stops may be in force: one is lifted first, or a wider one set.
    Stops,
}

/// Who froze a wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum FrozenBy {
    /// Its holder.
    Holder,
    /// The operator's desk.
    Desk,
    /// What is owed after a bank took money back.
    Debt,
}

/// What proof a step-up asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Proof {
    /// The holder's second factor.
    SecondFactor,
    /// The person, identified anew.
    Identity,
}

/// Why a command was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// The amount is zero.
    AmountZero,
    /// A sealed text is too long.
    TooLong {
        /// Of what.
        noun: Noun,
    },
    /// There is no such thing, or it is another's.
    Unknown {
        /// What was named.
        noun: Noun,
    },
    /// Something else has this id already.
    IdTaken {
        /// What has it.
        noun: Noun,
    },
    /// The function is stopped.
    Stopped {
        /// Which function.
        function: Function,
        /// At which bank, if at one.
        bank: Option<BankCode>,
        /// By which switch.
        switch: SwitchId,
        /// Since when.
        since: Time,
    },
    /// The clock cannot be believed: money must not leave.
    ClockDrifted,
    /// The thing is in a state that does not allow this.
    WrongStatus {
        /// What.
        noun: Noun,
        /// How it stands.
        status: Standing,
    },
    /// It ran out.
    Expired {
        /// What.
        noun: Noun,
        /// When.
        at: Time,
    },
    /// The wallet is frozen.
    Frozen {
        /// By whom.
        by: FrozenBy,
    },
    /// The holder's identity is not proven far enough.
    TierTooLow {
        /// The wallet's tier.
        tier: Tier,
        /// The tier it takes.
        needed: Tier,
    },
    /// The mandate was granted on facts that the policy of today no longer takes for sufficient.
    GrantTooWeak {
        /// Which fact is missing.
        missing: MissingFact,
    },
    /// The bank account has a live mandate already.
    AlreadyLinked,
    /// Movements of the wallet are still under way, or money is left in it.
    NotSettled {
        /// What is available.
        available: Yen,
        /// What is on its way.
        pending: Yen,
    },
    /// The recipient cannot take it.
    RecipientUnable {
        /// Why: for the desk, not for the sender.
        why: Unable,
    },
    /// Less than the policy asks for.
    AmountTooSmall {
        /// The least.
        least: Yen,
        /// What was asked.
        requested: Yen,
    },
    /// More than a figure of the policy allows.
    LimitExceeded {
        /// Which figure.
        limit: Limit,
        /// The figure.
        at_most: i64,
        /// What is left of it.
        left: i64,
        /// What was asked.
        requested: i64,
        /// The first business date on which more is possible, where one can be told.
        from: Option<Day>,
    },
    /// There is not enough money of the kind that this takes.
    InsufficientFunds {
        /// What is available.
        available: Yen,
        /// What was asked.
        requested: Yen,
    },
    /// The named proof is asked for first.
    StepUpRequired {
        /// Which proof.
        proof: Proof,
    },
    /// The guard refuses.
    GuardRefused {
        /// Its reason code.
        reason: u16,
    },
    /// It takes another person than the one who proposed it.
    SecondPersonNeeded,
    /// The answer contradicts one given before, or the request: a case for the desk.
    Contradiction {
        /// What it is about.
        noun: Noun,
    },
}

/// Why a recipient cannot take a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Unable {
    /// It is the sender.
    Sender,
    /// The wallet is closed.
    Closed,
    /// A switch concerns it.
    Stopped,
    /// The wallet is frozen, or its holder owes.
    Frozen,
    /// Its holder's identity is not proven far enough.
    Tier,
    /// It would hold more than it may.
    Full,
}

/// What a grant lacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MissingFact {
    /// A factor that is more than static knowledge.
    StrongFactor,
    /// The bank's name is the verified person's.
    NameMatch,
    /// The bank's birth date is the verified person's.
    BirthDateMatch,
    /// The account's true holder was told.
    HolderNotified,
}
