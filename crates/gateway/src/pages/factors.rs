//! The form of a bank whose page we host: which factors it asks for, and its second step.
//!
//! Which sets of factors suffice is the bank's policy; which of them are offered now is the windows' and the switches' word.
//! What was typed is never shown again, not even after an error.

use super::attempt::{self, Typed};
use super::consent::{leave_form, origins};
use super::outcome::{self, Failure};
use super::{
    CHALLENGE, FACTORS, Fields, Stop, Visit, closed, digits, fields, form_token, go_to, nothing, page, to_the_end,
    visit,
};
use crate::connector::AccountNumber;
use crate::domain::account::AccountKind;
use crate::domain::{Factor, Factors};
use crate::gateway::Gateway;
use crate::oauth::{Challenge, Stage};
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use maud::{Markup, html};
use std::collections::BTreeMap;
use web::page::{Words, words};
use web::{Secret, Source};

/// Cells of a random-number card that a bank may ask for at once.
const CELLS_MAX: usize = 8;
/// The longest thing that a person types here, in characters.
const TYPED_CHARACTERS_MAX: usize = 120;

/// The form, after `failure` if there was one.
pub(super) async fn show(gateway: &Gateway, visit: &Visit, failure: Option<Failure>) -> Response {
    let link = &visit.link;
    let Some(bank) = gateway.bank(link.asked.bank) else { return nothing(gateway) };
    let Some(sets) = attempt::offered(gateway, link).await else { return unreachable_bank(gateway, visit) };
    let Some(set) = sets.first().copied() else { return outcome::give_up(gateway, visit, NOT_ONLINE).await };
    let status = failure.map_or(StatusCode::OK, Failure::status);
    let body = html! {
        @if let Some(failure) = failure { p.error role="alert" { (words(failure.words())) } }
        p { (bank.name) " / " (bank.name_en) }
        p { (words(INTRODUCTION)) }
        form method="post" action=(FACTORS) autocomplete="off" {
            (form_token(gateway, &visit.token, FACTORS))
            (account_inputs())
            @for factor in set.iter().filter(|factor| is_immediate(*factor)) { (input(factor)) }
            button type="submit" { (words(SEND)) }
        }
        (leave_form(gateway, visit))
    };
    page(gateway, TITLE, origins(gateway, link), body).with_status(status)
}

/// Not even what the bank asks for is known now. Reloading the page tries again.
fn unreachable_bank(gateway: &Gateway, visit: &Visit) -> Response {
    let failure = Failure::Unreachable;
    let body = html! { p.error role="alert" { (words(failure.words())) } (leave_form(gateway, visit)) };
    page(gateway, TITLE, origins(gateway, &visit.link), body).with_status(failure.status())
}

fn account_inputs() -> Markup {
    html! {
        label for="branch" { (words(BRANCH)) }
        input #branch type="text" name="branch" inputmode="numeric" maxlength="8" required;
        label for="kind" { (words(KIND)) }
        select #kind name="kind" {
            option value="ordinary" { "普通 / ordinary" }
            option value="current" { "当座 / current" }
        }
        label for="number" { (words(NUMBER)) }
        input #number type="text" name="number" inputmode="numeric" maxlength="16" required;
    }
}

/// Whether a factor is typed into the first form: the others are asked for by the bank, as a second step.
pub(super) fn is_immediate(factor: Factor) -> bool {
    match factor {
        Factor::NameKana | Factor::Pin | Factor::BirthDate | Factor::Balance | Factor::CardSerial => true,
        Factor::Account
        | Factor::OneTimePassword
        | Factor::RandomCard
        | Factor::SmsCode
        | Factor::BankApp
        | Factor::Letter => false,
    }
}

fn input(factor: Factor) -> Markup {
    let (kind, mode) = match factor {
        Factor::Pin | Factor::OneTimePassword | Factor::SmsCode => ("password", "numeric"),
        Factor::BirthDate => ("date", "none"),
        Factor::Balance => ("text", "numeric"),
        Factor::NameKana
        | Factor::CardSerial
        | Factor::RandomCard
        | Factor::Account
        | Factor::BankApp
        | Factor::Letter => ("text", "text"),
    };
    let mode = (mode != "none").then_some(mode);
    let name = factor.name();
    html! {
        label for=(name) { (words(label(factor))) }
        input id=(name) type=(kind) name=(name) inputmode=[mode] maxlength="120" autocomplete="off" required;
    }
}

/// The second step that the bank asks for, after a wrong answer if there was one.
pub(super) fn show_challenge(
    gateway: &Gateway,
    visit: &Visit,
    challenge: &Challenge,
    failure: Option<Failure>,
) -> Response {
    let status = failure.map_or(StatusCode::OK, Failure::status);
    let body = html! {
        @if let Some(failure) = failure { p.error role="alert" { (words(failure.words())) } }
        p { (words(label(challenge.factor))) }
        p { (challenge.hint) }
        form method="post" action=(CHALLENGE) autocomplete="off" {
            (form_token(gateway, &visit.token, CHALLENGE))
            @match challenge.factor {
                Factor::RandomCard => {
                    @for cell in cells(&challenge.hint) {
                        label for={ "cell-" (cell) } { (cell) }
                        input id={ "cell-" (cell) } type="password" name={ "cell-" (cell) } maxlength="8" required;
                    }
                }
                Factor::BankApp => { p { (words(TAP)) } }
                other => { (input(other)) }
            }
            button type="submit" { (words(SEND)) }
        }
        (leave_form(gateway, visit))
    };
    page(gateway, TITLE, origins(gateway, &visit.link), body).with_status(status)
}

/// The cells that a hint names: `B2, D4, E1`.
fn cells(hint: &str) -> Vec<&str> {
    let is_cell =
        |cell: &&str| !cell.is_empty() && cell.len() <= 8 && cell.bytes().all(|byte| byte.is_ascii_alphanumeric());
    hint.split(',').map(str::trim).filter(is_cell).take(CELLS_MAX).collect()
}

/// Nothing comes of this link any more: the same page whatever was wrong.
pub(super) fn failed(gateway: &Gateway, visit: &Visit) -> Response {
    let body = html! {
        p.error role="alert" { (words(Failure::Failed.words())) }
        p { (words(ENDED)) }
        (leave_form(gateway, visit))
    };
    page(gateway, TITLE, origins(gateway, &visit.link), body).with_status(Failure::Failed.status())
}

/// `POST /link/factors`: the first step.
pub(super) async fn submit(
    State(gateway): State<Gateway>,
    source: Option<Extension<Source>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Stop> {
    let now = gateway.outside().now();
    let visit = visit(&gateway, &headers, now)?;
    let fields = fields(&gateway, &visit.token, FACTORS, &headers, &body)?;
    if visit.link.stage != Stage::Factors {
        return Ok(go_to("/link"));
    }
    closed::check(&gateway, &visit, now).await?;
    let Some(typed) = typed(&fields) else {
        return Ok(show(&gateway, &visit, Some(Failure::Form)).await);
    };
    let began = gateway
        .oauth()
        .links
        .change(visit.link.mandate, now, |link| (link.stage == Stage::Factors).then(|| link.stage = Stage::Busy));
    if began.is_none() {
        return Ok(go_to("/link"));
    }
    let source = source.map(|Extension(Source(source))| source);
    let answering = async move {
        let tried = attempt::first(&gateway, &visit.link, typed, source).await;
        outcome::respond(&gateway, visit, tried, Stage::Factors).await
    };
    Ok(to_the_end(answering).await)
}

/// `POST /link/challenge`: the second step.
pub(super) async fn submit_challenge(
    State(gateway): State<Gateway>,
    source: Option<Extension<Source>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Stop> {
    let now = gateway.outside().now();
    let visit = visit(&gateway, &headers, now)?;
    let fields = fields(&gateway, &visit.token, CHALLENGE, &headers, &body)?;
    closed::check(&gateway, &visit, now).await?;
    let began = gateway.oauth().links.change(visit.link.mandate, now, |link| {
        match std::mem::replace(&mut link.stage, Stage::Busy) {
            Stage::Challenge(challenge) => Some(challenge),
            other => {
                link.stage = other;
                None
            }
        }
    });
    let Some(challenge) = began else {
        return Ok(go_to("/link"));
    };
    let answer = challenge_answer(&challenge, &fields);
    let source = source.map(|Extension(Source(source))| source);
    let answering = async move {
        let tried = attempt::second(&gateway, &visit.link, &challenge, answer, source).await;
        outcome::respond(&gateway, visit, tried, Stage::Challenge(challenge)).await
    };
    Ok(to_the_end(answering).await)
}

fn challenge_answer(challenge: &Challenge, fields: &Fields) -> Secret<String> {
    match challenge.factor {
        Factor::RandomCard => {
            let cells: BTreeMap<&str, String> = cells(&challenge.hint)
                .into_iter()
                .map(|cell| (cell, digits(fields.get(&format!("cell-{cell}")))))
                .collect();
            Secret::new(serde_json::to_string(&cells).unwrap_or_default())
        }
        Factor::BankApp => Secret::new("approved".to_owned()),
        other => Secret::new(digits(fields.get(other.name()))),
    }
}

/// What was typed, if each part has the form that it must have. Whether it is right only the bank says.
fn typed(fields: &Fields) -> Option<Typed> {
    let branch = digits(fields.get("branch"));
    // People leave out the zeros in front.
    let number = format!("{:0>7}", digits(fields.get("number")));
    let kind =
        [AccountKind::Ordinary, AccountKind::Current].into_iter().find(|kind| kind.name() == fields.get("kind"))?;
    let account = AccountNumber::parsed(&branch, kind, &number)?;
    let mut factors = BTreeMap::new();
    for factor in Factor::ALL.into_iter().filter(|factor| is_immediate(*factor)) {
        let text = fields.get(factor.name());
        if text.is_empty() {
            continue;
        }
        let value = value(factor, text)?;
        factors.insert(factor, Secret::new(value));
    }
    Some(Typed { account, factors })
}

fn value(factor: Factor, text: &str) -> Option<String> {
    if text.chars().count() > TYPED_CHARACTERS_MAX || text.chars().any(char::is_control) {
        return None;
    }
    match factor {
        Factor::Pin => Some(digits(text)).filter(|pin| pin.len() == 4 && pin.bytes().all(|byte| byte.is_ascii_digit())),
        Factor::BirthDate => text.parse::<jiff::civil::Date>().ok().map(|date| date.to_string()),
        Factor::Balance => {
            digits(text).replace([',', '，', '円', '¥'], "").parse::<i64>().ok().map(|yen| yen.to_string())
        }
        Factor::Account
        | Factor::NameKana
        | Factor::CardSerial
        | Factor::RandomCard
        | Factor::OneTimePassword
        | Factor::SmsCode
        | Factor::BankApp
        | Factor::Letter => Some(text.to_owned()),
    }
}

/// The factors of an answer, the account among them.
pub(super) fn given(typed: &Typed) -> Factors {
    typed.factors.keys().copied().chain([Factor::Account]).collect()
}

const fn label(factor: Factor) -> Words {
    match factor {
        Factor::Account => Words { ja: "口座", en: "Account" },
        Factor::NameKana => Words { ja: "口座名義(カナ)", en: "Account holder's name in kana" },
        Factor::Pin => Words { ja: "キャッシュカードの暗証番号(4桁)", en: "Cash card PIN (4 digits)" },
        Factor::BirthDate => Words { ja: "生年月日", en: "Birth date" },
        Factor::OneTimePassword => Words { ja: "ワンタイムパスワード", en: "One-time password" },
        Factor::RandomCard => {
            Words { ja: "乱数表(ご契約カード)の数字", en: "Numbers of your security card" }
        }
        Factor::Balance => Words { ja: "通帳の最終残高(円)", en: "Last balance in the passbook (yen)" },
        Factor::CardSerial => {
            Words { ja: "キャッシュカードの製造番号", en: "Number printed on the cash card" }
        }
        Factor::SmsCode => Words { ja: "銀行から届いた認証コード", en: "The code that your bank sent you" },
        Factor::BankApp => Words { ja: "銀行アプリでの承認", en: "Approval in your bank's app" },
        Factor::Letter => Words { ja: "郵便で届いた番号", en: "The number from the letter" },
    }
}

const TITLE: Words = Words { ja: "銀行の本人認証", en: "Show your bank that it is you" };
const INTRODUCTION: Words = Words {
    ja: "入力した内容は銀行だけに送られ、ウォレットの運営会社には渡りません。登録すると、銀行に届けてある連絡先に通知が届きます。",
    en: "What you type goes to your bank and not to the wallet. Your bank tells you, at the contact it has, when a wallet is linked.",
};
const BRANCH: Words = Words { ja: "支店番号(3桁)", en: "Branch number (3 digits)" };
const KIND: Words = Words { ja: "預金種目", en: "Kind of account" };
const NUMBER: Words = Words { ja: "口座番号(7桁)", en: "Account number (7 digits)" };
const SEND: Words = Words { ja: "認証する", en: "Go on" };
const TAP: Words = Words {
    ja: "銀行アプリで承認してから、下のボタンを押してください。",
    en: "Approve in your bank's app, then press the button below.",
};
const ENDED: Words = Words {
    ja: "この手続きは終わりました。ウォレットに戻って、はじめからやり直すことができます。",
    en: "This is over. Go back to your wallet; there you can begin again.",
};
pub(super) const NOT_ONLINE: Words = Words {
    ja: "この銀行の口座は、ただいまオンラインで登録できません。",
    en: "Accounts of this bank cannot be linked on line at the moment.",
};
