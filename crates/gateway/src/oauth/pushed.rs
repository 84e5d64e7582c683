//! `POST /gateway/v1/par`: a client pushes all that it asks over the back channel (RFC 9126); the browser carries a name
//! for it and nothing else.

use super::actor;
use super::authentication::{Form, authenticate, believe_proof, proof_header};
use super::clients::Client;
use super::fault::Fault;
use super::links::{Asked, Holder, LINK_MS, Link, REQUEST_URI_SECONDS, Stage};
use crate::desk::is_plain;
use crate::domain::mandate::{self, Limits};
use crate::domain::{BankCode, Command, MandateId, OperatorId, Reference, Refusal};
use crate::gateway::{Gateway, NotDone};
use crate::rates::Meter;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use jiff::civil::Date;
use ledger::Yen;
use serde::{Deserialize, Deserializer, de};
use serde_json::json;
use std::sync::Arc;
use web::jose::dpop::Call;
use web::{Secret, chance};

/// The one type of what can be asked (RFC 9396).
pub(super) const DETAILS_TYPE: &str = "jp_account_transfer_mandate";
/// How a request address begins.
const REQUEST_URI: &str = "urn:ietf:params:oauth:request_uri:";
const STATE_BYTES_MAX: usize = 512;
const NAME_BYTES_MAX: usize = 240;

/// What is asked of an account's holder, as a client writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Details {
    #[serde(rename = "type")]
    kind: String,
    mandate_reference: Reference,
    wallet: Reference,
    holder_name_kana: Secret<String>,
    holder_name_masked: String,
    #[serde(deserialize_with = "date")]
    birth_date: Date,
    bank_code: String,
    limits: WrittenLimits,
}

fn date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
    let text: Secret<String> = Secret::deserialize(deserializer)?;
    text.expose().parse().map_err(|_| de::Error::custom("a date is YYYY-MM-DD"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenLimits {
    per_time: u64,
    per_month: u64,
}

/// The token in a request address, if it is one of ours.
pub(crate) fn request_token(request_uri: &str) -> Option<&str> {
    request_uri.strip_prefix(REQUEST_URI)
}

/// The handler. Refusals in order: the form, the client, the parameters one by one, the details, the proof, the bank's
/// switch, too many open, no room.
pub async fn push(
    State(gateway): State<Gateway>,
    meter: Meter,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Fault> {
    let now = gateway.outside().now();
    let form = Form::parse(&headers, &body)?;
    let (client, _) = authenticate(&gateway, &form, &meter, now)?;
    check_parameters(&form, &client)?;
    let details = details(&form)?;
    let bank = known_bank(&gateway, &details)?;
    let limits = limits(&gateway, &details)?;
    let thumbprint = thumbprint(&gateway, client.operator, &form, &headers)?;
    let mandate = MandateId(gateway.outside().id());
    let request = mandate::Request {
        mandate,
        operator: client.operator,
        reference: details.mandate_reference,
        wallet: details.wallet.clone(),
        bank,
        limits,
    };
    let command = Command::Mandate(mandate::Command::Request(request));
    gateway.submit(command, actor(client.operator), None).await.map_err(|error| not_done(&error))?;
    let holder = Holder {
        name_kana: details.holder_name_kana,
        birth_date: details.birth_date,
        masked: details.holder_name_masked,
    };
    let text = |name| form.get(name).unwrap_or_default().to_owned();
    let asked = Asked {
        redirect_uri: text("redirect_uri"),
        state: text("state"),
        code_challenge: text("code_challenge"),
        thumbprint,
        wallet: details.wallet,
        holder,
        bank,
        limits,
    };
    let link = Link {
        mandate,
        client: client.settings.client_id.as_str().to_owned(),
        operator: client.operator,
        asked: Arc::new(asked),
        stage: Stage::Consent,
        attempts: 0,
        needs_possession: false,
        expires: now.plus_milliseconds(LINK_MS),
        granted: None,
        code_expires: now,
    };
    let token = chance::token(gateway.outside().chance.as_ref());
    gateway.oauth().links.push(link, &token, now).map_err(|_| Fault::Unavailable)?;
    let request_uri = format!("{REQUEST_URI}{}", token.expose());
    let answer = json!({ "request_uri": request_uri, "expires_in": REQUEST_URI_SECONDS });
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

fn check_parameters(form: &Form, client: &Client) -> Result<(), Fault> {
    let is = |name, value| form.get(name) == Some(value);
    if form.get("request_uri").is_some() || form.get("request").is_some() {
        return Err(Fault::InvalidRequest("what is pushed names no other request"));
    }
    if !is("client_id", client.settings.client_id.as_str()) {
        return Err(Fault::InvalidRequest("client_id is missing"));
    }
    if !is("response_type", "code") {
        return Err(Fault::InvalidRequest("response_type is code"));
    }
    let is_registered = |address: &str| client.settings.redirect_uris.iter().any(|known| known == address);
    if !form.get("redirect_uri").is_some_and(is_registered) {
        return Err(Fault::InvalidRequest("redirect_uri is not the registered one"));
    }
    if !is("code_challenge_method", "S256") {
        return Err(Fault::InvalidRequest("code_challenge_method is S256"));
    }
    let is_hash =
        |text: &str| text.len() == 43 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if !form.get("code_challenge").is_some_and(is_hash) {
        return Err(Fault::InvalidRequest("code_challenge is 43 characters of base64url"));
    }
    if !form
        .get("state")
        .is_some_and(|state| state.len() <= STATE_BYTES_MAX && state.bytes().all(|byte| byte.is_ascii_graphic()))
    {
        return Err(Fault::InvalidRequest("state is 1 to 512 visible ASCII characters"));
    }
    if !is("scope", "mandate") {
        return Err(Fault::InvalidScope);
    }
    if form.get("response_mode").is_some_and(|mode| mode != "query") {
        return Err(Fault::InvalidRequest("response_mode is query"));
    }
    Ok(())
}

/// The one thing that is asked. Errors name the member that does not fit and never repeat a value.
fn details(form: &Form) -> Result<Details, Fault> {
    let text = form.get("authorization_details").ok_or(Fault::InvalidRequest("authorization_details is missing"))?;
    let invalid = |what: &str| Fault::InvalidAuthorizationDetails(what.to_owned());
    let mut json = serde_json::Deserializer::from_str(text);
    let all: Vec<Details> = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| Fault::InvalidAuthorizationDetails(format!("{} does not fit", error.path())))?;
    let [details] = <[Details; 1]>::try_from(all).map_err(|_| invalid("exactly one thing is asked at a time"))?;
    if json.end().is_err() {
        return Err(invalid("something follows the list"));
    }
    if details.kind != DETAILS_TYPE {
        return Err(invalid("type is jp_account_transfer_mandate"));
    }
    for name in [details.holder_name_kana.expose(), &details.holder_name_masked] {
        if name.trim().is_empty() || name.len() > NAME_BYTES_MAX || !name.chars().all(is_plain) {
            return Err(invalid("a name is 1 to 240 bytes of letters and blanks"));
        }
    }
    Ok(details)
}

fn known_bank(gateway: &Gateway, details: &Details) -> Result<BankCode, Fault> {
    let bank = details.bank_code.parse().ok().filter(|bank| gateway.bank(*bank).is_some());
    bank.ok_or_else(|| Fault::InvalidAuthorizationDetails("bank_code is no bank here".into()))
}

fn limits(gateway: &Gateway, details: &Details) -> Result<Limits, Fault> {
    let WrittenLimits { per_time, per_month } = details.limits;
    let yen = |amount: u64| i64::try_from(amount).ok().map(Yen::new).filter(|yen| *yen > Yen::ZERO);
    match (yen(per_time), yen(per_month)) {
        (Some(per_time), Some(per_month))
            if per_time <= per_month && per_time <= gateway.options().policy.amount_max =>
        {
            Ok(Limits { per_time, per_month })
        }
        (Some(_) | None, Some(_) | None) => Err(Fault::InvalidAuthorizationDetails(
            "limits.per_time is from 1 to the gateway's limit, and not above limits.per_month".into(),
        )),
    }
}

/// The key that the code will have to come with (RFC 9449, section 10): named, proven, or neither.
fn thumbprint(
    gateway: &Gateway,
    operator: OperatorId,
    form: &Form,
    headers: &HeaderMap,
) -> Result<Option<String>, Fault> {
    let named = form.get("dpop_jkt");
    let Some(text) = proof_header(headers).map_err(Fault::InvalidDpopProof)? else {
        return Ok(named.map(str::to_owned));
    };
    let url = gateway.oauth().issuer.address("/gateway/v1/par");
    let (call, now) = (Call { method: "POST", url: &url, access_token: None }, gateway.outside().now());
    let proof = believe_proof(gateway, operator, text, call, now)?;
    if named.is_some_and(|named| named != proof.thumbprint) {
        return Err(Fault::InvalidDpopProof("dpop_jkt is another key than the proof's"));
    }
    Ok(Some(proof.thumbprint))
}

fn not_done(error: &NotDone) -> Fault {
    let refusal = match error {
        NotDone::Refused(refusal) => refusal,
        NotDone::Engine(error) => return error.into(),
    };
    match refusal {
        Refusal::Stopped { .. } => Fault::InvalidAuthorizationDetails("new mandates are stopped at this bank".into()),
        Refusal::TooManyOpen { .. } => Fault::TooManyOpen,
        Refusal::Full { .. } | Refusal::ClockDrifted => Fault::Unavailable,
        Refusal::AmountZero
        | Refusal::Unknown { .. }
        | Refusal::ReferenceTaken { .. }
        | Refusal::WrongStatus { .. }
        | Refusal::Expired { .. }
        | Refusal::SameChannel
        | Refusal::OverLimit { .. }
        | Refusal::AlreadyTold
        | Refusal::Unread { .. } => Fault::Internal,
    }
}
