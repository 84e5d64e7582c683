//! Refusals: why a command was not carried out, with what was asked and what is possible.
//!
//! The variants stand in order of precedence: of several reasons the first is given. One exception is in the nature of
//! things: what a movement would be made of (how old the money is, how many lots) is looked at once there is enough of it.
//! Refusals are stored, so what came to say more stands at the end: [`Refusal::LongerThan`] has the place of
//! [`Refusal::TooLong`], [`Refusal::NotAsOnRecord`] that of [`Refusal::Contradiction`], [`Refusal::Taken`] that of
//! [`Refusal::IdTaken`], and [`Refusal::LinkedAlready`] that of [`Refusal::AlreadyLinked`]; the older ones are only read.

use crate::bank_answer::{Claim, Claims, Resolution};
use crate::case::Finding;
use crate::ids::{BankAccountId, BankCode, CaseId, PersonId, SwitchId};
use crate::mandate::Grant;
use crate::standing::Standing;
use crate::switches::Function;
use crate::traits::Tier;
use domain::{Day, Id, Time};
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
    Reimbursement,
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
    /// Yen that were debited, and have neither gone back to their account nor are on the way there.
    Debited,
    /// Yen over two business dates, by a mandate of its first hours, whether its account's true holder has confirmed it or not.
    NewLink,
    /// Yen over two business dates into the wallet, from whichever accounts, when it is by a mandate of its first hours.
    NewLinks,
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
    /// A sealed text is too long, as journals had it before it was said by how much: see [`Refusal::LongerThan`].
    TooLong {
        /// Of what.
        noun: Noun,
    },
    /// There is no such thing, or it is another's.
    Unknown {
        /// What was named.
        noun: Noun,
    },
    /// Something else has this id already, as journals had it before it was said which id: see [`Refusal::Taken`].
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
    /// The bank account has a live mandate already, as journals had it before it was said which one, and as the gateway says it:
    /// see [`Refusal::LinkedAlready`].
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
        /// The first business date on which what was asked is possible if nothing else happens meanwhile, where one can be told.
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
    /// The answer contradicts one given before, or the request, as journals had it before it was said what stands on record:
    /// see [`Refusal::NotAsOnRecord`].
    Contradiction {
        /// What it is about.
        noun: Noun,
    },
    /// A sealed text is too long.
    LongerThan {
        /// Of what.
        noun: Noun,
        /// The longest that is taken, in bytes.
        bytes_max: u32,
        /// How long it is.
        bytes: u32,
    },
    /// It is not what stands on record: what one person proposed, what is owed, what was granted, what was asked of a bank.
    NotAsOnRecord {
        /// What it is about.
        noun: Noun,
        /// What stands there.
        on_record: Stated,
        /// What was said.
        came: Stated,
    },
    /// Something else has this id already; any other is free.
    Taken {
        /// What has it.
        noun: Noun,
        /// The id: of a contact, its keyed hash.
        id: Id,
    },
    /// The bank account has a live mandate already, which the grant does not displace.
    LinkedAlready {
        /// Which account.
        bank_account: BankAccountId,
        /// Whether it is this very wallet that has it. Whose it is otherwise is nobody's to know.
        own: bool,
    },
}

impl Refusal {
    /// There are as many of something as there may be, and one more was asked for.
    pub(crate) fn full(limit: Limit, at_most: usize) -> Self {
        let at_most = i64::try_from(at_most).unwrap_or(i64::MAX);
        Self::LimitExceeded { limit, at_most, left: 0, requested: 1, from: None }
    }

    /// What the bank said of a movement of `amount` against the record is settled first, by two people.
    pub(crate) fn contradicted(noun: Noun, amount: Yen, claims: &Claims, mismatch: Option<Yen>) -> Self {
        let wrong_amount = mismatch.map_or(Stated::Nothing, Stated::Amount);
        let came = claims.iter().last().map_or(wrong_amount, |claim| Stated::Claim(*claim));
        Self::NotAsOnRecord { noun, on_record: Stated::Amount(amount), came }
    }
}

/// What stands on record, or was said against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Stated {
    /// Nothing.
    Nothing,
    /// A sum.
    Amount(Yen),
    /// How a contradiction is settled.
    Resolution(Resolution),
    /// What a case was found to be.
    Finding(Finding),
    /// A bank account.
    BankAccount(BankAccountId),
    /// What a bank granted.
    Grant(Grant),
    /// A bank.
    Bank(BankCode),
    /// Who somebody is.
    Person(PersonId),
    /// What a bank said.
    Claim(Claim),
    /// A case.
    Case(CaseId),
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
