//! The attacker: knows what a criminal knows, uses the same pages as everybody, goes on until stopped, and changes address,
//! wallet, amount and day when refused.
//!
//! `entry` is how they come to an account, `guesser` how they guess their way to one, `exit` how money leaves; here are who they
//! are and how an account is drained. Start reading at [`Gang::act`].

mod entry;
mod exit;
mod guesser;

use super::client::Client;
use super::controls::Control;
use super::holder::{Asked, Credentials, Holder, Means, Refused};
use super::luck::Luck;
use super::report;
use super::scenario::attack::{RETRIES_MAX, SPEND_MINUTES, YEN_MIN};
use super::stage::Stage;
use super::tactics::{SMALL_YEN, Tactics};
use domain::Time;
use exit::Mule;
use guesser::Sprayer;
use sandbox::domain::account::AccountNumber;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

/// Top-ups and payments in one sitting, at most.
const STEPS_MAX: usize = 24;
const HOUR_MS: i64 = 3_600_000;
/// How long a link is young: rules that look harder at it are published with this figure.
const DAY_MS: i64 = 24 * HOUR_MS;
/// Minutes that are let pass after the moment from which a sitting may go better.
const LATER_MINUTES: (i64, i64) = (2, 600);

/// Something the gang is to do. The numbers are its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Open a recruited person's wallet, as that person.
    Recruit(usize),
    /// Come to an account: open a wallet and link it, or log in where it is linked.
    Open(usize),
    /// Top up by the linked account.
    Drain(usize),
    /// Bring out what is in the wallet.
    Spend(usize),
    /// Bring out what came to a recruited person.
    Launder(usize),
    /// Try one PIN on some more accounts.
    Spray(usize),
}

/// What came of a deed, as the world can see it.
#[derive(Debug, Default)]
pub struct Done {
    /// What is to be done next.
    pub next: Vec<(Time, Deed)>,
    /// Accounts that somebody tried to link with something right; their holders may have been told.
    pub touched: Vec<AccountNumber>,
    /// Accounts that were debited, by so many yen.
    pub debited: Vec<(AccountNumber, i64)>,
    /// Honest people, by their number, in whose wallet somebody logged in.
    pub entered: Vec<usize>,
}

/// Criminals who share what they know.
pub struct Gang<'s> {
    stage: &'s Stage,
    luck: Luck,
    tactics: Tactics,
    marks: Vec<Mark<'s>>,
    mules: Vec<Mule<'s>>,
    sprayers: Vec<Sprayer<'s>>,
    shops: Vec<String>,
    /// The token of a shop whose staff help.
    insider: Option<String>,
    wallets: u32,
    addresses: u32,
    asks: Asks,
    /// What it did.
    pub figures: report::Attacker,
    /// What it brought out of reach, in yen, by the account that it came from.
    pub escaped: BTreeMap<AccountNumber, i64>,
}

/// An account that the gang can get into.
struct Mark<'s> {
    known: Credentials,
    person: Person,
    /// The login to the victim's own wallet, where that is the way, and the victim's number among honest people.
    login: Option<(Means, usize)>,
    holder: Option<Holder<'s>>,
    /// When they linked it themselves.
    linked: Option<Time>,
    /// Sittings in a row that came to nothing: to get in, to top up, to spend.
    vain_entries: u32,
    vain_drains: u32,
    vain_exits: u32,
}

impl Mark<'_> {
    const fn new(known: Credentials, person: Person, login: Option<(Means, usize)>) -> Self {
        Self { known, person, login, holder: None, linked: None, vain_entries: 0, vain_drains: 0, vain_exits: 0 }
    }
}

/// What the gang has learnt to begin a sitting with, in yen: what was held for a look teaches it.
#[derive(Clone, Copy, Debug)]
struct Asks {
    /// By a link of less than a day.
    young: i64,
    /// By an older one.
    old: i64,
}

/// Whom a wallet is opened as.
#[derive(Clone, Debug)]
pub struct Person {
    /// Family and given name, in letters and in kana.
    pub names: [String; 4],
    /// The birth date.
    pub birth_date: String,
    /// The number of a document that the identity vendor takes for theirs.
    pub document: Option<String>,
}

impl<'s> Gang<'s> {
    /// A gang with `tactics` that knows shops that resell.
    pub fn new(stage: &'s Stage, seed: u64, tactics: Tactics, shops: Vec<String>) -> Self {
        Self {
            stage,
            luck: Luck::new(seed, "gang"),
            tactics,
            marks: Vec::new(),
            mules: Vec::new(),
            sprayers: Vec::new(),
            shops,
            insider: None,
            wallets: 0,
            addresses: 0,
            asks: Asks { young: tactics.top_up_yen, old: tactics.top_up_yen },
            figures: report::Attacker::default(),
            escaped: BTreeMap::new(),
        }
    }

    /// Somebody at a shop with `token` helps.
    pub fn bribe(&mut self, token: String) {
        self.insider = Some(token);
    }

    /// Somebody typed this into a false page, and a wallet is to be opened as that person; the deed that begins with it.
    pub fn phish(&mut self, known: Credentials, person: Person) -> Deed {
        self.mark(known, person, None)
    }

    /// A holder of a wallet, an honest person of that number, typed their login into a false page; the deed that begins with it.
    pub fn phish_login(&mut self, known: Credentials, means: Means, victim: usize) -> Deed {
        self.mark(known, anybody(), Some((means, victim)))
    }

    fn mark(&mut self, known: Credentials, person: Person, login: Option<(Means, usize)>) -> Deed {
        self.marks.push(Mark::new(known, person, login));
        Deed::Open(self.marks.len() - 1)
    }

    /// Does it.
    pub async fn act(&mut self, deed: Deed) -> Done {
        let mut done = Done::default();
        match deed {
            Deed::Recruit(mule) => self.open_recruit(mule, &mut done).await,
            Deed::Open(mark) => self.open(mark, &mut done).await,
            Deed::Drain(mark) => self.drain(mark, &mut done).await,
            Deed::Spend(mark) => self.spend(mark, &mut done).await,
            Deed::Launder(mule) => self.launder(mule, &mut done).await,
            Deed::Spray(sprayer) => self.spray(sprayer, &mut done).await,
        }
        done
    }

    fn refused(&mut self, by: Control) {
        *self.figures.refused_by.entry(by.name()).or_default() += 1;
    }

    /// An address that nobody has seen them at.
    fn address(&mut self) -> IpAddr {
        self.addresses += 1;
        IpAddr::V4(Ipv4Addr::from_bits(0xc000_0000_u32.wrapping_add(self.addresses.wrapping_mul(65_537))))
    }

    /// A wallet under a throw-away mail address, in whatever name.
    async fn wallet(&mut self, person: Person, has_phone: bool) -> Result<Holder<'s>, Refused> {
        self.wallets += 1;
        let Person { names, birth_date, document } = person;
        let means = Means {
            mail: format!("throwaway{}@mail.example", self.wallets),
            password: format!("throwaway {}", self.wallets),
            phone: has_phone.then(|| format!("090{:08}", self.wallets)),
            document,
            names,
            birth_date,
        };
        let mut holder = Holder::new(Client::new(self.stage, self.address()), means);
        holder.join().await?;
        self.figures.wallets += 1;
        Ok(holder)
    }

    async fn drain(&mut self, number: usize, done: &mut Done) {
        let now = self.stage.now();
        let account = self.marks[number].known.account;
        let Some(mut holder) = self.marks[number].holder.take() else { return };
        let is_young = self.marks[number].linked.is_some_and(|linked| now.milliseconds_since(linked) < DAY_MS);
        let mut amount = if is_young { self.asks.young } else { self.asks.old };
        let (mut got, mut refusal) = (false, None);
        for _ in 0..STEPS_MAX {
            self.figures.top_ups_tried += 1;
            let Err(refused) = settled(holder.top_up(amount).await) else {
                got = true;
                done.debited.push((account, amount));
                continue;
            };
            self.refused(refused.by);
            refusal = Some(refused.by);
            if refused.by == Control::Monitoring && !got {
                self.learn(is_young, amount);
            }
            match less(amount, refused) {
                Some(less) => amount = less,
                None => break,
            }
        }
        let is_taken_over = self.marks[number].login.is_some();
        self.marks[number].holder = Some(holder);
        // What was in a wallet that was taken over is worth a try as well.
        if got || is_taken_over {
            done.next.push((self.luck.minutes_after(now, SPEND_MINUTES), Deed::Spend(number)));
        }
        done.next.extend(self.drain_again(number, now, got, refusal));
    }

    /// The first amount of a sitting was held: the next sittings of everybody begin with less.
    fn learn(&mut self, is_young: bool, held: i64) {
        if is_young {
            self.asks.young = self.asks.young.min(SMALL_YEN);
        } else {
            self.asks.old = self.asks.old.min((held / 2).max(SMALL_YEN.min(held)));
        }
    }

    /// When the same account is worth another sitting: when its limit is new, when what is held was given up and the link is
    /// no young one any more, or another day.
    fn drain_again(&mut self, number: usize, now: Time, got: bool, refusal: Option<Control>) -> Option<(Time, Deed)> {
        let mark = &mut self.marks[number];
        mark.vain_drains = if got { 0 } else { mark.vain_drains + 1 };
        if mark.vain_drains > RETRIES_MAX {
            return None;
        }
        let from = match refusal {
            Some(Control::Limits) => now.day().month().first_day().plus(32).month().first_day().start(),
            Some(Control::Monitoring) => now.plus_milliseconds(DAY_MS),
            Some(refusal) if !is_passing(refusal) => return None,
            Some(_) | None => now.day().plus(1).start(),
        };
        Some((self.luck.minutes_after(from, LATER_MINUTES), Deed::Drain(number)))
    }
}

/// What a top-up came to: money, or why not.
fn settled(asked: Result<Asked, Refused>) -> Result<(), Refused> {
    let refused = |by| Err(Refused { by, left: None });
    match asked?.status.as_str() {
        "settled" => Ok(()),
        "declined" => refused(Control::Balance),
        "held" => refused(Control::Monitoring),
        // The bank has not answered: nobody knows yet.
        _ => refused(Control::Unserved),
    }
}

/// What is tried next after `amount` was refused: what would have been possible, what a proof is not asked for, what nobody
/// looks at, what the account may still have.
fn less(amount: i64, refused: Refused) -> Option<i64> {
    let smaller = match refused.by {
        Control::Confirmation | Control::Monitoring => Some(SMALL_YEN),
        by => (by == Control::Balance).then_some(amount / 2),
    };
    let left = refused.left.or(smaller);
    left.filter(|left| *left >= YEN_MIN && *left < amount)
}

/// Whether another day, another address or a smaller sum may get round it, as the attacker sees it.
const fn is_passing(control: Control) -> bool {
    match control {
        Control::SprayDetection
        | Control::CoolingOff
        | Control::Confirmation
        | Control::Ageing
        | Control::Balance
        | Control::Velocity
        | Control::Monitoring
        | Control::Unserved => true,
        Control::Identification
        | Control::Phone
        | Control::NameMatch
        | Control::BankSecondFactor
        | Control::BankFirstFactor
        | Control::Notice
        | Control::OneMandate
        | Control::Limits
        | Control::Switches
        | Control::OwnBrowser => false,
    }
}

/// Somebody who is nobody.
pub fn anybody() -> Person {
    let names = ["鈴谷", "太郎", "スズヤ", "タロウ"].map(str::to_owned);
    Person { names, birth_date: "1980-01-01".to_owned(), document: None }
}
