//! "It was not me": the code from a notice, typed. It revokes and stops debits in the same commit.
//!
//! A page and a form, never a link: what is only fetched, by a mail scanner or a preview, does nothing. Whoever has the
//! code has it from the bank, which sent it to the account's true holder; nobody has to log in anywhere.

use super::{Stop, digits, fields, form_token, page, refused, secure};
use crate::bank_desk;
use crate::domain::{Command, NotMeId, OperatorId, Refusal, Row, account, table};
use crate::gateway::{Gateway, NotDone};
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use domain::Key;
use engine::{Actor, ActorKind, EngineError};
use http::{HeaderMap, StatusCode, header};
use maud::{Markup, html};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use web::page::{Words, words};
use web::{Source, chance, cookie};

/// Where it is.
pub(super) const PATH: &str = "/not-me";
/// The cookie that binds the form to its browser.
const VISITOR: &str = "visitor";
const VISITOR_SECONDS: i64 = 3_600;

/// `GET /not-me`.
pub(super) async fn show(State(gateway): State<Gateway>, headers: HeaderMap) -> Response {
    with_visitor(&gateway, &headers, |visitor| form(&gateway, visitor, None, StatusCode::OK))
}

/// Shows a page to a visitor, who is given a cookie if they have none.
pub(super) fn with_visitor(gateway: &Gateway, headers: &HeaderMap, show: impl FnOnce(&str) -> Response) -> Response {
    if let Some(visitor) = cookie::get(headers, VISITOR, secure(gateway)) {
        return show(visitor);
    }
    let visitor = chance::token(gateway.outside().chance.as_ref());
    let mut response = show(visitor.expose());
    let set = cookie::set(VISITOR, visitor.expose(), VISITOR_SECONDS, secure(gateway));
    response.headers_mut().append(header::SET_COOKIE, set);
    response
}

/// The visitor who sent `headers`, as their cookie says.
pub(super) fn visitor(gateway: &Gateway, headers: &HeaderMap) -> String {
    cookie::get(headers, VISITOR, secure(gateway)).unwrap_or_default().to_owned()
}

/// Counts one more code from `source` that is nobody's. Refuses when there were too many.
pub(super) fn count_wrong(gateway: &Gateway, source: Option<IpAddr>) -> Result<(), Stop> {
    let source = source.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let verdict = gateway.pages().wrong_codes.count(source, gateway.outside().now());
    if verdict.allowed { Ok(()) } else { Err(too_many(gateway)) }
}

/// Too many codes were typed.
pub(super) fn too_many(gateway: &Gateway) -> Stop {
    refused(gateway, StatusCode::TOO_MANY_REQUESTS, TOO_MANY).into()
}

/// The field for a code.
pub(super) fn code_input() -> Markup {
    html! {
        label for="code" { (words(CODE)) }
        input #code type="text" name="code" inputmode="numeric" autocomplete="off" maxlength="40" required;
    }
}

fn form(gateway: &Gateway, visitor: &str, error: Option<Words>, status: StatusCode) -> Response {
    let body = html! {
        @if let Some(error) = error { p.error role="alert" { (words(error)) } }
        p { (words(INTRODUCTION)) }
        form method="post" action=(PATH) {
            (form_token(gateway, visitor, PATH))
            (code_input())
            button type="submit" { (words(STOP)) }
        }
    };
    page(gateway, TITLE, Vec::new(), body).with_status(status)
}

/// `POST /not-me`.
pub(super) async fn submit(
    State(gateway): State<Gateway>,
    source: Option<Extension<Source>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Stop> {
    let visitor = visitor(&gateway, &headers);
    let fields = fields(&gateway, &visitor, PATH, &headers, &body)?;
    let code = gateway.not_me_id(&digits(fields.get("code")));
    match gateway.row(Key::new(table::NOT_ME, code.0)).await {
        Ok(Some(_)) => {}
        Ok(None) => {
            count_wrong(&gateway, source.map(|Extension(Source(address))| address))?;
            return Ok(form(&gateway, &visitor, Some(UNKNOWN), StatusCode::UNPROCESSABLE_ENTITY));
        }
        Err(_) => return Ok(super::unavailable(&gateway)),
    }
    let Ok(command) = disown(&gateway, code).await else {
        return Ok(super::unavailable(&gateway));
    };
    let actor = Actor { kind: ActorKind::Anyone, id: code.0 };
    Ok(match gateway.submit(command, actor, None).await {
        Ok(_) => {
            // Where nobody can say now whether a link goes on, nothing is said to be over that may not be.
            let goes_on = some_go_on(&gateway, code).await.unwrap_or(true);
            let stopped = if goes_on { STOPPED_UNCONFIRMED } else { STOPPED };
            let body = html! { p { (words(stopped)) } p { (words(NEXT)) } };
            page(&gateway, TITLE, Vec::new(), body).into_response()
        }
        Err(NotDone::Refused(Refusal::Unknown { .. } | Refusal::Expired { .. })) => {
            form(&gateway, &visitor, Some(UNKNOWN), StatusCode::UNPROCESSABLE_ENTITY)
        }
        Err(NotDone::Refused(refusal)) => {
            tracing::error!(?refusal, "a code could not be used");
            super::unavailable(&gateway)
        }
        Err(NotDone::Engine(_)) => super::unavailable(&gateway),
    })
}

/// The command that the typed code comes to: it names what each operator calls the account, and the account's bank.
pub(crate) async fn disown(gateway: &Gateway, code: NotMeId) -> Result<Command, EngineError> {
    let row = gateway.row(Key::new(table::NOT_ME, code.0)).await?;
    let row = row.and_then(|row| if let Row::NotMe(row) = row.as_ref() { Some(*row) } else { None });
    let clients = gateway.oauth().clients.all();
    let (mut refs, mut listener, mut wallet) = (Vec::new(), None, None);
    if let Some(row) = row {
        // Whoever has a live mandate is named too, should they be no client any more.
        let live = gateway.account(row.account).await?.map(|account| account.live).unwrap_or_default();
        let operators: BTreeSet<OperatorId> = clients
            .iter()
            .map(|client| client.operator)
            .chain(live.into_iter().map(|(operator, _)| operator))
            .collect();
        refs.extend(operators.into_iter().map(|operator| (operator, gateway.account_ref(operator, row.account))));
        listener = Some(bank_desk::listener(gateway, row.bank));
        wallet = gateway.mandate(row.mandate).await?.map(|mandate| mandate.wallet);
    }
    let account = row.map(|row| row.account);
    Ok(Command::Account(account::Command::NotMe { code, account, refs, listener, wallet }))
}

/// Whether a link of the account that the code was about goes on: one that its holder has confirmed.
async fn some_go_on(gateway: &Gateway, code: NotMeId) -> Result<bool, EngineError> {
    let row = gateway.row(Key::new(table::NOT_ME, code.0)).await?;
    let Some(Row::NotMe(row)) = row.as_deref() else { return Ok(false) };
    Ok(gateway.account(row.account).await?.is_some_and(|account| !account.live.is_empty()))
}

const TITLE: Words = Words { ja: "口座振替受付・心当たりがない", en: "Account transfers: it was not me" };
const INTRODUCTION: Words = Words {
    ja: "銀行からの通知に心当たりがなければ、通知にあるコードを入力してください。ウォレットへの登録は取り消され、引き落としはすぐに止まります。",
    en: "If a notice from your bank means nothing to you, type its code. The link is revoked and debits stop at once.",
};
const CODE: Words = Words { ja: "通知のコード(16桁)", en: "The code in the notice (16 digits)" };
const STOP: Words = Words { ja: "心当たりがない。すぐに止める", en: "It was not me. Stop it now" };
const STOPPED: Words = Words {
    ja: "この口座のウォレットへの登録をすべて取り消し、引き落としを止めました。ウォレットの運営会社と銀行に知らせました。",
    en: "Every link of wallets to your account is revoked, and debits are stopped. The wallets' operators and your bank have been told.",
};
const STOPPED_UNCONFIRMED: Words = Words {
    ja: "ご本人の確認が済んでいない登録をすべて取り消し、その引き落としを止めました。以前にカードなどで確認された登録は続いています。それにも心当たりがなければ、銀行に申し出てください。ウォレットの運営会社と銀行に知らせました。",
    en: "Every link that was never confirmed is revoked, and its debits are stopped. A link that was confirmed, with your card for instance, goes on: if that is not yours either, tell your bank. The wallets' operators and your bank have been told.",
};
const NEXT: Words = Words {
    ja: "通帳や明細を確かめ、覚えのない引き落としがあれば、銀行またはウォレットの運営会社に申し出てください。全額が補償されます。暗証番号は銀行で変更してください。",
    en: "Look at your statement. Report any debit that is not yours to your bank or to the operator: you get all of it back. Have your PIN changed at your bank.",
};
const UNKNOWN: Words = Words {
    ja: "このコードは使えません。通知のコードをもう一度ご確認ください。",
    en: "This code is not good. Check the code in the notice.",
};
const TOO_MANY: Words = Words {
    ja: "コードの入力が多すぎます。1時間ほどしてからお試しください。急ぐときは銀行にお電話ください。",
    en: "Too many codes were typed. Try again in an hour, or telephone your bank.",
};
