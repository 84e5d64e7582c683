//! Discovery: how the holders of debited accounts find out, and what they and their banks do then. The tallies count a case on
//! the day on which it became known, as the press did. Start reading at [`World::see`].

use super::client::{Client, GATEWAY, OUTSIDE, between};
use super::holder::path;
use super::luck::Luck;
use super::report::Sum;
use super::scenario::discovery::{
    LOOK_DAYS_AFTER, LOOK_DAYS_BEFORE, MISTAKEN_A_DAY, MISTAKEN_YEN, NEVER_REACT_PERCENT, REACT_MINUTES, REPORT_HOURS,
};
use super::stage::Stage;
use domain::{Day, Time};
use http::Method;
use sandbox::domain::account::{AccountNumber, Customer};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

const DAY_MINUTES: f64 = 1_440.0;
/// Lines of a statement that are read.
const LINES_MAX: u32 = 500;

/// Something that makes people look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// The account's holder reads a message from their bank.
    Message(AccountNumber),
    /// The account's holder reads the passbook.
    Passbook(AccountNumber),
    /// The bank has counted the case.
    Counted(AccountNumber),
    /// It is in the news.
    News,
    /// Somebody claims a debit that was their own.
    Mistake,
}

/// The holders of accounts that were attacked, and what is known of it.
pub struct World<'s> {
    stage: &'s Stage,
    luck: Luck,
    customers: BTreeMap<AccountNumber, Customer>,
    victims: BTreeMap<AccountNumber, Victim>,
    news: bool,
    /// Cases by the day on which they became known; those of people who were mistaken by themselves too.
    pub known: BTreeMap<Day, Sum>,
    /// Each of those cases with its moment and its yen, in that order.
    pub known_at: Vec<(Time, i64)>,
    /// Those of people who were mistaken.
    pub mistaken: BTreeMap<Day, Sum>,
    /// The first debit, and when the first case was seen by anybody.
    pub first_debit: Option<Time>,
    /// See there.
    pub first_seen: Option<Time>,
}

#[derive(Debug, Default)]
struct Victim {
    debited: i64,
    is_told: bool,
    is_seen: bool,
    is_counted: bool,
}

impl<'s> World<'s> {
    /// A world in which `customers` have accounts.
    pub fn new(stage: &'s Stage, seed: u64, customers: BTreeMap<AccountNumber, Customer>) -> Self {
        Self {
            stage,
            luck: Luck::new(seed, "world"),
            customers,
            victims: BTreeMap::new(),
            news: false,
            known: BTreeMap::new(),
            known_at: Vec::new(),
            mistaken: BTreeMap::new(),
            first_debit: None,
            first_seen: None,
        }
    }

    /// Somebody knew something of an account: its holder may have been told, and looks at it some time.
    pub fn touched(&mut self, account: AccountNumber) -> Option<(Time, Sight)> {
        let now = self.stage.now();
        let victim = self.victims.entry(account).or_default();
        if std::mem::replace(&mut victim.is_told, true) || self.luck.percent(NEVER_REACT_PERCENT) {
            return None;
        }
        Some((self.luck.wait_after(now, REACT_MINUTES), Sight::Message(account)))
    }

    /// An account was debited: its holder looks into the passbook some day.
    pub fn debited(&mut self, account: AccountNumber, yen: i64) -> Option<(Time, Sight)> {
        let now = self.stage.now();
        self.first_debit.get_or_insert(now);
        let victim = self.victims.entry(account).or_default();
        let is_first = victim.debited == 0;
        victim.debited += yen;
        let days = if self.news { LOOK_DAYS_AFTER } else { LOOK_DAYS_BEFORE };
        is_first.then(|| (self.luck.wait_after(now, days * DAY_MINUTES), Sight::Passbook(account)))
    }

    /// Lets somebody look; what comes of it later.
    pub async fn see(&mut self, sight: Sight) -> Vec<(Time, Sight)> {
        let now = self.stage.now();
        match sight {
            Sight::Message(account) => self.message(account).await.into_iter().collect(),
            Sight::Passbook(account) => self.seen(account).into_iter().collect(),
            Sight::Counted(account) => {
                self.count(account, now).await;
                Vec::new()
            }
            Sight::News => self.news(now),
            Sight::Mistake => {
                let yen = self.luck.between(MISTAKEN_YEN);
                self.known_at.push((now, yen));
                for days in [&mut self.known, &mut self.mistaken] {
                    add(days.entry(now.day()).or_default(), yen);
                }
                Vec::new()
            }
        }
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

    /// The case is counted, and the bank ends the link.
    async fn count(&mut self, account: AccountNumber, now: Time) {
        let Some(victim) = self.victims.get_mut(&account).filter(|victim| !victim.is_counted) else { return };
        victim.is_counted = true;
        add(self.known.entry(now.day()).or_default(), victim.debited);
        self.known_at.push((now, victim.debited));
        self.revoke(account).await;
    }

    /// The bank's desk ends whatever may debit the account.
    async fn revoke(&self, account: AccountNumber) {
        let mut desk = self.client(account);
        desk.log_in(self.stage.desks.banks.get(&account.bank.to_string()).map(|token| token.expose().clone()));
        let body =
            json!({ "branch": account.branch_text(), "kind": account.kind.name(), "number": account.number_text() });
        let found = desk.ask(Method::POST, &format!("{GATEWAY}/bank/v1/links/search"), &body).await;
        for link in found.json["data"].as_array().into_iter().flatten() {
            let mandate = link["mandate_id"].as_str().unwrap_or_default();
            let url = format!("{GATEWAY}/bank/v1/mandates/{mandate}/revoke");
            desk.ask(Method::POST, &url, &json!({ "reason": "fraud" })).await;
        }
    }

    /// The holder reads what the bank wrote, and says that it was not them.
    async fn message(&mut self, account: AccountNumber) -> Option<(Time, Sight)> {
        let customer = self.customers.get(&account)?;
        let to = customer.phone.clone().or_else(|| customer.mail.clone())?;
        let mut client = self.client(account);
        let inbox = client.ask(Method::GET, &format!("{OUTSIDE}/sandbox/v1/inbox?to={to}&limit=5"), &Value::Null).await;
        let mut texts =
            inbox.json["data"].as_array().into_iter().flatten().filter_map(|message| message["text"].as_str());
        let code = texts.find_map(|text| between(text, "コード / Code: ", "\n"))?.to_owned();
        let page = client.open(&format!("{GATEWAY}/not-me")).await;
        client.submit(page, "/not-me", &[("code", &code)]).await;
        self.seen(account)
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

    /// What the banks' own statements say of the accounts that were attacked: by day and by bank, what was debited; and what
    /// came back.
    pub async fn statements(&self) -> Taken {
        let mut taken = Taken::default();
        for account in self.victims.keys() {
            let url = format!("{}/statement?limit={LINES_MAX}", path(*account));
            let statement = self.client(*account).ask(Method::GET, &url, &Value::Null).await;
            let mut sum = 0;
            // Oldest first: an account is a case of the day of its first debit.
            for line in statement.json["data"].as_array().into_iter().flatten().rev() {
                let (amount, at) = (line["amount"].as_i64().unwrap_or(0), line["at"].as_str().unwrap_or_default());
                let Some(at) = at.parse::<jiff::Timestamp>().ok().filter(|_| line["reference"].is_string()) else {
                    continue;
                };
                if amount < 0 {
                    let day = Time::from_milliseconds(at.as_millisecond()).day();
                    let sums = taken.days.entry(day).or_default();
                    (sums.cases, sums.yen) = (sums.cases + u64::from(sum == 0), sums.yen - amount);
                    sum -= amount;
                } else {
                    taken.returned += amount;
                }
            }
            if sum > 0 {
                taken.victims += 1;
                taken.debited += sum;
                add(taken.banks.entry(account.bank.to_string()).or_default(), sum);
            }
        }
        taken
    }
}

/// What the statements say.
#[derive(Debug, Default)]
pub struct Taken {
    /// Debits by day.
    pub days: BTreeMap<Day, Sum>,
    /// Accounts and yen by bank.
    pub banks: BTreeMap<String, Sum>,
    /// Accounts that were debited.
    pub victims: u64,
    /// Yen that were.
    pub debited: i64,
    /// Yen that came back.
    pub returned: i64,
}

fn add(sum: &mut Sum, yen: i64) {
    sum.cases += 1;
    sum.yen += yen;
}
