//! `POST /gateway/v1/token`: a code for the grant that it stands for, or an assertion for a token of the operator's own.
//!
//! A code is good once. Whatever is wrong with the call that brings it, it is gone afterwards, and so is the grant: whoever
//! holds a code without its verifier, its key or its client has got it where it should not have been.

use super::actor;
use super::authentication::{Form, authenticate, believe_proof, proof_header};
use super::caller::{Scope, parse_scopes, write_scopes};
use super::clients::Client;
use super::fault::Fault;
use super::issuer::ACCESS_TOKEN_SECONDS;
use super::links::{Link, Redeemed};
use crate::domain::mandate::{self, RevokedBy, Status, Why};
use crate::domain::{Command, Factor, MissingFact, Receipt, Refusal};
use crate::gateway::{Gateway, NotDone};
use crate::rates::Meter;
use axum::Json;
use axum::extract::State;
use bytes::Bytes;
use domain::Time;
use http::HeaderMap;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use web::jose::dpop::{Call, Proof};

/// The handler. Refusals in order: the form, the client, the proof, then what the grant type says.
pub async fn token(
    State(gateway): State<Gateway>,
    meter: Meter,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Fault> {
    let now = gateway.outside().now();
    let form = Form::parse(&headers, &body)?;
    let (client, key) = authenticate(&gateway, &form, &meter, now)?;
    let url = gateway.oauth().issuer.address("/gateway/v1/token");
    let proof = proof_header(&headers)
        .map_err(Fault::InvalidDpopProof)?
        .ok_or(Fault::InvalidDpopProof("a token is bound to a key: send a proof in DPoP"))?;
    let call = Call { method: "POST", url: &url, access_token: None };
    let proof = believe_proof(&gateway, client.operator, proof, call, now)?;
    match form.get("grant_type") {
        Some("authorization_code") => collect(&gateway, (&client, &key), &form, proof, now).await,
        Some("client_credentials") => {
            let text = form.get("scope").ok_or(Fault::InvalidScope)?;
            let scopes =
                parse_scopes(text).filter(|scopes| !scopes.contains(&Scope::Mandate)).ok_or(Fault::InvalidScope)?;
            Ok(Json(access(&gateway, (&client, &key), &scopes, proof, now)))
        }
        Some(_) => Err(Fault::UnsupportedGrantType),
        None => Err(Fault::InvalidRequest("grant_type is missing")),
    }
}

/// A token for the client that has proven itself with the key of that thumbprint.
fn access(gateway: &Gateway, (client, key): (&Client, &str), scopes: &[Scope], proof: Proof, now: Time) -> Value {
    let jti = gateway.outside().id().to_string();
    let client = (&client.settings.client_id, key);
    let token = gateway.oauth().issuer.access_token(client, scopes, proof.thumbprint, jti, now);
    json!({
        "access_token": token,
        "token_type": "DPoP",
        "expires_in": ACCESS_TOKEN_SECONDS,
        "scope": write_scopes(scopes),
    })
}

/// Collects the grant that the code stands for.
async fn collect(
    gateway: &Gateway,
    (client, key): (&Client, &str),
    form: &Form,
    proof: Proof,
    now: Time,
) -> Result<Json<Value>, Fault> {
    let code = form.get("code").ok_or(Fault::InvalidRequest("code is missing"))?;
    let link = match gateway.oauth().links.redeem(code, now) {
        Redeemed::Unknown => return Err(Fault::InvalidGrant("the code is not good")),
        Redeemed::Again(link) => {
            tracing::warn!(mandate = %link.mandate, "a code was brought a second time: its grant is revoked");
            revoke(gateway, &link).await?;
            return Err(Fault::InvalidGrant("the code is not good"));
        }
        Redeemed::Once(link) => link,
    };
    if let Err(fault) = check(&link, client, form, &proof, now) {
        tracing::warn!(mandate = %link.mandate, code = fault.code(), "a code came without what belongs to it");
        revoke(gateway, &link).await?;
        return Err(fault);
    }
    let account = link.granted.ok_or(Fault::Internal)?;
    let command = mandate::Command::Collect { mandate: link.mandate, operator: client.operator, account };
    match gateway.submit(Command::Mandate(command), actor(client.operator), None).await {
        Ok(Receipt::Mandate { status: Status::Active | Status::InReview, .. }) => {}
        // Another wallet has the account, on factors that are as good.
        Ok(Receipt::Mandate { missing: Some(MissingFact::FreeAccount), .. }) => return Err(Fault::AlreadyLinked),
        Ok(Receipt::Mandate { .. }) => return Err(Fault::InvalidGrant("the grant is over")),
        Ok(Receipt::Done | Receipt::Movement { .. } | Receipt::Proposed { .. }) => return Err(Fault::Internal),
        Err(error) => return Err(not_done(&error)),
    }
    let mut answer = access(gateway, (client, key), &[Scope::Mandate], proof, now);
    let details = granted(gateway, &link).await?;
    answer["authorization_details"] = json!([details]);
    Ok(Json(answer))
}

/// What was granted, as the operator sees it: grades and facts, never what the bank has of its customer.
async fn granted(gateway: &Gateway, link: &Link) -> Result<Value, Fault> {
    let mandate = gateway.mandate(link.mandate).await.map_err(|error| Fault::from(&error))?.ok_or(Fault::Internal)?;
    let grant = mandate.grant.ok_or(Fault::Internal)?;
    let account = gateway.account(grant.account).await.map_err(|error| Fault::from(&error))?.ok_or(Fault::Internal)?;
    let details = &account.details;
    Ok(json!({
        "type": super::pushed::DETAILS_TYPE,
        "mandate_reference": mandate.reference,
        "mandate_id": link.mandate.to_string(),
        "wallet": mandate.wallet,
        "status": mandate.status.name(),
        "account_ref": grant.account_ref.to_string(),
        "bank_code": mandate.bank.to_string(),
        "branch": details.branch,
        "account_kind": details.kind.name(),
        "masked_number": details.masked,
        "limits": { "per_time": mandate.limits.per_time.amount(), "per_month": mandate.limits.per_month.amount() },
        "grade": {
            "name": grant.name.name(),
            "birth_date_matches": grant.birth_date_matches,
            "factors": grant.factors.iter().map(Factor::name).collect::<Vec<_>>(),
            "factors_strong": grant.is_strong(),
            "contact_notified": grant.contact_notified,
        },
    }))
}

/// Refusals in order: another client's code, too late, another redirect address, another verifier, another key.
fn check(link: &Link, client: &Client, form: &Form, proof: &Proof, now: Time) -> Result<(), Fault> {
    let asked = &link.asked;
    if link.operator != client.operator {
        return Err(Fault::InvalidGrant("the code is not good"));
    }
    if now >= link.code_expires {
        return Err(Fault::InvalidGrant("the code is not good"));
    }
    if form.get("redirect_uri") != Some(asked.redirect_uri.as_str()) {
        return Err(Fault::InvalidGrant("redirect_uri is not the one that was pushed"));
    }
    let verifier = form.get("code_verifier").unwrap_or_default();
    if !is_verifier(verifier) || web::jose::encode(&Sha256::digest(verifier)) != asked.code_challenge {
        return Err(Fault::InvalidGrant("code_verifier is not the one of the challenge"));
    }
    if asked.thumbprint.as_ref().is_some_and(|pushed| *pushed != proof.thumbprint) {
        return Err(Fault::InvalidGrant("the proof is by another key than the pushed request's"));
    }
    Ok(())
}

/// RFC 7636, section 4.1.
fn is_verifier(text: &str) -> bool {
    (43..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

/// Ends the grant of `link`, if it is not over already.
async fn revoke(gateway: &Gateway, link: &Link) -> Result<(), Fault> {
    let (by, why) = (RevokedBy::Operator, Why::Unneeded);
    let command = mandate::Command::Revoke { mandate: link.mandate, operator: None, by, why };
    match gateway.submit(Command::Mandate(command), actor(link.operator), None).await {
        Ok(_) | Err(NotDone::Refused(Refusal::WrongStatus { .. })) => Ok(()),
        Err(error) => Err(not_done(&error)),
    }
}

fn not_done(error: &NotDone) -> Fault {
    let refusal = match error {
        NotDone::Refused(refusal) => refusal,
        NotDone::Engine(error) => return error.into(),
    };
    match refusal {
        Refusal::Unknown { .. } | Refusal::WrongStatus { .. } | Refusal::Expired { .. } | Refusal::Stopped { .. } => {
            Fault::InvalidGrant("the grant is over")
        }
        Refusal::Full { .. } | Refusal::TooManyOpen { .. } | Refusal::ClockDrifted => Fault::Unavailable,
        Refusal::AmountZero
        | Refusal::ReferenceTaken { .. }
        | Refusal::SameChannel
        | Refusal::OverLimit { .. }
        | Refusal::AlreadyTold
        | Refusal::Unread { .. } => Fault::Internal,
    }
}
