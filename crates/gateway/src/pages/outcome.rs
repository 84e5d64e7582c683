//! What came of an attempt: the comparison with the verified person, the notice, the grant, and the way back.
//!
//! Another person's account looks like a wrong PIN: the same page after the same steps. The true holder hears of it.
//! The order of a grant is fixed: the code of the notice is durable before the bank sends it, and the bank has sent it
//! before the grant is.

use super::attempt::{self, Proven, Tried};
use super::consent::{leave_form, origins};
use super::notice::{self, About, owe};
use super::{Visit, back, consent, factors, go_to, page, unavailable};
use crate::connector::AccountNumber;
use crate::domain::account::NoticeKind;
use crate::domain::bank::Function;
use crate::domain::mandate::{self, Grant, Status};
use crate::domain::name::{self, Grade};
use crate::domain::{BankCode, Command, Receipt, Strength};
use crate::gateway::{Gateway, NotDone};
use crate::oauth::{Link, Stage, actor};
use crate::windows::Ended;
use axum::response::Response;
use http::StatusCode;
use maud::html;
use web::chance;
use web::page::{Words, words};

/// Attempts of one link that the bank may see.
const ATTEMPTS_MAX: u32 = 3;

/// What a person is told, on the page that they were on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// A field has not the form that it must have. Nobody was asked.
    Form,
    /// It did not work: nobody learns what was wrong.
    Failed,
    /// More than static knowledge is wanted.
    TooWeak,
    /// Too much was tried.
    Throttled,
    /// The bank did not answer.
    Unreachable,
}

impl Failure {
    pub(super) const fn status(self) -> StatusCode {
        match self {
            Self::Form | Self::Failed | Self::TooWeak => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Throttled => StatusCode::TOO_MANY_REQUESTS,
            Self::Unreachable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    pub(super) const fn words(self) -> Words {
        match self {
            Self::Form => Words {
                ja: "入力の形式をご確認ください。支店番号は3桁、口座番号は7桁、暗証番号は4桁の数字です。",
                en: "Check the form: a branch has 3 digits, an account number 7, a PIN 4.",
            },
            Self::Failed => Words {
                ja: "認証できませんでした。入力内容、口座の名義がご本人のものであること、銀行に連絡先を届けてあることをご確認ください。",
                en: "It did not work. Check what you typed, that the account is in your own name, and that your bank has a contact of yours.",
            },
            Self::TooWeak => Words {
                ja: "安全のため、別の認証方法をお使いください。",
                en: "For your safety, another way of authentication is needed.",
            },
            Self::Throttled => Words {
                ja: "ただいま認証を受け付けられません。しばらくしてからお試しください。",
                en: "No attempt is taken at the moment. Try again in a while.",
            },
            Self::Unreachable => Words {
                ja: "銀行のシステムから返事がありません。しばらくしてからお試しください。",
                en: "The bank does not answer. Try again in a while.",
            },
        }
    }
}

/// Answers the browser. The link was `Busy` meanwhile; `before` is what it goes back to when nothing was tried.
pub(super) async fn respond(gateway: &Gateway, visit: Visit, tried: Tried, before: Stage) -> Response {
    match tried {
        Tried::Proven(proven) => proven_by_bank(gateway, visit, &proven).await,
        Tried::Challenge(challenge) => {
            let again = matches!(before, Stage::Challenge(_));
            if challenge.first_factor_right && !again && gateway.options().policy.tells_true_holder {
                let id = gateway.account_id(visit.link.asked.bank, &challenge.account);
                let about = owe(gateway, About::of(&visit.link, challenge.account.clone(), NoticeKind::FirstFactor));
                gateway.pages().notices.hold(id, about, gateway.outside().now());
            }
            set(gateway, &visit.link, Stage::Challenge(challenge.clone()));
            if again {
                return factors::show_challenge(gateway, &visit, &challenge, Some(Failure::Failed));
            }
            go_to("/link")
        }
        Tried::Failed { account: Some(account), first_factor_right: true } => {
            first_factor(gateway, &visit.link, account);
            failed(gateway, visit).await
        }
        Tried::Failed { account: Some(account), first_factor_right: false } => {
            plain_failure(gateway, &visit.link, account);
            failed(gateway, visit).await
        }
        Tried::Failed { account: None, .. } => failed(gateway, visit).await,
        Tried::TooWeak => strengthen(gateway, visit).await,
        Tried::Throttled(seconds) => {
            let mut response = stay(gateway, &visit, before, Failure::Throttled).await;
            response.headers_mut().insert(http::header::RETRY_AFTER, seconds.into());
            response
        }
        Tried::Unreachable => stay(gateway, &visit, before, Failure::Unreachable).await,
    }
}

/// The form once more, with the sets of factors that are more than static knowledge; without one the link ends.
async fn strengthen(gateway: &Gateway, mut visit: Visit) -> Response {
    let now = gateway.outside().now();
    visit.link.needs_possession = true;
    let changed = gateway.oauth().links.change(visit.link.mandate, now, |link| {
        link.needs_possession = true;
        link.stage = Stage::Factors;
        Some(())
    });
    if changed.is_none() {
        return super::nothing(gateway);
    }
    factors::show(gateway, &visit, Some(Failure::TooWeak)).await
}

/// Nothing was tried: the person is where they were.
async fn stay(gateway: &Gateway, visit: &Visit, before: Stage, failure: Failure) -> Response {
    set(gateway, &visit.link, before.clone());
    match before {
        Stage::Challenge(challenge) => factors::show_challenge(gateway, visit, &challenge, Some(failure)),
        Stage::Factors => factors::show(gateway, visit, Some(failure)).await,
        Stage::Consent | Stage::AtBank(_) | Stage::Busy | Stage::Failed | Stage::Granted => {
            consent::show(gateway, visit, Some(failure))
        }
    }
}

/// Somebody knew a first factor: the account's true holder is told at once, in the background. What was held says the same.
pub(super) fn first_factor(gateway: &Gateway, link: &Link, account: AccountNumber) {
    if !gateway.options().policy.tells_true_holder {
        return;
    }
    let notices = &gateway.pages().notices;
    let id = gateway.account_id(link.asked.bank, &account);
    let held = notices.take_held(link.asked.bank, link.mandate, id);
    let about = held.unwrap_or_else(|| owe(gateway, About::of(link, account, NoticeKind::FirstFactor)));
    notices.push(about, gateway.outside().now());
}

/// Somebody knew nothing, or at least not the second factor: then what waited for it is told now.
fn plain_failure(gateway: &Gateway, link: &Link, account: AccountNumber) {
    if !gateway.options().policy.tells_true_holder {
        return;
    }
    let (notices, now) = (&gateway.pages().notices, gateway.outside().now());
    let id = gateway.account_id(link.asked.bank, &account);
    if let Some(first_factor) = notices.take_held(link.asked.bank, link.mandate, id) {
        return notices.push(first_factor, now);
    }
    notices.gather(id, About::of(link, account, NoticeKind::Failures), now);
}

fn set(gateway: &Gateway, link: &Link, stage: Stage) {
    let now = gateway.outside().now();
    let changed = gateway.oauth().links.change(link.mandate, now, |link| {
        link.stage = stage;
        Some(())
    });
    if changed.is_none() {
        tracing::debug!(mandate = %link.mandate, "a link ended while its bank was asked");
    }
}

/// It did not work. The last attempt ends the link.
async fn failed(gateway: &Gateway, visit: Visit) -> Response {
    let now = gateway.outside().now();
    let beginning = beginning(gateway, &visit.link);
    let is_last = gateway.oauth().links.change(visit.link.mandate, now, |link| {
        link.attempts += 1;
        let is_last = link.attempts >= ATTEMPTS_MAX;
        link.stage = if is_last { Stage::Failed } else { beginning.clone() };
        Some(is_last)
    });
    match is_last {
        None => super::nothing(gateway),
        Some(false) => show_again(gateway, &visit, Failure::Failed).await,
        Some(true) => match refuse(gateway, &visit.link).await {
            Ok(()) => factors::failed(gateway, &visit),
            Err(_) => unavailable(gateway),
        },
    }
}

/// Where a further attempt begins: on our form, or with the way out to the bank's own page. What belongs on a bank's own
/// page is never asked for on ours.
fn beginning(gateway: &Gateway, link: &Link) -> Stage {
    let has_own_page = gateway.bank(link.asked.bank).is_some_and(|bank| bank.own_page.is_some());
    if has_own_page { Stage::Consent } else { Stage::Factors }
}

async fn show_again(gateway: &Gateway, visit: &Visit, failure: Failure) -> Response {
    match beginning(gateway, &visit.link) {
        Stage::Factors => factors::show(gateway, visit, Some(failure)).await,
        Stage::Consent | Stage::Challenge(_) | Stage::AtBank(_) | Stage::Busy | Stage::Failed | Stage::Granted => {
            consent::show(gateway, visit, Some(failure))
        }
    }
}

/// Nothing can be tried at this bank now: the link ends.
pub(super) async fn give_up(gateway: &Gateway, visit: &Visit, why: Words) -> Response {
    set(gateway, &visit.link, Stage::Failed);
    if refuse(gateway, &visit.link).await.is_err() {
        return unavailable(gateway);
    }
    let body = html! { p.error role="alert" { (words(why)) } (leave_form(gateway, visit)) };
    page(gateway, super::NOTHING, origins(gateway, &visit.link), body).with_status(StatusCode::OK)
}

/// The mandate is refused; one that is over already stays what it is.
async fn refuse(gateway: &Gateway, link: &Link) -> Result<(), engine::EngineError> {
    let command = Command::Mandate(mandate::Command::Refuse { mandate: link.mandate });
    match gateway.submit(command, actor(link.operator), None).await {
        Ok(_) | Err(NotDone::Refused(_)) => Ok(()),
        Err(NotDone::Engine(error)) => Err(error),
    }
}

/// The bank is sure of its customer: is it the person for whom the operator asks?
async fn proven_by_bank(gateway: &Gateway, visit: Visit, proven: &Proven) -> Response {
    let holder = &visit.link.asked.holder;
    let grade = name::grade(holder.name_kana.expose(), proven.customer.name_kana.expose());
    let birth_date_matches = holder.birth_date.to_string() == *proven.customer.birth_date.expose();
    let policy = &gateway.options().policy;
    let cannot_be_told = policy.tells_true_holder && !proven.customer.has_contact;
    let bank = visit.link.asked.bank;
    let Ok(suffices) = suffices(gateway, bank, proven).await else {
        attempt::settle_all(gateway, bank, &proven.reserved, Ended::Unanswered).await;
        set(gateway, &visit.link, beginning(gateway, &visit.link));
        return show_again(gateway, &visit, Failure::Unreachable).await;
    };
    if policy.is_another(grade, birth_date_matches) || cannot_be_told || !suffices {
        let mandate = visit.link.mandate;
        tracing::info!(%mandate, grade = grade.name(), birth_date_matches, suffices, "not this account");
        attempt::settle_all(gateway, bank, &proven.reserved, Ended::Wrong).await;
        first_factor(gateway, &visit.link, proven.account.clone());
        return failed(gateway, visit).await;
    }
    let granted = grant(gateway, &visit.link, proven, (grade, birth_date_matches)).await;
    let ended = match granted {
        Granted::Yes(_) => Ended::Right,
        Granted::No => Ended::Wrong,
        Granted::NotNow => Ended::Unanswered,
    };
    attempt::settle_all(gateway, bank, &proven.reserved, ended).await;
    match granted {
        Granted::Yes(code) => back(gateway, &visit.link, &[("code", code.expose())]),
        Granted::No => failed(gateway, visit).await,
        Granted::NotNow => {
            set(gateway, &visit.link, beginning(gateway, &visit.link));
            show_again(gateway, &visit, Failure::Unreachable).await
        }
    }
}

/// Whether the rules would grant a mandate on the factors that were given. Where they would not, it is refused here, like a
/// wrong PIN: a mandate that is refused at once would tell its operator, and so whoever tries, that the PIN was right.
async fn suffices(gateway: &Gateway, bank: BankCode, proven: &Proven) -> Result<bool, engine::EngineError> {
    if proven.factors.strength() > Strength::Static {
        return Ok(true);
    }
    let is_stopped = gateway.bank_row(bank).await?.stop(Function::StaticFactors).is_some();
    let account = gateway.account(gateway.account_id(bank, &proven.account)).await?;
    Ok(!is_stopped && account.is_none_or(|account| account.disowned == 0))
}

enum Granted {
    Yes(web::Secret<String>),
    No,
    NotNow,
}

/// Tells the true holder that a link is about to be made, where the policy says so: how many contacts it reached; `None` if
/// they could not be told.
async fn tell_of_grant(gateway: &Gateway, link: &Link, proven: &Proven) -> Option<u32> {
    if !gateway.options().policy.tells_true_holder {
        return Some(0);
    }
    let notices = &gateway.pages().notices;
    // One notice says that the first factor was known and what came of it, if none went out before.
    let id = gateway.account_id(link.asked.bank, &proven.account);
    let held = notices.take_held(link.asked.bank, link.mandate, id);
    let mut about = About::of(link, proven.account.clone(), NoticeKind::Linked);
    about.by_second_step = held.is_some();
    match notice::tell(gateway, &about, proven.customer.name_kana.expose()).await {
        Ok(notified) => {
            gateway.oauth().departures.told(link.mandate, id, gateway.outside().now());
            if let Some(first_factor) = held {
                notice::told(gateway, &first_factor).await;
            }
            Some(notified)
        }
        Err(error) => {
            tracing::warn!(mandate = %link.mandate, %error, "the true holder could not be told: no grant");
            if let Some(first_factor) = held {
                notices.push(first_factor, gateway.outside().now());
            }
            None
        }
    }
}

/// Grants once the true holder is told, then makes the code that the operator collects the grant with.
async fn grant(gateway: &Gateway, link: &Link, proven: &Proven, (grade, birth_date_matches): (Grade, bool)) -> Granted {
    let Some(contacts_notified) = tell_of_grant(gateway, link, proven).await else { return Granted::NotNow };
    let account = gateway.account_id(link.asked.bank, &proven.account);
    let compared = match grade {
        Grade::Match | Grade::MatchTruncated | Grade::No => None,
        Grade::Close | Grade::Undecidable => Some(link.asked.holder.name_kana.expose().as_str()),
    };
    let name = proven.customer.name_kana.expose();
    let _sealed = gateway.forgetting().hold().await;
    let Ok(details) = gateway.details_compared(link.asked.bank, &proven.account, name, compared) else {
        return Granted::NotNow;
    };
    let grant = Grant {
        account,
        account_ref: gateway.account_ref(link.operator, account),
        name: grade,
        birth_date_matches,
        factors: proven.factors,
        contact_notified: contacts_notified > 0,
    };
    let command = mandate::Command::Grant { mandate: link.mandate, grant, details };
    match gateway.submit(Command::Mandate(command), actor(link.operator), None).await {
        Ok(Receipt::Mandate { status: Status::Pending | Status::InReview, .. }) => {
            let code = chance::token(gateway.outside().chance.as_ref());
            let now = gateway.outside().now();
            match gateway.oauth().links.grant(link.mandate, account, &code, now) {
                Some(_) => Granted::Yes(code),
                // The link's ten minutes ended in this moment: the grant lapses by itself.
                None => Granted::No,
            }
        }
        Ok(Receipt::Mandate { .. } | Receipt::Done | Receipt::Movement { .. } | Receipt::Proposed { .. })
        | Err(NotDone::Refused(_)) => Granted::No,
        Err(NotDone::Engine(_)) => Granted::NotNow,
    }
}
