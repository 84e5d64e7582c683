//! Connectors: how the gateway talks to a bank.
//!
//! Whoever waits at a page is asked of the bank over HTTP, and so is money that goes to an account: an interbank transfer
//! (振込). Debits (口座振替) reach a bank in one of two ways behind one trait: each for itself over HTTP, or all of a day in one
//! file. A connector passes on what a person typed and forgets it. What a bank says is believed only as far as it can be
//! understood: an unknown code, a broken answer, one that is too large, too late or a redirect are all no answer.
//! Start reading at [`BankConnector`].

pub(crate) mod http;
pub mod zengin;

pub use self::http::HttpConnector;
pub(crate) use self::http::outcome_of;

use self::zengin::{ResultLine, ZenginConnector};
use crate::domain::account::AccountKind;
use crate::domain::holidays::is_business_day;
use crate::domain::movement::{Kind, Outcome};
use crate::domain::{Factor, Factors, MovementId};
use crate::options::BankOptions;
use domain::Day;
use ledger::Yen;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use web::{Secret, Transport};

/// An answer to come.
pub type Answering<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How debits reach one bank, and how it is heard what became of them.
pub trait BankConnector: Send + Sync + 'static {
    /// When the bank takes debits.
    fn rhythm(&self) -> Rhythm;

    /// Asks the bank for `orders` in the name of `day`: what it says to each of them, in their order, or that it has not taken
    /// them. Asking again for the same debits moves once.
    fn send<'a>(&'a self, day: Day, orders: &'a [BankOrder]) -> Answering<'a, Result<Vec<Outcome>, ConnectorError>>;

    /// Asks what became of a debit that was sent on `sent`.
    fn inquire(&self, movement: MovementId, sent: Day) -> Answering<'_, Outcome>;

    /// What the bank did on `day`, record by record; none where the day's file is not there.
    fn results(&self, day: Day) -> Answering<'_, Result<Option<Vec<ResultLine>>, ConnectorError>>;
}

/// When a bank takes debits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rhythm {
    /// Each at once.
    OneByOne,
    /// All of a business day together.
    Daily {
        /// When the day's file is made, in minutes after midnight in Tokyo.
        cut_off_minute: u16,
    },
}

impl Rhythm {
    /// Whether the bank has results of `day`: what goes together has them for each business day, all else for each day.
    pub fn has_results(self, day: Day) -> bool {
        match self {
            Self::OneByOne => true,
            Self::Daily { .. } => is_business_day(day),
        }
    }
}

/// How one bank is reached.
#[derive(Clone)]
pub struct Reach {
    /// What is asked while somebody waits, and money that goes to an account.
    pub online: Arc<HttpConnector>,
    /// Debits.
    pub debits: Arc<dyn BankConnector>,
}

impl Reach {
    /// The ways to `bank`, by what it is configured to be; none where its files could not be written so. Each answer over HTTP
    /// takes `answer_ms_max` milliseconds at most.
    pub fn new(bank: &BankOptions, transport: Arc<dyn Transport>, answer_ms_max: u64) -> Option<Self> {
        let online = Arc::new(HttpConnector::new(transport, bank, answer_ms_max));
        let debits: Arc<dyn BankConnector> = match &bank.files {
            None => Arc::<HttpConnector>::clone(&online),
            Some(files) => Arc::new(ZenginConnector::new(Arc::clone(&online), bank.code, files.clone())?),
        };
        Some(Self { online, debits })
    }
}

/// Why a bank gave no answer that could be used. About a single movement that is no error: it is [`Outcome::Unknown`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectorError {
    /// It was not reached, or not in time.
    Unreachable,
    /// It answered something that cannot be understood.
    Garbled,
    /// It does not take our secret.
    Unauthorised,
    /// What it is to be asked cannot be written in its form: it was not asked.
    Unwritable,
}

impl fmt::Display for ConnectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreachable => "the bank cannot be reached",
            Self::Garbled => "the bank's answer cannot be understood",
            Self::Unauthorised => "the bank does not take our secret",
            Self::Unwritable => "what the bank is to be asked cannot be written",
        })
    }
}

impl std::error::Error for ConnectorError {}

impl ConnectorError {
    /// Whether nothing came back at all.
    pub const fn is_silence(&self) -> bool {
        match self {
            Self::Unreachable => true,
            Self::Garbled | Self::Unauthorised | Self::Unwritable => false,
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

impl AccountNumber {
    /// The account, if a branch has three digits and a number seven: whatever else a person or a bank says is none.
    pub fn parsed(branch: &str, kind: AccountKind, number: &str) -> Option<Self> {
        let is_number =
            |text: &str, digits: usize| text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_one = is_number(branch, 3) && is_number(number, 7);
        is_one.then(|| Self { branch: branch.to_owned(), kind, number: number.to_owned() })
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
    /// Which movement: the bank knows it by its reference.
    pub movement: MovementId,
    /// The account.
    pub account: AccountNumber,
    /// Its holder's name as the bank has it.
    pub name_kana: Secret<String>,
    /// How much.
    pub amount: Yen,
    /// How the statement names it.
    pub descriptor: String,
    /// Whether a debit may borrow what is not in the account.
    pub may_overdraw: bool,
}
