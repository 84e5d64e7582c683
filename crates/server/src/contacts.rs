//! Contacts: mail addresses and telephone numbers, parsed at the border, kept sealed, found by keyed hash.
//!
//! Start reading at [`Address`].

use crate::doors::Door;
use crate::sealed::Ciphertext;
use crate::service::Service;
use domain::Id;
use serde::{Deserialize, Serialize};
use std::fmt;
use wallet::{ContactId, Fingerprint, HolderId};
use web::Problem;

/// The longest mail address (RFC 5321, section 4.5.3.1.3).
pub const MAIL_BYTES_MAX: usize = 254;
const MAIL_LOCAL_BYTES_MAX: usize = 64;

/// How somebody is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// By mail.
    Mail,
    /// By message to a telephone.
    Sms,
}

/// An address or number as it is compared: personal data, never shown in a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// By which channel.
    pub channel: Channel,
    text: String,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({:?})", self.channel)
    }
}

impl Address {
    /// A mail address: one local part, one domain with a dot, in ASCII, without quotes.
    pub fn mail(text: &str) -> Result<Self, Problem> {
        let wrong = || Problem::malformed("This is no mail address.").with("member", "email");
        let text = text.trim().to_ascii_lowercase();
        let (local, domain) = text.split_once('@').ok_or_else(wrong)?;
        let is_local = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~.-".contains(&byte);
        let is_label = |label: &str| {
            let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            !label.is_empty() && label.len() <= 63 && label.bytes().all(is_inner) && !label.starts_with('-')
        };
        let is_mail = text.len() <= MAIL_BYTES_MAX
            && (1..=MAIL_LOCAL_BYTES_MAX).contains(&local.len())
            && local.bytes().all(is_local)
            && domain.contains('.')
            && domain.split('.').all(is_label);
        if is_mail { Ok(Self { channel: Channel::Mail, text }) } else { Err(wrong()) }
    }

    /// A telephone number: `090…` as it is written in Japan, or with its country code.
    pub fn phone(text: &str) -> Result<Self, Problem> {
        let wrong = || Problem::malformed("This is no telephone number: `090…` or `+81 90 …`.").with("member", "phone");
        let digits: String = text.chars().filter(|character| !matches!(character, ' ' | '-')).collect();
        let international = match digits.strip_prefix('0') {
            Some(rest) if digits.len() == 11 => format!("+81{rest}"),
            Some(_) => return Err(wrong()),
            None => digits,
        };
        let number = international.strip_prefix('+').ok_or_else(wrong)?;
        let is_number = (8..=15).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { Ok(Self { channel: Channel::Sms, text: international }) } else { Err(wrong()) }
    }

    /// The address itself: only for whoever writes to it or seals it.
    pub fn expose(&self) -> &str {
        &self.text
    }

    fn from_kept(channel: Channel, text: String) -> Self {
        Self { channel, text }
    }
}

/// An address that a holder gave; whether it is theirs is in the books.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// The address's hash.
    pub known_as: ContactId,
    /// Who gave it.
    pub holder: HolderId,
    /// By which channel it is reached.
    pub channel: Channel,
    /// The address.
    pub address: Ciphertext,
}

impl Contact {
    /// The id of `holder`'s entry for `contact`: several holders may have given the same address.
    pub fn key(holder: HolderId, contact: ContactId) -> Id {
        Id(std::array::from_fn(|index| holder.0.0[index].rotate_left(1) ^ contact.0.0[index]))
    }
}

impl Door for Contact {
    const TABLE: &'static str = "contact";

    fn id(&self) -> Id {
        Self::key(self.holder, self.known_as)
    }

    fn owner(&self) -> Option<Id> {
        Some(self.holder.0)
    }
}

impl Service {
    /// The hash by which `address` is known in the books.
    pub fn contact_id(&self, address: &Address) -> ContactId {
        let purpose = match address.channel {
            Channel::Mail => "mail",
            Channel::Sms => "phone",
        };
        ContactId(self.look_up(purpose, address.text.as_bytes()))
    }

    /// The trait of a mail address's domain.
    pub fn mail_domain(&self, address: &Address) -> Option<Fingerprint> {
        let (_, domain) = address.text.split_once('@')?;
        Some(self.keys.fingerprint("mail domain", domain.as_bytes()))
    }

    /// Keeps an address that `holder` gave.
    pub fn keep_contact(&self, holder: HolderId, address: &Address) -> Result<ContactId, Problem> {
        let contact = self.sealed_contact(holder, address)?;
        self.doors.put(&contact)?;
        Ok(contact.known_as)
    }

    /// An address that `holder` gave, as it is kept.
    pub fn sealed_contact(&self, holder: HolderId, address: &Address) -> Result<Contact, Problem> {
        Ok(Contact {
            known_as: self.contact_id(address),
            holder,
            channel: address.channel,
            address: Ciphertext(self.seal(holder, address.text.as_bytes())?.0),
        })
    }

    /// The address that `holder` gave and that is known as `contact`.
    pub fn address(&self, holder: HolderId, contact: ContactId) -> Result<Option<Address>, Problem> {
        let Some(kept) = self.doors.get::<Contact>(Contact::key(holder, contact))? else { return Ok(None) };
        let text = self.unseal(holder, &kept.address.0)?;
        Ok(Some(Address::from_kept(kept.channel, String::from_utf8_lossy(&text).into_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(parsed: &Result<Address, Problem>, expected: Option<&str>) {
        assert_eq!(parsed.as_ref().ok().map(Address::expose), expected);
    }

    #[test]
    fn addresses_are_parsed_at_the_border() {
        check(&Address::mail(" Hanako.S+1@Example.JP "), Some("hanako.s+1@example.jp"));
        for wrong in ["", "hanako", "@example.jp", "hanako@", "hanako@localhost", "a@b@c.jp", "花子@example.jp"] {
            check(&Address::mail(wrong), None);
        }
        for wrong in ["a@-b.jp", "a@b..jp", "a b@example.jp", "a@example.jp\r\nBcc: b@example.jp"] {
            check(&Address::mail(wrong), None);
        }
        check(&Address::mail(&format!("{}@example.jp", "a".repeat(65))), None);
        check(&Address::phone("090-1234-5678"), Some("+819012345678"));
        check(&Address::phone("+81 90 1234 5678"), Some("+819012345678"));
        for wrong in ["", "12345", "0901234567", "090123456789", "+81a0123456", "090/1234/567", "+1234567"] {
            check(&Address::phone(wrong), None);
        }
        assert_eq!(format!("{:?}", Address::phone("09012345678").expect("a number")), "Address(Sms)");
    }
}
