//! Claims at the desk: somebody, often no customer of ours, sees a debit at their bank that they did not make. The desk reads
//! what they wrote, stops what it has to do with, and answers; the claimant reads the answer with their code.
//!
//! A decision is kept before anything is stopped, and stopping twice changes nothing: whoever repeats it gets the same answer,
//! and whoever goes on after a crash the same end.

use super::people::{Desk, Person, Role};
use crate::api::{Claim, Decision, MakeClaim, claim_name, ids, parse_claim};
use crate::asked::{Asked, Reply};
use crate::query::{self, Page, Query};
use crate::refusals;
use crate::sealed::Ciphertext;
use crate::service::Service;
use axum::extract::{Path, State};
use domain::{Id, Key};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wallet::mandate::{Command as OfMandate, RevokedBy, Why};
use wallet::wallet::{Asker, Command as OfWallet};
use wallet::{Command, HolderId, MandateId, Noun, Receipt, WalletId, table};
use web::{Json, Problem};

/// Mandates or wallets that one decision stops, at most.
const STOPPED_MAX: usize = 32;
/// The longest answer, in characters.
const ANSWER_CHARACTERS_MAX: usize = 1_000;
/// Pages of rows that one request looks at.
const PARTS_MAX: usize = 4;

/// The paths of this room.
pub fn router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(read)).routes(routes!(decide))
}

/// Which page.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// `received`, `accepted` or `rejected`; all without it.
    status: Option<String>,
    /// How many, 1 to 100; 20 without it.
    limit: Option<usize>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A claim without what its claimant wrote.
#[derive(Serialize, ToSchema)]
#[schema(as = DeskClaim)]
pub struct Listed {
    /// Its id.
    id: String,
    /// `received`, `accepted`, `rejected`.
    status: &'static str,
    /// At which bank.
    bank_code: String,
    /// When it came in.
    made_at: String,
    /// When it was decided.
    decided_at: Option<String>,
    /// Who decided it.
    decided_by: Option<Person>,
}

/// A claim with what its claimant wrote.
#[derive(Serialize, ToSchema)]
#[schema(as = DeskClaimRead)]
pub struct Whole {
    /// What the list shows.
    #[serde(flatten)]
    claim: Listed,
    /// What was written.
    written: MakeClaim,
    /// What was answered.
    answer: Option<String>,
}

/// What the desk says of a claim.
#[derive(Deserialize, ToSchema)]
#[schema(as = ClaimDecide)]
#[serde(deny_unknown_fields)]
pub struct Decide {
    /// Whether it is so.
    accept: bool,
    /// What the claimant reads: 1 to 1,000 characters. A rejection says why.
    answer: String,
    /// Mandates that end by it, as not the account holder's.
    #[serde(default)]
    mandates: Vec<String>,
    /// Wallets that are frozen by it.
    #[serde(default)]
    wallets: Vec<String>,
}

/// What came of a decision.
#[derive(Serialize, ToSchema)]
#[schema(as = ClaimDecided)]
pub struct Decided {
    /// The claim's id.
    id: String,
    /// `accepted` or `rejected`.
    status: &'static str,
    /// What was stopped.
    stopped: Vec<Stopped>,
}

/// Something that a decision stopped.
#[derive(Serialize, ToSchema)]
#[schema(as = ClaimStopped)]
pub struct Stopped {
    /// Its id.
    id: String,
    /// How far it is now; or why it could not be stopped, which is that it has ended before.
    status: String,
}

/// Claims, each with how far it is.
#[utoipa::path(get, path = "/desk/v1/claims", tag = "claims", params(Which), security(("desk" = [])),
    responses((status = 200, body = Page<Listed>)))]
async fn list(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Query(which): Query<Which>,
) -> Result<Json<Page<Listed>>, Problem> {
    desk.check_any()?;
    let limit = query::limit(which.limit)?;
    let status = which.status.as_deref();
    if !status.is_none_or(|status| matches!(status, "received" | "accepted" | "rejected")) {
        return Err(Problem::malformed("received, accepted or rejected.").with("member", "status"));
    }
    let list = format!("claims {}", status.unwrap_or("all"));
    let mut after = query::place(&service.keys, &list, which.cursor.as_deref())?.unwrap_or_default();
    let mut data = Vec::new();
    for _ in 0..PARTS_MAX {
        let wanted = limit - data.len();
        let rows: Vec<Claim> = service.doors.all(after, wanted)?;
        after = rows.last().map_or(after, |row| row.key);
        let shown = rows.iter().filter(|row| status.is_none_or(|status| status == row.status()));
        data.extend(shown.map(|row| service.listed(row)));
        if rows.len() < wanted {
            return Ok(Json(Page { data, next_cursor: None }));
        }
        if data.len() == limit {
            break;
        }
    }
    let next_cursor = Some(query::cursor(&service.keys, &list, &after.0));
    Ok(Json(Page { data, next_cursor }))
}

/// Read a claim, with what its claimant wrote.
#[utoipa::path(get, path = "/desk/v1/claims/{claim}", tag = "claims", params(("claim" = String, Path)),
    security(("desk" = [])), responses((status = 200, body = Whole)))]
async fn read(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Path(claim): Path<String>,
) -> Result<Json<Whole>, Problem> {
    // What is in it is a person's own.
    desk.check(Role::Risk)?;
    let row = service.claim(&claim)?;
    let written = service.unseal(HolderId(row.key), &row.sealed.0)?;
    let written = serde_json::from_slice(&written).map_err(|_| Problem::internal())?;
    Ok(Json(Whole { claim: service.listed(&row), written, answer: service.answer_to(&row)? }))
}

/// Decide a claim. Accepted, it ends the named mandates and freezes the named wallets.
#[utoipa::path(post, path = "/desk/v1/claims/{claim}/decision", tag = "claims", request_body = Decide,
    params(("claim" = String, Path), ("Idempotency-Key" = String, Header)), security(("desk" = [])),
    responses((status = 200, body = Decided)))]
async fn decide(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Path(claim): Path<String>,
    Asked { body, repeat }: Asked<Decide>,
) -> Result<Reply, Problem> {
    desk.check(Role::Risk)?;
    let row = service.claim(&claim)?;
    let (mandates, wallets) = service.check_decision(&body).await?;
    let request = repeat.by(&service, desk.actor());
    let work = async {
        let decision = Decision {
            accepted: body.accept,
            answer: Ciphertext(service.seal(HolderId(row.key), body.answer.trim().as_bytes())?.0),
            body: Id(request.body),
            by: desk.id,
            at: service.now(),
        };
        let row = service.keep_decision(row.key, decision)?;
        let mut stopped = Vec::new();
        for mandate in mandates {
            let revoke = OfMandate::Revoke { mandate, by: RevokedBy::Desk(desk.id), why: Why::NotMine };
            stopped.push(service.stop(desk, row.key, mandate.to_string(), Command::Mandate(revoke)).await?);
        }
        for wallet in wallets {
            let freeze = OfWallet::Freeze { wallet, by: Asker::Desk(desk.id) };
            stopped.push(service.stop(desk, row.key, wallet.to_string(), Command::Wallet(freeze)).await?);
        }
        Reply::shown(StatusCode::OK, &Decided { id: claim_name(row.key), status: row.status(), stopped })
    };
    service.once(request, work).await
}

impl Service {
    fn claim(&self, name: &str) -> Result<Claim, Problem> {
        let unknown = || Problem::not_found().with("noun", "claim");
        let key = parse_claim(name).ok_or_else(unknown)?;
        self.doors.get(key)?.ok_or_else(unknown)
    }

    fn listed(&self, row: &Claim) -> Listed {
        Listed {
            id: claim_name(row.key),
            status: row.status(),
            bank_code: row.bank_code.clone(),
            made_at: row.made.to_string(),
            decided_at: row.decision.as_ref().map(|decision| decision.at.to_string()),
            decided_by: row.decision.as_ref().map(|decision| self.person(decision.by)),
        }
    }

    /// What a decision names, all of which must be there.
    async fn check_decision(&self, body: &Decide) -> Result<(Vec<MandateId>, Vec<WalletId>), Problem> {
        let answer = body.answer.trim();
        let is_text = (1..=ANSWER_CHARACTERS_MAX).contains(&answer.chars().count());
        if !is_text || answer.chars().any(|character| character.is_control() && character != '\n') {
            return Err(Problem::malformed("An answer has 1 to 1,000 characters.").with("member", "answer"));
        }
        if body.mandates.len() > STOPPED_MAX || body.wallets.len() > STOPPED_MAX {
            return Err(Problem::malformed("A decision stops up to 32 mandates and 32 wallets."));
        }
        let stops_nothing = body.mandates.is_empty() && body.wallets.is_empty();
        if !body.accept && !stops_nothing {
            return Err(Problem::malformed("A rejection stops nothing."));
        }
        let mut mandates = Vec::new();
        for name in &body.mandates {
            let id = ids::parse(name, Noun::Mandate)?;
            self.mandate(id).await?;
            mandates.push(id);
        }
        let mut wallets = Vec::new();
        for name in &body.wallets {
            let id: WalletId = ids::parse(name, Noun::Wallet)?;
            let row = self.row(Key::new(table::WALLET, id.0)).await?;
            row.ok_or_else(|| ids::unknown(Noun::Wallet))?;
            wallets.push(id);
        }
        Ok((mandates, wallets))
    }

    /// Keeps the first decision; the same again changes nothing, and another one is refused.
    fn keep_decision(&self, key: Id, decision: Decision) -> Result<Claim, Problem> {
        self.doors.change(|doors| {
            let mut row: Claim = doors.get(key)?.ok_or_else(Problem::not_found)?;
            match &row.decision {
                Some(kept) if kept.by == decision.by && kept.body == decision.body => Ok(row),
                Some(_) => {
                    let title = "Its present status does not allow this.";
                    let problem = refusals::new(409, "wrong-status", title, "現在の状態ではできません。");
                    Err(problem.with("noun", "claim").with("current_status", row.status()))
                }
                None => {
                    row.decision = Some(decision);
                    doors.put(&row)?;
                    Ok(row)
                }
            }
        })
    }

    /// Stops something because of the claim `key`, which has the words.
    async fn stop(&self, desk: Desk, key: Id, id: String, command: Command) -> Result<Stopped, Problem> {
        let reason = Some(format!("claim {}", claim_name(key)));
        let status = match self.ask_because(desk.actor(), reason, None, command).await?.reply {
            Ok(Receipt::Mandate { status, .. }) => status.name().to_owned(),
            Ok(Receipt::Wallet { status, .. }) => status,
            Ok(_) => return Err(Problem::internal()),
            Err(refusal) => refusals::problem(&refusal).name().to_owned(),
        };
        Ok(Stopped { id, status })
    }
}
