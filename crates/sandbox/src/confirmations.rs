//! How an account's true holder confirms a link, as far as the bank has a part in it: they say "it was me" in the bank's app,
//! or the bank posts them a letter with a number for the gateway's page. (The third way, the number on the cash card, goes
//! from the gateway's page to the bank's connector.) The bank does it at the gateway, at its own desk there.
//! Start reading at [`confirm`].

use crate::callbacks::request_json;
use crate::domain::account::AccountNumber;
use crate::domain::message::{self, Channel, Message};
use crate::domain::{Command, hashed};
use crate::state::State;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use web::Problem;

/// By which way it is confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Way {
    /// The holder taps in the bank's app.
    BankApp,
    /// The bank posts a letter.
    Letter,
}

/// Confirms each link of the account that nobody has confirmed yet, or has a letter posted about it. What became of each.
pub(crate) async fn confirm(state: &State, number: AccountNumber, way: Way) -> Result<Vec<Value>, Problem> {
    if state.world.read(number.key()).await?.is_none() {
        return Err(Problem::not_found());
    }
    let account = json!({ "branch": number.branch_text(), "kind": number.kind.name(), "number": number.number_text() });
    let found = desk(state, number, "/bank/v1/links/search", account).await?;
    let mut confirmed = Vec::new();
    for link in found["data"].as_array().into_iter().flatten() {
        let Some(mandate) = link["mandate_id"].as_str().filter(|_| link["confirmed_by"].is_null()) else { continue };
        let path = format!("/bank/v1/mandates/{mandate}");
        confirmed.push(match way {
            Way::BankApp => desk(state, number, &format!("{path}/confirm"), json!({ "channel": "bank_app" })).await?,
            Way::Letter => {
                let letter = desk(state, number, &format!("{path}/letter"), json!({})).await?;
                post(state, number, mandate, letter["code"].as_str().unwrap_or_default()).await?;
                link.clone()
            }
        });
    }
    Ok(confirmed)
}

/// What the gateway answers the desk of the account's bank.
async fn desk(state: &State, number: AccountNumber, path: &str, body: Value) -> Result<Value, Problem> {
    let token = state.options.secrets.bank_desks.get(&number.bank.to_string()).ok_or_else(Problem::unauthenticated)?;
    let url = format!("{}{path}", state.options.origins.gateway);
    let (status, answer) = request_json(state, Method::POST, &url, Some(token.expose()), body).await;
    if status.is_success() {
        return Ok(answer);
    }
    Err(Problem::new(
        StatusCode::BAD_GATEWAY,
        "gateway-refused",
        "The gateway does not take the request.",
        "ゲートウェイが要求を受け付けません。",
    )
    .with("answer", answer))
}

/// Posts the letter: it is found in the inbox under the account's number.
async fn post(state: &State, number: AccountNumber, mandate: &str, code: &str) -> Result<(), Problem> {
    let name = state.registry.bank(number.bank).name_full;
    let letter = Message {
        id: hashed("letter", &[mandate.as_bytes(), code.as_bytes()]),
        from: name.to_owned(),
        channel: Channel::Letter,
        to: format!("letter:{}-{}", number.branch_text(), number.number_text()),
        subject: Some("口座振替の登録について / About the link to your account".into()),
        text: format!(
            "ご自分で登録した場合は、口座振替受付の「ご自分で登録したことを確認する方」の画面に次の番号を入力してください。\n\
             If you linked your account yourself, type this number on the gateway's page \"it was me\".\n\
             番号 / Number: {code}"
        ),
        at: state.outside.now(),
    };
    state.world.submit(Command::Message(message::Command::Receive(vec![letter]))).await?;
    Ok(())
}
