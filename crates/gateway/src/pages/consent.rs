//! The consent: who asks, for whom, at which bank, how much. And the way out, at every step.

use super::outcome::Failure;
use super::{
    CONSENT, LEAVE, Stop, Visit, back, bank_return, closed, factors, fields, form_token, go_to, nothing, page, refused,
    unavailable, visit,
};
use crate::domain::{Command, mandate};
use crate::gateway::{Gateway, NotDone};
use crate::oauth::{Link, Stage, actor, origin_of};
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use ledger::Yen;
use maud::{Markup, html};
use web::Source;
use web::page::{Words, words};

/// `GET /link`: where this browser's link is.
pub(super) async fn link(State(gateway): State<Gateway>, headers: HeaderMap) -> Result<Response, Stop> {
    let now = gateway.outside().now();
    let visit = visit(&gateway, &headers, now)?;
    match visit.link.stage {
        Stage::Consent | Stage::Factors | Stage::Challenge(_) => closed::check(&gateway, &visit, now).await?,
        Stage::AtBank(_) | Stage::Busy | Stage::Failed | Stage::Granted => {}
    }
    Ok(match &visit.link.stage {
        Stage::Consent => show(&gateway, &visit, None),
        Stage::Factors => factors::show(&gateway, &visit, None).await,
        Stage::Challenge(challenge) => factors::show_challenge(&gateway, &visit, challenge, None),
        Stage::AtBank(_) => waiting(&gateway, &visit, AT_BANK),
        Stage::Busy => waiting(&gateway, &visit, BUSY),
        Stage::Failed => factors::failed(&gateway, &visit),
        Stage::Granted => refused(&gateway, StatusCode::OK, DONE),
    })
}

/// The consent page, after `failure` of an attempt if there was one.
pub(super) fn show(gateway: &Gateway, visit: &Visit, failure: Option<Failure>) -> Response {
    let link = &visit.link;
    let Some((client, bank)) = gateway.oauth().clients.get(&link.client).zip(gateway.bank(link.asked.bank)) else {
        return nothing(gateway);
    };
    let name = &client.settings.name;
    let body = html! {
        @if let Some(failure) = failure { p.error role="alert" { (words(failure.words())) } }
        p { span lang="ja" { (name.ja) "が、あなたの銀行口座から引き落とす許可を求めています。" }
            span.en lang="en" { (name.en) " asks to debit your bank account." } }
        dl {
            dt { (words(OPERATOR)) } dd { span lang="ja" { (name.ja) } " / " span lang="en" { (name.en) } }
            dt { (words(HOLDER)) } dd { (link.asked.holder.masked) }
            dt { (words(BANK)) } dd { (bank.name) " / " (bank.name_en) }
            dt { (words(PER_TIME)) } dd { (yen(link.asked.limits.per_time)) }
            dt { (words(PER_MONTH)) } dd { (yen(link.asked.limits.per_month)) }
        }
        p.error { (words(WARNING)) }
        form method="post" action=(CONSENT) {
            (form_token(gateway, &visit.token, CONSENT))
            button type="submit" { (words(YES)) }
        }
        (leave_form(gateway, visit))
    };
    let status = failure.map_or(StatusCode::OK, Failure::status);
    page(gateway, TITLE, origins(gateway, link), body).with_status(status)
}

/// Where the forms of a link may lead: back to its operator, and on to its bank.
pub(super) fn origins(gateway: &Gateway, link: &Link) -> Vec<String> {
    let operator = origin_of(&link.asked.redirect_uri);
    let bank = gateway.bank(link.asked.bank).and_then(bank_return::origin);
    operator.into_iter().chain(bank).collect()
}

/// The way out, which every page of a link has.
pub(super) fn leave_form(gateway: &Gateway, visit: &Visit) -> Markup {
    html! {
        form method="post" action=(LEAVE) {
            (form_token(gateway, &visit.token, LEAVE))
            button.second type="submit" { (words(NO)) }
        }
    }
}

fn waiting(gateway: &Gateway, visit: &Visit, what: Words) -> Response {
    let body = html! { p { (words(what)) } (leave_form(gateway, visit)) };
    page(gateway, TITLE, origins(gateway, &visit.link), body).into_response()
}

/// `POST /link/consent`: yes.
pub(super) async fn consent(
    State(gateway): State<Gateway>,
    source: Option<Extension<Source>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Stop> {
    let now = gateway.outside().now();
    let visit = visit(&gateway, &headers, now)?;
    fields(&gateway, &visit.token, CONSENT, &headers, &body)?;
    closed::check(&gateway, &visit, now).await?;
    let mandate = visit.link.mandate;
    let Some(bank) = gateway.bank(visit.link.asked.bank) else {
        return Ok(nothing(&gateway));
    };
    let consented = gateway.oauth().links.change(mandate, now, |link| {
        (link.stage == Stage::Consent)
            .then(|| link.stage = if bank.own_page.is_some() { Stage::Busy } else { Stage::Factors })
    });
    if consented.is_none() {
        // A second click, or the way back in the browser's history.
        return Ok(go_to("/link"));
    }
    let command = Command::Mandate(mandate::Command::Authenticate { mandate });
    match gateway.submit(command, actor(visit.link.operator), None).await {
        Err(NotDone::Engine(_)) => return Ok(unavailable(&gateway)),
        Err(NotDone::Refused(_)) => return Ok(outdated(&gateway, &visit)),
        Ok(_) => {}
    }
    if bank.own_page.is_none() {
        return Ok(go_to("/link"));
    }
    let source = source.map(|Extension(Source(source))| source);
    Ok(bank_return::send_out(&gateway, visit, bank, source).await)
}

/// The mandate is over: somebody revoked it, or its time ran out.
fn outdated(gateway: &Gateway, visit: &Visit) -> Response {
    gateway.oauth().links.close(visit.link.mandate, gateway.outside().now());
    back(gateway, &visit.link, &[("error", "access_denied")])
}

/// `POST /link/leave`: no.
pub(super) async fn leave(State(gateway): State<Gateway>, headers: HeaderMap, body: Bytes) -> Result<Response, Stop> {
    let now = gateway.outside().now();
    let visit = visit(&gateway, &headers, now)?;
    fields(&gateway, &visit.token, LEAVE, &headers, &body)?;
    if visit.link.stage == Stage::Granted {
        return Ok(refused(&gateway, StatusCode::OK, DONE));
    }
    gateway.oauth().links.close(visit.link.mandate, now);
    let command = Command::Mandate(mandate::Command::Abandon { mandate: visit.link.mandate });
    // A refusal says that the mandate is over already, which is what the person wants.
    Ok(match gateway.submit(command, actor(visit.link.operator), None).await {
        Err(NotDone::Engine(_)) => unavailable(&gateway),
        Ok(_) | Err(NotDone::Refused(_)) => back(&gateway, &visit.link, &[("error", "access_denied")]),
    })
}

/// Yen as people write them: `¥10,000`.
pub(super) fn yen(amount: Yen) -> String {
    let digits = amount.amount().to_string();
    let mut text = String::from("¥");
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

const TITLE: Words = Words { ja: "口座振替の登録", en: "Link a bank account" };
const OPERATOR: Words = Words { ja: "申込先", en: "Asked by" };
const HOLDER: Words = Words { ja: "ウォレットの名義", en: "Wallet of" };
const BANK: Words = Words { ja: "銀行", en: "Bank" };
const PER_TIME: Words = Words { ja: "1回の上限", en: "At a time, at most" };
const PER_MONTH: Words = Words { ja: "1か月の上限", en: "A month, at most" };
const WARNING: Words = Words {
    ja: "ウォレットの名義がご自分でなければ、続けないでください。誰かに頼まれて登録すると、あなたの口座からその人のウォレットにお金が移ります。",
    en: "If the wallet is not yours, stop here. Somebody who asks you to go on would get the money from your account.",
};
const YES: Words = Words { ja: "同意して銀行の認証へ進む", en: "Agree, and go on to the bank" };
const NO: Words = Words { ja: "やめてウォレットに戻る", en: "Stop, and go back to the wallet" };
const AT_BANK: Words =
    Words { ja: "銀行の画面で手続きを続けてください。", en: "Go on at the bank's page." };
const BUSY: Words = Words {
    ja: "銀行の返事を待っています。しばらくお待ちください。",
    en: "The bank is being asked. Please wait.",
};
const DONE: Words = Words {
    ja: "この手続きは終わっています。ウォレットに戻ってください。",
    en: "This is done. Go back to your wallet.",
};
