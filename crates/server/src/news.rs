//! News of the gateway: what it and the banks did without being asked. Read in order from a list that has no gaps; a push
//! only says that there is something to read.
//!
//! A piece on which nobody can act holds up no other (`aside`); and the last piece that was read is asked for again each time: a
//! gateway that was put back to an older state gives its number to something else, or does not know it.
//!
//! Start reading at [`Service::read_news`].

mod aside;

pub use aside::Aside;

use crate::banking::{another_amount, outcome_of};
use crate::doors::Door;
use crate::entrance::SYSTEM;
use crate::links::GatewayMandate;
use crate::service::Service;
use crate::webhooks::operator;
use crate::work::closing::{self, What, Word};
use domain::{Id, Time};
use http::{Method, StatusCode};
use ledger::Yen;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::{Mutex, MutexGuard, PoisonError};
use wallet::bank_answer::{Answer, AnswerSource, Claim, Outcome};
use wallet::mandate::{self, RevokedBy, Why};
use wallet::{
    BankAccountId, Command, GiveBackId, MandateId, PayoutId, ReimbursementId, TopUpId, payout, reimbursement, top_up,
};
use web::{Due, Problem};

/// How often the list is looked at where pushes cannot be relied on, and after something was found, in milliseconds.
const POLL_MS_MIN: i64 = 2_000;
/// How often it is looked at, at least: so late is what no push announced, the first time. No more than a day's last news may
/// take, which its closing waits for.
const POLL_MS_MAX: i64 = 10 * 60_000;
/// How long one waits after the gateway did not answer, in milliseconds.
const WAIT_MS: i64 = 10_000;
/// How long one waits after a piece failed, in milliseconds.
const FAILED_MS: i64 = 2_000;
/// News in one page.
const PAGE_MAX: usize = 100;

/// How far the list was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NewsCursor {
    n: u64,
    /// The hash of the piece `n`; none in files that were written before it was kept.
    #[serde(default)]
    last: Option<Id>,
}

impl Door for NewsCursor {
    const TABLE: &'static str = "news_cursor";

    fn id(&self) -> Id {
        Id::default()
    }
}

/// When the list is looked at next. A push says when there is something to read; looks without one are there for pushes that
/// got lost, and each that finds nothing makes the pause longer; what was announced leaves it as it is. Where a look finds
/// what no push had announced, pushes are not relied on until the next one comes.
pub struct Looks(Mutex<Pace>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pace {
    next: Time,
    pause_ms: i64,
    announced: bool,
    relies_on_pushes: bool,
    /// Which piece failed the last time, and how often in a row.
    failed: (u64, u32),
}

impl Default for Looks {
    fn default() -> Self {
        let next = Time::from_milliseconds(0);
        let failed = (0, 0);
        Self(Mutex::new(Pace { next, pause_ms: POLL_MS_MIN, announced: false, relies_on_pushes: true, failed }))
    }
}

impl Looks {
    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A push has come: there is something to read.
    pub fn announce(&self, now: Time) {
        let mut pace = self.pace();
        (pace.next, pace.announced, pace.relies_on_pushes) = (now, true, true);
    }

    /// Somebody looks at `now`, if it is time: whether a push said so. What is announced from here on is for the next look.
    fn begin(&self, now: Time) -> Result<bool, Time> {
        let mut pace = self.pace();
        if now < pace.next { Err(pace.next) } else { Ok(std::mem::take(&mut pace.announced)) }
    }

    /// The list was read to its end at `now`, and had `found` pieces of news; `announced` as the look began.
    fn note(&self, now: Time, found: usize, announced: bool) {
        let mut pace = self.pace();
        if found > 0 && !pace.announced {
            pace.relies_on_pushes = announced;
        }
        let longer_ms = pace.pause_ms.saturating_mul(2).min(POLL_MS_MAX);
        pace.pause_ms = match (pace.relies_on_pushes, found) {
            (true, 0) => longer_ms,
            (true, _) => pace.pause_ms,
            (false, _) => POLL_MS_MIN,
        };
        // What was announced meanwhile may be more than what was read.
        if !pace.announced {
            pace.next = now.plus_milliseconds(pace.pause_ms);
        }
    }

    /// The piece `n` failed: how often that is in a row.
    fn failed(&self, n: u64) -> u32 {
        let mut pace = self.pace();
        let before = if pace.failed.0 == n { pace.failed.1 } else { 0 };
        pace.failed = (n, before.saturating_add(1));
        pace.failed.1
    }

    /// Looks again in `pause_ms` milliseconds at what a push may have announced.
    fn again(&self, now: Time, pause_ms: i64, announced: bool) -> Time {
        let mut pace = self.pace();
        pace.announced |= announced;
        pace.next = now.plus_milliseconds(pause_ms);
        pace.next
    }

    /// The list goes on: the look of which a push may have said so, too.
    fn go_on(&self, announced: bool) {
        self.pace().announced |= announced;
    }
}

/// When something is done next.
pub struct NextLook(Mutex<Time>);

impl Default for NextLook {
    fn default() -> Self {
        Self(Mutex::new(Time::from_milliseconds(0)))
    }
}

impl NextLook {
    /// When that is.
    pub fn get(&self) -> Time {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks again at `time`.
    pub fn set(&self, time: Time) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = time;
    }
}

impl Service {
    /// Reads what is new, and acts on it. A piece of news that was acted on is not read again; one that comes twice changes
    /// nothing the second time.
    pub async fn read_news(&self, now: Time, budget: usize) -> Result<Due, Problem> {
        let announced = match self.looks.begin(now) {
            Ok(announced) => announced,
            Err(next) => return Ok(Due { done: 0, next: Some(next) }),
        };
        let NewsCursor { n, last } = self.doors.get::<NewsCursor>(Id::default())?.unwrap_or_default();
        let known = usize::from(last.is_some());
        let asked = budget.saturating_add(known).min(PAGE_MAX);
        let path = format!("/gateway/v1/events?after={}&limit={asked}", n.saturating_sub(u64::from(last.is_some())));
        let answer = self.gateway_call(Method::GET, &path, None).await.ok();
        // A gateway that knows how far it is says so itself.
        let is_ahead = n > 0 && answer.as_ref().is_some_and(|answer| answer.status == StatusCode::CONFLICT);
        let page = answer.filter(|answer| answer.status.is_success());
        let page = page.as_ref().and_then(|page| page.body["data"].as_array());
        let news = match (page, last) {
            (None, _) if !is_ahead => {
                return Ok(Due { done: 0, next: Some(self.looks.again(now, WAIT_MS, announced)) });
            }
            (Some(page), None) => page.as_slice(),
            (Some(page), Some(last)) if page.first().is_some_and(|first| self.hash_of(first) == last) => {
                page.get(1..).unwrap_or_default()
            }
            (Some(_) | None, _) => {
                self.begin_anew(n, now)?;
                return Ok(Due { done: 0, next: Some(self.looks.again(now, FAILED_MS, announced)) });
            }
        };
        for piece in news {
            if let Err(problem) = self.hear(piece).await
                && !self.set_aside(piece, &problem, now).await?
            {
                self.looks.again(now, FAILED_MS, announced);
                return Err(problem);
            }
        }
        let is_more = news.len().saturating_add(known) >= asked;
        // Of a list that goes on, as far as its last piece: they come in the order of their times.
        let read = if is_more { news.last().and_then(told_at) } else { Some(now) };
        if let Some(read) = read {
            self.news_read.set(read);
        }
        if is_more {
            self.looks.go_on(announced);
        } else {
            self.looks.note(now, news.len(), announced);
        }
        Ok(Due { done: news.len(), next: Some(self.looks.pace().next) })
    }

    /// Acts on a piece, and has read it.
    async fn hear(&self, piece: &Value) -> Result<(), Problem> {
        self.act_on(piece).await?;
        let word = self.word_in(piece).await?;
        match piece["n"].as_u64() {
            Some(n) => self.read_until(n, Some(self.hash_of(piece)), word.as_ref()),
            None => Ok(()),
        }
    }

    /// What tells a piece from another one of the same number: what it says and when.
    fn hash_of(&self, piece: &Value) -> Id {
        let about = ["n", "type", "at", "mandate_id", "reference", "account_ref", "bank_code"].map(|name| &piece[name]);
        self.keys.secret("news", &json!(about).to_string())
    }

    /// The piece `n` was acted on. Whoever reads the list at the same time and is behind changes nothing: neither how far it was
    /// read nor what was kept of a later piece.
    pub fn read_until(&self, n: u64, last: Option<Id>, word: Option<&Word>) -> Result<(), Problem> {
        self.doors.change(|doors| {
            if doors.get::<NewsCursor>(Id::default())?.is_some_and(|cursor| cursor.n >= n) {
                return Ok(());
            }
            word.map_or(Ok(()), |word| closing::keep(doors, word))?;
            doors.put(&NewsCursor { n, last })
        })?;
        Ok(())
    }

    /// One piece of news. What is of nobody here, or of a kind that we do not know, is passed over.
    async fn act_on(&self, piece: &Value) -> Result<(), Problem> {
        let kind = piece["type"].as_str().unwrap_or_default();
        match kind.split_once('.') {
            Some(("mandate", what)) => self.act_on_mandate(what, piece).await,
            Some(("account", "disowned")) => match piece["account_ref"].as_str() {
                Some(account_ref) => self.disowned(piece, self.bank_account_named(account_ref)).await,
                None => Ok(()),
            },
            Some(("debit", what)) => self.act_on_debit(what, piece).await,
            Some(("credit", what)) => self.act_on_credit(what, piece).await,
            Some(("return", what)) => self.act_on_return(what, piece).await,
            Some(("bank", what)) => {
                tracing::warn!(bank = piece["bank_code"].as_str(), what, "news of a bank");
                self.banks.forget();
                let at = told_at(piece);
                let data = json!({ "id": piece["n"], "bank_code": piece["bank_code"], "what": what });
                let effect = format!("{} {}", piece["n"], piece["at"]);
                self.tell_operator(operator::BANK_INCIDENT, &effect, at.unwrap_or(self.now()), data)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Our mandate that the piece is about.
    fn mandate_in(&self, piece: &Value) -> Result<Option<MandateId>, Problem> {
        let Some(name) = piece["mandate_id"].as_str() else { return Ok(None) };
        Ok(self.doors.get::<GatewayMandate>(self.gateway_name(name))?.map(|named| named.mandate))
    }

    async fn act_on_mandate(&self, what: &str, piece: &Value) -> Result<(), Problem> {
        if what == "activated" {
            return self.note_active(piece);
        }
        let Some(mandate) = self.mandate_in(piece)? else { return Ok(()) };
        let by_whom = piece["by"].as_str().unwrap_or_default();
        let reason = piece["reason"].as_str().unwrap_or_default();
        let revoke = |by, why| mandate::Command::Revoke { mandate, by, why };
        let command = match (what, by_whom) {
            ("confirmed", _) => mandate::Command::ConfirmByTrueHolder { mandate },
            // That was ourselves.
            ("revoked", "operator" | "wallet") => return Ok(()),
            ("revoked", "account_holder" | "true_holder" | "customer") => {
                revoke(RevokedBy::BankAccountHolder, Why::NotMine)
            }
            ("revoked", _) if matches!(reason, "not_me" | "not_mine") => {
                revoke(RevokedBy::BankAccountHolder, Why::NotMine)
            }
            ("revoked", _) if reason == "account_closed" => revoke(RevokedBy::Bank, Why::AccountClosed),
            ("revoked", _) if reason == "fraud" => revoke(RevokedBy::Bank, Why::Fraud),
            // Not revoked: the bank's side looked again and said no, or not in time, after we had taken the grant.
            ("revoked" | "refused" | "expired" | "abandoned", _) => revoke(RevokedBy::Bank, Why::Unneeded),
            ("displaced", _) => revoke(RevokedBy::BankAccountHolder, Why::NotMine),
            (_, _) => return Ok(()),
        };
        let is_disowned = matches!(
            command,
            mandate::Command::Revoke { by: RevokedBy::BankAccountHolder, why: Why::NotMine, .. } if what == "revoked"
        );
        // What the rules refuse is over already, or was never ours to end.
        self.ask(SYSTEM, None, Command::Mandate(command)).await?;
        if !is_disowned {
            return Ok(());
        }
        let row = known(self.mandate(mandate).await)?;
        match row.and_then(|row| row.grant) {
            Some(grant) => self.disowned(piece, grant.bank_account).await,
            None => Ok(()),
        }
    }

    async fn disowned(&self, piece: &Value, bank_account: BankAccountId) -> Result<(), Problem> {
        let (n, at) = (piece["n"].as_u64().unwrap_or(0), told_at(piece).unwrap_or_default());
        self.open_case(n, at, bank_account).await
    }

    /// How much of one of our movements the piece says that a bank moved; whether the books took it is their affair.
    async fn word_in(&self, piece: &Value) -> Result<Option<Word>, Problem> {
        let kind = piece["type"].as_str().and_then(|kind| kind.split_once('.'));
        let Some((noun, change)) = kind else { return Ok(None) };
        let amount = match change {
            "settled" => amount_in(piece, "settled_amount").or_else(|| amount_in(piece, "amount")),
            "reversed" | "returned" | "declined" => Some(Yen::ZERO),
            _ => None,
        };
        let (Some(reference), Some(amount)) = (piece["reference"].as_str(), amount) else { return Ok(None) };
        let amount = amount.amount();
        let (top_up, what) = match noun {
            "debit" => (reference.parse::<TopUpId>().ok(), What::Debit(amount)),
            "return" => match (reference.parse::<GiveBackId>(), reference.parse::<ReimbursementId>()) {
                (Ok(id), _) => (self.top_up_of(id.0).await?, What::GiveBack(id.0, amount)),
                (_, Ok(id)) => {
                    let row = known(self.reimbursement(id).await)?;
                    (row.map(|row| row.credit.top_up), What::GiveBack(id.0, amount))
                }
                (Err(_), Err(_)) => return Ok(None),
            },
            "credit" => (None, What::Credit(amount)),
            _ => return Ok(None),
        };
        let day = told_at(piece).unwrap_or_else(|| self.now()).day();
        if let Some(top_up) = top_up {
            let row = known(self.top_up(top_up).await)?;
            return Ok(row.map(|row| Word { about: top_up.0, bank: row.debit.bank, day, what }));
        }
        let Some(payout) = reference.parse::<PayoutId>().ok().filter(|_| noun == "credit") else { return Ok(None) };
        let row = known(self.payout(payout).await)?;
        Ok(row.map(|row| Word { about: payout.0, bank: row.credit.bank, day, what }))
    }

    async fn act_on_debit(&self, what: &str, piece: &Value) -> Result<(), Problem> {
        let reference = piece["reference"].as_str().and_then(|reference| reference.parse::<TopUpId>().ok());
        let Some(top_up) = reference else { return Ok(()) };
        let Some(row) = known(self.top_up(top_up).await)? else { return Ok(()) };
        let command = if what == "reversed" {
            let amount = amount_in(piece, "amount").unwrap_or(row.debit.amount);
            top_up::Command::Reverse { top_up, amount }
        } else if what == "contradicted" {
            let Some(claim) = claim_in(piece) else { return Ok(()) };
            top_up::Command::Contradict { top_up, claim }
        } else {
            let Some(answer) = told(what, piece) else { return Ok(()) };
            top_up::Command::Answer { top_up, answer, give_back: GiveBackId(self.id()) }
        };
        self.told_by_bank(row.debit.bank, Command::TopUp(command)).await
    }

    async fn act_on_credit(&self, what: &str, piece: &Value) -> Result<(), Problem> {
        let reference = piece["reference"].as_str().and_then(|reference| reference.parse::<PayoutId>().ok());
        let Some(payout) = reference else { return Ok(()) };
        let Some(row) = known(self.payout(payout).await)? else { return Ok(()) };
        let command = if matches!(what, "reversed" | "returned") {
            let amount = amount_in(piece, "amount").unwrap_or(row.credit.amount);
            payout::Command::Return { payout, amount }
        } else if what == "contradicted" {
            let Some(claim) = claim_in(piece) else { return Ok(()) };
            payout::Command::Contradict { payout, claim }
        } else {
            let Some(answer) = told(what, piece) else { return Ok(()) };
            payout::Command::Answer { payout, answer }
        };
        self.told_by_bank(row.credit.bank, Command::Payout(command)).await
    }

    /// What became of money that was to go back to its account.
    async fn act_on_return(&self, what: &str, piece: &Value) -> Result<(), Problem> {
        let reference = piece["reference"].as_str().and_then(|reference| reference.parse::<ReimbursementId>().ok());
        if let Some(reimbursement) = reference {
            return self.act_on_reimbursement(reimbursement, what, piece).await;
        }
        let reference = piece["reference"].as_str().and_then(|reference| reference.parse::<GiveBackId>().ok());
        let Some(give_back) = reference else { return Ok(()) };
        let Some(top_up) = self.top_up_of(give_back.0).await? else { return Ok(()) };
        let Some(row) = known(self.top_up(top_up).await)? else { return Ok(()) };
        let answered = |done| top_up::Command::AnswerGiveBack { top_up, give_back, done };
        let came_back = |amount| top_up::Command::ReverseGiveBack { top_up, give_back, amount };
        let asked = row.give_back.map_or(row.debit.amount, |given| given.amount);
        let claim = if what == "contradicted" { claim_in(piece) } else { None };
        if let Some(moved) = another_amount(piece, asked).filter(|_| what == "settled") {
            let command = top_up::Command::Contradict { top_up, claim: Claim::Moved(moved) };
            return self.told_by_bank(row.debit.bank, Command::TopUp(command)).await;
        }
        let command = match (what, claim) {
            ("settled", _) => answered(true),
            // The gateway heard the bank say before that it could not: the desk finds out which is so.
            (_, Some(Claim::Moved(moved))) => top_up::Command::Contradict { top_up, claim: Claim::TakenBack(moved) },
            // Only that the bank does not know of it: the worker asks on.
            ("declined", _) if piece["reason"] == "absent" => return Ok(()),
            ("declined", _) => answered(false),
            ("reversed", _) => came_back(amount_in(piece, "amount").unwrap_or(asked)),
            (_, Some(Claim::NotMoved)) => came_back(asked),
            (_, Some(Claim::TakenBack(amount) | Claim::CameBack(amount))) => came_back(amount),
            // It is under way: nothing that would be final.
            (_, None) => return Ok(()),
        };
        self.told_by_bank(row.debit.bank, Command::TopUp(command)).await
    }
}

impl Service {
    /// What became of a reimbursement.
    async fn act_on_reimbursement(
        &self,
        reimbursement: ReimbursementId,
        what: &str,
        piece: &Value,
    ) -> Result<(), Problem> {
        let Some(row) = known(self.reimbursement(reimbursement).await)? else { return Ok(()) };
        let asked = row.credit.amount;
        let answered = |done| reimbursement::Command::Answer { reimbursement, done };
        let contradicted = |claim| reimbursement::Command::Contradict { reimbursement, claim };
        let claim = if what == "contradicted" { claim_in(piece) } else { None };
        let command = match (what, claim) {
            ("settled", _) => match another_amount(piece, asked) {
                Some(moved) => contradicted(Claim::Moved(moved)),
                None => answered(true),
            },
            // Only that the bank does not know of it: the worker asks on.
            ("declined", _) if piece["reason"] == "absent" => return Ok(()),
            ("declined", _) => answered(false),
            ("reversed", _) => contradicted(Claim::CameBack(amount_in(piece, "amount").unwrap_or(asked))),
            (_, Some(claim)) => contradicted(claim),
            // It is under way: nothing that would be final.
            (_, None) => return Ok(()),
        };
        self.told_by_bank(row.credit.bank, Command::Reimbursement(command)).await
    }
}

/// When the gateway says that it was.
fn told_at(piece: &Value) -> Option<Time> {
    piece["at"].as_str().and_then(|at| at.parse::<jiff::Timestamp>().ok()).map(Time::from)
}

fn amount_in(piece: &Value, member: &str) -> Option<Yen> {
    piece[member].as_i64().and_then(Yen::checked)
}

/// What the bank says now against what it had said. What cannot be read is called out: nobody may guess at it.
fn claim_in(piece: &Value) -> Option<Claim> {
    let claim = match (piece["claim"].as_str(), amount_in(piece, "claimed_amount")) {
        (Some("moved"), Some(amount)) => Some(Claim::Moved(amount)),
        (Some("not_moved"), _) => Some(Claim::NotMoved),
        (Some("taken_back"), Some(amount)) => Some(Claim::TakenBack(amount)),
        (_, _) => None,
    };
    if claim.is_none() {
        tracing::error!(n = piece["n"].as_u64(), "a contradiction cannot be read");
    }
    claim
}

/// What is not there is of nobody here; whatever else kept us from seeing it keeps the news waiting.
fn known<T>(row: Result<T, Problem>) -> Result<Option<T>, Problem> {
    match row {
        Ok(row) => Ok(Some(row)),
        Err(problem) if problem.status() == http::StatusCode::NOT_FOUND => Ok(None),
        Err(problem) => Err(problem),
    }
}

/// A final word about a movement; anything else is no news.
fn told(what: &str, piece: &Value) -> Option<Answer> {
    let outcome = outcome_of(piece, what)?;
    let is_final = matches!(outcome, Outcome::Settled { .. } | Outcome::Declined { .. });
    is_final.then_some(Answer { outcome, source: AnswerSource::Callback })
}

/// What must hold for any piece of news: it says what it says in full or not at all; whether it says something of a movement.
#[cfg(any(test, feature = "fuzzing"))]
pub fn check_piece(piece: &Value) -> bool {
    let (kind, _) = (piece["type"].as_str().unwrap_or_default(), told_at(piece));
    let what = kind.split_once('.').map_or("", |(_, what)| what);
    let claim = claim_in(piece);
    if let Some(Claim::Moved(amount) | Claim::TakenBack(amount)) = claim {
        assert_eq!(amount_in(piece, "claimed_amount"), Some(amount), "a claim is of what it says");
    }
    told(what, piece).is_some() || claim.is_some()
}

#[cfg(test)]
mod tests {
    use super::{Looks, POLL_MS_MAX, POLL_MS_MIN};
    use domain::Time;

    /// What befalls whoever looks, one letter each: `p` a push comes, `e` an empty list is read, `n` news are read, `d` news
    /// are read while a push comes. Answers the pauses between looks, in milliseconds.
    fn pauses(story: &str) -> Vec<i64> {
        let (looks, mut now, mut pauses) = (Looks::default(), Time::from_milliseconds(1), Vec::new());
        for letter in story.chars() {
            if letter == 'p' {
                looks.announce(now);
                continue;
            }
            let announced = looks.begin(now).expect("it is time");
            if letter == 'd' {
                looks.announce(now);
            }
            looks.note(now, usize::from(letter != 'e'), announced);
            let next = looks.pace().next;
            pauses.push(next.milliseconds_since(now));
            now = next;
        }
        pauses
    }

    #[test]
    fn looks_grow_rare_where_pushes_announce_what_there_is_and_stay_frequent_where_they_do_not() {
        const MIN: i64 = POLL_MS_MIN;
        for (story, expected) in [
            ("eee", vec![2 * MIN, 4 * MIN, 8 * MIN]),
            ("eepne", vec![2 * MIN, 4 * MIN, 4 * MIN, 8 * MIN]),
            // Nobody said so: it is looked often, until a push comes.
            ("eenee", vec![2 * MIN, 4 * MIN, MIN, MIN, MIN]),
            ("neepee", vec![MIN, MIN, MIN, 2 * MIN, 4 * MIN]),
            // What is announced while the list is read may stand behind what was read.
            ("eede", vec![2 * MIN, 4 * MIN, 0, 8 * MIN]),
        ] {
            assert_eq!(pauses(story), expected, "{story}");
        }
        assert_eq!(pauses(&"e".repeat(50)).last(), Some(&POLL_MS_MAX));
    }
}
