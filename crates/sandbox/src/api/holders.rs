//! Holders and shops that are ready to use, each in one call. They come about as anybody's do: through the wallet's own
//! API, with the codes from the inbox and a verdict of the identity vendor.

use crate::api::accounts::found;
use crate::api::relay::Refused;
use crate::callbacks::request_json;
use crate::domain::Command;
use crate::domain::account::{AccountKind, AccountNumber, Command as OfAccount, Customer};
use crate::domain::identification;
use crate::messages;
use crate::people;
use crate::state::State;
use axum::extract::State as Shared;
use domain::Id;
use http::{Method, StatusCode};
use ledger::Yen;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use web::{Json, Problem, chance};

/// The digits of a code that the wallet sends.
const CODE_DIGITS: usize = 6;
/// The newest messages that are searched for a code.
const MESSAGES_MAX: usize = 10;
/// What the account of a new holder has, in yen.
const BALANCE: i64 = 500_000;

/// A holder to be made. What is left out is drawn.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Asked {
    /// Whose bank account this is: the holder is its customer.
    account: Option<Place>,
    /// A new account is opened for the holder at this bank.
    bank_code: Option<String>,
    /// With so much in it.
    balance: Option<i64>,
    email: Option<String>,
    password: Option<String>,
    phone: Option<String>,
}

/// An account: `{"bank_code": "0125", "number": "1001234567"}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    bank_code: String,
    number: String,
}

pub(super) async fn make_holder(
    Shared(state): Shared<Arc<State>>,
    Json(asked): Json<Asked>,
) -> Result<(StatusCode, Json<Value>), Refused> {
    let mut seed = [0; 8];
    state.outside.chance.fill(&mut seed);
    let mut customer = people::somebody(u64::from_be_bytes(seed));
    let tag = chance::code(state.outside.chance.as_ref(), 10).expose().clone();
    let email = asked.email.unwrap_or_else(|| format!("holder{tag}@people.example"));
    let phone = asked.phone.unwrap_or_else(|| format!("080{}", &tag[2..]));
    (customer.mail, customer.phone) = (Some(email.clone()), Some(phone.clone()));
    let mut account = None;
    if let Some(place) = &asked.account {
        let number = super::accounts::number_of(&state, &place.bank_code, &place.number)?;
        let row = state.world.read(number.key()).await?.ok_or_else(Problem::not_found)?;
        customer = row.account().customer.clone();
        account = Some(number);
    } else if let Some(code) = &asked.bank_code {
        account = Some(open_account(&state, code, asked.balance, &customer).await?);
    }
    let password = asked.password.unwrap_or_else(|| format!("sandbox-{tag}"));
    let person = Person { email, password, phone, customer };
    let mut made = join(&state, &person).await?;
    if let (Some(number), Some(members)) = (account, made.as_object_mut()) {
        members.insert("account".into(), found(&state, number).await?);
    }
    Ok((StatusCode::CREATED, Json(made)))
}

/// Somebody who is to be a holder.
struct Person {
    email: String,
    password: String,
    phone: String,
    customer: Customer,
}

async fn open_account(
    state: &State,
    code: &str,
    balance: Option<i64>,
    customer: &Customer,
) -> Result<AccountNumber, Problem> {
    let bank = state.bank(code)?;
    let digits = chance::code(state.outside.chance.as_ref(), 7).expose().clone();
    let branch = state.registry.bank(bank).branches[0].code;
    let number = digits.parse().map_err(|_| Problem::internal())?;
    let number = AccountNumber { bank, branch, kind: AccountKind::Ordinary, number };
    let balance = Yen::checked(balance.unwrap_or(BALANCE))
        .ok_or_else(|| Problem::malformed("Whole yen, zero or more.").with("member", "balance"))?;
    let customer = Box::new(customer.clone());
    let command = OfAccount::Open { number, customer, balance, overdraft_max: Yen::ZERO };
    state.world.submit(Command::Account(command)).await?;
    Ok(number)
}

/// Joins, verifies mail and phone, is identified and opens a wallet.
async fn join(state: &State, person: &Person) -> Result<Value, Refused> {
    let Customer { family_name, given_name, family_kana, given_kana, birth_date, .. } = &person.customer;
    let holder = json!({
        "email": person.email, "password": person.password, "family_name": family_name, "given_name": given_name,
        "family_kana": family_kana, "given_kana": given_kana, "birth_date": birth_date.to_string(),
    });
    let before = newest(state, &person.email).await?;
    let opened = wallet(state, Method::POST, "/v1/holders", None, holder).await?;
    let id = text(&opened, "id")?;
    let path = format!("/v1/holders/{id}");
    let code = code_to(state, &person.email, before).await?;
    wallet(state, Method::POST, &format!("{path}/email-verification"), None, json!({ "code": code })).await?;
    let session = json!({ "email": person.email, "password": person.password });
    let session = wallet(state, Method::POST, "/v1/sessions", None, session).await?;
    let token = text(&session, "token")?;
    let before = newest(state, &person.phone).await?;
    add_phone(state, &path, &token, person).await?;
    let code = code_to(state, &person.phone, before).await?;
    let confirm = format!("{path}/phone-verification/confirm");
    wallet(state, Method::POST, &confirm, Some(&token), json!({ "code": code })).await?;
    identify(state, &path, &token, &person.customer).await?;
    let opened = wallet(state, Method::POST, "/v1/wallets", Some(&token), json!({})).await?;
    Ok(json!({
        "id": id, "wallet_id": text(&opened, "id")?, "token": token, "expires_at": session["expires_at"],
        "email": person.email, "password": person.password, "phone": person.phone,
        "family_name": family_name, "given_name": given_name, "family_kana": family_kana, "given_kana": given_kana,
        "birth_date": birth_date.to_string(), "tier": opened["tier"],
        "document_number": people::document_number(&people::identity(&person.customer)),
    }))
}

/// Asks for a telephone, and proves by mail that it is the holder who does.
async fn add_phone(state: &State, path: &str, token: &str, person: &Person) -> Result<(), Refused> {
    let path = format!("{path}/phone-verification");
    let mut phone = json!({ "phone": person.phone });
    let url = format!("{}{path}", state.options.origins.wallet);
    let (status, refused) = request_json(state, Method::POST, &url, Some(token), phone.clone()).await;
    let Some(challenge) = refused["challenge_id"].as_str() else {
        return Err(Refused::by("the wallet", status, refused));
    };
    let proof = format!("/v1/challenges/{challenge}");
    let before = newest(state, &person.email).await?;
    wallet(state, Method::POST, &proof, Some(token), json!({})).await?;
    let code = code_to(state, &person.email, before).await?;
    wallet(state, Method::POST, &proof, Some(token), json!({ "code": code })).await?;
    phone["challenge_id"] = challenge.into();
    wallet(state, Method::POST, &path, Some(token), phone).await.map(drop)
}

/// Is identified: at once by the script, or by presenting the person's document.
async fn identify(state: &State, path: &str, token: &str, customer: &Customer) -> Result<(), Refused> {
    let method = json!({ "method": "chip_and_face" });
    let path = format!("{path}/identifications");
    let begun = wallet(state, Method::POST, &path, Some(token), method).await?;
    if begun["status"] == "approved" {
        return Ok(());
    }
    let reference = text(&begun, "id")?;
    let id = identification::id_of(&reference);
    if state.world.read(identification::key(id)).await?.is_some() {
        let identity = Some(people::identity(customer));
        let command = identification::Command::Conclude { id, identity };
        state.world.submit(Command::Identification(command)).await?;
    }
    let found = wallet(state, Method::GET, &format!("{path}/{reference}"), Some(token), Value::Null).await?;
    if found["status"] == "approved" { Ok(()) } else { Err(failed("the identification", found)) }
}

/// The newest message to `to`.
async fn newest(state: &State, to: &str) -> Result<Option<Id>, Refused> {
    Ok(messages::inbox(state, Some(to), 1).await?.first().map(|message| message.id))
}

/// The newest code that was sent to `to` behind the message `before`. What sends it may be work that is due now.
async fn code_to(state: &State, to: &str, before: Option<Id>) -> Result<String, Refused> {
    state.options.clock.settle().await;
    let mut messages = messages::inbox(state, Some(to), MESSAGES_MAX).await?;
    let known = messages.iter().position(|message| Some(message.id) == before);
    messages.truncate(known.unwrap_or(messages.len()));
    // Other news may have come behind the code.
    let digits = messages.iter().find_map(|message| {
        let mut runs = message.text.split(|letter: char| !letter.is_ascii_digit());
        runs.find(|digits| digits.len() >= CODE_DIGITS).map(str::to_owned)
    });
    digits.ok_or_else(|| {
        // The wallet tells nobody whether an address is known to it: all that shows is that no code came.
        let problem = Problem::new(
            StatusCode::CONFLICT,
            "no-code-came",
            "No code came to the inbox of this address.",
            "このアドレスの受信箱に確認コードが届きませんでした。",
        );
        problem.detail("It may be another holder's already: take another one.").into()
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shop {
    name: String,
}

pub(super) async fn make_shop(
    Shared(state): Shared<Arc<State>>,
    Json(shop): Json<Shop>,
) -> Result<(StatusCode, Json<Value>), Refused> {
    let desk = state.options.secrets.desk.as_ref().ok_or_else(Problem::unauthenticated)?;
    let url = format!("{}/desk/v1/shops", state.options.origins.desk);
    let body = json!({ "name": shop.name });
    let (status, answer) = request_json(&state, Method::POST, &url, Some(desk.expose()), body).await;
    if status.is_success() {
        Ok((StatusCode::CREATED, Json(answer)))
    } else {
        Err(Refused::by("the desk", status, answer))
    }
}

async fn wallet(state: &State, method: Method, path: &str, token: Option<&str>, body: Value) -> Result<Value, Refused> {
    let url = format!("{}{path}", state.options.origins.wallet);
    let (status, answer) = request_json(state, method, &url, token, body).await;
    if status.is_success() { Ok(answer) } else { Err(Refused::by("the wallet", status, answer)) }
}

fn text(answer: &Value, member: &'static str) -> Result<String, Refused> {
    answer[member].as_str().map(str::to_owned).ok_or_else(|| failed(member, answer.clone()))
}

/// The wallet took everything, and yet did not do its part; what it answered is shown: it is a test's only clue.
fn failed(what: &'static str, answer: Value) -> Refused {
    Refused::by(what, StatusCode::BAD_GATEWAY, answer)
}
