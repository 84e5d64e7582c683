//! The mandate (口座登録): the permission of an account's holder for one wallet of one operator to debit the account.
//!
//! | status | meaning |
//! |---|---|
//! | `requested` | the operator asked; nobody has been at the bank yet |
//! | `authenticating` | the bank's questions were reached |
//! | `pending` | granted; debits nothing, takes no slot, lapses unless the operator collects it |
//! | `in_review` | granted, but the names are only close: the desk compares, until a deadline |
//! | `active` | collected: the operator's one live mandate of the account |
//! | `refused` · `abandoned` · `expired` | never came to be: the bank or a rule said no, the person left, time ran out |
//! | `revoked` | ended, by whom and why |
//!
//! A debit's authority is the status `active`, looked at in the commit of every debit; no token stands for it. An unconfirmed
//! mandate debits little until the account's true holder confirms it by a channel that did not grant it. Who has the better
//! factors displaces who has the worse ones: a stranger's link does not lock the true holder out.
//!
//! Start reading at [`decide`]; the bank's facts are judged in `grant`, the slot is taken in `activate`.

mod activate;
mod end;
mod event;
mod grant;

pub(crate) use end::end_by;
pub use event::Event;

use super::account::Details;
use super::bank::{self, Function};
use super::factor::{Factor, Factors, Strength};
use super::ids::{AccountId, AccountRefId, BankCode, MandateId, OperatorId, Reference, StaffId};
use super::name::Grade;
use super::open::Thing;
use super::operator::{self, OPERATORS_KEY, What};
use super::refusal::{MissingFact, Noun, Refusal};
use super::share::Whose;
use super::state::{Decided, Rows, account_key, account_ref_key, bank_key, mandate_key};
use super::sums::DailySums;
use super::{Context, Receipt};
use domain::{Day, Key, Moment, Time, Value};
use ledger::Yen;
use serde::{Deserialize, Serialize};

/// A mandate, from its request on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mandate {
    /// Whose wallet it is for.
    pub operator: OperatorId,
    /// What the operator calls it.
    pub reference: Reference,
    /// What the operator calls the wallet.
    pub wallet: Reference,
    /// At which bank.
    pub bank: BankCode,
    /// What may be debited.
    pub limits: Limits,
    /// How far it is.
    pub status: Status,
    /// When it was asked for.
    pub requested: Time,
    /// Until when the present status lasts, where it has an end.
    pub deadline: Time,
    /// What the bank granted.
    pub grant: Option<Grant>,
    /// The operator has collected it while it is in review.
    pub collected: bool,
    /// The account's true holder confirmed it, by this channel.
    pub confirmed: Option<Factor>,
    /// Who ended it, why, and when.
    pub revoked: Option<(RevokedBy, Why, Time)>,
    /// What was debited by it, by date.
    pub debited: DailySums,
    /// What was debited by it in all before its true holder confirmed it: its share in the account's sums.
    pub unconfirmed_total: Yen,
}

/// What the account's holder consented to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Limits {
    /// Yen at a time.
    pub per_time: Yen,
    /// Yen a calendar month.
    pub per_month: Yen,
}

/// How far a mandate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Status {
    /// Asked for.
    Requested,
    /// At the bank.
    Authenticating,
    /// Granted, not collected.
    Pending,
    /// Granted, for the desk to compare.
    InReview,
    /// It may debit.
    Active,
    /// The bank or a rule said no.
    Refused,
    /// The person left.
    Abandoned,
    /// Its time ran out.
    Expired,
    /// It was ended.
    Revoked,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Requested,
        Self::Authenticating,
        Self::Pending,
        Self::InReview,
        Self::Active,
        Self::Refused,
        Self::Abandoned,
        Self::Expired,
        Self::Revoked,
    ];

    /// The status as the API and the tables show it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Authenticating => "authenticating",
            Self::Pending => "pending",
            Self::InReview => "in_review",
            Self::Active => "active",
            Self::Refused => "refused",
            Self::Abandoned => "abandoned",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }

    /// Whether it waits for something, until a deadline.
    pub const fn is_open(self) -> bool {
        match self {
            Self::Requested | Self::Authenticating | Self::Pending | Self::InReview => true,
            Self::Active | Self::Refused | Self::Abandoned | Self::Expired | Self::Revoked => false,
        }
    }
}

/// What the bank's side says of the account and of whoever authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Grant {
    /// Which account.
    pub account: AccountId,
    /// What the operator calls it.
    pub account_ref: AccountRefId,
    /// How well the name fits.
    pub name: Grade,
    /// Whether the birth date fits.
    pub birth_date_matches: bool,
    /// What the bank asked for, and was given.
    pub factors: Factors,
    /// Whether the account's true holder was told, by a contact that the bank has.
    pub contact_notified: bool,
}

impl Grant {
    /// Whether a factor was more than static knowledge.
    pub fn is_strong(&self) -> bool {
        self.factors.strength() == Strength::Possession
    }

    /// Whether name and birth date are the verified person's: never the name alone.
    pub const fn is_matched(&self) -> bool {
        self.birth_date_matches && matches!(self.name, Grade::Match | Grade::MatchTruncated)
    }
}

/// Who ended a mandate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RevokedBy {
    /// The operator, for its holder or for itself.
    Operator,
    /// The bank's desk.
    Bank(StaffId),
    /// The account's true holder: "not me".
    AccountHolder,
    /// The gateway's desk.
    Gateway(StaffId),
    /// Another mandate of the account, by better factors or by the same wallet.
    Mandate(MandateId),
}

/// Why, in a word that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It is not needed any more.
    Unneeded,
    /// Somebody says that it was never theirs.
    NotMine,
    /// Fraud is suspected or found.
    Fraud,
    /// The account is closed.
    AccountClosed,
    /// Another mandate took its place.
    Displaced,
}

impl Why {
    /// The word as the API names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unneeded => "unneeded",
            Self::NotMine => "not_mine",
            Self::Fraud => "fraud",
            Self::AccountClosed => "account_closed",
            Self::Displaced => "displaced",
        }
    }

    /// Whether the account stays one to which money may be paid out.
    pub const fn keeps_route(self) -> bool {
        match self {
            Self::Unneeded | Self::Displaced => true,
            Self::NotMine | Self::Fraud | Self::AccountClosed => false,
        }
    }
}

/// How a mandate changed, as its operator is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// The bank granted it; it waits to be collected.
    Granted,
    /// The bank granted it; the desk compares the names.
    InReview,
    /// It may debit.
    Activated,
    /// The account's true holder confirmed it.
    Confirmed,
    /// The bank or a rule said no.
    Refused,
    /// The person left.
    Abandoned,
    /// Its time ran out.
    Expired,
    /// It was ended.
    Revoked(RevokedBy, Why),
    /// Another mandate of the account took its place.
    Displaced,
}

impl Change {
    /// The word as the API names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::InReview => "in_review",
            Self::Activated => "activated",
            Self::Confirmed => "confirmed",
            Self::Refused => "refused",
            Self::Abandoned => "abandoned",
            Self::Expired => "expired",
            Self::Revoked(..) => "revoked",
            Self::Displaced => "displaced",
        }
    }
}

/// What is asked of mandates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// An operator asks for one.
    Request(Request),
    /// The bank's questions were reached.
    Authenticate {
        /// Which.
        mandate: MandateId,
    },
    /// The bank granted it, on these facts.
    Grant {
        /// Which.
        mandate: MandateId,
        /// The facts.
        grant: Grant,
        /// The account.
        details: Details,
    },
    /// The operator exchanged its code: the mandate takes the slot.
    Collect {
        /// Which.
        mandate: MandateId,
        /// The operator that collects it.
        operator: OperatorId,
        /// The account of its grant: its row names the mandate that may be displaced.
        account: AccountId,
    },
    /// The desk has compared the names.
    Decide {
        /// Which.
        mandate: MandateId,
        /// The account of its grant.
        account: AccountId,
        /// Whether it is the same person.
        accept: bool,
        /// Who says so.
        by: StaffId,
    },
    /// The bank says no.
    Refuse {
        /// Which.
        mandate: MandateId,
    },
    /// The person left.
    Abandon {
        /// Which.
        mandate: MandateId,
    },
    /// Its deadline has passed.
    Expire {
        /// Which.
        mandate: MandateId,
    },
    /// The account's true holder confirmed it.
    Confirm {
        /// Which.
        mandate: MandateId,
        /// By which channel.
        channel: Factor,
        /// Who of the bank's desk says so; none where the holder's own channel does.
        by: Option<StaffId>,
    },
    /// Somebody takes the number of the letter by which the account's true holder confirms it.
    TakeLetter {
        /// Which.
        mandate: MandateId,
        /// Who of the bank's desk; none where its own systems do.
        by: Option<StaffId>,
    },
    /// End it.
    Revoke {
        /// Which.
        mandate: MandateId,
        /// The operator that asks, if one does: another's is unknown.
        operator: Option<OperatorId>,
        /// Who ends it.
        by: RevokedBy,
        /// Why.
        why: Why,
    },
}

/// A mandate that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its id.
    pub mandate: MandateId,
    /// Who asks.
    pub operator: OperatorId,
    /// What the operator calls it.
    pub reference: Reference,
    /// What the operator calls the wallet.
    pub wallet: Reference,
    /// At which bank.
    pub bank: BankCode,
    /// What may be debited.
    pub limits: Limits,
}

impl Command {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Request(_) => "mandate.request",
            Self::Authenticate { .. } => "mandate.authenticate",
            Self::Grant { .. } => "mandate.grant",
            Self::Collect { .. } => "mandate.collect",
            Self::Decide { .. } => "mandate.decide",
            Self::Refuse { .. } => "mandate.refuse",
            Self::Abandon { .. } => "mandate.abandon",
            Self::Expire { .. } => "mandate.expire",
            Self::Confirm { .. } => "mandate.confirm",
            Self::TakeLetter { .. } => "mandate.take_letter",
            Self::Revoke { .. } => "mandate.revoke",
        }
    }

    const fn mandate(&self) -> MandateId {
        match self {
            Self::Request(request) => request.mandate,
            Self::Authenticate { mandate }
            | Self::Grant { mandate, .. }
            | Self::Collect { mandate, .. }
            | Self::Decide { mandate, .. }
            | Self::Refuse { mandate }
            | Self::Abandon { mandate }
            | Self::Expire { mandate }
            | Self::Confirm { mandate, .. }
            | Self::TakeLetter { mandate, .. }
            | Self::Revoke { mandate, .. } => *mandate,
        }
    }
}

pub(crate) fn keys(command: &Command, keys: &mut Vec<Key>) {
    let mandate = command.mandate();
    keys.extend([mandate_key(mandate), OPERATORS_KEY]);
    match command {
        Command::Request(request) => {
            let page = Thing::Mandate(mandate).page_key(request.bank);
            keys.extend([bank_key(request.bank), page]);
            keys.extend(request.whose().keys());
        }
        Command::Grant { grant, .. } => keys.push(account_key(grant.account)),
        Command::Collect { account, .. } | Command::Decide { account, .. } => keys.push(account_key(*account)),
        Command::Authenticate { .. } | Command::Refuse { .. } | Command::Abandon { .. } => {}
        Command::Expire { .. } | Command::Confirm { .. } | Command::Revoke { .. } | Command::TakeLetter { .. } => {}
    }
}

pub(crate) fn keys_further(command: &Command, rows: Rows<'_>, keys: &mut Vec<Key>) {
    let id = command.mandate();
    if matches!(command, Command::Request(_)) {
        return;
    }
    let Some(row) = rows.mandate(id) else { return };
    operator::keys_of(rows, row.operator, keys);
    keys.extend([bank_key(row.bank), Thing::Mandate(id).page_key(row.bank)]);
    keys.extend(row.whose().keys());
    match command {
        Command::Collect { account, .. } | Command::Decide { account, .. } => {
            keys.extend(row.grant.map(|grant| account_ref_key(grant.account_ref)));
            let live = rows.account(*account).and_then(|account| account.live_mandate(row.operator));
            keys.extend(live.filter(|live| *live != id).map(mandate_key));
        }
        Command::Confirm { .. } | Command::Revoke { .. } => {
            keys.extend(row.grant.map(|grant| account_key(grant.account)));
            keys.extend(row.grant.map(|grant| account_ref_key(grant.account_ref)));
        }
        Command::Request(_) | Command::Authenticate { .. } | Command::Grant { .. } => {}
        Command::Refuse { .. } | Command::Abandon { .. } | Command::Expire { .. } | Command::TakeLetter { .. } => {}
    }
}

pub(crate) fn decide(rows: Rows<'_>, command: &Command, moment: Moment, context: &Context) -> Decided {
    if let Command::Request(command) = command {
        return request(rows, command, moment, context);
    }
    let id = command.mandate();
    let row = rows.mandate(id).ok_or(Refusal::Unknown { noun: Noun::Mandate })?;
    match command {
        Command::Request(command) => request(rows, command, moment, context),
        Command::Authenticate { .. } => authenticate(id, row, moment),
        Command::Grant { grant, details, .. } => grant::grant(rows, id, row, grant, details, moment, context),
        Command::Collect { operator, account, .. } => {
            activate::collect(rows, id, row, (*operator, *account), moment, context)
        }
        Command::Decide { account, accept, by, .. } => {
            activate::decide(rows, id, row, *account, (*accept, *by), moment, context)
        }
        Command::Refuse { .. } => end::refuse(rows, id, row, moment),
        Command::Abandon { .. } => end::abandon(rows, id, row, moment),
        Command::Expire { .. } => end::expire(rows, id, row, moment),
        Command::Confirm { channel, .. } => end::confirm(rows, id, row, *channel, moment),
        Command::TakeLetter { by, .. } => {
            row.grant.ok_or(Refusal::Unknown { noun: Noun::Mandate })?;
            let event = Event::LetterTaken { mandate: id, by: *by, at: moment.now };
            Ok((vec![super::Event::Mandate(event)], row.receipt(id, row.status)))
        }
        Command::Revoke { operator, by, why, .. } => end::revoke(rows, id, row, *operator, (*by, *why), moment),
    }
}

impl Request {
    fn whose(&self) -> Whose {
        Whose { operator: self.operator, bank: self.bank, wallet: Some(self.wallet.clone()) }
    }
}

impl Mandate {
    /// What it counts on while it is open.
    fn whose(&self) -> Whose {
        Whose { operator: self.operator, bank: self.bank, wallet: Some(self.wallet.clone()) }
    }

    /// Whether its holder confirmed it by a channel that did not grant it.
    pub const fn is_confirmed(&self) -> bool {
        self.confirmed.is_some()
    }

    /// Counts a debit.
    pub(crate) fn count(&mut self, day: Day, amount: Yen, is_unconfirmed: bool) {
        self.debited.count(day, amount);
        if is_unconfirmed {
            self.unconfirmed_total = self.unconfirmed_total.checked_add(amount).unwrap_or(Yen::MAX);
        }
    }

    /// Takes that back: it was declined.
    pub(crate) fn uncount(&mut self, day: Day, amount: Yen, is_unconfirmed: bool) {
        self.debited.uncount(day, amount);
        if is_unconfirmed {
            self.unconfirmed_total = self.unconfirmed_total.saturating_sub(amount);
        }
    }

    fn wrong_status(&self) -> Refusal {
        Refusal::WrongStatus { noun: Noun::Mandate, status: self.status.name().into() }
    }

    fn check_deadline(&self, now: Time) -> Result<(), Refusal> {
        if now >= self.deadline {
            return Err(Refusal::Expired { noun: Noun::Mandate, at: self.deadline });
        }
        Ok(())
    }

    const fn receipt(&self, id: MandateId, status: Status) -> Receipt {
        Receipt::Mandate { id, bank: self.bank, status, deadline: self.deadline, missing: None }
    }

    const fn lacking(&self, id: MandateId, missing: MissingFact) -> Receipt {
        let (bank, deadline) = (self.bank, self.deadline);
        Receipt::Mandate { id, bank, status: Status::Refused, deadline, missing: Some(missing) }
    }

    fn told(&self, id: MandateId, change: Change) -> What {
        What::Mandate { mandate: id, reference: self.reference.clone(), change }
    }

    pub(crate) fn columns(&self) -> [Value; 5] {
        [
            Value::Id(self.operator.id()),
            Value::Integer(i64::from(self.bank.number())),
            self.grant.map_or(Value::Null, |grant| Value::Id(grant.account.0)),
            Value::Text(self.status.name()),
            Value::Integer(self.requested.milliseconds()),
        ]
    }
}

/// What was said already is accepted, and changes nothing.
#[expect(clippy::unnecessary_wraps, reason = "the last word of a decision")]
fn silent(id: MandateId, row: &Mandate) -> Decided {
    Ok((Vec::new(), row.receipt(id, row.status)))
}

/// Refusals in order: unknown operator, id taken, the bank's switch, too many open of the operator or the wallet, no room.
fn request(rows: Rows<'_>, command: &Request, moment: Moment, context: &Context) -> Decided {
    if rows.operator(command.operator).is_none() {
        return Err(Refusal::Unknown { noun: Noun::Operator });
    }
    if rows.mandate(command.mandate).is_some() {
        return Err(Refusal::ReferenceTaken { noun: Noun::Mandate });
    }
    bank::check(rows, command.bank, Function::Register)?;
    command.whose().check(rows, context)?;
    rows.check_room(Thing::Mandate(command.mandate), command.bank)?;
    let deadline = moment.now.plus_milliseconds(context.policy.mandate_ms);
    let event = Event::Requested {
        mandate: command.mandate,
        operator: command.operator,
        reference: command.reference.clone(),
        wallet: command.wallet.clone(),
        bank: command.bank,
        limits: command.limits,
        deadline,
        at: moment.now,
    };
    let (id, bank, status) = (command.mandate, command.bank, Status::Requested);
    let receipt = Receipt::Mandate { id, bank, status, deadline, missing: None };
    Ok((vec![super::Event::Mandate(event), command.whose().opened()], receipt))
}

fn authenticate(id: MandateId, row: &Mandate, moment: Moment) -> Decided {
    match row.status {
        Status::Requested => {
            row.check_deadline(moment.now)?;
            let event = Event::Authenticating { mandate: id, at: moment.now };
            Ok((vec![super::Event::Mandate(event)], row.receipt(id, Status::Authenticating)))
        }
        Status::Authenticating | Status::Pending | Status::InReview | Status::Active => silent(id, row),
        Status::Refused | Status::Abandoned | Status::Expired | Status::Revoked => Err(row.wrong_status()),
    }
}
