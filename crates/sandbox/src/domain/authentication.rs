//! How an account's holder proves on the web who they are: factors, challenges, and the web path's lock.
//!
//! An attempt is answered alike whether the account does not exist, is locked, or the factor was wrong: the same command,
//! the same commit, the same words. Where the bank's policy has a second step it is asked for in every case, so that the
//! page tells nobody whether the first factor was right; the gateway alone learns that.
//! Start reading at [`decide`].

use super::account::{self, Account, AccountNumber, CARD_CELLS, WEB_FAILURES_MAX};
use super::bank::{BankCode, Factor, FactorSet};
use super::message::{self, Channel, Message};
use super::{Decided, Event as WorldEvent, Receipt, Refusal, Row, Rows, table};
use crate::kana;
use domain::{Day, Id, Key, Time};
use serde::{Deserialize, Serialize};

/// How long a challenge waits for its answer.
pub const CHALLENGE_MILLISECONDS: i64 = 600_000;
/// Wrong answers to one challenge.
pub const CHALLENGE_TRIES_MAX: u8 = 3;
/// Cells that a random-number card is asked for.
pub const CHALLENGE_CELLS: usize = 3;

/// What somebody showed. What was tried is compared and forgotten: no event has it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Given {
    /// The account holder's name.
    pub name_kana: Option<String>,
    /// Four digits.
    pub pin: Option<String>,
    /// A birth date.
    pub birth_date: Option<Day>,
    /// A balance.
    pub balance: Option<i64>,
    /// The card's number.
    pub card_serial: Option<String>,
    /// Cells of the card by their names.
    pub random_card: Option<Vec<(String, String)>>,
    /// The token's number.
    pub one_time_password: Option<String>,
    /// The code from the phone.
    pub sms_code: Option<String>,
}

impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Given({:?})", self.factors())
    }
}

impl Given {
    /// Which factors these are. The account is always one.
    pub fn factors(&self) -> FactorSet {
        let given = [
            (Factor::Account, true),
            (Factor::NameKana, self.name_kana.is_some()),
            (Factor::Pin, self.pin.is_some()),
            (Factor::BirthDate, self.birth_date.is_some()),
            (Factor::Balance, self.balance.is_some()),
            (Factor::CardSerial, self.card_serial.is_some()),
            (Factor::RandomCard, self.random_card.is_some()),
            (Factor::OneTimePassword, self.one_time_password.is_some()),
            (Factor::SmsCode, self.sms_code.is_some()),
        ];
        given.into_iter().filter(|(_, is_given)| *is_given).map(|(factor, _)| factor).collect()
    }

    /// Whether this begins a try, and is not merely the answer to a challenge.
    fn begins(&self) -> bool {
        self.factors().factors().any(|factor| !factor.is_challenge() && factor != Factor::Account)
    }
}

/// What the bank asks for in a second step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Challenge {
    /// The code that went to the phone.
    SmsCode {
        /// The code.
        code: String,
    },
    /// The token's number.
    OneTimePassword,
    /// Cells of the card.
    RandomCard {
        /// Which cells.
        cells: Vec<u8>,
    },
    /// A tap in the app.
    BankApp {
        /// It was tapped.
        approved: bool,
    },
}

impl Challenge {
    /// The factor that it asks for.
    pub const fn factor(&self) -> Factor {
        match self {
            Self::SmsCode { .. } => Factor::SmsCode,
            Self::OneTimePassword => Factor::OneTimePassword,
            Self::RandomCard { .. } => Factor::RandomCard,
            Self::BankApp { .. } => Factor::BankApp,
        }
    }

    /// What the page says of it; never whether a message was really sent.
    pub fn hint(&self) -> String {
        match self {
            Self::SmsCode { .. } => "銀行に登録された携帯電話番号 / the phone number that the bank knows".into(),
            Self::OneTimePassword => "ワンタイムパスワード / the number that your token shows".into(),
            Self::RandomCard { cells } => {
                cells.iter().map(|cell| account::cell_name(*cell)).collect::<Vec<_>>().join(", ")
            }
            Self::BankApp { .. } => "銀行アプリで承認 / approve in the bank's app".into(),
        }
    }
}

/// How an attempt stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// Everything that the policy asks for was right.
    Succeeded,
    /// Something was wrong, or nobody knows the account.
    Failed,
    /// The second step is open.
    ChallengeRequired,
}

/// One attempt of somebody to prove who they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The caller's id of it, hashed with the bank.
    pub id: Id,
    /// Which account they say is theirs.
    pub account: AccountNumber,
    /// The policy's set that they are held to.
    pub set: FactorSet,
    /// Whether everything but the challenge was right.
    pub first_factor_right: bool,
    /// The second step, if there is one.
    pub challenge: Option<Challenge>,
    /// Until when.
    pub expires_at: Time,
    /// Wrong answers to the challenge so far.
    pub tries: u8,
    /// How it stands.
    pub standing: Standing,
}

impl Attempt {
    /// Whether `given` has what the open challenge asks for; what is shown beside it was looked at in the first step.
    fn is_answered_by(&self, given: &Given) -> bool {
        let asked = self.challenge.as_ref().map(Challenge::factor);
        self.standing == Standing::ChallengeRequired && asked.is_some_and(|factor| given.factors().has(factor))
    }
}

/// What may be asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Tries the factors that were given, or answers the challenge.
    Try {
        /// The bank.
        bank: BankCode,
        /// The attempt.
        attempt: Id,
        /// The account.
        account: AccountNumber,
        /// What was shown.
        given: Box<Given>,
        /// Six fresh random digits, for a code that is sent.
        fresh_code: String,
        /// A fresh random number, for the cells that are asked for.
        fresh_number: u64,
        /// Whether the number on the cash card may be asked about by itself: for a confirmation, and never for a link.
        confirms: bool,
    },
    /// The account's holder taps "yes" in the bank's app.
    Approve {
        /// The attempt.
        attempt: Id,
    },
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// An attempt moved on. What was tried is not in it.
    Tried {
        /// The attempt as it stands now.
        attempt: Box<Attempt>,
        /// The account's failures on the web path after it; `None` where nothing is counted.
        web_failures: Option<u8>,
        /// When.
        at: Time,
    },
}

/// The id of the message with an attempt's code: a second code is a second message.
fn message_id(attempt: Id, code: &str) -> Id {
    super::hashed("challenge", &[&attempt.0, code.as_bytes()])
}

/// The key of an attempt's row.
pub const fn attempt_key(attempt: Id) -> Key {
    Key::new(table::ATTEMPT, attempt)
}

impl Command {
    pub(super) fn keys(&self, keys: &mut Vec<Key>) {
        match self {
            Self::Try { bank, attempt, account, fresh_code, .. } => {
                let message = message::message_key(message_id(*attempt, fresh_code));
                keys.extend([bank.key(), attempt_key(*attempt), account.key(), message, message::everything_key()]);
            }
            Self::Approve { attempt } => keys.push(attempt_key(*attempt)),
        }
    }

    pub(super) fn keys_further(&self, rows: Rows<'_>, keys: &mut Vec<Key>) {
        match self {
            Self::Try { account, .. } => {
                let phone = account::find(rows, *account).and_then(|account| account.customer.phone.as_deref());
                keys.extend(phone.map(message::inbox_key));
            }
            Self::Approve { .. } => {}
        }
    }
}

pub(super) fn decide(rows: Rows<'_>, command: &Command, now: Time) -> Decided {
    match command {
        Command::Try { attempt, given, .. } => match rows.row(attempt_key(*attempt)).map(Row::attempt) {
            Some(open) if !given.begins() || open.is_answered_by(given) => Ok(answer(rows, open, given, now)),
            Some(_) | None => begin(rows, command, now),
        },
        Command::Approve { attempt } => {
            let open = rows.row(attempt_key(*attempt)).map(Row::attempt).ok_or(Refusal::AttemptUnknown)?;
            let Some(Challenge::BankApp { .. }) = open.challenge else { return Err(Refusal::AttemptUnknown) };
            let approved = Attempt { challenge: Some(Challenge::BankApp { approved: true }), ..open.clone() };
            Ok(tried(approved, None, None, now))
        }
    }
}

/// What confirms a link that is there: the number on the cash card, which no wallet has ever asked for.
pub fn confirmation() -> FactorSet {
    FactorSet::default().with(Factor::Account).with(Factor::CardSerial)
}

/// A first step: the factors that need no challenge, and whatever was shown of the others at once.
fn begin(rows: Rows<'_>, command: &Command, now: Time) -> Decided {
    let Command::Try { bank, attempt, account, given, fresh_code, fresh_number, confirms } = command else {
        unreachable!("only tries come here")
    };
    let policy = rows.row(bank.key()).map(Row::bank).ok_or(Refusal::BankUnknown)?;
    let shown = given.factors();
    let set = policy.factors.iter().copied().find(|set| shown.covers(set.immediate()));
    let set = set.or_else(|| Some(confirmation()).filter(|set| *confirms && shown == *set));
    let holder = account::find(rows, *account);
    let Some(set) = set else {
        // Too little was shown to fail at anything: nothing is counted.
        let attempt = failed(*attempt, *account, shown, now);
        return Ok(tried(attempt, None, None, now));
    };
    let open = holder.filter(|account| account.web_locked_at.is_none());
    let right = open.is_some_and(|account| immediate_right(account, set, given));
    let challenge = set.challenge().map(|factor| challenge(factor, fresh_code, *fresh_number));
    let at_once = challenge.as_ref().is_some_and(|challenge| shown.has(challenge.factor()));
    let begun = Attempt {
        id: *attempt,
        account: *account,
        set,
        first_factor_right: right,
        expires_at: now.plus_milliseconds(CHALLENGE_MILLISECONDS),
        tries: 0,
        standing: match &challenge {
            Some(_) => Standing::ChallengeRequired,
            None if right => Standing::Succeeded,
            None => Standing::Failed,
        },
        challenge,
    };
    if at_once {
        return Ok(answer_of(rows, &begun, given, now));
    }
    let message = holder.filter(|_| right).and_then(|account| sms(account, &begun, now));
    let failures = if right && begun.standing == Standing::Succeeded { open.map(|_| 0) } else { None };
    let failures = if right { failures } else { open.map(|account| account.web_failures.saturating_add(1)) };
    Ok(tried(begun, failures, message, now))
}

fn failed(id: Id, account: AccountNumber, set: FactorSet, now: Time) -> Attempt {
    let standing = Standing::Failed;
    Attempt { id, account, set, first_factor_right: false, challenge: None, expires_at: now, tries: 0, standing }
}

/// A second step: the answer to the challenge alone.
fn answer(rows: Rows<'_>, open: &Attempt, given: &Given, now: Time) -> (Vec<WorldEvent>, Receipt) {
    match open.standing {
        Standing::Succeeded | Standing::Failed => (Vec::new(), Receipt::Attempt(Box::new(open.clone()))),
        Standing::ChallengeRequired if now > open.expires_at => {
            tried(Attempt { standing: Standing::Failed, ..open.clone() }, None, None, now)
        }
        Standing::ChallengeRequired => answer_of(rows, open, given, now),
    }
}

fn answer_of(rows: Rows<'_>, open: &Attempt, given: &Given, now: Time) -> (Vec<WorldEvent>, Receipt) {
    let holder = account::find(rows, open.account).filter(|account| account.web_locked_at.is_none());
    let challenge_right = match (&open.challenge, holder) {
        (Some(Challenge::BankApp { approved: false }), _) => {
            return (Vec::new(), Receipt::Attempt(Box::new(open.clone())));
        }
        (Some(challenge), Some(account)) => is_right(challenge, account, given, now),
        (Some(_) | None, _) => false,
    };
    if challenge_right && open.first_factor_right {
        let attempt = Attempt { standing: Standing::Succeeded, ..open.clone() };
        return tried(attempt, Some(0), None, now);
    }
    let tries = open.tries.saturating_add(1);
    let standing = if tries >= CHALLENGE_TRIES_MAX { Standing::Failed } else { Standing::ChallengeRequired };
    let failures = holder.map(|account| account.web_failures.saturating_add(1));
    tried(Attempt { tries, standing, ..open.clone() }, failures, None, now)
}

fn tried(attempt: Attempt, web_failures: Option<u8>, message: Option<Message>, at: Time) -> (Vec<WorldEvent>, Receipt) {
    let receipt = Receipt::Attempt(Box::new(attempt.clone()));
    let event = WorldEvent::Authentication(Event::Tried { attempt: Box::new(attempt), web_failures, at });
    let message = message.map(|message| WorldEvent::Message(message::Event::Received(Box::new(message))));
    (std::iter::once(event).chain(message).collect(), receipt)
}

fn immediate_right(account: &Account, set: FactorSet, given: &Given) -> bool {
    let customer = &account.customer;
    set.immediate().factors().all(|factor| match factor {
        Factor::NameKana => {
            given.name_kana.as_deref().is_some_and(|name| kana::key(name) == kana::key(&customer.name_kana()))
        }
        Factor::Pin => given.pin.as_deref() == Some(customer.pin.digits()),
        Factor::BirthDate => given.birth_date == Some(customer.birth_date),
        Factor::Balance => given.balance == Some(account.balance),
        Factor::CardSerial => given.card_serial.as_deref() == Some(customer.card_serial().as_str()),
        Factor::Account | Factor::RandomCard | Factor::OneTimePassword | Factor::SmsCode | Factor::BankApp => true,
    })
}

fn challenge(factor: Factor, fresh_code: &str, fresh_number: u64) -> Challenge {
    match factor {
        Factor::SmsCode => Challenge::SmsCode { code: fresh_code.to_owned() },
        Factor::RandomCard => {
            let mut cells = Vec::with_capacity(CHALLENGE_CELLS);
            let mut left = fresh_number;
            while cells.len() < CHALLENGE_CELLS {
                let mut cell = u8::try_from(left.checked_rem(CARD_CELLS.into()).unwrap_or(0)).unwrap_or(0);
                while cells.contains(&cell) {
                    cell = cell.saturating_add(1).checked_rem(CARD_CELLS).unwrap_or(0);
                }
                cells.push(cell);
                left = left.checked_div(CARD_CELLS.into()).unwrap_or(0);
            }
            Challenge::RandomCard { cells }
        }
        Factor::BankApp => Challenge::BankApp { approved: false },
        Factor::OneTimePassword
        | Factor::Account
        | Factor::NameKana
        | Factor::Pin
        | Factor::BirthDate
        | Factor::Balance
        | Factor::CardSerial => Challenge::OneTimePassword,
    }
}

fn is_right(challenge: &Challenge, account: &Account, given: &Given, now: Time) -> bool {
    match challenge {
        Challenge::SmsCode { code } => given.sms_code.as_deref() == Some(code.as_str()),
        Challenge::OneTimePassword => {
            // A number typed over the edge of its minute is still good.
            let earlier = now.plus_milliseconds(-60_000);
            let right = [account.customer.one_time_password(now), account.customer.one_time_password(earlier)];
            given.one_time_password.as_ref().is_some_and(|typed| right.contains(typed))
        }
        Challenge::RandomCard { cells } => {
            let typed = given.random_card.as_deref().unwrap_or_default();
            let shown = |cell: u8| typed.iter().find(|(name, _)| *name == account::cell_name(cell));
            cells.iter().all(|cell| shown(*cell).is_some_and(|(_, value)| *value == account.customer.card_cell(*cell)))
        }
        Challenge::BankApp { approved } => *approved,
    }
}

/// The message with the code, if there is a code and a phone.
fn sms(account: &Account, attempt: &Attempt, now: Time) -> Option<Message> {
    let (Some(Challenge::SmsCode { code }), Some(phone)) = (&attempt.challenge, &account.customer.phone) else {
        return None;
    };
    let text = format!(
        "認証コード {code}。口座振替のお申込みの確認です。お心当たりがなければ誰にも教えないでください。 / \
         Code {code}: it lets somebody debit your account. If that is not you, tell it to nobody."
    );
    Some(Message {
        id: message_id(attempt.id, code),
        from: format!("bank {}", account.number.bank),
        channel: Channel::Sms,
        to: phone.clone(),
        subject: None,
        text,
        at: now,
    })
}

pub(super) fn touches(event: &Event, keys: &mut Vec<Key>) {
    match event {
        Event::Tried { attempt, web_failures, .. } => {
            keys.push(attempt_key(attempt.id));
            keys.extend(web_failures.map(|_| attempt.account.key()));
        }
    }
}

pub(super) fn evolve(key: Key, row: &mut Option<Row>, event: &Event) {
    match event {
        Event::Tried { attempt, .. } if key.table == table::ATTEMPT => *row = Some(Row::Attempt(attempt.clone())),
        Event::Tried { web_failures, at, .. } => {
            let Some(Row::Account(account)) = row else { unreachable!("failures are counted at an account") };
            account.web_failures = web_failures.unwrap_or(account.web_failures);
            if account.web_failures >= WEB_FAILURES_MAX {
                account.web_locked_at = account.web_locked_at.or(Some(*at));
            }
        }
    }
}
