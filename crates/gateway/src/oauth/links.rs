//! Links in the making: what an operator pushed, which browser took it up, and the code that collects it.
//!
//! They live in this process's memory alone, ten minutes at most: with them live the verified name and birth date that the
//! bank's are compared with, and a restart ends them on the safe side. Everything that a browser or a client shows is found
//! by its hash, never by itself. What a person types never comes here.
//! Start reading at [`Links::push`], then [`Links::open`] and [`Links::redeem`].

use crate::domain::mandate::Limits;
use crate::domain::{AccountId, BankCode, Factors, MandateId, OperatorId, Reference};
use domain::Time;
use jiff::civil::Date;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use web::Secret;

/// Links at once.
pub const LINKS_MAX: usize = 50_000;
/// How long a link may take from its request to its code, in milliseconds.
pub const LINK_MS: i64 = 10 * 60_000;
/// How long a pushed request waits for its browser: FAPI wants less than 600 seconds.
pub const REQUEST_URI_SECONDS: i64 = 90;
/// How long a code is good: FAPI allows 60 seconds.
pub const CODE_SECONDS: i64 = 60;

/// What a browser shows to go on with the link that it took up.
pub type BrowserToken = Secret<String>;

/// The person for whom an operator asks, as that operator has verified them.
#[derive(Clone)]
pub struct Holder {
    /// The name in kana.
    pub name_kana: Secret<String>,
    /// The birth date.
    pub birth_date: Date,
    /// The name as a page may show it.
    pub masked: String,
}

impl fmt::Debug for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Holder")
    }
}

/// What was pushed.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Where the browser goes back to.
    pub redirect_uri: String,
    /// What it takes back with it.
    pub state: String,
    /// The hash of the verifier that must come with the code.
    pub code_challenge: String,
    /// The key that must prove itself with the code, if one did with the request.
    pub thumbprint: Option<String>,
    /// What the operator calls the wallet.
    pub wallet: Reference,
    /// For whom.
    pub holder: Holder,
    /// At which bank.
    pub bank: BankCode,
    /// What may be debited.
    pub limits: Limits,
}

/// How far a link is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The browser shows what is asked; nobody consented yet.
    Consent,
    /// The person consented; the bank's factors are asked for on our page.
    Factors,
    /// The bank wants one more thing, of this kind.
    Challenge(Box<Challenge>),
    /// The browser is at the bank's own page.
    AtBank(Box<AtBank>),
    /// An answer is being waited for: a second form must wait.
    Busy,
    /// Nothing comes of it any more; the browser may only go back.
    Failed,
    /// Granted: the code is out.
    Granted,
}

/// A second step that the bank asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Which attempt goes on: the bank remembers the rest.
    pub attempt: String,
    /// Of which account.
    pub account: crate::connector::AccountNumber,
    /// The factor that is asked for.
    pub factor: crate::domain::Factor,
    /// What the bank says about it.
    pub hint: String,
    /// What was given before.
    pub given: Factors,
    /// Whether the bank says that the first step was right: for us alone, never for the page.
    pub first_factor_right: bool,
}

/// What a browser that comes back from a bank's own page must bring.
#[derive(Clone, PartialEq, Eq)]
pub struct AtBank {
    /// The state that went along.
    pub state: String,
    /// The verifier of our challenge.
    pub verifier: String,
}

impl fmt::Debug for AtBank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AtBank")
    }
}

/// A link in the making.
#[derive(Clone, Debug)]
pub struct Link {
    /// The mandate that it is about.
    pub mandate: MandateId,
    /// The client that asked.
    pub client: String,
    /// The operator that it is.
    pub operator: OperatorId,
    /// What was pushed.
    pub asked: Arc<Asked>,
    /// How far it is.
    pub stage: Stage,
    /// How often the bank was asked.
    pub attempts: u32,
    /// The windows want a factor of possession.
    pub needs_possession: bool,
    /// When it ends.
    pub expires: Time,
    /// The account of its grant.
    pub granted: Option<AccountId>,
    /// When the code stops being good.
    pub code_expires: Time,
}

/// What came of showing a request address.
#[derive(Debug)]
pub enum Opened {
    /// The browser has taken it up: from now on it shows this.
    Taken(BrowserToken),
    /// The browser that shows it has taken it up before: it just goes on.
    Own,
    /// Unknown, too late, another client's, or taken up by another browser.
    Refused,
}

/// What came of bringing a code.
#[derive(Debug)]
pub enum Redeemed {
    /// There is no such code.
    Unknown,
    /// It is good, this once.
    Once(Box<Link>),
    /// It was brought before.
    Again(Box<Link>),
}

/// The store.
#[derive(Debug, Default)]
pub struct Links(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    links: BTreeMap<MandateId, Link>,
    by_end: BTreeSet<(Time, MandateId)>,
    /// Request addresses, until when, and the browser that took each up.
    requests: BTreeMap<Hash, (MandateId, Time)>,
    browsers: BTreeMap<Hash, MandateId>,
    codes: BTreeMap<Hash, (MandateId, bool)>,
}

type Hash = [u8; 32];

/// There are [`LINKS_MAX`] links already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl Links {
    fn inner(&self, now: Time) -> MutexGuard<'_, Inner> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.forget(now);
        inner
    }

    /// Keeps `link`, which waits for the browser that shows `request`.
    pub fn push(&self, link: Link, request: &Secret<String>, now: Time) -> Result<(), Full> {
        let mut inner = self.inner(now);
        if inner.links.len() >= LINKS_MAX {
            return Err(Full);
        }
        let until = now.plus_milliseconds(REQUEST_URI_SECONDS * 1_000);
        inner.requests.insert(hash(request.expose()), (link.mandate, until));
        inner.by_end.insert((link.expires, link.mandate));
        inner.links.insert(link.mandate, link);
        Ok(())
    }

    /// Lets the browser that shows `request` take its link up, once; `browser` is what it showed of an earlier time.
    pub fn open(
        &self,
        (client, request): (&str, &str),
        browser: Option<&str>,
        fresh: BrowserToken,
        now: Time,
    ) -> Opened {
        let mut inner = self.inner(now);
        let own = browser.and_then(|browser| inner.browsers.get(&hash(browser)).copied());
        let Some(&(mandate, until)) = inner.requests.get(&hash(request)) else { return Opened::Refused };
        if inner.links.get(&mandate).is_none_or(|link| link.client != client) {
            return Opened::Refused;
        }
        if own == Some(mandate) {
            return Opened::Own;
        }
        let taken = inner.browsers.values().any(|other| *other == mandate);
        if taken || now >= until {
            return Opened::Refused;
        }
        inner.browsers.insert(hash(fresh.expose()), mandate);
        Opened::Taken(fresh)
    }

    /// The link of the browser that shows `browser`.
    pub fn of_browser(&self, browser: &str, now: Time) -> Option<Link> {
        let inner = self.inner(now);
        inner.browsers.get(&hash(browser)).and_then(|mandate| inner.links.get(mandate)).cloned()
    }

    /// Changes the link of `mandate`, if it is still there and `change` finds it as it must be.
    pub fn change<T>(&self, mandate: MandateId, now: Time, change: impl FnOnce(&mut Link) -> Option<T>) -> Option<T> {
        self.inner(now).links.get_mut(&mandate).and_then(change)
    }

    /// The link of `mandate` is granted: whoever brings `code` collects it.
    pub fn grant(&self, mandate: MandateId, account: AccountId, code: &Secret<String>, now: Time) -> Option<Link> {
        let mut inner = self.inner(now);
        let link = inner.links.get_mut(&mandate)?;
        link.stage = Stage::Granted;
        link.granted = Some(account);
        link.code_expires = now.plus_milliseconds(CODE_SECONDS * 1_000);
        let link = link.clone();
        inner.codes.insert(hash(code.expose()), (mandate, false));
        // It is remembered for a while after its code's end, so that a second use of the code is known for what it is.
        inner.by_end.remove(&(link.expires, mandate));
        let expires = now.plus_milliseconds(LINK_MS);
        inner.by_end.insert((expires, mandate));
        if let Some(kept) = inner.links.get_mut(&mandate) {
            kept.expires = expires;
        }
        Some(link)
    }

    /// The grant that `code` stands for. Whatever comes of it, the code is used now.
    pub fn redeem(&self, code: &str, now: Time) -> Redeemed {
        let mut inner = self.inner(now);
        let Some((mandate, used)) = inner.codes.get_mut(&hash(code)) else { return Redeemed::Unknown };
        let (mandate, again) = (*mandate, std::mem::replace(used, true));
        match inner.links.get(&mandate).cloned().map(Box::new) {
            None => Redeemed::Unknown,
            Some(link) if again => Redeemed::Again(link),
            Some(link) => Redeemed::Once(link),
        }
    }

    /// Forgets the browser of `mandate`: nothing goes on there.
    pub fn close(&self, mandate: MandateId, now: Time) {
        let mut inner = self.inner(now);
        inner.browsers.retain(|_, other| *other != mandate);
        inner.requests.retain(|_, (other, _)| *other != mandate);
        if inner.links.get(&mandate).is_some_and(|link| link.granted.is_none()) {
            inner.remove(mandate);
        }
    }
}

impl Inner {
    /// Forgets what has ended.
    fn forget(&mut self, now: Time) {
        while let Some(&(end, mandate)) = self.by_end.first()
            && end <= now
        {
            self.remove(mandate);
        }
    }

    fn remove(&mut self, mandate: MandateId) {
        let Some(link) = self.links.remove(&mandate) else { return };
        self.by_end.remove(&(link.expires, mandate));
        self.requests.retain(|_, (other, _)| *other != mandate);
        self.browsers.retain(|_, other| *other != mandate);
        self.codes.retain(|_, (other, _)| *other != mandate);
    }
}

fn hash(token: &str) -> Hash {
    *blake3::hash(token.as_bytes()).as_bytes()
}
