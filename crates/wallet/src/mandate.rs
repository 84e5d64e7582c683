//! The mandate (口座登録): the account holder's permission for one wallet to debit one bank account.
//!
//! | status | meaning |
//! |---|---|
//! | `requested` | the holder asked; nobody has been at the bank yet |
//! | `authenticating` | the bank's page was reached |
//! | `pending` | granted by the bank; debits nothing, takes no slot, lapses unless the wallet collects it |
//! | `in_review` | granted, but the names are only close: the desk compares, until a deadline |
//! | `active` | collected: the one live mandate of its bank account |
//! | `refused` · `abandoned` · `expired` | never came to be: the bank or a rule said no, the holder left, time ran out |
//! | `revoked` | ended, by whom and why; what was debited before goes its way |
//!
//! A link is not identification: nothing here ever changes a tier. A young mandate debits little until the account's true
//! holder confirms it by another channel; age alone never lifts that (top-ups check it).
//! Revoking a mandate oneself keeps the account as a payout route; everybody else's revocation ends that too. "Not me" and
//! fraud also undo whose the account was taken to be: what it brought in goes back there alone.
//!
//! Start reading at [`decide`]; the bank's facts are judged in `grant`, the slot is taken in `activate`.

mod activate;
mod event;
mod grant;
mod revoke;

pub use event::Event;
pub(crate) use revoke::closing;

use crate::ids::{BankAccountId, BankCode, HolderId, MandateId, PersonId, StaffId, WalletId};
use crate::refusal::{MissingFact, Noun, Proof, Refusal};
use crate::standing::Standing;
use crate::state::{Decided, Rows, check_clock};
use crate::switches::{self, Function};
use crate::traits::Origin;
use crate::{Context, Receipt, guard, table};
use domain::{Key, Moment, Time, Value};
use ledger::Yen;
use serde::{Deserialize, Serialize};

/// A permission to debit a bank account, from its request on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mandate {
    /// For which wallet.
    pub wallet: WalletId,
    /// Whose wallet.
    pub holder: HolderId,
    /// The verified person, whose name and birth date the bank compared.
    pub person: Option<PersonId>,
    /// At which bank.
    pub bank: BankCode,
    /// How far it is.
    pub status: Status,
    /// When it was asked for.
    pub requested: Time,
    /// Until when the present status lasts, where it has an end.
    pub deadline: Time,
    /// Why the guard wants the desk to look at it, if it does.
    pub review: Option<u16>,
    /// What the bank granted.
    pub grant: Option<Grant>,
    /// The holder's session has collected the grant while it is in review.
    pub collected: bool,
    /// The account's true holder confirmed it by a channel that did not grant it.
    pub confirmed: bool,
    /// Who revoked it, and when.
    pub revoked: Option<(RevokedBy, Time)>,
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
    /// The holder left.
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

    /// Whether nothing can become of it any more.
    pub const fn is_over(self) -> bool {
        match self {
            Self::Requested | Self::Authenticating | Self::Pending | Self::InReview | Self::Active => false,
            Self::Refused | Self::Abandoned | Self::Expired | Self::Revoked => true,
        }
    }
}

/// How well the bank's name of the account's holder is the verified person's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum NameGrade {
    /// The same.
    Match,
    /// The same as far as the bank's field is long.
    MatchTruncated,
    /// Nearly: a person must look.
    Close,
    /// Another name.
    No,
    /// It cannot be told: a person must look.
    Undecidable,
}

/// What the bank's side says of the account and of whoever authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Grant {
    /// Which account.
    pub bank_account: BankAccountId,
    /// How well the name fits.
    pub name: NameGrade,
    /// Whether the birth date fits.
    pub birth_date_matches: bool,
    /// Whether a factor was more than static knowledge.
    pub factors_strong: bool,
    /// Whether the account's true holder was told, by a contact that the bank has.
    pub contact_notified: bool,
}

impl Grant {
    /// Whether name and birth date are the verified person's: never the name alone.
    pub const fn is_matched(&self) -> bool {
        self.birth_date_matches && matches!(self.name, NameGrade::Match | NameGrade::MatchTruncated)
    }
}

/// Who ended a mandate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RevokedBy {
    /// The wallet's holder.
    Holder(HolderId),
    /// The bank account's true holder: "not me".
    BankAccountHolder,
    /// The bank.
    Bank,
    /// The operator's desk.
    Desk(StaffId),
    /// The true holder, by a link of their own with stronger factors.
    StrongerLink(MandateId),
}

/// Why, in a word that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Why {
    /// It is not needed any more.
    Unneeded,
    /// Somebody says that it was never theirs.
    NotMine,
    /// Fraud is suspected or found.
    Fraud,
    /// The bank account is closed.
    AccountClosed,
}

/// What is asked of mandates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Ask for one.
    Request(Request),
    /// The gateway says that the bank's page was reached.
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
    },
    /// The code was exchanged in the holder's own session: the wallet collects the grant, and takes the slot.
    Confirm {
        /// Which.
        mandate: MandateId,
        /// Whose session.
        holder: HolderId,
        /// The account of the grant, as the exchange named it.
        bank_account: BankAccountId,
    },
    /// The desk has compared.
    Decide {
        /// Which.
        mandate: MandateId,
        /// The account of the grant.
        bank_account: BankAccountId,
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
    /// The holder left.
    Abandon {
        /// Which.
        mandate: MandateId,
    },
    /// Its deadline has passed.
    Expire {
        /// Which.
        mandate: MandateId,
    },
    /// The account's true holder confirmed it, by a channel that did not grant it: card, bank app, letter.
    ConfirmByTrueHolder {
        /// Which.
        mandate: MandateId,
    },
    /// End it.
    Revoke {
        /// Which.
        mandate: MandateId,
        /// Who asks.
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
    /// For which wallet.
    pub wallet: WalletId,
    /// By its holder.
    pub holder: HolderId,
    /// At which bank.
    pub bank: BankCode,
    /// Where from.
    pub origin: Option<Origin>,
    /// The proof that was given.
    pub proof: Option<Proof>,
}

impl Command {
    pub(crate) const fn subject(&self) -> (&'static str, Option<WalletId>, Yen) {
        let name = match self {
            Self::Request(request) => return ("mandate.request", Some(request.wallet), Yen::ZERO),
            Self::Authenticate { .. } => "mandate.authenticate",
            Self::Grant { .. } => "mandate.grant",
            Self::Confirm { .. } => "mandate.confirm",
            Self::Decide { .. } => "mandate.decide",
            Self::Refuse { .. } => "mandate.refuse",
            Self::Abandon { .. } => "mandate.abandon",
            Self::Expire { .. } => "mandate.expire",
            Self::ConfirmByTrueHolder { .. } => "mandate.confirm_by_true_holder",
            Self::Revoke { .. } => "mandate.revoke",
        };
        (name, None, Yen::ZERO)
    }
}

pub(crate) fn mandate_key(id: MandateId) -> Key {
    Key::new(table::MANDATE, id.0)
}

fn bank_account_key(id: BankAccountId) -> Key {
    Key::new(table::BANK_ACCOUNT, id.0)
}

pub(crate) fn keys(command: &Command, keys: &mut Vec<Key>) {
    match command {
        Command::Request(request) => {
            keys.extend([mandate_key(request.mandate), Key::new(table::WALLET, request.wallet.0), switches::KEY]);
        }
        Command::Confirm { mandate, bank_account, .. } | Command::Decide { mandate, bank_account, .. } => {
            keys.extend([mandate_key(*mandate), bank_account_key(*bank_account), switches::KEY]);
        }
        Command::Grant { mandate, .. } => keys.extend([mandate_key(*mandate), switches::KEY]),
        Command::Authenticate { mandate }
        | Command::Refuse { mandate }
        | Command::Abandon { mandate }
        | Command::Expire { mandate }
        | Command::ConfirmByTrueHolder { mandate }
        | Command::Revoke { mandate, .. } => keys.push(mandate_key(*mandate)),
    }
}

pub(crate) fn keys_further(command: &Command, rows: Rows<'_>, keys: &mut Vec<Key>) {
    match command {
        Command::Confirm { mandate, bank_account, .. } | Command::Decide { mandate, bank_account, .. } => {
            keys.extend(rows.mandate(*mandate).map(|row| Key::new(table::WALLET, row.wallet.0)));
            let live = rows.bank_account(*bank_account).and_then(|account| account.live_mandate);
            keys.extend(live.filter(|live| live != mandate).map(mandate_key));
        }
        Command::ConfirmByTrueHolder { mandate } | Command::Revoke { mandate, .. } => {
            let grant = rows.mandate(*mandate).and_then(|row| row.grant);
            keys.extend(grant.map(|grant| bank_account_key(grant.bank_account)));
        }
        Command::Request(_) | Command::Authenticate { .. } | Command::Grant { .. } => {}
        Command::Refuse { .. } | Command::Abandon { .. } | Command::Expire { .. } => {}
    }
}

pub(crate) fn decide(rows: Rows<'_>, command: &Command, moment: Moment, context: &Context) -> Decided {
    match command {
        Command::Request(command) => request(rows, command, moment, context),
        Command::Authenticate { mandate } => authenticate(rows, *mandate, moment),
        Command::Grant { mandate, grant } => grant::grant(rows, *mandate, grant, moment, context),
        Command::Confirm { mandate, holder, bank_account } => {
            activate::confirm(rows, *mandate, *holder, *bank_account, moment, context)
        }
        Command::Decide { mandate, bank_account, accept, by } => {
            activate::decide(rows, *mandate, *bank_account, *accept, *by, moment, context)
        }
        Command::Refuse { mandate } => refuse(rows, *mandate, moment),
        Command::Abandon { mandate } => abandon(rows, *mandate, moment),
        Command::Expire { mandate } => expire(rows, *mandate, moment),
        Command::ConfirmByTrueHolder { mandate } => revoke::confirm_by_true_holder(rows, *mandate, moment),
        Command::Revoke { mandate, by, why } => revoke::revoke(rows, *mandate, *by, *why, moment),
    }
}

pub(crate) fn mandate_of(rows: Rows<'_>, id: MandateId) -> Result<&Mandate, Refusal> {
    rows.mandate(id).ok_or(Refusal::Unknown { noun: Noun::Mandate })
}

impl Mandate {
    pub(crate) fn wrong_status(&self) -> Refusal {
        Refusal::WrongStatus { noun: Noun::Mandate, status: self.status.into() }
    }

    pub(crate) fn columns(&self) -> [Value; 4] {
        [
            Value::Id(self.wallet.0),
            self.grant.map_or(Value::Null, |grant| Value::Id(grant.bank_account.0)),
            Value::Integer(i64::from(self.bank.number())),
            Value::Text(self.status.name()),
        ]
    }

    fn check_deadline(&self, now: Time) -> Result<(), Refusal> {
        if now >= self.deadline {
            return Err(Refusal::Expired { noun: Noun::Mandate, at: self.deadline });
        }
        Ok(())
    }
}

fn receipt(id: MandateId, status: Status) -> Receipt {
    Receipt::Mandate { id, status, missing: None }
}

#[expect(clippy::unnecessary_wraps, reason = "the last word of a decision")]
fn done(event: Event, id: MandateId, status: Status) -> Decided {
    Ok((vec![crate::Event::Mandate(event)], receipt(id, status)))
}

/// What was said already is accepted, and changes nothing.
#[expect(clippy::unnecessary_wraps, reason = "the last word of a decision")]
fn silent(id: MandateId, status: Status) -> Decided {
    Ok((Vec::new(), receipt(id, status)))
}

/// Refusals in order: unknown, id taken, switches, closed, frozen, tier, telephone, guard.
fn request(rows: Rows<'_>, command: &Request, moment: Moment, context: &Context) -> Decided {
    let wallet = rows.wallet_of(command.wallet, command.holder)?;
    if rows.mandate(command.mandate).is_some() {
        return Err(Refusal::Taken { noun: Noun::Mandate, id: command.mandate.0 });
    }
    if let Some(switches) = rows.switches() {
        switches.check(Function::Link, Some(command.bank), wallet.tier, &wallet.traits)?;
    }
    wallet.check_outflow()?;
    let policy = &*rows.policy(context, moment);
    wallet.check_tier(policy.mandate.tier_min)?;
    if policy.mandate.requires_phone && wallet.traits.phone_verified.is_none() {
        return Err(Refusal::WrongStatus { noun: Noun::Holder, status: Standing::PhoneNotVerified });
    }
    let attempt = guard::Attempt {
        function: Function::Link,
        id: command.mandate.0,
        wallet_id: command.wallet,
        wallet,
        amount: Yen::ZERO,
        bank: Some(command.bank),
        linked: None,
        counterparty: None,
        origin: command.origin,
        now: moment.now,
    };
    let review = guard::ask(context, &attempt, command.proof)?;
    let event = Event::Requested {
        mandate: command.mandate,
        wallet: command.wallet,
        holder: command.holder,
        person: wallet.person,
        bank: command.bank,
        deadline: moment.now.plus_milliseconds(policy.mandate.request_ms),
        review,
        at: moment.now,
    };
    done(event, command.mandate, Status::Requested)
}

fn authenticate(rows: Rows<'_>, id: MandateId, moment: Moment) -> Decided {
    let mandate = mandate_of(rows, id)?;
    match mandate.status {
        Status::Requested => {
            mandate.check_deadline(moment.now)?;
            done(Event::Authenticating { mandate: id, at: moment.now }, id, Status::Authenticating)
        }
        Status::Authenticating | Status::Pending | Status::InReview | Status::Active => silent(id, mandate.status),
        Status::Refused | Status::Abandoned | Status::Expired | Status::Revoked => Err(mandate.wrong_status()),
    }
}

fn refuse(rows: Rows<'_>, id: MandateId, moment: Moment) -> Decided {
    let mandate = mandate_of(rows, id)?;
    match mandate.status {
        Status::Requested | Status::Authenticating => {
            done(Event::Ended { mandate: id, status: Status::Refused, at: moment.now }, id, Status::Refused)
        }
        Status::Refused => silent(id, mandate.status),
        Status::Pending | Status::InReview | Status::Active => Err(mandate.wrong_status()),
        Status::Abandoned | Status::Expired | Status::Revoked => Err(mandate.wrong_status()),
    }
}

fn abandon(rows: Rows<'_>, id: MandateId, moment: Moment) -> Decided {
    let mandate = mandate_of(rows, id)?;
    match mandate.status {
        Status::Requested | Status::Authenticating | Status::Pending | Status::InReview => {
            done(Event::Ended { mandate: id, status: Status::Abandoned, at: moment.now }, id, Status::Abandoned)
        }
        Status::Abandoned => silent(id, mandate.status),
        Status::Active | Status::Refused | Status::Expired | Status::Revoked => Err(mandate.wrong_status()),
    }
}

/// Refusals in order: unknown, clock, status.
fn expire(rows: Rows<'_>, id: MandateId, moment: Moment) -> Decided {
    let mandate = mandate_of(rows, id)?;
    check_clock(moment)?;
    match mandate.status {
        Status::Requested | Status::Authenticating | Status::Pending | Status::InReview => {
            if moment.now < mandate.deadline {
                let status = Standing::not_expired(mandate.status).unwrap_or(mandate.status.into());
                return Err(Refusal::WrongStatus { noun: Noun::Mandate, status });
            }
            done(Event::Ended { mandate: id, status: Status::Expired, at: moment.now }, id, Status::Expired)
        }
        Status::Expired => silent(id, mandate.status),
        Status::Active | Status::Refused | Status::Abandoned | Status::Revoked => Err(mandate.wrong_status()),
    }
}

/// The refusal reason of a grant, for the receipt.
fn refused(id: MandateId, missing: MissingFact) -> Receipt {
    Receipt::Mandate { id, status: Status::Refused, missing: Some(missing) }
}
