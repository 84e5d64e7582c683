//! "It was me": the account's true holder confirms a mandate by a channel that did not grant it.
//!
//! The code from the notice says which mandate; beside it comes the number on the cash card, which the bank checks, or the
//! number from a letter that the bank sent. (An approval in the bank's own app comes from the bank's desk.) Until then the
//! mandate debits little; age alone never lifts that.

use super::attempt::settle;
use super::not_me::{code_input, count_wrong, too_many, visitor, with_visitor};
use super::notice::About;
use super::{Stop, digits, fields, form_token, page, refused};
use crate::connector::{Attempt, AuthenticationOutcome};
use crate::domain::account::NotMe;
use crate::domain::{AccountId, Command, Factor, MandateId, NotMeId, Refusal, Row, mandate, table};
use crate::gateway::{Gateway, NotDone};
use crate::oauth::actor;
use crate::windows::{Ended, Try, Verdict};
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use domain::Key;
use http::{HeaderMap, StatusCode};
use maud::html;
use std::collections::BTreeMap;
use std::net::IpAddr;
use web::page::{Words, words};
use web::{Secret, Source};

/// Where it is.
pub(super) const PATH: &str = "/confirm";

/// `GET /confirm`.
pub(super) async fn show(State(gateway): State<Gateway>, headers: HeaderMap) -> Response {
    with_visitor(&gateway, &headers, |visitor| form(&gateway, visitor, None, StatusCode::OK))
}

fn form(gateway: &Gateway, visitor: &str, error: Option<Words>, status: StatusCode) -> Response {
    let body = html! {
        @if let Some(error) = error { p.error role="alert" { (words(error)) } }
        p { (words(INTRODUCTION)) }
        form method="post" action=(PATH) autocomplete="off" {
            (form_token(gateway, visitor, PATH))
            (code_input())
            label for="card_serial" { (words(CARD)) }
            input #card_serial type="text" name="card_serial" maxlength="40";
            label for="letter" { (words(LETTER)) }
            input #letter type="text" name="letter" inputmode="numeric" maxlength="40";
            button type="submit" { (words(CONFIRM)) }
        }
    };
    page(gateway, TITLE, Vec::new(), body).with_status(status)
}

/// `POST /confirm`. Whatever does not fit is answered alike.
pub(super) async fn submit(
    State(gateway): State<Gateway>,
    source: Option<Extension<Source>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Stop> {
    let source = source.map(|Extension(Source(address))| address);
    let visitor = visitor(&gateway, &headers);
    let fields = fields(&gateway, &visitor, PATH, &headers, &body)?;
    let unknown = |gateway: &Gateway| form(gateway, &visitor, Some(UNKNOWN), StatusCode::UNPROCESSABLE_ENTITY);
    let code = gateway.not_me_id(&digits(fields.get("code")));
    let Ok(row) = notice(&gateway, code).await else {
        return Ok(super::unavailable(&gateway));
    };
    let Some(row) = row else {
        count_wrong(&gateway, source)?;
        return Ok(unknown(&gateway));
    };
    if !gateway.pages().confirmations.count(code, gateway.outside().now()).allowed {
        return Err(too_many(&gateway));
    }
    let channel = match (fields.get("letter"), fields.get("card_serial")) {
        ("", "") => None,
        ("", serial) => match try_card(&gateway, &row, Secret::new(serial.to_owned()), source).await {
            Some(Card::Right) => Some(Factor::CardSerial),
            Some(Card::Wrong) => None,
            Some(Card::TooOften) => {
                return Ok(form(&gateway, &visitor, Some(TOO_OFTEN), StatusCode::TOO_MANY_REQUESTS));
            }
            None => return Ok(refused(&gateway, StatusCode::SERVICE_UNAVAILABLE, super::LATER)),
        },
        (letter, _) => letter_code(&gateway, row.mandate, row.account).is(&digits(letter)).then_some(Factor::Letter),
    };
    let Some(channel) = channel else {
        return Ok(unknown(&gateway));
    };
    let command = Command::Mandate(mandate::Command::Confirm { mandate: row.mandate, channel, by: None });
    Ok(match gateway.submit(command, actor(row.operator), None).await {
        Ok(_) => page(&gateway, TITLE, Vec::new(), html! { p { (words(CONFIRMED)) } }).into_response(),
        Err(NotDone::Refused(Refusal::SameChannel)) => {
            form(&gateway, &visitor, Some(SAME_CHANNEL), StatusCode::UNPROCESSABLE_ENTITY)
        }
        Err(NotDone::Refused(_)) => unknown(&gateway),
        Err(NotDone::Engine(_)) => super::unavailable(&gateway),
    })
}

/// What the notice with this code was about, while nobody has said "not me" with it.
async fn notice(gateway: &Gateway, code: NotMeId) -> Result<Option<NotMe>, engine::EngineError> {
    let now = gateway.outside().now();
    let row = gateway.row(Key::new(table::NOT_ME, code.0)).await?;
    let row = row.and_then(|row| if let Row::NotMe(row) = row.as_ref() { Some(*row) } else { None });
    Ok(row.filter(|row| row.used.is_none() && now < row.expires))
}

/// What a number is that somebody typed as that of a cash card.
enum Card {
    Right,
    Wrong,
    /// Too many were tried: the bank was not asked.
    TooOften,
}

/// Asks the bank whether the number is that of the account's cash card; none when it gives no answer. It is a factor like any
/// other: the windows count it for the account, the wallet and the source, and the true holder hears of a wrong one.
async fn try_card(gateway: &Gateway, row: &NotMe, serial: Secret<String>, source: Option<IpAddr>) -> Option<Card> {
    let details = gateway.account(row.account).await.ok()??.details;
    let wallet = gateway.mandate(row.mandate).await.ok()??.wallet;
    let (account, _) = gateway.unseal(row.account, &details).ok()?;
    let online = gateway.online(row.bank)?;
    let tried = Try {
        bank: row.bank,
        account: Some(row.account),
        branch: &account.branch,
        number: &account.number,
        source,
        operator: row.operator,
        wallet: &wallet,
        value: None,
        is_static: false,
    };
    let Verdict::Allow(reserved) = gateway.windows().judge(&tried, gateway.outside().now()) else {
        return Some(Card::TooOften);
    };
    let factors = BTreeMap::from([(Factor::CardSerial, serial)]);
    let attempt = Attempt { id: gateway.new_id().to_string(), account: account.clone(), factors };
    let ended = match online.authenticate(&attempt).await {
        Ok(answer) if answer.outcome == AuthenticationOutcome::Succeeded => Ended::Right,
        Ok(_) => Ended::Wrong,
        Err(_) => Ended::Unanswered,
    };
    settle(gateway, row.bank, &reserved, ended).await;
    match ended {
        Ended::Right => Some(Card::Right),
        Ended::Wrong => {
            let about = About::failures(row, account);
            gateway.pages().notices.gather(row.account, about, gateway.outside().now());
            Some(Card::Wrong)
        }
        Ended::Unanswered => None,
    }
}

/// The number that a letter to the address which the bank knows carries: of this mandate and this account alone, and never
/// stored. Two of whoever types it are needed: the notice and the letter.
pub(crate) fn letter_code(gateway: &Gateway, mandate: MandateId, account: AccountId) -> Secret<String> {
    let whole = gateway.letter_id(mandate, account).number();
    Secret::new(format!("{:012}", whole % 1_000_000_000_000))
}

const TITLE: Words = Words { ja: "口座振替受付・本人の確認", en: "Account transfers: it was me" };
const INTRODUCTION: Words = Words {
    ja: "ご自分で登録した口座であることを、登録のときとは別の方法で確認します。確認が済むまで、引き落としは1日1万円、合計3万円までです。通知のコードと、キャッシュカードの製造番号か、銀行から郵便で届いた番号のどちらかを入力してください。",
    en: "Confirm by another way than before that you linked your account yourself. Until then it is debited 10,000 yen a day and 30,000 in all at most. Type the code from the notice, and either the number printed on your cash card or the one from your bank's letter.",
};
const CARD: Words = Words { ja: "キャッシュカードの製造番号", en: "Number printed on the cash card" };
const LETTER: Words = Words { ja: "郵便で届いた番号", en: "The number from the letter" };
const CONFIRM: Words = Words { ja: "自分で登録したことを確認する", en: "Confirm that it was me" };
const CONFIRMED: Words =
    Words { ja: "確認しました。ありがとうございます。", en: "It is confirmed. Thank you." };
const UNKNOWN: Words = Words {
    ja: "確認できませんでした。コードと番号をもう一度ご確認ください。",
    en: "It could not be confirmed. Check the code and the number.",
};
const TOO_OFTEN: Words = Words {
    ja: "製造番号の入力が多すぎます。しばらくしてからお試しになるか、銀行から届いた番号を入力してください。",
    en: "Too many card numbers were typed. Try again later, or type the number from your bank's letter.",
};
const SAME_CHANNEL: Words = Words {
    ja: "登録のときに使った方法では確認できません。別の方法をお使いください。",
    en: "The way that was used to link cannot confirm it. Use another one.",
};
