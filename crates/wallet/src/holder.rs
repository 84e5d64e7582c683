//! The holder (利用者): the person who owns a wallet, and how far who they are is proven.
//!
//! The tier only rises: a mail address answers, a telephone answers, a person is identified. An address belongs to the
//! holder who proves it, not to the one who first claims it, so that nobody keeps a stranger's address busy; from then
//! on the old one is free. The first mail address aside, none is added or replaced without a proof by what is there already:
//! proofs go to it later. Names, addresses and birth dates are [`Sealed`]; the rules see keyed hashes.
//! Start reading at [`decide`].

mod event;

pub use event::Event;

use crate::ids::{ContactId, HolderId, PersonId, WalletId};
use crate::refusal::{Noun, Proof, Refusal, Stated};
use crate::standing::Standing;
use crate::state::{Decided, Rows};
use crate::switches::Function;
use crate::traits::{Fingerprint, IdentificationMethod, Tier, Traits};
use crate::wallet::Wallet;
use crate::{Context, Receipt, guard, table};
use domain::{Id, Key, Moment, Time};
use ledger::Yen;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Ciphertext that only the edge can open: names, addresses, messages. The rules never look inside.
#[derive(Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Sealed(pub Vec<u8>);

/// The longest ciphertext that a row carries, in bytes.
pub const SEALED_BYTES_MAX: usize = 4_096;

impl Sealed {
    /// Refuses what is too long for a row of `noun`.
    pub(crate) fn check(&self, noun: Noun) -> Result<(), Refusal> {
        if self.0.len() > SEALED_BYTES_MAX {
            let count = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
            return Err(Refusal::LongerThan { noun, bytes_max: count(SEALED_BYTES_MAX), bytes: count(self.0.len()) });
        }
        Ok(())
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// A person who owns a wallet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// When they joined.
    pub opened: Time,
    /// How far their identity is proven.
    pub tier: Tier,
    /// Their mail address.
    pub mail: ContactId,
    /// Its domain.
    pub mail_domain: Option<Fingerprint>,
    /// When it answered.
    pub mail_verified: Option<Time>,
    /// Their telephone number, which answered.
    pub phone: Option<ContactId>,
    /// When it answered.
    pub phone_verified: Option<Time>,
    /// What they want to be reached at instead, until it answers.
    pub wanted: Option<Contact>,
    /// Who they are, once identified.
    pub person: Option<PersonId>,
    /// How and when they were identified.
    pub identified: Option<(IdentificationMethod, Time)>,
    /// Their open wallet.
    pub wallet: Option<WalletId>,
    /// What they say of themselves, or what was verified.
    pub profile: Sealed,
}

/// Where a holder can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Contact {
    /// A mail address, and its domain.
    Mail(ContactId, Option<Fingerprint>),
    /// A telephone number.
    Phone(ContactId),
}

impl Contact {
    /// Its id.
    pub const fn id(self) -> ContactId {
        match self {
            Self::Mail(id, _) | Self::Phone(id) => id,
        }
    }
}

/// Who has proven to be reached at a mail address or telephone number.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ContactHolders(pub Vec<HolderId>);

/// What is asked of a holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Join. Proves nothing yet.
    Open {
        /// Its id.
        holder: HolderId,
        /// The mail address.
        mail: ContactId,
        /// Its domain.
        mail_domain: Option<Fingerprint>,
        /// What the holder says of themselves.
        profile: Sealed,
    },
    /// The mail address answered.
    VerifyMail {
        /// Whose.
        holder: HolderId,
        /// Which: the one given when joining, or the one that is wanted instead.
        mail: ContactId,
    },
    /// The telephone answered.
    VerifyPhone {
        /// Whose.
        holder: HolderId,
        /// Which: the one that is wanted.
        phone: ContactId,
    },
    /// A vendor or an authority says who the holder is.
    Identify {
        /// Whom.
        holder: HolderId,
        /// Who that is.
        person: PersonId,
        /// How that was found.
        method: IdentificationMethod,
        /// What was verified, where it replaces what the holder said.
        profile: Option<Sealed>,
    },
    /// Be reached elsewhere, or by telephone as well, as soon as that answers. Takes a proof: whoever moves the address takes
    /// over the wallet.
    ChangeContact {
        /// Whose.
        holder: HolderId,
        /// Where.
        to: Contact,
        /// The proof that was given.
        proof: Option<Proof>,
    },
}

impl Command {
    pub(crate) const fn subject(&self) -> (&'static str, Option<WalletId>, Yen) {
        let name = match self {
            Self::Open { .. } => "holder.open",
            Self::VerifyMail { .. } => "holder.verify_mail",
            Self::VerifyPhone { .. } => "holder.verify_phone",
            Self::Identify { .. } => "holder.identify",
            Self::ChangeContact { .. } => "holder.change_contact",
        };
        (name, None, Yen::ZERO)
    }

    const fn holder(&self) -> HolderId {
        match self {
            Self::Open { holder, .. } | Self::VerifyMail { holder, .. } | Self::VerifyPhone { holder, .. } => *holder,
            Self::Identify { holder, .. } | Self::ChangeContact { holder, .. } => *holder,
        }
    }
}

const fn holder_key(id: HolderId) -> Key {
    Key::new(table::HOLDER, id.0)
}

const fn contact_key(id: ContactId) -> Key {
    Key::new(table::CONTACT, id.0)
}

pub(crate) fn keys(command: &Command, keys: &mut Vec<Key>) {
    keys.push(holder_key(command.holder()));
    match command {
        Command::Open { mail, .. } | Command::VerifyMail { mail, .. } => keys.push(contact_key(*mail)),
        Command::VerifyPhone { phone, .. } => keys.push(contact_key(*phone)),
        Command::Identify { person, .. } => keys.push(Key::new(table::PERSON, person.0)),
        Command::ChangeContact { to, .. } => keys.push(contact_key(to.id())),
    }
}

pub(crate) fn keys_further(command: &Command, rows: Rows<'_>, keys: &mut Vec<Key>) {
    let Some(holder) = rows.holder(command.holder()) else { return };
    let freed = match command {
        Command::Open { .. } => return,
        Command::ChangeContact { .. } => None,
        Command::VerifyMail { .. } => Some(holder.mail),
        Command::VerifyPhone { .. } => holder.phone,
        Command::Identify { .. } => None,
    };
    keys.extend(freed.map(contact_key));
    keys.extend(holder.wallet.map(|wallet| Key::new(table::WALLET, wallet.0)));
}

pub(crate) fn decide(rows: Rows<'_>, command: &Command, moment: Moment, context: &Context) -> Decided {
    match command {
        Command::Open { holder, mail, mail_domain, profile } => {
            open(rows, *holder, *mail, *mail_domain, profile, moment, context)
        }
        Command::VerifyMail { holder, mail } => verify_mail(rows, *holder, *mail, moment, context),
        Command::VerifyPhone { holder, phone } => verify_phone(rows, *holder, *phone, moment, context),
        Command::Identify { holder, person, method, profile } => {
            identify(rows, *holder, *person, *method, profile.as_ref(), moment)
        }
        Command::ChangeContact { holder, to, proof } => change_contact(rows, *holder, *to, *proof, moment, context),
    }
}

fn open(
    rows: Rows<'_>,
    id: HolderId,
    mail: ContactId,
    mail_domain: Option<Fingerprint>,
    profile: &Sealed,
    moment: Moment,
    context: &Context,
) -> Decided {
    profile.check(Noun::Holder)?;
    if rows.holder(id).is_some() {
        return Err(Refusal::Taken { noun: Noun::Holder, id: id.0 });
    }
    check_free(rows, id, Contact::Mail(mail, mail_domain), moment, context)?;
    let event = Event::Opened { holder: id, mail, mail_domain, profile: profile.clone(), at: moment.now };
    Ok((vec![crate::Event::Holder(event)], Receipt::Holder { id, tier: Tier::Email }))
}

/// Refuses an address or number that as many other holders have as the policy allows.
fn check_free(
    rows: Rows<'_>,
    holder: HolderId,
    contact: Contact,
    moment: Moment,
    context: &Context,
) -> Result<(), Refusal> {
    let policy = &context.policies.on(moment.now.day()).holder;
    let holders_max = match contact {
        Contact::Mail(..) => policy.per_mail_max,
        Contact::Phone(_) => policy.per_phone_max,
    };
    let others = rows.contact(contact.id()).map_or(0, |row| row.0.iter().filter(|other| **other != holder).count());
    if others >= holders_max {
        return Err(Refusal::Taken { noun: Noun::Contact, id: contact.id().0 });
    }
    Ok(())
}

/// Refusals in order: unknown, taken by another, not the address that was to answer.
fn verify_mail(rows: Rows<'_>, id: HolderId, mail: ContactId, moment: Moment, context: &Context) -> Decided {
    let holder = rows.holder(id).ok_or(Refusal::Unknown { noun: Noun::Holder })?;
    let contact = match holder.wanted {
        Some(wanted @ Contact::Mail(wanted_mail, _)) if wanted_mail == mail => wanted,
        Some(_) | None if holder.mail == mail => Contact::Mail(mail, holder.mail_domain),
        Some(_) | None => return Err(Refusal::Unknown { noun: Noun::Contact }),
    };
    check_free(rows, id, contact, moment, context)?;
    let freed = Some(holder.mail).filter(|former| holder.mail_verified.is_some() && *former != mail);
    let verified_before = holder.mail == mail && holder.mail_verified.is_some();
    Ok(verified(id, holder, contact, freed, verified_before, moment))
}

/// Refusals in order: unknown, not the number that is wanted, taken by another, mail address not verified.
fn verify_phone(rows: Rows<'_>, id: HolderId, phone: ContactId, moment: Moment, context: &Context) -> Decided {
    let holder = rows.holder(id).ok_or(Refusal::Unknown { noun: Noun::Holder })?;
    let contact = Contact::Phone(phone);
    if holder.wanted != Some(contact) && holder.phone != Some(phone) {
        return Err(Refusal::Unknown { noun: Noun::Contact });
    }
    check_free(rows, id, contact, moment, context)?;
    check_mail_verified(holder)?;
    let freed = holder.phone.filter(|former| *former != phone);
    Ok(verified(id, holder, contact, freed, holder.phone == Some(phone), moment))
}

fn verified(
    id: HolderId,
    holder: &Holder,
    contact: Contact,
    freed: Option<ContactId>,
    verified_before: bool,
    moment: Moment,
) -> (Vec<crate::Event>, Receipt) {
    let event = Event::ContactVerified { holder: id, wallet: holder.wallet, contact, freed, at: moment.now };
    let events = if verified_before { Vec::new() } else { vec![crate::Event::Holder(event)] };
    (events, Receipt::Holder { id, tier: holder.tier.max(contact.tier()) })
}

impl Contact {
    /// The tier that it proves when it answers.
    const fn tier(self) -> Tier {
        match self {
            Self::Mail(..) => Tier::Email,
            Self::Phone(_) => Tier::Phone,
        }
    }
}

pub(crate) fn check_mail_verified(holder: &Holder) -> Result<(), Refusal> {
    if holder.mail_verified.is_none() {
        return Err(Refusal::WrongStatus { noun: Noun::Holder, status: Standing::MailNotVerified });
    }
    Ok(())
}

/// Refusals in order: unknown, mail address not verified, the person has another open wallet, the holder was identified as
/// somebody else. To be identified again as the same person is allowed: it renews the proof.
fn identify(
    rows: Rows<'_>,
    id: HolderId,
    person: PersonId,
    method: IdentificationMethod,
    profile: Option<&Sealed>,
    moment: Moment,
) -> Decided {
    if let Some(profile) = profile {
        profile.check(Noun::Holder)?;
    }
    let holder = rows.holder(id).ok_or(Refusal::Unknown { noun: Noun::Holder })?;
    check_mail_verified(holder)?;
    if let Some(row) = rows.person(person) {
        row.check_wallet(holder.wallet)?;
    }
    if let Some(before) = holder.person.filter(|before| *before != person) {
        let (on_record, came) = (Stated::Person(before), Stated::Person(person));
        return Err(Refusal::NotAsOnRecord { noun: Noun::Holder, on_record, came });
    }
    let event = Event::Identified {
        holder: id,
        wallet: holder.wallet,
        person,
        method,
        profile: profile.cloned(),
        at: moment.now,
    };
    Ok((vec![crate::Event::Holder(event)], Receipt::Holder { id, tier: Tier::Identified }))
}

/// Refusals in order: unknown, taken by another, mail address not verified, no proof, the guard.
fn change_contact(
    rows: Rows<'_>,
    id: HolderId,
    to: Contact,
    proof: Option<Proof>,
    moment: Moment,
    context: &Context,
) -> Decided {
    let holder = rows.holder(id).ok_or(Refusal::Unknown { noun: Noun::Holder })?;
    check_free(rows, id, to, moment, context)?;
    check_mail_verified(holder)?;
    if proof.is_none() {
        return Err(Refusal::StepUpRequired { proof: Proof::SecondFactor });
    }
    ask_guard(rows, id, holder, proof, moment, context)?;
    let event = Event::ContactChangeRequested { holder: id, to, at: moment.now };
    Ok((vec![crate::Event::Holder(event)], Receipt::Holder { id, tier: holder.tier }))
}

/// Whoever changes where a holder is reached can take the wallet over next: the guard sees it, with the wallet if there is one.
fn ask_guard(
    rows: Rows<'_>,
    id: HolderId,
    holder: &Holder,
    proof: Option<Proof>,
    moment: Moment,
    context: &Context,
) -> Result<(), Refusal> {
    let traits = Traits {
        opened: holder.opened,
        mail_domain: holder.mail_domain,
        phone_verified: holder.phone_verified,
        identified: holder.identified,
        first: None,
        last: None,
    };
    let none_yet = Wallet::new(id, holder.person, holder.tier, traits);
    let attempt = guard::Attempt {
        function: Function::ChangeContact,
        id: id.0,
        wallet_id: holder.wallet.unwrap_or(WalletId(Id::default())),
        wallet: holder.wallet.and_then(|wallet| rows.wallet(wallet)).unwrap_or(&none_yet),
        amount: Yen::ZERO,
        bank: None,
        linked: None,
        counterparty: None,
        origin: None,
        now: moment.now,
    };
    guard::ask_or_refuse(context, &attempt, proof)
}
