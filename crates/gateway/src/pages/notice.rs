//! Notices: what the true holder of an account is told, through the bank, on every contact that the bank has.
//!
//! | when | how |
//! |---|---|
//! | a wallet is linked | before the grant, within the request: who cannot be told is not linked |
//! | somebody knew a first factor | at once, in the background, with retries |
//! | somebody tried and knew nothing | one a day an account, so many a bank and hour: a spray must not become a bomb |
//!
//! Each notice carries a code. Typed on the page "not me" it revokes; it is no link, because people are told not to follow
//! links. A notice waits here with the account's number until the bank has it, in memory alone.

use crate::connector::{self, AccountNumber};
use crate::domain::account::{self, NoticeKind};
use crate::domain::{AccountId, BankCode, Command, MandateId, OperatorId, Refusal};
use crate::gateway::{Gateway, NotDone};
use crate::oauth::{Link, actor};
use domain::Time;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use web::{Due, Secret, chance};

/// Notices that wait at once; further ones are counted and dropped: the bank is down, or under attack.
pub const WAITING_MAX: usize = 10_000;
/// Digits of a code, in groups of four.
pub const CODE_DIGITS: u32 = 16;
/// How often a bank is asked to send one notice.
const TRIES_MAX: u32 = 8;
/// How long the second try waits after the first, in milliseconds; twice as long after each further one.
const RETRY_MS: i64 = 2_000;
/// How long plain failures are gathered before their account's holder is told, in milliseconds.
const FAILURES_GATHERED_MS: i64 = 10 * 60_000;
/// Notices of plain failures that one bank sends in an hour.
const FAILURES_AN_HOUR_MAX: u32 = 200;
const HOUR_MS: i64 = 3_600_000;

/// What a notice is about.
#[derive(Clone, Debug)]
pub(super) struct About {
    mandate: MandateId,
    operator: OperatorId,
    client: String,
    bank: BankCode,
    account: AccountNumber,
    kind: NoticeKind,
}

impl About {
    pub(super) fn of(link: &Link, account: AccountNumber, kind: NoticeKind) -> Self {
        let (mandate, operator, client) = (link.mandate, link.operator, link.client.clone());
        Self { mandate, operator, client, bank: link.asked.bank, account, kind }
    }
}

/// Why somebody was not told.
#[derive(Debug)]
pub(super) enum NotTold {
    /// There was one today already.
    Already,
    /// The bank did not take it.
    Bank(connector::ConnectorError),
    /// We could not make it durable.
    Ours(String),
}

impl fmt::Display for NotTold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Already => f.write_str("told already today"),
            Self::Bank(error) => error.fmt(f),
            Self::Ours(what) => f.write_str(what),
        }
    }
}

/// Notices that wait.
#[derive(Debug, Default)]
pub struct Notices(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    /// To be told now, or again at a later time, in the order in which they came.
    due: VecDeque<(Time, u32, About)>,
    /// Plain failures, one an account, until when they are gathered.
    failures: BTreeMap<AccountId, (Time, About)>,
    /// By bank: the hour, and how many notices of plain failures went out in it.
    told: BTreeMap<BankCode, (i64, u32)>,
}

impl Notices {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The true holder is to be told at once.
    pub(super) fn push(&self, about: About) {
        let mut waiting = self.waiting();
        if waiting.due.len() < WAITING_MAX {
            waiting.due.push_back((Time::from_milliseconds(i64::MIN), 0, about));
        } else {
            tracing::error!(bank = %about.bank, "too many notices wait: one is dropped");
        }
    }

    /// Somebody tried `id` and knew nothing.
    pub(super) fn gather(&self, id: AccountId, about: About, now: Time) {
        let mut waiting = self.waiting();
        if waiting.failures.len() < WAITING_MAX {
            let until = now.plus_milliseconds(FAILURES_GATHERED_MS);
            waiting.failures.entry(id).or_insert((until, about));
        }
    }

    /// Tells at most `budget` of those who are to be told by `now`.
    pub async fn run_due(&self, gateway: &Gateway, now: Time, budget: usize) -> Due {
        self.waiting().release(now);
        let mut done = 0;
        while done < budget {
            let Some((tries, about)) = self.waiting().next(now) else { break };
            done += 1;
            match tell(gateway, &about, "").await {
                Ok(_) | Err(NotTold::Already) => {}
                Err(error) if tries + 1 >= TRIES_MAX => {
                    tracing::error!(bank = %about.bank, %error, "a true holder was not told");
                }
                Err(_) => {
                    let again = now.plus_milliseconds(RETRY_MS << tries);
                    self.waiting().due.push_back((again, tries + 1, about));
                }
            }
        }
        Due { done, next: self.waiting().next_due() }
    }
}

impl Waiting {
    fn next(&mut self, now: Time) -> Option<(u32, About)> {
        let index = self.due.iter().position(|(due, _, _)| *due <= now)?;
        self.due.remove(index).map(|(_, tries, about)| (tries, about))
    }

    fn next_due(&self) -> Option<Time> {
        let due = self.due.iter().map(|(due, _, _)| *due);
        due.chain(self.failures.values().map(|(until, _)| *until)).min()
    }

    /// Lets the gathered failures go whose time has come, as many as an hour allows each bank; the rest is dropped.
    fn release(&mut self, now: Time) {
        let hour = now.milliseconds().div_euclid(HOUR_MS);
        let ripe: Vec<AccountId> =
            self.failures.iter().filter(|(_, (until, _))| *until <= now).map(|(id, _)| *id).collect();
        for id in ripe {
            let Some((_, about)) = self.failures.remove(&id) else { continue };
            let (counted, told) = self.told.entry(about.bank).or_insert((hour, 0));
            if *counted != hour {
                (*counted, *told) = (hour, 0);
            }
            if *told < FAILURES_AN_HOUR_MAX && self.due.len() < WAITING_MAX {
                *told += 1;
                self.due.push_back((now, 0, about));
            }
        }
    }
}

/// Makes a code, keeps its hash, and has the bank send both: how many contacts it reached.
pub(super) async fn tell(gateway: &Gateway, about: &About, name_kana: &str) -> Result<u32, NotTold> {
    let ours = |what: &dyn fmt::Display| NotTold::Ours(what.to_string());
    let id = gateway.account_id(about.bank, &about.account);
    let details = gateway.details(about.bank, &about.account, name_kana).map_err(|error| ours(&error))?;
    let masked = details.masked.clone();
    let code = chance::code(gateway.outside().chance.as_ref(), CODE_DIGITS);
    let command = account::Command::Notice {
        account: id,
        details,
        kind: about.kind,
        mandate: about.mandate,
        operator: about.operator,
        account_ref: gateway.account_ref(about.operator, id),
        code: gateway.not_me_id(code.expose()),
    };
    match gateway.submit(Command::Account(command), actor(about.operator), None).await {
        Ok(_) => {}
        Err(NotDone::Refused(Refusal::AlreadyTold)) => return Err(NotTold::Already),
        Err(NotDone::Refused(refusal)) => return Err(NotTold::Ours(format!("{refusal:?}"))),
        Err(NotDone::Engine(error)) => return Err(ours(&error)),
    }
    let (text_ja, text_en) = texts(gateway, about, &masked);
    let notice = connector::Notice {
        id: gateway.new_id().to_string(),
        account: about.account.clone(),
        text_ja,
        text_en,
        code: Some(grouped(&code)),
    };
    let connector = gateway.connector(about.bank).ok_or_else(|| ours(&"no such bank"))?;
    connector.notify(&notice).await.map_err(NotTold::Bank)
}

/// A code as people read and type it: `1234-5678-9012-3456`.
fn grouped(code: &Secret<String>) -> Secret<String> {
    let groups: Vec<&str> = code.expose().as_bytes().chunks(4).filter_map(|group| str::from_utf8(group).ok()).collect();
    Secret::new(groups.join("-"))
}

/// The words, in Japanese and English. No link: the page is reached through the bank's own site.
fn texts(gateway: &Gateway, about: &About, masked: &str) -> (String, String) {
    let client = gateway.oauth().clients.get(&about.client);
    let name = client.map(|client| client.settings.name.clone());
    let (ja, en) = name.map_or_else(Default::default, |name| (name.ja, name.en));
    let (what_ja, what_en) = match about.kind {
        NoticeKind::Linked => (
            format!("{ja}のウォレットに、あなたの口座({masked})からの引き落としが登録されます。"),
            format!("A wallet at {en} is about to be linked to your account ({masked})."),
        ),
        NoticeKind::FirstFactor => (
            format!(
                "{ja}のウォレットに、あなたの口座({masked})を登録しようとした人がいて、暗証番号などの一部が合っていました。"
            ),
            format!(
                "Somebody who tried to link your account ({masked}) to a wallet at {en} knew your PIN or another secret."
            ),
        ),
        NoticeKind::Failures => (
            format!("{ja}のウォレットに、あなたの口座({masked})を登録しようとして失敗した人がいます。"),
            format!("Somebody tried to link your account ({masked}) to a wallet at {en} and failed."),
        ),
    };
    let todo_ja = "心当たりがなければ、銀行のホームページから「口座振替受付・心当たりがない」の画面を開き、次のコードを入力してください。すぐに止まります。コードは誰にも教えないでください。";
    let todo_en = "If this was not you, go to your bank's site, open \"account transfers: it was not me\" and type this code: it stops at once. Tell the code to nobody.";
    (format!("{what_ja}{todo_ja}"), format!("{what_en} {todo_en}"))
}
