//! Who calls: the form of an endpoint, and the client's assertion in it (`private_key_jwt`).

use super::clients::Client;
use super::fault::Fault;
use super::replay::NotTaken;
use crate::domain::OperatorId;
use crate::gateway::Gateway;
use crate::rates::Meter;
use bytes::Bytes;
use domain::Time;
use http::{HeaderMap, header};
use std::collections::BTreeMap;
use std::sync::Arc;
use web::jose::assertion::{self, ASSERTION_LIFE_SECONDS_MAX, ASSERTION_TYPE};
use web::jose::dpop::{self, Call, Proof};

/// Parameters of one form, at most.
const PARAMETERS_MAX: usize = 32;

/// The parameters of a form, each at most once (RFC 6749, section 3.1).
#[derive(Debug)]
pub(super) struct Form(BTreeMap<String, String>);

impl Form {
    /// Reads a body of kind `application/x-www-form-urlencoded`.
    pub fn parse(headers: &HeaderMap, body: &Bytes) -> Result<Self, Fault> {
        let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !kind
            .split(';')
            .next()
            .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"))
        {
            return Err(Fault::InvalidRequest("the body is a form: application/x-www-form-urlencoded"));
        }
        let mut parameters = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(body) {
            if parameters.len() >= PARAMETERS_MAX || parameters.insert(name.into_owned(), value.into_owned()).is_some()
            {
                return Err(Fault::InvalidRequest("a parameter comes twice, or there are too many"));
            }
        }
        Ok(Self(parameters))
    }

    /// The value of `name`; an empty one counts as none.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// Who calls, by the assertion in `form`, and the thumbprint of the key that signed it. Refusals in order: no assertion, unknown
/// client, too many calls of that client, not believed, shown before.
pub(super) fn authenticate(
    gateway: &Gateway,
    form: &Form,
    meter: &Meter,
    now: Time,
) -> Result<(Arc<Client>, String), Fault> {
    let oauth = gateway.oauth();
    if form.get("client_assertion_type") != Some(ASSERTION_TYPE) {
        return Err(Fault::InvalidClient("a client proves itself with private_key_jwt"));
    }
    let text = form.get("client_assertion").ok_or(Fault::InvalidClient("client_assertion is missing"))?;
    let unknown = Fault::InvalidClient("the client is not known, or has not proven that it is");
    let id = assertion::claimed_client(text).ok_or(unknown.clone())?;
    if form.get("client_id").is_some_and(|named| named != id) {
        return Err(unknown);
    }
    let client = oauth.clients.get(&id).ok_or(unknown.clone())?;
    gateway.limits().claimed(meter, client.operator, now).map_err(Fault::TooManyRequests)?;
    let believed = assertion::believe(text, &id, &client.keys, oauth.issuer.url(), now).map_err(|error| {
        if gateway.limits().may_log_forgery(client.operator.id(), now) {
            tracing::warn!(client = %client.settings.client_id, %error, "an assertion was not believed");
        }
        unknown
    })?;
    gateway.limits().operator(meter, client.operator, now).map_err(Fault::TooManyRequests)?;
    // Without `iat` it may be as old as the longest life allows.
    let issued =
        believed.issued.unwrap_or_else(|| believed.expires.plus_milliseconds(-1_000 * ASSERTION_LIFE_SECONDS_MAX));
    match oauth.replay.take(client.operator, (&id, &believed.jti), (issued, believed.expires), now) {
        Ok(()) => Ok((client, believed.key)),
        Err(NotTaken::Again) => Err(Fault::InvalidClient("this assertion was shown before")),
        Err(NotTaken::Full) => Err(Fault::Unavailable),
    }
}

/// The one proof of possession in `headers`, if there is one.
pub(super) fn proof_header(headers: &HeaderMap) -> Result<Option<&str>, &'static str> {
    let mut proofs = headers.get_all("dpop").iter();
    match (proofs.next(), proofs.next()) {
        (None, _) => Ok(None),
        (Some(proof), None) => proof.to_str().map(Some).map_err(|_| "the DPoP header is not a token"),
        (Some(_), Some(_)) => Err("there are two DPoP headers"),
    }
}

/// Believes `text` as `operator`'s proof for `call` that was not shown before.
pub(super) fn believe_proof(
    gateway: &Gateway,
    operator: OperatorId,
    text: &str,
    call: Call<'_>,
    now: Time,
) -> Result<Proof, Fault> {
    let proof = dpop::believe(text, call, now).map_err(|_| Fault::InvalidDpopProof("the proof is not believed"))?;
    let named = (proof.thumbprint.as_str(), proof.jti.as_str());
    match gateway.oauth().replay.take(operator, named, (proof.issued, proof.expires), now) {
        Ok(()) => Ok(proof),
        Err(NotTaken::Again) => Err(Fault::InvalidDpopProof("this proof was shown before")),
        Err(NotTaken::Full) => Err(Fault::Unavailable),
    }
}
