//! Connectors: how the gateway talks to a bank. One trait, whatever the bank speaks.
//!
//! A connector passes on what a person typed and forgets it. What a bank says is believed only as far as it can be
//! understood: an unknown code, a broken answer, one that is too large, too late or a redirect are all no answer.
//! Start reading at [`BankConnector`].

mod http;
pub mod zengin;

pub use self::http::HttpConnector;
pub(crate) use self::http::outcome_of;

use crate::domain::account::AccountKind;
use crate::domain::movement::{Kind, Outcome};
use crate::domain::{Factor, Factors};
use bytes::Bytes;
use domain::Day;
use ledger::Yen;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use web::Secret;

/// An answer to come.
pub type Answering<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How the gateway talks to one bank.
pub trait BankConnector: Send + Sync + 'static {
    /// What the bank says of itself.
    fn about(&self) -> Answering<'_, Result<About, ConnectorError>>;

    /// Hands what a person typed to the bank.
    fn authenticate<'a>(&'a self, attempt: &'a Attempt) -> Answering<'a, Result<Authentication, ConnectorError>>;

    /// Has the bank tell an account's true holder something, on every contact that it has: how many it told.
    fn notify<'a>(&'a self, notice: &'a Notice) -> Answering<'a, Result<u32, ConnectorError>>;

    /// Asks the bank to move money. Asking again with the same reference moves once.
    fn send<'a>(&'a self, order: &'a BankOrder) -> Answering<'a, Outcome>;

    /// Asks what became of it.
    fn inquire<'a>(&'a self, kind: Kind, reference: &'a str) -> Answering<'a, Outcome>;

    /// What the bank did on `day`, as the bytes of a result file of kind 91: empty where it did nothing, none where the day's
    /// file is not there.
    fn day_file(&self, day: Day) -> Answering<'_, Result<Option<Bytes>, ConnectorError>>;

    /// Hands in a request file of kind 91. The same file twice is one.
    fn collect(&self, file: Bytes) -> Answering<'_, Result<(), ConnectorError>>;
}

/// Why a bank gave no answer that could be used. For [`BankConnector::send`] and [`BankConnector::inquire`] that is no
/// error: it is [`Outcome::Unknown`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectorError {
    /// It was not reached, or not in time.
    Unreachable,
    /// It answered something that cannot be understood.
    Garbled,
    /// It does not take our secret.
    Unauthorised,
}

impl fmt::Display for ConnectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreachable => "the bank cannot be reached",
            Self::Garbled => "the bank's answer cannot be understood",
            Self::Unauthorised => "the bank does not take our secret",
        })
    }
}

impl std::error::Error for ConnectorError {}

impl ConnectorError {
    /// Whether nothing came back at all.
    pub const fn is_silence(&self) -> bool {
        match self {
            Self::Unreachable => true,
            Self::Garbled | Self::Unauthorised => false,
        }
    }
}

/// What a bank says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Whether it has an authentication page of its own.
    pub own_page: bool,
    /// The sets of factors that suffice.
    pub factors: Vec<Factors>,
    /// The issuer of its own page.
    pub issuer: Option<String>,
}

/// The number of an account at one bank. Personal data: its debug print shows the branch alone.
#[derive(Clone, PartialEq, Eq)]
pub struct AccountNumber {
    /// Three digits.
    pub branch: String,
    /// What kind.
    pub kind: AccountKind,
    /// Seven digits.
    pub number: String,
}

impl fmt::Debug for AccountNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-…", self.branch, self.kind.name())
    }
}

/// What a person typed.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Its id: the same through all steps of one attempt.
    pub id: String,
    /// The account.
    pub account: AccountNumber,
    /// Every factor but the account itself, with what was typed for it.
    pub factors: BTreeMap<Factor, Secret<String>>,
}

/// What the bank says of an attempt.
#[derive(Clone, Debug)]
pub struct Authentication {
    /// How it went.
    pub outcome: AuthenticationOutcome,
    /// Whether the first factor after the account was right.
    pub first_factor_right: bool,
    /// The customer, once it succeeded.
    pub customer: Option<Customer>,
}

/// How an attempt went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthenticationOutcome {
    /// It is the customer.
    Succeeded,
    /// It is not, or there is no such account: nobody learns which.
    Failed,
    /// One more factor is wanted.
    ChallengeRequired {
        /// Which.
        factor: Factor,
        /// What the page shows: the last digits of a telephone number, the cells of a card.
        hint: String,
    },
}

/// What the bank has of its customer. Personal data: compared here, passed on as grades alone.
#[derive(Clone)]
pub struct Customer {
    /// The name in kana.
    pub name_kana: Secret<String>,
    /// The birth date, as `YYYY-MM-DD`.
    pub birth_date: Secret<String>,
    /// Whether the bank has a contact of theirs.
    pub has_contact: bool,
}

impl fmt::Debug for Customer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Customer {{ has_contact: {} }}", self.has_contact)
    }
}

/// A notice to an account's true holder.
#[derive(Clone, Debug)]
pub struct Notice {
    /// Its id: the same at every attempt.
    pub id: String,
    /// Whose account.
    pub account: AccountNumber,
    /// The text in Japanese.
    pub text_ja: String,
    /// The text in English.
    pub text_en: String,
    /// The code that says "not me", if there is one.
    pub code: Option<Secret<String>>,
}

/// Money that a bank is to move.
#[derive(Clone, Debug)]
pub struct BankOrder {
    /// Debit, credit or return.
    pub kind: Kind,
    /// The gateway's reference.
    pub reference: String,
    /// The account.
    pub account: AccountNumber,
    /// How much.
    pub amount: Yen,
    /// How the statement names it.
    pub descriptor: String,
    /// Whether a debit may borrow what is not in the account.
    pub may_overdraw: bool,
}
