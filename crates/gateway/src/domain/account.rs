//! Accounts at banks: who may debit them, what their true holders were told, and what those answered.
//!
//! The account's number is here only sealed; its id is a keyed hash of it. Several operators may have a live mandate each.

use super::ids::{AccountId, AccountRefId, BankCode, MandateId, NotMeId, OperatorId, Reference};
use super::mandate::{self, RevokedBy, Why};
use super::operator::What;
use super::refusal::{Noun, Refusal};
use super::share::Whose;
use super::state::{Decided, Rows, account_key, account_ref_key, mandate_key, not_me_key, wrong_row};
use super::sums::DailySums;
use super::{Context, Receipt, Row, expiry, open, operator, table};
use domain::{Day, Key, Moment, Time, Value};
use ledger::Yen;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Personal data that was sealed before it came here.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sealed(pub Vec<u8>);

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sealed bytes", self.0.len())
    }
}

/// What an account is: what may be seen of it, and the rest sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// At which bank.
    pub bank: BankCode,
    /// At which branch: three digits.
    pub branch: String,
    /// What kind.
    pub kind: AccountKind,
    /// The number as it may be shown: its last three digits.
    pub masked: String,
    /// Branch, kind, number and the bank's name of the holder, sealed.
    pub sealed: Sealed,
}

/// Kinds of accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountKind {
    /// 普通預金.
    Ordinary,
    /// 当座預金.
    Current,
}

impl AccountKind {
    /// The kind as banks and the API name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ordinary => "ordinary",
            Self::Current => "current",
        }
    }
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// What it is.
    pub details: Details,
    /// The live mandate of each operator that has one.
    pub live: Vec<(OperatorId, MandateId)>,
    /// How often a confirmation emptied the sums below for every mandate at once, as it was before each had its own share.
    pub confirmations: u32,
    /// What was debited for unconfirmed mandates, by date.
    pub unconfirmed: DailySums,
    /// The same in all, for mandates that nobody has confirmed since.
    pub unconfirmed_total: Yen,
    /// How often its true holder said "not me". From then on static factors do not suffice here.
    pub disowned: u32,
    /// Notices to its true holder.
    pub notices: u32,
    /// When its true holder was last told of plain failures.
    pub failures_told: Option<Day>,
    /// How many notices of first factors that somebody knew were owed on the last day on which one was.
    pub first_factors: Option<(Day, u32)>,
    /// When its true holder was last about to be told something.
    pub noticed: Option<Time>,
    /// Until when the last code of its notices is good.
    pub codes_until: Option<Time>,
    /// When its true holder last said "not me": nothing that was asked for before becomes active any more.
    pub disowned_at: Option<Time>,
}

/// What one operator calls an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRef {
    /// Which operator.
    pub operator: OperatorId,
    /// Which account.
    pub account: AccountId,
    /// At which bank.
    pub bank: BankCode,
    /// Whether money may be paid out there. Revoking a mandate oneself keeps it; "not me" ends it.
    pub is_open: bool,
}

/// A code that says "not me".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotMe {
    /// Whose account.
    pub account: AccountId,
    /// At which bank.
    pub bank: BankCode,
    /// The mandate that its notice was about.
    pub mandate: MandateId,
    /// Of which operator.
    pub operator: OperatorId,
    /// What that operator calls the account.
    pub account_ref: AccountRefId,
    /// Until when it is good.
    pub expires: Time,
    /// When it was typed.
    pub used: Option<Time>,
}

/// Why an account's true holder is told something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum NoticeKind {
    /// Somebody knew a first factor.
    FirstFactor,
    /// A wallet was linked.
    Linked,
    /// Somebody tried, and knew nothing: once a day.
    Failures,
}

/// What is asked of accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// The true holder is about to be told; the code in the notice is good from now on.
    Notice {
        /// Whose account.
        account: AccountId,
        /// What it is.
        details: Details,
        /// Why.
        kind: NoticeKind,
        /// The mandate that it is about.
        mandate: MandateId,
        /// Of which operator.
        operator: OperatorId,
        /// What that operator calls the account.
        account_ref: AccountRefId,
        /// The code's hash.
        code: NotMeId,
        /// The day on which the code is forgotten, which is after its time.
        forgotten: Day,
    },
    /// Somebody typed a code: it was not them.
    NotMe {
        /// The code's hash.
        code: NotMeId,
        /// The account of the code, if there is such a code: its row names the live mandates that end with it.
        account: Option<AccountId>,
        /// What each operator calls the account, or would: whoever ever had a mandate there may hold money from it.
        refs: Vec<(OperatorId, AccountRefId)>,
        /// The account's bank, in its place among those who are told.
        listener: Option<OperatorId>,
        /// The wallet of the mandate that the notice was about.
        wallet: Option<Reference>,
    },
    /// The account is forgotten, if it was only ever tried and nobody can answer a notice of that any more.
    Forget {
        /// Which.
        account: AccountId,
        /// What each operator would call it.
        refs: Vec<(OperatorId, AccountRefId)>,
    },
}

/// What happened to accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// It was seen for the first time.
    Seen {
        /// Which.
        account: AccountId,
        /// What it is.
        details: Details,
    },
    /// Its true holder is told.
    Noticed {
        /// Which.
        account: AccountId,
        /// Why.
        kind: NoticeKind,
        /// The code's hash.
        code: NotMeId,
        /// What the code says.
        not_me: NotMe,
        /// When.
        at: Time,
    },
    /// Its true holder said "not me".
    Disowned {
        /// Which.
        account: AccountId,
        /// The code's hash.
        code: NotMeId,
        /// When.
        at: Time,
    },
    /// The bank has said who its holder is: what was known before may have been a number alone.
    Described {
        /// Which.
        account: AccountId,
        /// What it is.
        details: Details,
    },
    /// Its true holder is owed a notice: somebody knew a first factor.
    Owed {
        /// Which.
        account: AccountId,
        /// When.
        at: Time,
    },
    /// It was only ever tried, and is forgotten.
    Forgotten {
        /// Which.
        account: AccountId,
    },
}

impl Account {
    pub(crate) fn new(details: Details) -> Self {
        Self {
            details,
            live: Vec::new(),
            confirmations: 0,
            unconfirmed: DailySums::default(),
            unconfirmed_total: Yen::ZERO,
            disowned: 0,
            notices: 0,
            failures_told: None,
            first_factors: None,
            noticed: None,
            codes_until: None,
            disowned_at: None,
        }
    }

    /// How many notices of first factors were owed on `day`.
    pub fn first_factors_on(&self, day: Day) -> u32 {
        self.first_factors.filter(|(counted, _)| *counted == day).map_or(0, |(_, count)| count)
    }

    /// The live mandate of `operator`.
    pub fn live_mandate(&self, operator: OperatorId) -> Option<MandateId> {
        self.live.iter().find(|(whose, _)| *whose == operator).map(|(_, mandate)| *mandate)
    }

    pub(crate) fn columns(&self) -> [Value; 3] {
        [
            Value::Integer(i64::from(self.details.bank.number())),
            Value::Integer(i64::try_from(self.live.len()).unwrap_or(i64::MAX)),
            Value::Integer(i64::from(self.confirmations)),
        ]
    }
}

pub(crate) fn keys(command: &Command, keys: &mut Vec<Key>) {
    match command {
        Command::Notice { account, code, forgotten, .. } => {
            keys.extend([account_key(*account), not_me_key(*code), expiry::key_of(*code, *forgotten)]);
        }
        Command::NotMe { code, account, refs, .. } => {
            keys.extend([not_me_key(*code), operator::OPERATORS_KEY]);
            keys.extend(account.map(account_key));
            keys.extend(refs.iter().map(|(_, account_ref)| account_ref_key(*account_ref)));
        }
        Command::Forget { account, refs } => {
            keys.push(account_key(*account));
            keys.extend(refs.iter().map(|(_, account_ref)| account_ref_key(*account_ref)));
        }
    }
}

pub(crate) fn keys_further(command: &Command, rows: Rows<'_>, keys: &mut Vec<Key>) {
    match command {
        Command::Notice { .. } | Command::Forget { .. } => {}
        Command::NotMe { code, account, wallet, .. } => {
            let Some(row) = rows.not_me(*code) else { return };
            operator::keys_of_all(rows, keys);
            operator::keys_of(rows, row.operator, keys);
            for (operator, mandate) in
                account.and_then(|account| rows.account(account)).iter().flat_map(|row| &row.live)
            {
                operator::keys_of(rows, *operator, keys);
                keys.push(mandate_key(*mandate));
            }
            keys.extend([
                account_key(row.account),
                account_ref_key(row.account_ref),
                mandate_key(row.mandate),
                open::Thing::Mandate(row.mandate).page_key(row.bank),
            ]);
            keys.extend(Whose { operator: row.operator, bank: row.bank, wallet: wallet.clone() }.keys());
        }
    }
}

pub(crate) fn decide(rows: Rows<'_>, command: &Command, moment: Moment, context: &Context) -> Decided {
    match command {
        Command::Notice { account, details, kind, mandate, operator, account_ref, code, forgotten } => {
            let row = rows.account(*account);
            let day = moment.now.day();
            if *kind == NoticeKind::Failures && row.is_some_and(|row| row.failures_told == Some(day)) {
                return Err(Refusal::AlreadyTold);
            }
            let mut events = Vec::new();
            if row.is_none() {
                events.push(super::Event::Account(Event::Seen { account: *account, details: details.clone() }));
            }
            let not_me = NotMe {
                account: *account,
                bank: details.bank,
                mandate: *mandate,
                operator: *operator,
                account_ref: *account_ref,
                expires: moment.now.plus_milliseconds(context.policy.not_me_ms),
                used: None,
            };
            let event = Event::Noticed { account: *account, kind: *kind, code: *code, not_me, at: moment.now };
            events.push(super::Event::Account(event));
            if not_me.expires.day() < *forgotten {
                events.extend(expiry::file(rows, *code, *forgotten));
            }
            Ok((events, Receipt::Done))
        }
        Command::NotMe { code, account, refs, listener, .. } => not_me(rows, *code, *account, refs, *listener, moment),
        Command::Forget { account, refs } => Ok((forget(rows, *account, refs, moment), Receipt::Done)),
    }
}

/// Whether that operator ever had a mandate of `account`: what it calls an account is kept from then on.
fn was_linked(rows: Rows<'_>, account: AccountId, (operator, account_ref): (OperatorId, AccountRefId)) -> bool {
    rows.account_ref(account_ref).is_some_and(|known| known.operator == operator && known.account == account)
}

/// Nothing is refused. What was ever linked stays with the books, and so does what its holder said "not me" to or is still to
/// be told of.
fn forget(
    rows: Rows<'_>,
    account: AccountId,
    refs: &[(OperatorId, AccountRefId)],
    moment: Moment,
) -> Vec<super::Event> {
    let is_over = |row: &Account| row.codes_until.is_some_and(|until| until <= moment.now);
    let is_told = |row: &Account| row.first_factors.map(|(day, _)| day) <= row.noticed.map(Time::day);
    let is_only_tried = |row: &Account| row.live.is_empty() && row.disowned == 0 && is_over(row) && is_told(row);
    let is_forgotten = rows.account(account).is_some_and(is_only_tried)
        && !refs.iter().any(|operators| was_linked(rows, account, *operators));
    if is_forgotten { vec![super::Event::Account(Event::Forgotten { account })] } else { Vec::new() }
}

/// Refusals in order: unknown code, its time ran out. A second time changes nothing. Every operator that ever had a mandate of
/// the account is told: it may hold money from it. And so is the account's bank.
///
/// Whoever got in may have got in more than once, and at more than one operator: the mandate of the code ends whatever it is,
/// and with it every live one of the account that its true holder has not confirmed.
fn not_me(
    rows: Rows<'_>,
    code: NotMeId,
    named: Option<AccountId>,
    refs: &[(OperatorId, AccountRefId)],
    listener: Option<OperatorId>,
    moment: Moment,
) -> Decided {
    let row = rows.not_me(code).ok_or(Refusal::Unknown { noun: Noun::Code })?;
    if row.used.is_some() {
        return Ok((Vec::new(), Receipt::Done));
    }
    if moment.now >= row.expires {
        return Err(Refusal::Expired { noun: Noun::Code, at: row.expires });
    }
    let disowned = Event::Disowned { account: row.account, code, at: moment.now };
    let mut events = vec![super::Event::Account(disowned)];
    for (operator, account_ref) in refs {
        if was_linked(rows, row.account, (*operator, *account_ref)) {
            let what = What::Disowned { bank: row.bank, account_ref: *account_ref };
            operator::tell(rows, &mut events, *operator, what, moment.now);
        }
    }
    let NotMe { bank, account, mandate, operator, .. } = *row;
    if let Some(listener) = listener {
        let what = What::NotMe { bank, account, mandate, operator };
        operator::tell(rows, &mut events, listener, what, moment.now);
    }
    let ended = (RevokedBy::AccountHolder, Why::NotMine);
    if let Some(row) = rows.mandate(mandate) {
        mandate::end_by(rows, &mut events, mandate, row, ended, moment.now);
    }
    for (id, row) in unconfirmed(rows, named.filter(|named| *named == account), refs) {
        if id != mandate {
            mandate::end_by(rows, &mut events, id, row, ended, moment.now);
        }
    }
    Ok((events, Receipt::Done))
}

/// The live mandates of `account` that its true holder has not confirmed, of those operators.
fn unconfirmed<'a>(
    rows: Rows<'a>,
    account: Option<AccountId>,
    refs: &[(OperatorId, AccountRefId)],
) -> Vec<(MandateId, &'a mandate::Mandate)> {
    let live = account.and_then(|account| rows.account(account)).into_iter().flat_map(|row| &row.live);
    live.filter_map(|(operator, id)| {
        let is_named = |grant: mandate::Grant| refs.contains(&(*operator, grant.account_ref));
        let row = rows.mandate(*id).filter(|row| !row.is_confirmed() && row.grant.is_some_and(is_named))?;
        Some((*id, row))
    })
    .collect()
}

impl Event {
    pub(crate) fn touches(&self, each: &mut impl FnMut(Key)) {
        match self {
            Self::Seen { account, .. } | Self::Described { account, .. } | Self::Owed { account, .. } => {
                each(account_key(*account));
            }
            Self::Forgotten { account } => each(account_key(*account)),
            Self::Noticed { account, code, .. } | Self::Disowned { account, code, .. } => {
                each(account_key(*account));
                each(not_me_key(*code));
            }
        }
    }

    pub(crate) fn evolve(&self, key: Key, row: &mut Option<Row>) {
        match self {
            Self::Seen { details, .. } => *row = Some(Row::Account(Box::new(Account::new(details.clone())))),
            Self::Noticed { not_me, .. } if key.table == table::NOT_ME => *row = Some(Row::NotMe(*not_me)),
            Self::Noticed { kind, at, not_me, .. } => {
                let account = account_of(key, row);
                account.noticed = Some(*at);
                account.codes_until = account.codes_until.max(Some(not_me.expires));
                account.notices = account.notices.saturating_add(1);
                if *kind == NoticeKind::Failures {
                    account.failures_told = Some(at.day());
                }
            }
            Self::Disowned { at, .. } if key.table == table::NOT_ME => {
                let Some(Row::NotMe(not_me)) = row else { wrong_row(key) };
                not_me.used = Some(*at);
            }
            Self::Owed { at, .. } => {
                let account = account_of(key, row);
                let count = account.first_factors_on(at.day()).saturating_add(1);
                account.first_factors = Some((at.day(), count));
            }
            Self::Described { details, .. } => account_of(key, row).details.clone_from(details),
            Self::Forgotten { .. } => *row = None,
            Self::Disowned { at, .. } => {
                let account = account_of(key, row);
                account.disowned = account.disowned.saturating_add(1);
                account.disowned_at = Some(*at);
            }
        }
    }
}

pub(crate) fn account_of(key: Key, row: &mut Option<Row>) -> &mut Account {
    let Some(Row::Account(account)) = row else { wrong_row(key) };
    account
}

impl Account {
    /// Counts a debit for an unconfirmed mandate.
    pub(crate) fn count_unconfirmed(&mut self, amount: Yen, accepted: Time) {
        self.unconfirmed.count(accepted.day(), amount);
        self.unconfirmed_total = self.unconfirmed_total.checked_add(amount).unwrap_or(Yen::MAX);
    }

    /// Takes out what one mandate was debited: its holder has confirmed it, and nobody has confirmed the others.
    pub(crate) fn release_unconfirmed(&mut self, debited: &DailySums, total: Yen) {
        self.unconfirmed.take_out(debited);
        self.unconfirmed_total = self.unconfirmed_total.saturating_sub(total);
    }

    /// Takes that back: it was declined.
    pub(crate) fn uncount_unconfirmed(&mut self, amount: Yen, accepted: Time) {
        self.unconfirmed.uncount(accepted.day(), amount);
        self.unconfirmed_total = self.unconfirmed_total.saturating_sub(amount);
    }
}
