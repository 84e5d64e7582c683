//! A bank's own page, for the banks that have one: number and factors, the second step, and back to the gateway.
//!
//! A request belongs to the first browser that brings it: the page works in that browser alone. Whatever is wrong (the
//! account, a factor, the lock) is answered with the same words. Each try is told to the gateway, without what was tried.
//! Start reading at [`router`].

use crate::connector::{BankDesk, Factors, WireAccount, WireKind, gateway_attempt, redirect_uri, try_factors};
use crate::domain::Row;
use crate::domain::account::AccountNumber;
use crate::domain::authentication::{Attempt, Standing};
use crate::domain::bank::{BankCode, Factor, FactorSet};
use crate::grants::{Grant, Stage};
use crate::state::State;
use axum::Router;
use axum::extract::{Form, Query, State as Shared};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use maud::{Markup, html};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use web::cookie::{self, Secure};
use web::page::{Page, SANDBOX, Words, words};
use web::{Problem, Secret, chance, csrf};

/// The cookie that binds a browser to its request.
const COOKIE: &str = "bank-visit";
/// The form's path.
const FORM: &str = "/link";
/// The form's fields, at most.
const FIELDS_MAX: usize = 64;

pub(crate) fn router(state: &Arc<State>, bank: BankCode) -> Router {
    let desk = BankDesk { state: Arc::clone(state), bank };
    Router::new()
        .route("/authorize", get(authorize))
        .route(FORM, get(show).post(submit))
        .with_state(desk)
        .merge(web::page::assets())
}

#[derive(Deserialize)]
struct Brought {
    #[expect(dead_code, reason = "OAuth asks for it; the request itself knows its client")]
    client_id: String,
    request_uri: String,
}

async fn authorize(Shared(desk): Shared<BankDesk>, Query(brought): Query<Brought>) -> Response {
    let now = desk.state.outside.now();
    let Some(token) = desk.state.grants.begin(desk.bank, &brought.request_uri, now) else { return gone() };
    let mut response = Redirect::to(FORM).into_response();
    let cookie = cookie::set(COOKIE, &token, crate::grants::VISIT_SECONDS, Secure(false));
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    response
}

/// The request of this browser.
fn visit(desk: &BankDesk, headers: &HeaderMap) -> Option<(String, Grant)> {
    let token = cookie::get(headers, COOKIE, Secure(false))?;
    let grant = desk.state.grants.visit(desk.bank, token, desk.state.outside.now())?;
    Some((token.to_owned(), grant))
}

async fn show(Shared(desk): Shared<BankDesk>, headers: HeaderMap) -> Result<Response, Problem> {
    let Some((token, grant)) = visit(&desk, &headers) else { return Ok(gone()) };
    page(&desk, &token, &grant, false).await
}

async fn page(desk: &BankDesk, token: &str, grant: &Grant, failed: bool) -> Result<Response, Problem> {
    let BankDesk { state, bank } = desk;
    let row = state.world.read(bank.key()).await?;
    let asked: FactorSet = match &grant.stage {
        Stage::Challenge { factor, .. } => Factor::parse(factor).into_iter().collect(),
        Stage::Form | Stage::Pushed { .. } | Stage::Proven { .. } => {
            let sets = row.as_deref().map(|row| Row::bank(row).factors.clone()).unwrap_or_default();
            sets.first().copied().unwrap_or_default().immediate()
        }
    };
    let body = html! {
        p { strong { (state.registry.bank(*bank).name_full) } }
        p { (words(Words {
            ja: "口座振替受付サービスが、あなたの口座からの引落しの登録を求めています。お心当たりがなければ中止してください。",
            en: "The account-transfer gateway asks to register debits from your account. If you did not begin this, cancel.",
        })) }
        @if failed { p.error role="alert" { (words(Words {
            ja: "ご確認できませんでした。入力内容をお確かめください。",
            en: "That could not be confirmed. Check what you entered.",
        })) } }
        form method="post" action=(FORM) {
            input type="hidden" name=(csrf::FIELD) value=(csrf::token(&state.csrf_key, token, FORM));
            @if let Stage::Challenge { hint, .. } = &grant.stage { p { (hint) } }
            @for factor in asked.factors() { (field(factor, &grant.stage)) }
            button name="answer" value="go_on" { (words(Words { ja: "次へ", en: "Go on" })) }
        }
        form method="post" action=(FORM) {
            input type="hidden" name=(csrf::FIELD) value=(csrf::token(&state.csrf_key, token, FORM));
            button.second name="answer" value="cancel" { (words(Words { ja: "中止する", en: "Cancel" })) }
        }
    };
    let title = Words { ja: "ご本人の確認", en: "Confirm that it is you" };
    // The answer to the form may lead back to the gateway.
    let form_origins = vec![state.options.origins.gateway.clone()];
    let status = if failed { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok(Page { title, banner: Some(SANDBOX), form_origins, body }.with_status(status))
}

fn field(factor: Factor, stage: &Stage) -> Markup {
    let input = |name: &str, label: Words, kind: &str, mode: &str| {
        html! {
            label for=(name) { (words(label)) }
            input id=(name) name=(name) type=(kind) inputmode=(mode) required autocomplete="off" maxlength="64";
        }
    };
    match factor {
        Factor::Account => html! {
            (input("branch", Words { ja: "支店番号（3桁）", en: "Branch: 3 digits" }, "text", "numeric"))
            label for="kind" { (words(Words { ja: "預金種目", en: "Kind of account" })) }
            select id="kind" name="kind" {
                option value="ordinary" { "普通 / ordinary" }
                option value="current" { "当座 / current" }
            }
            (input("number", Words { ja: "口座番号（7桁）", en: "Account number: 7 digits" }, "text", "numeric"))
        },
        Factor::NameKana => input("name_kana", Words { ja: "口座名義（カナ）", en: "Name in kana" }, "text", "text"),
        Factor::Pin => {
            input("pin", Words { ja: "キャッシュカードの暗証番号", en: "Cash card PIN" }, "password", "numeric")
        }
        Factor::BirthDate => input("birth_date", Words { ja: "生年月日", en: "Birth date" }, "date", "numeric"),
        Factor::Balance => {
            input("balance", Words { ja: "通帳の残高（円）", en: "Passbook balance in yen" }, "text", "numeric")
        }
        Factor::CardSerial => {
            input("card_serial", Words { ja: "カード裏面の番号", en: "Number on the card" }, "text", "numeric")
        }
        Factor::OneTimePassword => {
            input("one_time_password", Words { ja: "ワンタイムパスワード", en: "One-time password" }, "text", "numeric")
        }
        Factor::SmsCode => {
            input("sms_code", Words { ja: "SMSの認証コード", en: "Code from the SMS" }, "text", "numeric")
        }
        Factor::BankApp => {
            html! { p { (words(Words { ja: "銀行アプリで承認してから「次へ」", en: "Approve in the app, then go on" })) } }
        }
        Factor::RandomCard => html! {
            @if let Stage::Challenge { hint, .. } = stage {
                @for cell in hint.split(", ") { label { (cell) input name={ "cell-" (cell) } type="text" inputmode="numeric" required maxlength="2"; } }
            }
        },
    }
}

async fn submit(
    Shared(desk): Shared<BankDesk>,
    headers: HeaderMap,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let Some((token, grant)) = visit(&desk, &headers) else { return Ok(gone()) };
    let fields: BTreeMap<String, String> = fields.into_iter().take(FIELDS_MAX).collect();
    let field = |name: &str| fields.get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    if !csrf::is_valid(&desk.state.csrf_key, &token, FORM, &field(csrf::FIELD).unwrap_or_default()) {
        return Err(Problem::forbidden());
    }
    let now = desk.state.outside.now();
    if field("answer").as_deref() == Some("cancel") || desk.state.grants.count(&token, now).is_none() {
        desk.state.grants.end(&token, now);
        return Ok(back(&desk, &grant, &[("error", "access_denied")]));
    }
    let (attempt, account) = match &grant.stage {
        Stage::Challenge { attempt, account, .. } => (attempt.clone(), *account),
        Stage::Form | Stage::Pushed { .. } | Stage::Proven { .. } => match typed_account(desk.bank, &field) {
            Some(account) => (desk.state.outside.id().to_string(), account),
            None => return page(&desk, &token, &grant, true).await,
        },
    };
    let Ok(factors) = typed(&field, &fields) else { return page(&desk, &token, &grant, true).await };
    let pin = factors.pin.clone();
    let tried = try_factors(&desk.state, desk.bank, &attempt, account, factors, false).await?;
    gateway_attempt(&desk, &grant.pushed, &attempt, &tried, pin).await;
    follow(&desk, &token, grant, &attempt, tried).await
}

/// What comes after a try: back to the gateway with a code, the second step, or the page again.
async fn follow(desk: &BankDesk, token: &str, grant: Grant, name: &str, tried: Attempt) -> Result<Response, Problem> {
    let (state, now) = (&desk.state, desk.state.outside.now());
    match (tried.standing, &tried.challenge) {
        (Standing::Succeeded, _) => {
            let code = chance::token(state.outside.chance.as_ref()).expose().clone();
            let proven = Stage::Proven { code: code.clone(), account: tried.account, factors: tried.set };
            state.grants.set(token, proven, now);
            Ok(back(desk, &grant, &[("code", &code)]))
        }
        (Standing::ChallengeRequired, Some(challenge)) => {
            let again = matches!(grant.stage, Stage::Challenge { .. });
            let (attempt, factor) = (name.to_owned(), challenge.factor().name());
            let asked = Stage::Challenge { attempt, account: tried.account, hint: challenge.hint(), factor };
            state.grants.set(token, asked.clone(), now);
            page(desk, token, &Grant { stage: asked, ..grant }, again).await
        }
        (Standing::ChallengeRequired | Standing::Failed, _) => {
            state.grants.set(token, Stage::Form, now);
            page(desk, token, &Grant { stage: Stage::Form, ..grant }, true).await
        }
    }
}

fn typed_account(bank: BankCode, field: &impl Fn(&str) -> Option<String>) -> Option<AccountNumber> {
    let kind = match field("kind").as_deref() {
        Some("current") => WireKind::Current,
        Some(_) | None => WireKind::Ordinary,
    };
    // People leave out the zeros in front.
    let wire = WireAccount { branch: field("branch")?, kind, number: format!("{:0>7}", field("number")?) };
    wire.at(bank).ok()
}

fn typed(
    field: &impl Fn(&str) -> Option<String>,
    fields: &BTreeMap<String, String>,
) -> Result<Factors, std::num::ParseIntError> {
    let cells: BTreeMap<String, String> = fields
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix("cell-")?.to_owned(), value.clone())))
        .collect();
    let balance = field("balance").map(|text| text.replace([',', '円'], "").parse()).transpose()?;
    Ok(Factors {
        pin: field("pin").map(Secret::new),
        name_kana: field("name_kana"),
        birth_date: field("birth_date"),
        one_time_password: field("one_time_password").map(Secret::new),
        random_card: (!cells.is_empty()).then_some(cells),
        balance,
        card_serial: field("card_serial").map(Secret::new),
        sms_code: field("sms_code").map(Secret::new),
        bank_app: None,
    })
}

/// The way back to the gateway, with state and issuer.
fn back(desk: &BankDesk, grant: &Grant, parameters: &[(&str, &str)]) -> Response {
    let issuer = desk.state.options.origins.own(&format!("bank-{}", desk.bank));
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(parameters).append_pair("state", &grant.pushed.state).append_pair("iss", &issuer);
    let mut response =
        Redirect::to(&format!("{}?{}", redirect_uri(&desk.state, desk.bank), query.finish())).into_response();
    let ended: HeaderValue = cookie::set(COOKIE, "", 0, Secure(false));
    response.headers_mut().insert(header::SET_COOKIE, ended);
    response
}

/// There is no request for this browser: it is over, or it belongs to another browser.
fn gone() -> Response {
    let body = html! {
        p { (words(Words {
            ja: "この手続きは終了しているか、別のブラウザーで始められました。ウォレットからやり直してください。",
            en: "This is over, or it was begun in another browser. Begin again in your wallet.",
        })) }
    };
    let title = Words { ja: "続けられません", en: "This cannot be continued" };
    Page { title, banner: Some(SANDBOX), form_origins: Vec::new(), body }.with_status(StatusCode::GONE)
}
