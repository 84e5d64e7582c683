//! What happens to holders, and what each event does to the rows of holders, contacts, persons and wallets.

use super::{Contact, ContactHolders, Holder, Sealed, contact_key, holder_key};
use crate::ids::{ContactId, HolderId, PersonId, WalletId};
use crate::state::wrong_row;
use crate::traits::{Fingerprint, IdentificationMethod, Tier};
use crate::wallet::Wallet;
use crate::{Row, table};
use domain::{Key, Time};
use serde::{Deserialize, Serialize};

/// What happened to a holder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// Joined.
    Opened {
        /// Who.
        holder: HolderId,
        /// The mail address.
        mail: ContactId,
        /// Its domain.
        mail_domain: Option<Fingerprint>,
        /// What the holder says of themselves.
        profile: Sealed,
        /// When.
        at: Time,
    },
    /// An address or number answered: it is the holder's now.
    ContactVerified {
        /// Whose.
        holder: HolderId,
        /// The holder's open wallet.
        wallet: Option<WalletId>,
        /// Which.
        contact: Contact,
        /// The one that it replaces.
        freed: Option<ContactId>,
        /// When.
        at: Time,
    },
    /// It is known who the holder is.
    Identified {
        /// Whom.
        holder: HolderId,
        /// The holder's open wallet.
        wallet: Option<WalletId>,
        /// Who that is.
        person: PersonId,
        /// How that was found.
        method: IdentificationMethod,
        /// What was verified.
        profile: Option<Sealed>,
        /// When.
        at: Time,
    },
    /// Another address or number is wanted; the old one is told.
    ContactChangeRequested {
        /// Whose.
        holder: HolderId,
        /// Which.
        to: Contact,
        /// When.
        at: Time,
    },
}

impl Event {
    const fn holder(&self) -> HolderId {
        match self {
            Self::Opened { holder, .. } | Self::ContactVerified { holder, .. } => *holder,
            Self::Identified { holder, .. } | Self::ContactChangeRequested { holder, .. } => *holder,
        }
    }

    /// The rows that this changes.
    pub(crate) fn touches(&self, each: &mut impl FnMut(Key)) {
        each(holder_key(self.holder()));
        let wallet = match self {
            Self::Opened { .. } | Self::ContactChangeRequested { .. } => None,
            Self::ContactVerified { wallet, contact, freed, .. } => {
                each(contact_key(contact.id()));
                if let Some(freed) = freed {
                    each(contact_key(*freed));
                }
                *wallet
            }
            Self::Identified { wallet, person, .. } => {
                each(Key::new(table::PERSON, person.0));
                *wallet
            }
        };
        if let Some(wallet) = wallet {
            each(Key::new(table::WALLET, wallet.0));
        }
    }

    pub(crate) fn evolve(&self, row: &mut Option<Row>) {
        match (self, row) {
            (Self::Opened { mail, mail_domain, profile, at, .. }, row @ None) => {
                *row = Some(Row::Holder(Box::new(Holder {
                    opened: *at,
                    tier: Tier::Email,
                    mail: *mail,
                    mail_domain: *mail_domain,
                    mail_verified: None,
                    phone: None,
                    phone_verified: None,
                    wanted: None,
                    person: None,
                    identified: None,
                    wallet: None,
                    profile: profile.clone(),
                })));
            }
            (Self::ContactVerified { contact, at, .. }, Some(Row::Holder(holder))) => holder.reached_at(*contact, *at),
            (Self::Identified { person, method, profile, at, .. }, Some(Row::Holder(holder))) => {
                holder.tier = Tier::Identified;
                holder.person = Some(*person);
                holder.identified = Some((*method, *at));
                if let Some(profile) = profile {
                    holder.profile = profile.clone();
                }
            }
            (Self::ContactChangeRequested { to, .. }, Some(Row::Holder(holder))) => holder.wanted = Some(*to),
            (
                Self::Opened { .. }
                | Self::ContactVerified { .. }
                | Self::Identified { .. }
                | Self::ContactChangeRequested { .. },
                _,
            ) => wrong_row(holder_key(self.holder())),
        }
    }

    /// The holder's wallet carries their tier and traits, so that no movement needs the holder's row.
    pub(crate) fn evolve_wallet(&self, wallet: &mut Wallet) {
        match self {
            Self::Opened { .. } | Self::ContactChangeRequested { .. } => {}
            Self::ContactVerified { contact: Contact::Mail(_, domain), .. } => {
                wallet.traits_mut().mail_domain = *domain;
            }
            Self::ContactVerified { contact: Contact::Phone(_), at, .. } => {
                wallet.tier = wallet.tier.max(Tier::Phone);
                wallet.traits_mut().phone_verified = Some(*at);
            }
            Self::Identified { person, method, at, .. } => {
                wallet.tier = Tier::Identified;
                wallet.person = Some(*person);
                wallet.traits_mut().identified = Some((*method, *at));
            }
        }
    }

    /// The contact at `key`: the one that answered, or the one that it replaces.
    pub(crate) fn evolve_contact(&self, key: Key, row: &mut Option<Row>) {
        let fresh = || Row::Contact(ContactHolders::default());
        let Row::Contact(holders) = row.get_or_insert_with(fresh) else { wrong_row(key) };
        match self {
            Self::ContactVerified { holder, contact, .. } if contact_key(contact.id()) == key => {
                if !holders.0.contains(holder) {
                    holders.0.push(*holder);
                }
            }
            Self::ContactVerified { holder, .. } => holders.0.retain(|other| other != holder),
            Self::Opened { .. } | Self::Identified { .. } | Self::ContactChangeRequested { .. } => wrong_row(key),
        }
    }

    pub(crate) fn evolve_person(&self, key: Key, row: &mut Option<Row>) {
        let fresh = || Row::Person(Box::default());
        let Row::Person(person) = row.get_or_insert_with(fresh) else { wrong_row(key) };
        match self {
            Self::Identified { wallet, .. } => person.wallet = wallet.or(person.wallet),
            Self::Opened { .. } | Self::ContactVerified { .. } | Self::ContactChangeRequested { .. } => wrong_row(key),
        }
    }
}

impl Holder {
    fn reached_at(&mut self, contact: Contact, at: Time) {
        match contact {
            Contact::Mail(mail, domain) => {
                self.mail = mail;
                self.mail_domain = domain;
                self.mail_verified = Some(at);
            }
            Contact::Phone(phone) => {
                self.phone = Some(phone);
                self.phone_verified = Some(at);
                self.tier = self.tier.max(Tier::Phone);
            }
        }
        if self.wanted.is_some_and(|wanted| wanted.id() == contact.id()) {
            self.wanted = None;
        }
    }
}
