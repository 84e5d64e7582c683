//! Links in the making: what an operator pushed, which browser took it up, and the code that collects it.
//!
//! They live in this process's memory alone, ten minutes at most: with them live the verified name and birth date that the
//! bank's are compared with, and a restart ends them on the safe side. Everything that a browser or a client shows is found
//! by its hash, never by itself. What a person types never comes here.
//! Start reading at [`Links::push`], then [`Links::open`] and [`Links::redeem`].

use super::room::Room;
use crate::domain::mandate::Limits;
use crate::domain::{AccountId, BankCode, Factors, MandateId, OperatorId, Reference};
use crate::windows::Reserved;
use domain::{Id, Time};
use jiff::civil::Date;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use web::Secret;

/// Links at once, while no operator comes too short.
pub const LINKS_MAX: usize = 50_000;
/// Links of one wallet under way at once: a person goes through one, and begins anew a few times.
pub const WALLET_LINKS_MAX: usize = 3;
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
    /// How the windows count the steps so far: as failures, until the bank is sure of its customer. If a right first step
    /// counted less than a wrong one, whoever asks until they have to wait would learn which it was.
    pub reserved: Vec<Reserved>,
    /// A wrong answer was given already, and the first step stands for it.
    pub was_wrong: bool,
}

/// What a browser that comes back from a bank's own page must bring.
#[derive(Clone, PartialEq, Eq)]
pub struct AtBank {
    /// The state that went along.
    pub state: String,
    /// The verifier of our challenge.
    pub verifier: String,
    /// How the windows count the attempt until the browser is back: a failure, if it never is.
    pub reserved: Reserved,
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
#[derive(Debug)]
pub struct Links(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    room: Room,
    links: BTreeMap<MandateId, Kept>,
    by_end: BTreeSet<(Time, MandateId)>,
    by_wallet: BTreeSet<(OperatorId, Reference, MandateId)>,
    requests: BTreeMap<Hash, MandateId>,
    browsers: BTreeMap<Hash, MandateId>,
    codes: BTreeMap<Hash, MandateId>,
}

/// A link with everything by which it is found, so that what ends is taken out without a search.
#[derive(Debug)]
struct Kept {
    link: Link,
    request: Hash,
    /// Until when a browser may take it up.
    request_until: Time,
    browser: Option<Hash>,
    code: Option<Hash>,
    /// The code was brought.
    is_collected: bool,
}

pub(super) type Hash = [u8; 32];

/// There are [`LINKS_MAX`] links already, and many of this operator, or the banks are being asked for all that the wallet may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl Default for Links {
    fn default() -> Self {
        Self(Mutex::new(Inner {
            room: Room::new(LINKS_MAX),
            links: BTreeMap::new(),
            by_end: BTreeSet::new(),
            by_wallet: BTreeSet::new(),
            requests: BTreeMap::new(),
            browsers: BTreeMap::new(),
            codes: BTreeMap::new(),
        }))
    }
}

impl Links {
    fn inner(&self, now: Time) -> MutexGuard<'_, Inner> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.forget(now);
        inner
    }

    /// Keeps `link`, which waits for the browser that shows `request`. Where its wallet has too many under way, the oldest of
    /// them ends for whom no bank is being asked.
    pub fn push(&self, link: Link, request: &Secret<String>, now: Time) -> Result<(), Full> {
        let mut inner = self.inner(now);
        inner.make_room(link.operator, &link.asked.wallet)?;
        if !inner.room.take(link.operator) {
            return Err(Full);
        }
        let request = hash(request.expose());
        let request_until = now.plus_milliseconds(REQUEST_URI_SECONDS * 1_000);
        inner.requests.insert(request, link.mandate);
        inner.by_end.insert((link.expires, link.mandate));
        inner.by_wallet.insert((link.operator, link.asked.wallet.clone(), link.mandate));
        let kept = Kept { link, request, request_until, browser: None, code: None, is_collected: false };
        inner.links.insert(kept.link.mandate, kept);
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
        let Some(mandate) = inner.requests.get(&hash(request)).copied() else { return Opened::Refused };
        let Some(kept) = inner.links.get_mut(&mandate).filter(|kept| kept.link.client == client) else {
            return Opened::Refused;
        };
        match kept.browser {
            Some(own) if browser.is_some_and(|browser| hash(browser) == own) => Opened::Own,
            Some(_) => Opened::Refused,
            None if now >= kept.request_until => Opened::Refused,
            None => {
                kept.browser = Some(hash(fresh.expose()));
                inner.browsers.insert(hash(fresh.expose()), mandate);
                Opened::Taken(fresh)
            }
        }
    }

    /// The link of the browser that shows `browser`.
    pub fn of_browser(&self, browser: &str, now: Time) -> Option<Link> {
        let inner = self.inner(now);
        let kept = inner.browsers.get(&hash(browser)).and_then(|mandate| inner.links.get(mandate));
        kept.map(|kept| kept.link.clone())
    }

    /// Changes the link of `mandate`, if it is still there and `change` finds it as it must be.
    pub fn change<T>(&self, mandate: MandateId, now: Time, change: impl FnOnce(&mut Link) -> Option<T>) -> Option<T> {
        self.inner(now).links.get_mut(&mandate).and_then(|kept| change(&mut kept.link))
    }

    /// The link of `mandate` is granted: whoever brings `code` collects it.
    pub fn grant(&self, mandate: MandateId, account: AccountId, code: &Secret<String>, now: Time) -> Option<Link> {
        let mut inner = self.inner(now);
        let code = hash(code.expose());
        let kept = inner.links.get_mut(&mandate)?;
        let ended = kept.link.expires;
        kept.link.stage = Stage::Granted;
        kept.link.granted = Some(account);
        kept.link.code_expires = now.plus_milliseconds(CODE_SECONDS * 1_000);
        // It is remembered for a while after its code's end, so that a second use of the code is known for what it is.
        kept.link.expires = now.plus_milliseconds(LINK_MS);
        kept.code = Some(code);
        let link = kept.link.clone();
        inner.codes.insert(code, mandate);
        inner.by_end.remove(&(ended, mandate));
        inner.by_end.insert((link.expires, mandate));
        Some(link)
    }

    /// The grant that `code` stands for. Whatever comes of it, the code is used now.
    pub fn redeem(&self, code: &str, now: Time) -> Redeemed {
        let mut inner = self.inner(now);
        let mandate = inner.codes.get(&hash(code)).copied();
        let Some(kept) = mandate.and_then(|mandate| inner.links.get_mut(&mandate)) else { return Redeemed::Unknown };
        let link = Box::new(kept.link.clone());
        if std::mem::replace(&mut kept.is_collected, true) { Redeemed::Again(link) } else { Redeemed::Once(link) }
    }

    /// Forgets the browser of `mandate`: nothing goes on there.
    pub fn close(&self, mandate: MandateId, now: Time) {
        let mut inner = self.inner(now);
        let Some(kept) = inner.links.get_mut(&mandate) else { return };
        if kept.link.granted.is_none() {
            inner.remove(mandate);
            return;
        }
        let (browser, request) = (kept.browser.take(), kept.request);
        inner.requests.remove(&request);
        if let Some(browser) = browser {
            inner.browsers.remove(&browser);
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

    /// Room for one more link of a wallet. What is granted takes none.
    fn make_room(&mut self, operator: OperatorId, wallet: &Reference) -> Result<(), Full> {
        let first = (operator, wallet.clone(), MandateId(Id([0; 16])));
        let of_wallet = self.by_wallet.range(first..).take_while(|(by, of, _)| *by == operator && of == wallet);
        let links = of_wallet.filter_map(|(_, _, mandate)| self.links.get(mandate)).map(|kept| &kept.link);
        let open: Vec<&Link> = links.filter(|link| link.granted.is_none()).collect();
        if open.len() < WALLET_LINKS_MAX {
            return Ok(());
        }
        let idle = open.into_iter().filter(|link| link.stage != Stage::Busy);
        let oldest = idle.min_by_key(|link| (link.expires, link.mandate)).map(|link| link.mandate).ok_or(Full)?;
        self.remove(oldest);
        Ok(())
    }

    fn remove(&mut self, mandate: MandateId) {
        let Some(kept) = self.links.remove(&mandate) else { return };
        self.room.give(kept.link.operator);
        self.by_end.remove(&(kept.link.expires, mandate));
        self.by_wallet.remove(&(kept.link.operator, kept.link.asked.wallet.clone(), mandate));
        self.requests.remove(&kept.request);
        if let Some(browser) = kept.browser {
            self.browsers.remove(&browser);
        }
        if let Some(code) = kept.code {
            self.codes.remove(&code);
        }
    }
}

pub(super) fn hash(token: &str) -> Hash {
    *blake3::hash(token.as_bytes()).as_bytes()
}
