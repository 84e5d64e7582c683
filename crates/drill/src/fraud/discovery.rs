//! Discovery: how the holders of debited accounts find out, and what they and their banks do then. The tallies count a case on
//! the day on which it became known, as the press did. Start reading at [`World::see`].

mod statements;

use super::client::{Client, GATEWAY, OUTSIDE, between};
use super::luck::Luck;
use super::report::{Notices, Sum};
use super::scenario::discovery::{
    HEARD_HOURS, LOOK_DAYS_AFTER, LOOK_DAYS_BEFORE, MISTAKEN_A_DAY, MISTAKEN_YEN, NEVER_REACT_PERCENT, NOTICE_MS_MAX,
    REPORT_HOURS,
};
use super::stage::Stage;
use domain::{Day, Time};
use http::Method;
use sandbox::domain::account::{AccountNumber, Customer};
use sandbox::domain::bank::BankCode;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

const DAY_MINUTES: f64 = 1_440.0;
const DAY_MS: i64 = 86_400_000;
/// What stands before the code in a bank's notice of a link: by it the account's holder says "not me".
const NOT_ME_CODE: &str = "コード / Code: ";
/// What the wallet writes to its holder when somebody logs in from a device that it does not know.
const NEW_DEVICE: &str = "Somebody logged in from a new device.";
/// The newest messages that are searched for a notice: a code may have come after it.
const MESSAGES_MAX: usize = 5;

/// Something that makes people look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// Somebody looks whether a notice came in time, by its number.
    Told(usize),
    /// The account's holder reads a message from their bank.
    Message(AccountNumber),
    /// The account's holder reads the passbook.
    Passbook(AccountNumber),
    /// The bank has counted the case.
    Counted(AccountNumber),
    /// The desks of all banks look whether one of them reported a fraud.
    Desks,
    /// It is in the news.
    News,
    /// Somebody claims a debit that was their own.
    Mistake,
}

/// The holders of accounts that were attacked, and what is known of it.
pub struct World<'s> {
    stage: &'s Stage,
    luck: Luck,
    react_minutes: f64,
    customers: BTreeMap<AccountNumber, Customer>,
    victims: BTreeMap<AccountNumber, Victim>,
    /// Notices that must come.
    awaited: Vec<Awaited>,
    /// Banks that reported a fraud.
    reported: BTreeSet<BankCode>,
    news: bool,
    /// Notices that had to come, and that came in time.
    pub notices: Notices,
    /// Cases by the day on which they became known; those of people who were mistaken by themselves too.
    pub known: BTreeMap<Day, Sum>,
    /// Each of those cases with its moment and its yen, in that order.
    pub known_at: Vec<(Time, i64)>,
    /// Those of people who were mistaken.
    pub mistaken: BTreeMap<Day, Sum>,
    /// Each of those with its moment and its yen.
    pub mistaken_at: Vec<(Time, i64)>,
    /// When the first account was debited.
    pub first_debit: Option<Time>,
    /// When anybody saw a case first.
    pub first_seen: Option<Time>,
}

/// A notice that must come.
#[derive(Clone, Debug)]
struct Awaited {
    /// Since when.
    since: Time,
    /// To whom.
    contacts: Vec<String>,
    /// What it has that no other message has.
    says: &'static str,
}

#[derive(Debug, Default)]
struct Victim {
    debited: i64,
    /// Whether they react to what they are told; drawn once.
    reacts: Option<bool>,
    /// They will read what they were told.
    is_reading: bool,
    /// The longest that they took to read it, in milliseconds.
    read_ms_max: i64,
    /// By day what was debited, where their own debits are in the statement as well.
    own_days: Option<BTreeMap<Day, Sum>>,
    is_seen: bool,
    is_counted: bool,
}

impl Victim {
    /// Whether they were told, and read it every time within a day.
    fn reacts_within_a_day(&self) -> bool {
        self.reacts == Some(true) && self.read_ms_max <= DAY_MS
    }
}

impl<'s> World<'s> {
    /// A world in which `customers` have accounts, and take `react_minutes` on average to read what they are told.
    pub fn new(stage: &'s Stage, seed: u64, react_minutes: f64, customers: BTreeMap<AccountNumber, Customer>) -> Self {
        Self {
            stage,
            luck: Luck::new(seed, "world"),
            react_minutes,
            customers,
            victims: BTreeMap::new(),
            awaited: Vec::new(),
            reported: BTreeSet::new(),
            news: false,
            notices: Notices::default(),
            known: BTreeMap::new(),
            known_at: Vec::new(),
            mistaken: BTreeMap::new(),
            mistaken_at: Vec::new(),
            first_debit: None,
            first_seen: None,
        }
    }

    /// Somebody knew something of an account: its holder is to be told, and reads it some time.
    pub fn touched(&mut self, account: AccountNumber) -> Vec<(Time, Sight)> {
        let Some(customer) = self.customers.get(&account) else { return Vec::new() };
        let contacts = customer.phone.iter().chain(&customer.mail).cloned().collect();
        let told = self.awaits(contacts, NOT_ME_CODE);
        let reads = self.reads(account).map(|at| (at, Sight::Message(account)));
        [told].into_iter().chain(reads).collect()
    }

    /// Somebody logged in to the wallet of an account's holder, who is to be told by mail, and stops everything when they read
    /// it.
    pub fn entered(&mut self, account: AccountNumber, mail: String) -> ((Time, Sight), Option<Time>) {
        self.victims.entry(account).or_default().own_days.get_or_insert_default();
        (self.awaits(vec![mail], NEW_DEVICE), self.reads(account))
    }

    fn awaits(&mut self, contacts: Vec<String>, says: &'static str) -> (Time, Sight) {
        let now = self.stage.now();
        self.awaited.push(Awaited { since: now, contacts, says });
        (now.plus_milliseconds(NOTICE_MS_MAX), Sight::Told(self.awaited.len() - 1))
    }

    /// When the holder of an account reads what they were just told, if they do, and are not about to anyway.
    fn reads(&mut self, account: AccountNumber) -> Option<Time> {
        let now = self.stage.now();
        let (victim, luck) = (self.victims.entry(account).or_default(), &mut self.luck);
        let reacts = *victim.reacts.get_or_insert_with(|| !luck.percent(NEVER_REACT_PERCENT));
        if !reacts || victim.is_reading {
            return None;
        }
        let at = luck.wait_after(now, self.react_minutes);
        victim.is_reading = true;
        victim.read_ms_max = victim.read_ms_max.max(at.milliseconds_since(now));
        Some(at)
    }

    /// Looks whether every contact was told since then. Nothing is hurried for it: services do their work at their own looks.
    async fn told(&mut self, number: usize) {
        let Some(Awaited { since, contacts, says }) = self.awaited.get(number).cloned() else { return };
        let client = Client::new(self.stage, IpAddr::V4(Ipv4Addr::LOCALHOST));
        for contact in contacts {
            let url = format!("{OUTSIDE}/sandbox/v1/inbox?to={contact}&limit={MESSAGES_MAX}");
            let inbox = client.ask(Method::GET, &url, &Value::Null).await;
            let came = |message: &Value| {
                let at = message["at"].as_str().and_then(|at| at.parse::<jiff::Timestamp>().ok());
                message["text"].as_str().is_some_and(|text| text.contains(says))
                    && at.is_some_and(|at| at.as_millisecond() >= since.milliseconds())
            };
            self.notices.due += 1;
            self.notices.in_time += u64::from(inbox.json["data"].as_array().into_iter().flatten().any(came));
        }
    }

    /// An account was debited: its holder looks into the passbook some day.
    pub fn debited(&mut self, account: AccountNumber, yen: i64) -> Option<(Time, Sight)> {
        let now = self.stage.now();
        self.first_debit.get_or_insert(now);
        let victim = self.victims.entry(account).or_default();
        let is_first = victim.debited == 0;
        victim.debited += yen;
        if let Some(days) = &mut victim.own_days {
            let sum = days.entry(now.day()).or_default();
            (sum.cases, sum.yen) = (sum.cases + u64::from(is_first), sum.yen + yen);
        }
        let days = if self.news { LOOK_DAYS_AFTER } else { LOOK_DAYS_BEFORE };
        is_first.then(|| (self.luck.wait_after(now, days * DAY_MINUTES), Sight::Passbook(account)))
    }

    /// Lets somebody look; what comes of it later.
    pub async fn see(&mut self, sight: Sight) -> Result<Vec<(Time, Sight)>, String> {
        let now = self.stage.now();
        Ok(match sight {
            Sight::Told(number) => {
                self.told(number).await;
                Vec::new()
            }
            Sight::Message(account) => self.message(account).await?.into_iter().collect(),
            Sight::Passbook(account) => self.seen(account).into_iter().collect(),
            Sight::Counted(account) => self.count(account, now).await?.into_iter().collect(),
            Sight::Desks => {
                self.desks().await?;
                Vec::new()
            }
            Sight::News => self.news(now),
            Sight::Mistake => {
                let yen = self.luck.between(MISTAKEN_YEN);
                for cases in [&mut self.known_at, &mut self.mistaken_at] {
                    cases.push((now, yen));
                }
                for days in [&mut self.known, &mut self.mistaken] {
                    add(days.entry(now.day()).or_default(), yen);
                }
                Vec::new()
            }
        })
    }

    /// The holder sees the debits, and goes to the bank.
    fn seen(&mut self, account: AccountNumber) -> Option<(Time, Sight)> {
        let now = self.stage.now();
        let victim = self.victims.get_mut(&account).filter(|victim| victim.debited > 0 && !victim.is_seen)?;
        victim.is_seen = true;
        self.first_seen.get_or_insert(now);
        let minutes = (REPORT_HOURS.0 * 60, REPORT_HOURS.1 * 60);
        Some((self.luck.minutes_after(now, minutes), Sight::Counted(account)))
    }

    /// The case is counted, and the bank ends the link. Its first one it reports to the gateway, too.
    async fn count(&mut self, account: AccountNumber, now: Time) -> Result<Option<(Time, Sight)>, String> {
        let victim = self.victims.get_mut(&account).filter(|victim| !victim.is_counted);
        let Some(victim) = victim else { return Ok(None) };
        victim.is_counted = true;
        add(self.known.entry(now.day()).or_default(), victim.debited);
        self.known_at.push((now, victim.debited));
        let yen = victim.debited;
        self.revoke(account).await?;
        if !self.reported.insert(account.bank) {
            return Ok(None);
        }
        self.report(account, now, yen).await?;
        let minutes = (HEARD_HOURS.0 * 60, HEARD_HOURS.1 * 60);
        Ok(Some((self.luck.minutes_after(now, minutes), Sight::Desks)))
    }

    /// The bank says that a fraud is confirmed: whoever is told of it is the gateway's matter.
    async fn report(&self, account: AccountNumber, now: Time, yen: i64) -> Result<(), String> {
        let body = json!({
            "reference": format!("drill-{}", account.bank), "factors": ["account", "pin"], "from": now.to_string(),
            "until": now.to_string(), "accounts": 1, "amount": yen, "note": "ウォレットからの不正な引落し",
        });
        let url = format!("{GATEWAY}/bank/v1/incidents");
        self.desk(account.bank).ask(Method::POST, &url, &body).await.did("a bank's report of a fraud")
    }

    /// Each bank whose desk was told of a fraud at another one lets nobody link by static knowledge alone from then on.
    async fn desks(&self) -> Result<(), String> {
        for code in self.stage.desks.banks.keys() {
            let Some(bank) = BankCode::parse(code) else { continue };
            let desk = self.desk(bank);
            let told = desk.ask(Method::GET, &format!("{GATEWAY}/bank/v1/events?after=0"), &Value::Null).await;
            told.did("what a bank's desk is told")?;
            let mut incidents = told.json["data"].as_array().into_iter().flatten();
            if incidents.any(|told| told["type"] == "bank.incident" && told["bank_code"] != code.as_str()) {
                let url = format!("{GATEWAY}/bank/v1/switches/static_factors");
                let body = json!({ "stopped": true, "reason": "他行での不正 / fraud elsewhere" });
                desk.ask(Method::PUT, &url, &body).await.did("a bank's stop of static factors")?;
            }
        }
        Ok(())
    }

    fn desk(&self, bank: BankCode) -> Client<'s> {
        let mut desk = Client::new(self.stage, IpAddr::V4(Ipv4Addr::LOCALHOST));
        desk.log_in(self.stage.desks.banks.get(&bank.to_string()).map(|token| token.expose().clone()));
        desk
    }

    /// The bank's desk ends whatever may debit the account.
    async fn revoke(&self, account: AccountNumber) -> Result<(), String> {
        let desk = self.desk(account.bank);
        let body =
            json!({ "branch": account.branch_text(), "kind": account.kind.name(), "number": account.number_text() });
        let found = desk.ask(Method::POST, &format!("{GATEWAY}/bank/v1/links/search"), &body).await;
        found.did("a bank's search for links")?;
        for link in found.json["data"].as_array().into_iter().flatten() {
            let mandate = link["mandate_id"].as_str().unwrap_or_default();
            let url = format!("{GATEWAY}/bank/v1/mandates/{mandate}/revoke");
            // One that is ended already is no fault.
            desk.ask(Method::POST, &url, &json!({ "reason": "fraud" })).await.heard("a bank's end of a link")?;
        }
        Ok(())
    }

    /// The holder reads what the bank wrote, and says that it was not them.
    async fn message(&mut self, account: AccountNumber) -> Result<Option<(Time, Sight)>, String> {
        self.victims.entry(account).or_default().is_reading = false;
        let customer = self.customers.get(&account);
        let to = customer.and_then(|customer| customer.phone.clone().or_else(|| customer.mail.clone()));
        let Some(to) = to else { return Ok(None) };
        let mut client = self.client(account);
        let inbox = client.ask(Method::GET, &format!("{OUTSIDE}/sandbox/v1/inbox?to={to}&limit=5"), &Value::Null).await;
        let mut texts =
            inbox.json["data"].as_array().into_iter().flatten().filter_map(|message| message["text"].as_str());
        let Some(code) = texts.find_map(|text| between(text, NOT_ME_CODE, "\n")) else { return Ok(None) };
        let page = client.open(&format!("{GATEWAY}/not-me")).await;
        client.submit(page, "/not-me", &[("code", code)]).await.answer.heard("the page of who says \"not me\"")?;
        Ok(self.seen(account))
    }

    /// Whoever has a passbook looks into it now; and some see what is not there.
    fn news(&mut self, now: Time) -> Vec<(Time, Sight)> {
        if self.known.is_empty() {
            return Vec::new();
        }
        self.news = true;
        let unseen: Vec<AccountNumber> =
            self.victims.iter().filter(|(_, victim)| !victim.is_seen).map(|(account, _)| *account).collect();
        let mut next: Vec<(Time, Sight)> = Vec::new();
        for account in unseen {
            next.push((self.luck.wait_after(now, LOOK_DAYS_AFTER * DAY_MINUTES), Sight::Passbook(account)));
        }
        for (claims, day) in MISTAKEN_A_DAY.iter().zip(0..) {
            for _ in 0..*claims {
                let midnight = now.day().plus(day).start();
                next.push((self.luck.minutes_after(midnight, (600, 1_000)), Sight::Mistake));
            }
        }
        next
    }

    fn client(&self, account: AccountNumber) -> Client<'s> {
        let place = 0x6400_0000 + u32::from(account.branch) * 256 + account.number % 256;
        Client::new(self.stage, IpAddr::V4(Ipv4Addr::from_bits(place)))
    }
}

fn add(sum: &mut Sum, yen: i64) {
    sum.cases += 1;
    sum.yen += yen;
}
