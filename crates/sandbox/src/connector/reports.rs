//! What a bank with a page of its own tells the gateway of each try: how it ended, and tokens of the account and of the
//! value that was tried. The value's token is made under a key that the gateway hands out for a short time and then
//! forgets, so that many accounts tried with one value can be seen, and the value cannot.

use super::BankDesk;
use super::notices::tell_holder;
use super::wire::WireAccount;
use crate::callbacks;
use crate::domain::account::AccountNumber;
use crate::domain::authentication::{Attempt, Standing};
use crate::grants::Pushed;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{Request, StatusCode, header};
use serde::Deserialize;
use serde_json::json;
use sha2::Sha256;
use web::{Bounds, Secret};

/// How long the gateway may take to hand out the key.
const BOUNDS: Bounds = Bounds { time_ms: 2_000, body_bytes: 4_096 };

#[derive(Deserialize)]
struct WindowKey {
    key: Secret<String>,
}

/// Tells the gateway of one try by the browser that came with `asked`: of a right first step also whose account it was, so that its
/// holder is told wherever the bank reaches them; the bank tells them itself where the gateway does not know on whose way it was. A
/// gateway that does not listen does not keep the person waiting for long.
pub(crate) async fn gateway_attempt(
    desk: &BankDesk,
    asked: &Pushed,
    name: &str,
    tried: &Attempt,
    value: Option<Secret<String>>,
) {
    let BankDesk { state, bank } = desk;
    let Some(secret) = state.options.secrets.banks.get(&bank.to_string()) else { return };
    let path = format!("{}/gateway/v1/bank-attempts/{bank}", state.options.origins.gateway);
    let value_token = match value {
        Some(value) => window_key(desk, &path, secret).await.and_then(|key| token(&key, value.expose().as_bytes())),
        None => None,
    };
    let is_half_right = tried.standing == Standing::ChallengeRequired && tried.first_factor_right;
    let outcome = match tried.standing {
        Standing::Succeeded => "succeeded",
        Standing::ChallengeRequired if is_half_right => "challenge_required",
        // The page asks for the second step after a wrong first one too; the gateway is to know that it was wrong.
        Standing::Failed | Standing::ChallengeRequired => "failed",
    };
    let mut body = json!({
        "attempt": name,
        "outcome": outcome,
        "account_token": account_token(secret, tried.account),
    });
    if let Some(token) = value_token {
        body["value_token"] = token.into();
    }
    if is_half_right {
        body["first_step"] = json!({ "state": asked.state, "account": WireAccount::of(tried.account) });
    }
    let message = format!("{bank}-{name}-{}", tried.tries);
    let answered = callbacks::answer(state, &path, &message, &body, Some(secret)).await;
    if !answered.is_some_and(|status| status.is_success()) {
        tracing::debug!(%bank, "sandbox: the gateway did not take a report of a try");
    }
    if is_half_right && answered != Some(StatusCode::NO_CONTENT) {
        let text = "あなたの口座の暗証番号などを当行の画面で正しく入力した人がいます。心当たりがなければ、当行にお電話ください。\nSomebody knew your PIN or another secret on our page. If this was not you, call us.";
        if tell_holder(desk, tried.account, &message, text).await.is_err() {
            tracing::warn!(%bank, "sandbox: an account's holder could not be told");
        }
    }
}

async fn window_key(desk: &BankDesk, path: &str, secret: &Secret<String>) -> Option<String> {
    let request = Request::get(format!("{path}/key"))
        .header(header::AUTHORIZATION, format!("Bearer {}", secret.expose()))
        .body(Bytes::new())
        .ok()?;
    let answer = desk.state.outside.transport.call(request, BOUNDS).await.ok()?;
    let key: WindowKey = serde_json::from_slice(answer.body()).ok()?;
    Some(key.key.expose().clone())
}

/// What the bank calls `account` towards the gateway, always alike.
pub(super) fn account_token(secret: &Secret<String>, account: AccountNumber) -> Option<String> {
    token(secret.expose(), &account.key().id.0)
}

/// The token of `value` under `key`: HMAC-SHA-256, base64url.
fn token(key: &str, value: &[u8]) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).ok()?;
    mac.update(value);
    Some(web::jose::encode(&mac.finalize().into_bytes()))
}
