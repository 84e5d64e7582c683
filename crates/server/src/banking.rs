//! Asking banks, through the gateway: debits of top-ups, credits of payouts, and what is given back.
//!
//! A reference is in the books before anybody hears of it. The first time it is sent; whenever nobody knows what became of it,
//! the gateway is asked by the reference before it is sent again, and absence is no answer before the bank's cut-off.
//! What comes back goes into the books as it is said; whether that is final is for the rules.
//! Start reading at [`Service::ask_top_up`].

use crate::entrance::Holder;
use crate::gateway::{GatewayAnswer, GatewayError};
use crate::links::{Link, LinkedAccount};
use crate::refusals;
use crate::service::Service;
use domain::{Id, Key};
use engine::{Actor, ActorKind, Request};
use http::{Method, StatusCode};
use ledger::Yen;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use wallet::bank_answer::{Answer, AnswerSource, Claim, Outcome};
use wallet::payout::{self, Payout};
use wallet::reimbursement::{self, Credit, Reimbursement};
use wallet::top_up::{self, TopUp};
use wallet::{BankCode, Command, GiveBackId, MandateId, Noun, PayoutId, Refusal, ReimbursementId, Row, TopUpId, table};
use web::Problem;

/// The gateway's refusals that say for sure that a movement was not taken.
const REFUSALS: [&str; 6] = ["amount-zero", "unknown", "stopped", "wrong-status", "expired", "over-limit"];
/// The same of a give-back. A bank that is stopped may give back later.
const GIVE_BACK_REFUSALS: [&str; 5] = ["amount-zero", "unknown", "wrong-status", "expired", "over-limit"];
/// The code under which a debit counts that the gateway itself does not take: 8, stopped by the collector.
const CODE_NOT_TAKEN: u16 = 8;

/// References that are being asked for at this moment: a handler and a worker never ask for the same one at once.
#[derive(Default)]
pub struct Asking(Mutex<BTreeSet<Id>>);

/// Holds a reference while it is asked for.
struct Turn<'a>(&'a Asking, Id);

impl Asking {
    fn begin(&self, reference: Id) -> Option<Turn<'_>> {
        let mut asking = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asking.insert(reference).then_some(Turn(self, reference))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}

/// What asking came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Nothing is to be asked any more.
    Over,
    /// The bank has not said yet.
    Open,
    /// Somebody else is asking.
    Elsewhere,
    /// There is no answer, and this is why.
    NoAnswer(Silent),
}

/// Whose silence it is: nobody else is left alone for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silent {
    /// The bank's: the gateway took the question, and there was no answer in time.
    Bank,
    /// The gateway's: it is not there, lets us in no further, or says that it is in trouble.
    Gateway,
    /// Our own: this one could not be asked, or its answer is not to be believed.
    Ourselves,
}

impl Silent {
    /// Whose it is that a call came to nothing.
    pub const fn of(error: &GatewayError) -> Self {
        match error {
            GatewayError::NoAnswer => Self::Bank,
            GatewayError::Unreachable | GatewayError::Trouble | GatewayError::Denied | GatewayError::Refused(_) => {
                Self::Gateway
            }
        }
    }
}

/// What the gateway says of a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Answer(Outcome),
    Reversed(Yen),
    /// It has the reference, and no answer yet.
    Waits,
    /// It does not know the reference; whether it ever may.
    Unknown {
        last: bool,
    },
    /// It may have been done.
    NoAnswer(Silent),
    /// Nothing was done.
    Unsent(Silent),
}

/// What the gateway says of money that is to go back to the account that it was debited from.
enum Returned {
    /// The account has it.
    Done,
    /// It cannot be made, and never will under this reference.
    CouldNot,
    /// The account has another amount.
    Another(Yen),
    /// It was made, and did not stay in the account.
    CameBack,
    /// The bank has not said yet.
    Open,
    /// It knew nothing of it after its cut-off. It may still come to.
    Absent,
    /// There is no answer.
    NoAnswer(Silent),
}

impl Service {
    /// The top-up `id`.
    pub async fn top_up(&self, id: TopUpId) -> Result<TopUp, Problem> {
        match self.row(Key::new(table::TOP_UP, id.0)).await?.as_deref() {
            Some(Row::TopUp(row)) => Ok((**row).clone()),
            Some(_) | None => Err(refusals::problem(&Refusal::Unknown { noun: Noun::TopUp })),
        }
    }

    /// The payout `id`.
    pub async fn payout(&self, id: PayoutId) -> Result<Payout, Problem> {
        match self.row(Key::new(table::PAYOUT, id.0)).await?.as_deref() {
            Some(Row::Payout(row)) => Ok((**row).clone()),
            Some(_) | None => Err(refusals::problem(&Refusal::Unknown { noun: Noun::Payout })),
        }
    }

    /// Refuses a new debit at a bank that is known not to answer: nothing is taken then, and nothing is owed. A request that was
    /// answered before is answered so again, and what the rules refuse is for them to say.
    pub async fn check_bank_answers(
        &self,
        caller: &Holder,
        mandate: MandateId,
        request: Request,
    ) -> Result<(), Problem> {
        let now = self.now();
        if self.breakers.is_nobody_left_alone(now) {
            return Ok(());
        }
        let Ok(row) = self.mandate(mandate).await else { return Ok(()) };
        let Some(pause) = self.breakers.pause(row.bank, now).filter(|_| row.holder == caller.id) else {
            return Ok(());
        };
        if self.recall(request).await?.is_some() {
            return Ok(());
        }
        let seconds = pause.until.milliseconds_since(now).div_euclid(1_000).saturating_add(1);
        let problem = if pause.is_of_all {
            refusals::new(503, "banks-unreachable", "No bank can be reached now.", "現在、銀行に接続できません。")
        } else {
            refusals::new(503, "bank-silent", "The bank does not answer now.", "銀行が応答していません。")
        };
        Err(problem
            .detail("Nothing was debited. Try again when Retry-After says.")
            .with("bank_code", row.bank.to_string())
            .retry_after(seconds))
    }

    /// Asks the bank for the debit of a top-up, or what became of it.
    pub async fn ask_top_up(&self, id: TopUpId, time_ms: u64) -> Result<Asked, Problem> {
        let Some(_turn) = self.asking.begin(id.0) else { return Ok(Asked::Elsewhere) };
        let row = self.top_up(id).await?;
        if !matches!(row.status, top_up::Status::Pending | top_up::Status::InDoubt) {
            return Ok(Asked::Over);
        }
        let Some(gateway_id) = self.doors.get::<Link>(row.mandate.0)?.and_then(|link| link.gateway_id) else {
            tracing::error!(top_up = %id, "a mandate has no name at the gateway");
            return Ok(Asked::NoAnswer(Silent::Ourselves));
        };
        let body =
            json!({ "reference": id.to_string(), "mandate_id": gateway_id, "amount": row.debit.amount.amount() });
        let (said, source) = self.ask_gateway("debits", &id.to_string(), &body, row.attempts > 0, time_ms).await;
        self.take_top_up(id, row.debit.bank, said, source).await
    }

    /// The first try at a bank, while the caller waits: not at a bank that is known not to answer.
    pub async fn ask_first(&self, id: TopUpId) -> Result<(), Problem> {
        let (bank, now) = (self.top_up(id).await?.debit.bank, self.now());
        if self.breakers.pause(bank, now).is_none() {
            let asked = self.ask_top_up(id, self.options.bank_wait_ms).await?;
            self.breakers.heard(Some(bank), asked, now);
        }
        Ok(())
    }

    async fn take_top_up(
        &self,
        id: TopUpId,
        bank: BankCode,
        said: Said,
        source: AnswerSource,
    ) -> Result<Asked, Problem> {
        let answer = |outcome| top_up::Command::Answer {
            top_up: id,
            answer: Answer { outcome, source },
            give_back: GiveBackId(self.id()),
        };
        let (command, asked) = match said {
            Said::Answer(outcome) => (answer(outcome), Asked::Over),
            Said::Reversed(amount) => (top_up::Command::Reverse { top_up: id, amount }, Asked::Over),
            Said::Waits => (top_up::Command::Asked { top_up: id }, Asked::Open),
            Said::NoAnswer(silent) => (top_up::Command::Asked { top_up: id }, Asked::NoAnswer(silent)),
            Said::Unknown { last } => {
                (answer(Outcome::NotFound { last }), if last { Asked::Over } else { Asked::Open })
            }
            Said::Unsent(silent) => return Ok(Asked::NoAnswer(silent)),
        };
        self.told_by_bank(bank, Command::TopUp(command)).await?;
        Ok(asked)
    }

    /// Asks the bank for the credit of a payout, or what became of it.
    pub async fn ask_payout(&self, id: PayoutId, time_ms: u64) -> Result<Asked, Problem> {
        let Some(_turn) = self.asking.begin(id.0) else { return Ok(Asked::Elsewhere) };
        let row = self.payout(id).await?;
        if !matches!(row.status, payout::Status::Pending | payout::Status::InDoubt) {
            return Ok(Asked::Over);
        }
        let credit = &row.credit;
        let Some(linked) = self.route_of(credit.wallet, credit.bank_account).await? else {
            tracing::error!(payout = %id, "an account has no name at the gateway");
            return Ok(Asked::NoAnswer(Silent::Ourselves));
        };
        let body = json!({
            "reference": id.to_string(),
            "mandate_id": linked.gateway_id,
            "amount": credit.amount.amount(),
        });
        let (said, source) = self.ask_gateway("credits", &id.to_string(), &body, row.attempts > 0, time_ms).await;
        let answer = |outcome| payout::Command::Answer { payout: id, answer: Answer { outcome, source } };
        let (command, asked) = match said {
            Said::Answer(outcome) => (answer(outcome), Asked::Over),
            Said::Reversed(amount) => (payout::Command::Return { payout: id, amount }, Asked::Over),
            Said::Waits => (payout::Command::Asked { payout: id }, Asked::Open),
            Said::NoAnswer(silent) => (payout::Command::Asked { payout: id }, Asked::NoAnswer(silent)),
            Said::Unknown { last } => {
                (answer(Outcome::NotFound { last }), if last { Asked::Over } else { Asked::Open })
            }
            Said::Unsent(silent) => return Ok(Asked::NoAnswer(silent)),
        };
        self.told_by_bank(credit.bank, Command::Payout(command)).await?;
        Ok(asked)
    }

    /// The wallet's own entry for an account, or that of the person's other wallet which is the account's route.
    async fn route_of(
        &self,
        wallet: wallet::WalletId,
        bank_account: wallet::BankAccountId,
    ) -> Result<Option<LinkedAccount>, Problem> {
        if let Some(own) = self.doors.get::<LinkedAccount>(self.linked_key(wallet, bank_account))? {
            return Ok(Some(own));
        }
        let row = self.row(Key::new(table::BANK_ACCOUNT, bank_account.0)).await?;
        let Some(Row::BankAccount(row)) = row.as_deref() else { return Ok(None) };
        let Some(route) = row.route else { return Ok(None) };
        Ok(self.doors.get::<LinkedAccount>(self.linked_key(route.wallet, bank_account))?)
    }

    /// The reimbursement `id`.
    pub async fn reimbursement(&self, id: ReimbursementId) -> Result<Reimbursement, Problem> {
        match self.row(Key::new(table::REIMBURSEMENT, id.0)).await?.as_deref() {
            Some(Row::Reimbursement(row)) => Ok((**row).clone()),
            Some(_) | None => Err(refusals::problem(&Refusal::Unknown { noun: Noun::Reimbursement })),
        }
    }

    /// Asks the gateway to give back what was debited for a top-up and must not stay.
    pub async fn ask_give_back(&self, id: TopUpId, time_ms: u64) -> Result<Asked, Problem> {
        // Before the row is looked at: what was read by now is in it.
        let Some(events_read) = self.news_heard(&id.to_string())? else {
            return Ok(Asked::NoAnswer(Silent::Ourselves));
        };
        let row = self.top_up(id).await?;
        let Some(give_back) = row.give_back_to_ask().copied() else { return Ok(Asked::Over) };
        let Some(_turn) = self.asking.begin(give_back.id.0) else { return Ok(Asked::Elsewhere) };
        let (amount, give_back) = (give_back.amount, give_back.id);
        let answer = |done| top_up::Command::AnswerGiveBack { top_up: id, give_back, done };
        let command = match self.ask_return((id, events_read), &give_back.to_string(), amount, time_ms).await {
            Returned::Done => answer(true),
            // If it could not be made, that waits for the desk.
            Returned::CouldNot => answer(false),
            Returned::Another(moved) => top_up::Command::Contradict { top_up: id, claim: Claim::Moved(moved) },
            Returned::CameBack => top_up::Command::ReverseGiveBack { top_up: id, give_back, amount },
            // It waits for two people, and is asked about all the same: the bank may still come to know of it.
            Returned::Absent => top_up::Command::AbsentGiveBack { top_up: id, give_back },
            Returned::Open => return Ok(Asked::Open),
            Returned::NoAnswer(silent) => return Ok(Asked::NoAnswer(silent)),
        };
        let asked = if matches!(command, top_up::Command::AbsentGiveBack { .. }) { Asked::Open } else { Asked::Over };
        self.told_by_bank(row.debit.bank, Command::TopUp(command)).await?;
        Ok(asked)
    }

    /// Asks the gateway to give back what is reimbursed of a debit. Not while the bank contradicts itself about either: it would
    /// pay twice.
    pub async fn ask_reimbursement(&self, id: ReimbursementId, time_ms: u64) -> Result<Asked, Problem> {
        let Some(_turn) = self.asking.begin(id.0) else { return Ok(Asked::Elsewhere) };
        let row = self.reimbursement(id).await?;
        if !row.status.is_open() {
            return Ok(Asked::Over);
        }
        let Credit { top_up, bank, amount, .. } = row.credit;
        let Some(events_read) = self.news_heard(&top_up.to_string())? else {
            return Ok(Asked::NoAnswer(Silent::Ourselves));
        };
        if row.is_flagged() || self.top_up(top_up).await?.is_flagged() {
            return Ok(Asked::NoAnswer(Silent::Ourselves));
        }
        let answer = |done| reimbursement::Command::Answer { reimbursement: id, done };
        let contradicted = |claim| reimbursement::Command::Contradict { reimbursement: id, claim };
        let (command, asked) = match self.ask_return((top_up, events_read), &id.to_string(), amount, time_ms).await {
            Returned::Done => (answer(true), Asked::Over),
            Returned::CouldNot => (answer(false), Asked::Over),
            Returned::Another(moved) => (contradicted(Claim::Moved(moved)), Asked::Over),
            Returned::CameBack => (contradicted(Claim::CameBack(amount)), Asked::Over),
            Returned::Open => (reimbursement::Command::Asked { reimbursement: id }, Asked::Open),
            Returned::Absent => (reimbursement::Command::Absent { reimbursement: id }, Asked::Open),
            Returned::NoAnswer(silent @ Silent::Bank) => {
                (reimbursement::Command::Asked { reimbursement: id }, Asked::NoAnswer(silent))
            }
            Returned::NoAnswer(silent @ (Silent::Gateway | Silent::Ourselves)) => return Ok(Asked::NoAnswer(silent)),
        };
        self.told_by_bank(bank, Command::Reimbursement(command)).await?;
        Ok(asked)
    }

    /// Asks for `amount` of a debit to be given back under `reference`, by what the news until that piece say of it: the same
    /// again is answered by what became of it. What the bank has said since then is read first.
    async fn ask_return(
        &self,
        (top_up, events_read): (TopUpId, u64),
        reference: &str,
        amount: Yen,
        time_ms: u64,
    ) -> Returned {
        let path = format!("/gateway/v1/debits/{top_up}/return");
        let body = json!({ "reference": reference, "amount": amount.amount(), "events_read": events_read });
        let answer = match self.gateway_call_within(Method::POST, &path, Some(&body), time_ms).await {
            Ok(answer) => answer,
            Err(error) => return Returned::NoAnswer(Silent::of(&error)),
        };
        if is_later(&answer) {
            return Returned::NoAnswer(silent_for_now(&answer));
        }
        if is_refused(&answer, &["events-unread"]) {
            return Returned::NoAnswer(Silent::Ourselves);
        }
        // The gateway did not take it, and never will under this id: the bank was not asked.
        if is_refused(&answer, &GIVE_BACK_REFUSALS) {
            return Returned::CouldNot;
        }
        if !answer.status.is_success() {
            tracing::error!(status = answer.status.as_u16(), %top_up, "a give-back is not taken, and waits");
            return Returned::Open;
        }
        match answer.body["status"].as_str() {
            // Nobody may guess at an amount that cannot be read.
            Some("settled" | "returned") => match amount_moved(&answer.body) {
                None => Returned::NoAnswer(Silent::Gateway),
                Some(moved) if moved == amount => Returned::Done,
                Some(moved) => Returned::Another(moved),
            },
            // It was made, and did not stay in the account.
            Some("reversed") => Returned::CameBack,
            Some("declined") if answer.body["reason"] == "absent" => Returned::Absent,
            Some("declined") => Returned::CouldNot,
            Some(_) | None => Returned::Open,
        }
    }

    /// Sends a reference for the first time, or asks what became of it and sends it again where it never arrived.
    async fn ask_gateway(
        &self,
        kind: &str,
        reference: &str,
        body: &Value,
        was_sent: bool,
        time_ms: u64,
    ) -> (Said, AnswerSource) {
        let collection = format!("/gateway/v1/{kind}");
        if was_sent {
            let path = format!("{collection}/{reference}");
            let answer = self.gateway_call_within(Method::GET, &path, None, time_ms).await;
            match read(answer, false) {
                Said::Unknown { last: false } => {}
                said => return (said, AnswerSource::Inquiry),
            }
        }
        let answer = self.gateway_call_within(Method::POST, &collection, Some(body), time_ms).await;
        (read(answer, true), AnswerSource::Request)
    }

    /// A bank's word goes into the books. What the rules refuse of it was said before, or is a case for the desk.
    pub async fn told_by_bank(&self, bank: BankCode, command: Command) -> Result<(), Problem> {
        let actor = Actor { kind: ActorKind::Bank, id: bank.id() };
        if let Err(refusal) = self.ask(actor, None, command).await?.reply {
            tracing::warn!(%bank, refusal = refusals::problem(&refusal).name(), "a bank's word was not taken");
        }
        Ok(())
    }
}

/// What an answer says of a reference. `sent` is whether the answer is to the sending itself.
fn read(answer: Result<GatewayAnswer, GatewayError>, sent: bool) -> Said {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error @ (GatewayError::Unreachable | GatewayError::Denied | GatewayError::Refused(_))) => {
            return Said::Unsent(Silent::of(&error));
        }
        Err(error @ (GatewayError::NoAnswer | GatewayError::Trouble)) => return Said::NoAnswer(Silent::of(&error)),
    };
    if answer.status == StatusCode::NOT_FOUND && !sent && answer.body["type"] == "/problems/unknown" {
        return Said::Unknown { last: answer.body["final"].as_bool().unwrap_or(false) };
    }
    if answer.status.is_success() {
        return said(&answer.body).unwrap_or(Said::NoAnswer(Silent::Gateway));
    }
    if is_later(&answer) {
        return Said::Unsent(silent_for_now(&answer));
    }
    if answer.body["type"] == "/problems/reference-taken" {
        // It has the reference for something else: one of us is wrong, and nobody may guess.
        tracing::error!("the gateway has one of our references for something else");
        return Said::NoAnswer(Silent::Ourselves);
    }
    // The gateway checks mandate and switches in the commit of the debit: what it does not take never reaches the bank. Any
    // other refusal may not even be the gateway's.
    if sent && is_refused(&answer, &REFUSALS) {
        Said::Answer(Outcome::Declined { code: CODE_NOT_TAKEN })
    } else {
        Said::NoAnswer(Silent::Gateway)
    }
}

/// Whether the gateway took no look at what was asked, and will later.
pub fn is_later(answer: &GatewayAnswer) -> bool {
    matches!(answer.status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS)
}

/// Whose silence that is. What is full over there of our open movements at one bank keeps nobody from asking of another.
pub fn silent_for_now(answer: &GatewayAnswer) -> Silent {
    if answer.body["type"] == "/problems/too-many-open" { Silent::Ourselves } else { Silent::Gateway }
}

/// What was given back, if that is not what was to be: nobody may take that for done.
pub fn another_amount(body: &Value, asked: Yen) -> Option<Yen> {
    body["settled_amount"].as_i64().and_then(Yen::checked).filter(|moved| *moved != asked)
}

/// Whether the gateway itself refused, for one of these reasons.
pub fn is_refused(answer: &GatewayAnswer, reasons: &[&str]) -> bool {
    let refusal = answer.body["type"].as_str().and_then(|kind| kind.strip_prefix("/problems/"));
    answer.status.is_client_error() && refusal.is_some_and(|refusal| reasons.contains(&refusal))
}

/// How much was moved: what the answer says, or what was asked for where it says nothing of that. What cannot be read is
/// nobody's amount.
fn amount_moved(body: &Value) -> Option<Yen> {
    let amount = if body["settled_amount"].is_null() { &body["amount"] } else { &body["settled_amount"] };
    amount.as_i64().and_then(Yen::checked)
}

fn said(body: &Value) -> Option<Said> {
    let code = || match &body["code"] {
        Value::String(name) => Some(code_of(name)),
        code => code.as_u64().and_then(|code| u16::try_from(code).ok()),
    };
    Some(match body["status"].as_str()? {
        "settled" => Said::Answer(Outcome::Settled { amount: amount_moved(body)? }),
        // The bank never said no: it still knew nothing of the debit after its cut-off.
        "declined" if body["reason"] == "absent" => Said::Unknown { last: true },
        "declined" => Said::Answer(Outcome::Declined { code: code().unwrap_or(9) }),
        "reversed" | "returned" => Said::Reversed(amount_moved(body)?),
        "pending" | "in_doubt" => Said::Waits,
        _ => Said::Answer(Outcome::Unknown { code: code() }),
    })
}

/// What must hold for any answer about a reference: what it says is the same when it is said again; whether it says anything.
#[cfg(any(test, feature = "fuzzing"))]
pub fn check_said(body: &Value) -> bool {
    let Some(read) = said(body) else { return false };
    let again = match read {
        Said::Answer(Outcome::Settled { amount }) => json!({ "status": "settled", "settled_amount": amount.amount() }),
        Said::Answer(Outcome::Declined { code }) => json!({ "status": "declined", "code": code }),
        Said::Answer(Outcome::Unknown { code }) => json!({ "status": "", "code": code }),
        Said::Reversed(amount) => json!({ "status": "reversed", "amount": amount.amount() }),
        Said::Waits => json!({ "status": "pending" }),
        Said::Unknown { last: true } => json!({ "status": "declined", "reason": "absent" }),
        // More than an answer can say.
        Said::Answer(Outcome::NotFound { .. })
        | Said::Unknown { last: false }
        | Said::NoAnswer(_)
        | Said::Unsent(_) => Value::Null,
    };
    assert_eq!(said(&again), Some(read), "an answer stays the same");
    true
}

/// The result code of that name, as 全銀協's files have it (預金口座振替, 結果コード).
fn code_of(name: &str) -> u16 {
    match name {
        "insufficient_funds" => 1,
        "no_account" => 2,
        "stopped_by_depositor" => 3,
        "no_mandate_at_bank" => 4,
        "stopped_by_collector" => 8,
        _ => 9,
    }
}

/// What an event of the gateway says of a movement.
pub fn outcome_of(body: &Value, status: &str) -> Option<Outcome> {
    let mut body = body.clone();
    body["status"] = status.into();
    match said(&body)? {
        Said::Answer(outcome) => Some(outcome),
        Said::Reversed(_) | Said::Waits | Said::Unknown { .. } | Said::NoAnswer(_) | Said::Unsent(_) => None,
    }
}
