//! Claims: somebody sees a debit at their bank that they did not make. They need no account with us, only what the bank's
//! statement shows; with the code that they are given they, and nobody else, can see how far it is.
//!
//! What they write is sealed as it comes in. Id and code are computed from the request, so that a repeat gets the same ones
//! and no code is stored.

use crate::asked::Asked;
use crate::doors::Door;
use crate::entrance::From;
use crate::refusals;
use crate::sealed::Ciphertext;
use crate::service::Service;
use crate::tallies::{Bound, DAY_MS};
use crate::webhooks::operator;
use axum::extract::{FromRequestParts, Path, State};
use domain::{Id, Time};
use http::request::Parts;
use http::{StatusCode, header};
use ledger::Yen;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::net::IpAddr;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wallet::{HolderId, StaffId};
use web::{Json, Problem};

/// Dates that one claim may name.
const DATES_MAX: usize = 31;
/// The longest descriptor or contact, in characters.
const TEXT_CHARACTERS_MAX: usize = 200;

/// How long a claim is kept once it is decided, in milliseconds; one that is not is kept until it is.
const DECIDED_MS: i64 = 400 * DAY_MS;
/// Claims a day from one network, /24 or /64, and four times as many from one site of IPv6 networks.
const MADE: [Bound; 1] = [Bound { name: "claims a day", count_max: 50, window_ms: DAY_MS }];

/// The paths of this room.
pub fn router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(make)).routes(routes!(get))
}

/// A debit that somebody did not make.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MakeClaim {
    /// The bank's code of four digits: `0125`.
    bank_code: String,
    /// What the statement shows.
    descriptor: Option<String>,
    /// On which dates: `2020-09-08`.
    dates: Vec<String>,
    /// How many yen, all dates together.
    #[schema(value_type = Option<i64>, minimum = 1)]
    amount: Option<Yen>,
    /// How the person can be reached.
    contact: String,
}

/// A claim that was taken.
#[derive(Serialize, ToSchema)]
pub struct Taken {
    /// Its id.
    id: String,
    /// To be kept: with it alone the claim can be seen. Give it as `Authorization: Bearer …`.
    code: String,
    /// `received`.
    status: &'static str,
}

/// A claim as its claimant sees it.
#[derive(Serialize, ToSchema)]
pub struct ShownClaim {
    /// Its id.
    id: String,
    /// `received`: the desk has it; `accepted`, `rejected`: it has decided.
    status: &'static str,
    /// At which bank.
    bank_code: String,
    /// When it came in.
    made_at: String,
    /// What the desk answers.
    answer: Option<String>,
    /// When it was decided.
    decided_at: Option<String>,
}

/// A claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Its id.
    pub key: Id,
    /// The MAC of the request's body.
    body: Id,
    /// At which bank.
    pub bank_code: String,
    /// What was written.
    pub sealed: Ciphertext,
    /// When.
    pub made: Time,
    /// What the desk said of it.
    #[serde(default)]
    pub decision: Option<Decision>,
}

/// What the desk said of a claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Whether it is so.
    pub accepted: bool,
    /// What the claimant reads.
    pub answer: Ciphertext,
    /// The MAC of the request's body.
    pub body: Id,
    /// Who decided.
    pub by: StaffId,
    /// When.
    pub at: Time,
}

impl Claim {
    /// How far it is.
    pub fn status(&self) -> &'static str {
        match self.decision.as_ref().map(|decision| decision.accepted) {
            None => "received",
            Some(true) => "accepted",
            Some(false) => "rejected",
        }
    }
}

impl Door for Claim {
    const TABLE: &'static str = "claim";

    fn id(&self) -> Id {
        self.key
    }

    fn at(&self) -> Option<Time> {
        self.decision.as_ref().map(|decision| decision.at.plus_milliseconds(DECIDED_MS))
    }
}

/// The code that a claimant shows.
pub struct ClaimCode(String);

impl FromRequestParts<Arc<Service>> for ClaimCode {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Service>) -> Result<Self, Problem> {
        let value = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let code = value.and_then(|value| value.split_once(' ')).map(|(_, code)| code.trim().to_owned());
        code.map(Self).ok_or_else(Problem::unauthenticated)
    }
}

/// Say that a debit was not yours. Takes no account.
#[utoipa::path(post, path = "/v1/claims", tag = "claims", request_body = MakeClaim,
    params(("Idempotency-Key" = String, Header)), responses((status = 201, body = Taken)))]
async fn make(
    State(service): State<Arc<Service>>,
    From(source): From,
    Asked { body, repeat }: Asked<MakeClaim>,
) -> Result<(StatusCode, Json<Taken>), Problem> {
    service.count_entrance(source)?;
    body.check()?;
    let request = repeat.by_stranger(&service, source);
    let key = service.keys.secret("claim", &Id(request.key).to_string());
    let kept = match service.doors.get::<Claim>(key)? {
        Some(kept) => kept,
        None => service.keep_claim(key, Id(request.body), &body, source)?,
    };
    if kept.body != Id(request.body) {
        return Err(refusals::engine_problem(&engine::EngineError::KeyReused));
    }
    // A repeat tells it again, under the same id.
    let told = json!({ "id": shown(key), "bank_code": kept.bank_code });
    service.tell_operator(operator::CLAIM_RECEIVED, &shown(key), kept.made, told)?;
    let taken = Taken { id: shown(key), code: service.claim_code(key), status: "received" };
    Ok((StatusCode::CREATED, Json(taken)))
}

fn too_many_claims() -> Problem {
    refusals::new(
        429,
        "too-many-claims",
        "Too many claims came from here today.",
        "この回線からの申告が本日の上限に達しました。",
    )
    .detail("Call the operator's desk, or come from elsewhere.")
}

/// See how far a claim is, with the code that was given for it.
#[utoipa::path(get, path = "/v1/claims/{claim}", tag = "claims", params(("claim" = String, Path)),
    security(("claimant" = [])), responses((status = 200, body = ShownClaim)))]
async fn get(
    State(service): State<Arc<Service>>,
    From(source): From,
    Path(claim): Path<String>,
    ClaimCode(code): ClaimCode,
) -> Result<Json<ShownClaim>, Problem> {
    service.count_entrance(source)?;
    let unknown = || Problem::not_found().with("noun", "claim");
    let key = parse(&claim).ok_or_else(unknown)?;
    // Compared as hashes, so that how near a guess is shows in no time.
    let hash = |code: &str| service.keys.secret("claim code", code);
    if hash(&code) != hash(&service.claim_code(key)) {
        return Err(unknown());
    }
    let kept: Claim = service.doors.get(key)?.ok_or_else(unknown)?;
    Ok(Json(ShownClaim {
        id: shown(key),
        status: kept.status(),
        made_at: kept.made.to_string(),
        answer: service.answer_to(&kept)?,
        decided_at: kept.decision.as_ref().map(|decision| decision.at.to_string()),
        bank_code: kept.bank_code,
    }))
}

impl MakeClaim {
    fn check(&self) -> Result<(), Problem> {
        let wrong = |member: &'static str, detail: &'static str| Problem::malformed(detail).with("member", member);
        let is_text = |text: &str| {
            (1..=TEXT_CHARACTERS_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control)
        };
        if self.bank_code.len() != 4 || !self.bank_code.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong("bank_code", "A bank's code has four digits."));
        }
        if !(1..=DATES_MAX).contains(&self.dates.len()) {
            return Err(wrong("dates", "A claim names 1 to 31 dates."));
        }
        if self.dates.iter().any(|date| date.parse::<jiff::civil::Date>().is_err()) {
            return Err(wrong("dates", "A date is written as 2020-09-08."));
        }
        if self.amount.is_some_and(Yen::is_zero) {
            return Err(wrong("amount", "An amount is at least one yen."));
        }
        if !self.descriptor.as_deref().is_none_or(is_text) {
            return Err(wrong("descriptor", "A descriptor is 1 to 200 characters on one line."));
        }
        if is_text(&self.contact) { Ok(()) } else { Err(wrong("contact", "A contact is 1 to 200 characters.")) }
    }
}

impl Service {
    /// Keeps a claim that nobody made before; what somebody made beside us stays. Nothing is sealed of one that is too many.
    fn keep_claim(&self, key: Id, body: Id, claim: &MakeClaim, source: IpAddr) -> Result<Claim, Problem> {
        if let Some(wait_ms) = self.wait_ms_from(&MADE, Id::default(), source)? {
            return Err(too_many_claims().retry_after((wait_ms + 999) / 1_000));
        }
        let plain = serde_json::to_vec(claim).map_err(|_| Problem::internal())?;
        // A claimant is nobody whom we know: the claim itself is the person under whose key it is sealed.
        let sealed = Ciphertext(self.seal(HolderId(key), &plain)?.0);
        let bank_code = claim.bank_code.clone();
        let fresh = Claim { key, body, bank_code, sealed, made: self.now(), decision: None };
        self.doors.insert(&fresh)?;
        Ok(self.doors.get::<Claim>(key)?.unwrap_or(fresh))
    }

    /// What the desk answered.
    pub fn answer_to(&self, claim: &Claim) -> Result<Option<String>, Problem> {
        let Some(decision) = &claim.decision else { return Ok(None) };
        let answer = self.unseal(HolderId(claim.key), &decision.answer.0)?;
        Ok(Some(String::from_utf8_lossy(&answer).into_owned()))
    }

    /// The code of the claim `key`: 128 bits that only we can compute.
    fn claim_code(&self, key: Id) -> String {
        self.keys.secret("code of a claim", &key.to_string()).to_string()
    }
}

/// The claim's id as people see it.
pub fn shown(key: Id) -> String {
    format!("clm_{key}")
}

/// The claim that `text` names.
pub fn parse(text: &str) -> Option<Id> {
    let digits = text.strip_prefix("clm_").filter(|digits| digits.len() == 32)?;
    u128::from_str_radix(digits, 16).ok().map(Id::from_number)
}
