//! A bank account and its holder, as the bank knows them.
//!
//! The people are invented: the sandbox keeps their data in the clear, because whoever tests or attacks must see it.
//! How a balance moves is in `movement.rs`; how the holder proves who they are, in `authentication.rs`.
//! Start reading at [`Account`].

use super::bank::BankCode;
use super::{Decided, Event as WorldEvent, Receipt, Refusal, Row, Rows, table};
use domain::{Day, Id, Key, Time};
use ledger::Yen;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Failures on the web path after which that path is closed for the account. Card and ATM stay open: the guesser on the
/// web must not be able to keep the account's holder from their money.
pub const WEB_FAILURES_MAX: u8 = 3;
/// The longest name, address or number of a customer, in bytes.
pub const CUSTOMER_TEXT_BYTES_MAX: usize = 120;
/// The cells of a random-number card: rows A to E, columns 1 to 10.
pub const CARD_CELLS: u8 = 50;
/// How long one number of a token is good.
const TOKEN_STEP_MILLISECONDS: i64 = 60_000;

/// The kinds of accounts that a mandate may debit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum AccountKind {
    /// 普通.
    Ordinary,
    /// 当座.
    Current,
}

impl AccountKind {
    /// The name that the connector speaks.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ordinary => "ordinary",
            Self::Current => "current",
        }
    }

    const fn digit(self) -> u128 {
        match self {
            Self::Ordinary => 1,
            Self::Current => 2,
        }
    }
}

/// Names one account of one bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AccountNumber {
    /// The bank.
    pub bank: BankCode,
    /// The branch: three digits.
    pub branch: u16,
    /// Ordinary or current.
    pub kind: AccountKind,
    /// The number: seven digits.
    pub number: u32,
}

impl AccountNumber {
    /// The account with these digits, if they are three and seven.
    pub fn parse(bank: BankCode, branch: &str, kind: AccountKind, number: &str) -> Option<Self> {
        let is_number = |text: &str, digits: usize| text.len() == digits && text.bytes().all(|b| b.is_ascii_digit());
        if !is_number(branch, 3) || !is_number(number, 7) {
            return None;
        }
        Some(Self { bank, branch: branch.parse().ok()?, kind, number: number.parse().ok()? })
    }

    /// The key of its row: the digits themselves, one after the other.
    pub fn key(self) -> Key {
        let number = (u128::from(self.bank.number()) << 80)
            | (u128::from(self.branch) << 64)
            | (self.kind.digit() << 48)
            | u128::from(self.number);
        Key::new(table::ACCOUNT, Id::from_number(number))
    }

    /// The branch as three digits.
    pub fn branch_text(self) -> String {
        format!("{:03}", self.branch)
    }

    /// The number as seven digits.
    pub fn number_text(self) -> String {
        format!("{:07}", self.number)
    }
}

/// Four digits of a cash card. Never shown by `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin(String);

impl Pin {
    /// The PIN with these four digits.
    pub fn parse(text: &str) -> Option<Self> {
        let is_pin = text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit());
        is_pin.then(|| Self(text.to_owned()))
    }

    /// The digits.
    pub fn digits(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(…)")
    }
}

/// An account's holder, as the bank knows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// Family name, in kanji or as the person writes it.
    pub family_name: String,
    /// Given name.
    pub given_name: String,
    /// Family name in full-width katakana.
    pub family_kana: String,
    /// Given name in full-width katakana.
    pub given_kana: String,
    /// Birth date.
    pub birth_date: Day,
    /// The cash card's PIN.
    pub pin: Pin,
    /// The mail address that the bank knows.
    pub mail: Option<String>,
    /// The phone number that the bank knows.
    pub phone: Option<String>,
    /// What the token, the random-number card and the cash card's serial number are computed from.
    pub card_seed: u64,
}

impl Customer {
    /// The name in kana as the bank's records have it: half-width, family name first.
    pub fn name_kana(&self) -> String {
        crate::kana::half_width(&format!("{} {}", self.family_kana, self.given_kana))
    }

    /// Whether the bank can reach the person at all.
    pub const fn has_contact(&self) -> bool {
        self.mail.is_some() || self.phone.is_some()
    }

    /// The number printed on the cash card.
    pub fn card_serial(&self) -> String {
        format!("{:06}", self.number(b"serial", 0, 1_000_000))
    }

    /// The two digits in `cell` of the random-number card.
    pub fn card_cell(&self, cell: u8) -> String {
        format!("{:02}", self.number(b"cell", cell.into(), 100))
    }

    /// The token's number at `now`.
    pub fn one_time_password(&self, now: Time) -> String {
        let step = now.milliseconds().div_euclid(TOKEN_STEP_MILLISECONDS);
        format!("{:06}", self.number(b"token", step.unsigned_abs(), 1_000_000))
    }

    fn number(&self, purpose: &[u8], index: u64, below: u64) -> u64 {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"kinchaku sandbox card\0").update(purpose).update(&[0]);
        hasher.update(&self.card_seed.to_be_bytes()).update(&index.to_be_bytes());
        let mut bytes = [0; 8];
        hasher.finalize_xof().fill(&mut bytes);
        u64::from_be_bytes(bytes).checked_rem(below).unwrap_or(0)
    }

    fn is_within_bounds(&self) -> bool {
        let contacts = [self.mail.as_deref(), self.phone.as_deref()].into_iter().flatten();
        [&self.family_name, &self.given_name, &self.family_kana, &self.given_kana]
            .into_iter()
            .map(String::as_str)
            .chain(contacts)
            .all(|text| !text.is_empty() && text.len() <= CUSTOMER_TEXT_BYTES_MAX)
    }
}

/// The cell of a random-number card as people read it: `A1` to `E10`.
pub fn cell_name(cell: u8) -> String {
    let row = ['A', 'B', 'C', 'D', 'E'].get(usize::from(cell.checked_div(10).unwrap_or(0))).copied().unwrap_or('?');
    format!("{row}{}", cell.checked_rem(10).unwrap_or(0).saturating_add(1))
}

/// A bank account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Which one.
    pub number: AccountNumber,
    /// Whose.
    pub customer: Customer,
    /// Yen; below zero is borrowed against the time deposit (総合口座の当座貸越).
    pub balance: i64,
    /// How far below zero it may go.
    pub overdraft_max: Yen,
    /// Failures on the web path since the last success.
    pub web_failures: u8,
    /// The web path is closed since.
    pub web_locked_at: Option<Time>,
    /// The holder has told the bank to let no debits through.
    pub debits_stopped: bool,
}

impl Account {
    /// What a debit may take.
    pub fn available(&self, may_overdraw: bool) -> i64 {
        let borrowed = if may_overdraw { self.overdraft_max } else { Yen::ZERO };
        self.balance.saturating_add(borrowed.amount())
    }
}

/// What may be asked of an account beside movements and authentications.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Opens it.
    Open {
        /// Which one.
        number: AccountNumber,
        /// Whose.
        customer: Box<Customer>,
        /// With how much.
        balance: Yen,
        /// How far below zero it may go.
        overdraft_max: Yen,
    },
    /// Opens the web path again: the holder was at the bank's counter.
    Unlock {
        /// Which one.
        number: AccountNumber,
    },
    /// The holder stops debits, or lets them through again.
    StopDebits {
        /// Which one.
        number: AccountNumber,
        /// Whether they are stopped.
        stopped: bool,
    },
}

/// What happened to an account beside movements and authentications.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// It was opened.
    Opened {
        /// Which one.
        number: AccountNumber,
        /// Whose.
        customer: Box<Customer>,
        /// With how much.
        balance: Yen,
        /// How far below zero it may go.
        overdraft_max: Yen,
    },
    /// The web path is open again.
    Unlocked {
        /// Which one.
        number: AccountNumber,
    },
    /// Debits are stopped, or no longer.
    DebitsStopped {
        /// Which one.
        number: AccountNumber,
        /// Whether they are.
        stopped: bool,
    },
}

impl Command {
    pub(super) const fn number(&self) -> AccountNumber {
        match self {
            Self::Open { number, .. } | Self::Unlock { number } | Self::StopDebits { number, .. } => *number,
        }
    }
}

/// The account `number`, if the bank has it.
pub(super) fn find(rows: Rows<'_>, number: AccountNumber) -> Option<&Account> {
    rows.row(number.key()).map(Row::account)
}

pub(super) fn decide(rows: Rows<'_>, command: &Command) -> Decided {
    let found = find(rows, command.number());
    let event = match command {
        Command::Open { number, customer, balance, overdraft_max } => {
            if rows.row(number.bank.key()).is_none() {
                return Err(Refusal::BankUnknown);
            }
            if found.is_some() {
                return Err(Refusal::AccountExists);
            }
            if !customer.is_within_bounds() {
                return Err(Refusal::CustomerBeyondBound);
            }
            let customer = customer.clone();
            Event::Opened { number: *number, customer, balance: *balance, overdraft_max: *overdraft_max }
        }
        Command::Unlock { number } => {
            found.ok_or(Refusal::AccountUnknown)?;
            Event::Unlocked { number: *number }
        }
        Command::StopDebits { number, stopped } => {
            found.ok_or(Refusal::AccountUnknown)?;
            Event::DebitsStopped { number: *number, stopped: *stopped }
        }
    };
    Ok((vec![WorldEvent::Account(event)], Receipt::Done))
}

pub(super) fn touches(event: &Event, keys: &mut Vec<Key>) {
    match event {
        Event::Opened { number, .. } | Event::Unlocked { number } | Event::DebitsStopped { number, .. } => {
            keys.push(number.key());
        }
    }
}

pub(super) fn evolve(row: &mut Option<Row>, event: &Event) {
    if let Event::Opened { number, customer, balance, overdraft_max } = event {
        assert!(row.is_none(), "an account is opened once");
        *row = Some(Row::Account(Box::new(Account {
            number: *number,
            customer: Customer::clone(customer),
            balance: balance.amount(),
            overdraft_max: *overdraft_max,
            web_failures: 0,
            web_locked_at: None,
            debits_stopped: false,
        })));
        return;
    }
    let Some(Row::Account(account)) = row else { unreachable!("the account is there") };
    match event {
        Event::Opened { .. } => {}
        Event::Unlocked { .. } => {
            account.web_failures = 0;
            account.web_locked_at = None;
        }
        Event::DebitsStopped { stopped, .. } => account.debits_stopped = *stopped,
    }
}
