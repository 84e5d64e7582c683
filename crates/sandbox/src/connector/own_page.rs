//! The back channel of a bank with a page of its own: the gateway pushes a request, and later exchanges the code that the
//! browser brought (OAuth 2.0 with pushed requests, RFC 9126, PKCE S256, RFC 7636, and `iss`, RFC 9207).

use super::BankDesk;
use super::authentications::{WireCustomer, customer};
use super::reports::account_token;
use super::wire::WireAccount;
use crate::grants::{Pushed, REQUEST_SECONDS, Stage};
use crate::state::State;
use axum::extract::State as Shared;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use web::{Json, Problem, Secret, chance};

/// What a request URI begins with.
const REQUEST_URI: &str = "urn:ietf:params:oauth:request_uri:";
/// The longest `state`, in bytes.
const STATE_BYTES_MAX: usize = 512;
/// The characters of a SHA-256 in base64url.
const CHALLENGE_CHARACTERS: usize = 43;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    client_id: String,
    #[serde(default = "code")]
    response_type: String,
    redirect_uri: String,
    state: String,
    code_challenge: String,
    code_challenge_method: String,
}

fn code() -> String {
    "code".into()
}

#[derive(Serialize)]
pub(super) struct Answer {
    request_uri: String,
    expires_in: i64,
}

/// The address to which this bank's browsers go back: one a bank, so that no code goes to the wrong one.
pub(crate) fn redirect_uri(state: &State, bank: crate::domain::bank::BankCode) -> String {
    format!("{}/bank-return/{bank}", state.options.origins.gateway)
}

pub(super) async fn push(
    Shared(BankDesk { state, bank }): Shared<BankDesk>,
    Json(asked): Json<Asked>,
) -> Result<(StatusCode, Json<Answer>), Problem> {
    if !state.registry.bank(bank).own_page {
        return Err(Problem::not_found());
    }
    let is_right = asked.response_type == "code"
        && asked.redirect_uri == redirect_uri(&state, bank)
        && asked.code_challenge_method == "S256"
        && asked.code_challenge.len() == CHALLENGE_CHARACTERS
        && (1..=STATE_BYTES_MAX).contains(&asked.state.len())
        && !asked.client_id.is_empty();
    if !is_right {
        return Err(refused("The bank takes codes for its one redirect URI, with a state and an S256 challenge."));
    }
    let chance = state.outside.chance.as_ref();
    let request_uri = format!("{REQUEST_URI}{}", chance::token(chance).expose());
    let pushed =
        Pushed { bank, redirect_uri: asked.redirect_uri, state: asked.state, code_challenge: asked.code_challenge };
    let token = chance::token(chance).expose().clone();
    state.grants.push(token, request_uri.clone(), pushed, state.outside.now());
    Ok((StatusCode::CREATED, Json(Answer { request_uri, expires_in: REQUEST_SECONDS })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Exchange {
    client_id: String,
    code: Secret<String>,
    code_verifier: Secret<String>,
    redirect_uri: String,
}

#[derive(Serialize)]
pub(super) struct Proven {
    outcome: &'static str,
    account: WireAccount,
    /// The same account as reports of attempts name it.
    #[serde(skip_serializing_if = "Option::is_none")]
    account_token: Option<String>,
    customer: Option<WireCustomer>,
    factors_used: Vec<&'static str>,
}

pub(super) async fn exchange(
    Shared(BankDesk { state, bank }): Shared<BankDesk>,
    Json(asked): Json<Exchange>,
) -> Result<Json<Proven>, Problem> {
    let now = state.outside.now();
    let grant = state.grants.exchange(bank, asked.code.expose(), now);
    let grant = grant.filter(|grant| {
        let hashed = web::jose::encode(&Sha256::digest(asked.code_verifier.expose()));
        let is_verified: bool = hashed.as_bytes().ct_eq(grant.pushed.code_challenge.as_bytes()).into();
        is_verified && grant.pushed.redirect_uri == asked.redirect_uri && !asked.client_id.is_empty()
    });
    let Some(Stage::Proven { account, factors, .. }) = grant.map(|grant| grant.stage) else {
        return Err(refused("The code is unknown, used, too old, or another's."));
    };
    let customer = customer(&state, account).await?;
    let factors_used = factors.names();
    let secret = state.options.secrets.banks.get(&bank.to_string());
    let account_token = secret.and_then(|secret| account_token(secret, account));
    let account = WireAccount::of(account);
    Ok(Json(Proven { outcome: "succeeded", account, account_token, customer, factors_used }))
}

fn refused(detail: &'static str) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "invalid-grant",
        "The bank does not take this.",
        "銀行はこの要求を受け付けません。",
    )
    .detail(detail)
}
