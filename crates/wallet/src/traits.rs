//! Traits: what is known of where a wallet came from and how it is used, as hashes, for cohorts and for the guard.

use domain::Time;
use serde::{Deserialize, Serialize};

/// How far a holder's identity is proven (本人確認区分).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Tier {
    /// A mail address answers.
    Email,
    /// A telephone answers too.
    Phone,
    /// A person is identified.
    Identified,
}

impl Tier {
    /// The tier as the API and the tables show it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Identified => "identified",
        }
    }
}

/// How a person was identified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum IdentificationMethod {
    /// The signing certificate of the My Number card (公的個人認証).
    SigningCertificate,
    /// A face and the chip of an identity document.
    ChipAndFace,
    /// A face and a picture of an identity document.
    PictureAndFace,
    /// A letter that only the person can receive.
    RegisteredLetter,
}

/// A keyed hash of a device, a mail domain or a network: equal where the thing is equal, and nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Fingerprint(pub u64);

/// Where a command came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// The device.
    pub device: Option<Fingerprint>,
    /// The network of the source address: /24 of an IPv4 address, /64 of an IPv6 one.
    pub network: Option<Fingerprint>,
    /// The wider network: /16, or /48.
    pub network_wide: Option<Fingerprint>,
}

/// What is known of a wallet's beginnings and habits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traits {
    /// When the wallet was opened.
    pub opened: Time,
    /// The domain of the holder's mail address.
    pub mail_domain: Option<Fingerprint>,
    /// When the holder's telephone answered.
    pub phone_verified: Option<Time>,
    /// How and when the holder was identified.
    pub identified: Option<(IdentificationMethod, Time)>,
    /// Where it was first used from.
    pub first: Option<Origin>,
    /// Where it was last used from.
    pub last: Option<Origin>,
}

impl Traits {
    /// Notes a use from `origin`.
    pub fn used_from(&mut self, origin: Origin) {
        self.first.get_or_insert(origin);
        self.last = Some(origin);
    }

    /// `origin`, if it is news: events carry it only then.
    pub fn news(&self, origin: Option<Origin>) -> Option<Origin> {
        origin.filter(|origin| self.last != Some(*origin))
    }
}
