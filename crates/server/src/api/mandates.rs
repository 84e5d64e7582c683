//! Mandates: asking for one, seeing them, ending one. And the bank accounts that they hang on.
//!
//! What is answered here grants nothing: the link goes on at a page of ours, in the holder's own browser.

use crate::api::wallets::parse_id;
use crate::asked::{self, Reply};
use crate::banking::{Asked, Silent, is_later, is_refused};
use crate::entrance::Holder;
use crate::links::{Link, LinkedAccount};
use crate::query::{self, Page, Query, Which};
use crate::refusals;
use crate::service::Service;
use crate::tallies::{Bound, HOUR_MS, Tallies};
use crate::velocity::Deed;
use axum::extract::{Path, State};
use domain::Key;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wallet::mandate::{Mandate, Request, RevokedBy, Why};
use wallet::{BankCode, Command, MandateId, Noun, Receipt, Refusal, Row, WalletId, mandate, table};
use web::{Json, Problem};

/// The longest `return_url`, in bytes.
const RETURN_URL_BYTES_MAX: usize = 512;

/// The paths of this room.
pub fn router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(ask, list)).routes(routes!(show, revoke)).routes(routes!(accounts))
}

/// A mandate that is asked for.
#[derive(Deserialize, ToSchema)]
#[schema(as = MandateAsk)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    bank_code: String,
    return_url: Option<String>,
    challenge_id: Option<String>,
}

/// A mandate.
#[derive(Serialize, ToSchema)]
#[schema(as = MandateShown)]
pub struct Shown {
    id: String,
    status: &'static str,
    bank_code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    branch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    masked_number: Option<String>,
    /// Whether the account's true holder has confirmed it: until then it debits little.
    confirmed: bool,
    requested_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorize_url: Option<String>,
}

/// A bank account.
#[derive(Serialize, ToSchema)]
pub struct BankAccount {
    id: String,
    bank_code: String,
    branch: String,
    masked_number: String,
    mandate: Option<String>,
    can_pay_out: bool,
}

/// Ask to link a bank account.
#[utoipa::path(post, path = "/v1/wallets/{wallet}/mandates", tag = "mandates", request_body = Ask,
    params(("wallet" = String, Path), ("Idempotency-Key" = String, Header)), security(("holder" = [])),
    responses((status = 201, body = Shown)))]
async fn ask(
    State(service): State<Arc<Service>>,
    caller: Holder,
    Path(wallet): Path<String>,
    asked::Asked { body, repeat }: asked::Asked<Ask>,
) -> Result<Reply, Problem> {
    let wallet = parse_id(&wallet)?;
    let bank = parse_bank(&body.bank_code)?;
    let return_url = body.return_url.map(|url| check_return_url(&url, &service.options.origin)).transpose()?;
    let (mandate, request) = (MandateId(service.id()), repeat.by(&service, caller.actor()));
    let command = |proof| {
        let origin = Some(caller.origin);
        Command::Mandate(mandate::Command::Request(Request { mandate, wallet, holder: caller.id, bank, origin, proof }))
    };
    let work = async {
        service.wallet_of(wallet, caller.id).await?;
        service.check_links_to(bank).await?;
        service.count_velocity(Deed::AskLink, &caller)?;
        service.count_mandate(wallet)?;
        let takes_proof = service.is_new_device(&caller)? && service.policy().await?.mandate.new_device_takes_proof;
        let challenge = body.challenge_id.as_deref();
        let answer = service.submit_provable(&caller, request, challenge, takes_proof, command).await?;
        let Receipt::Mandate { id, .. } = answer.reply.map_err(|refusal| refusals::problem(&refusal))? else {
            return Err(Problem::internal());
        };
        let link = Link {
            mandate: id,
            wallet,
            holder: caller.id,
            bank,
            return_url,
            gateway_id: None,
            bank_account: None,
            account: None,
        };
        service.doors.insert(&link)?;
        Reply::shown(StatusCode::CREATED, &service.present_mandate(&caller, id).await?)
    };
    service.once(request, work).await
}

/// See a wallet's mandates, the newest first.
#[utoipa::path(get, path = "/v1/wallets/{wallet}/mandates", tag = "mandates",
    params(("wallet" = String, Path), Which), security(("holder" = [])),
    responses((status = 200, body = Page<Shown>)))]
async fn list(
    State(service): State<Arc<Service>>,
    caller: Holder,
    Path(wallet): Path<String>,
    Query(which): Query<Which>,
) -> Result<Json<Page<Shown>>, Problem> {
    let wallet = parse_id(&wallet)?;
    service.wallet_of(wallet, caller.id).await?;
    let (limit, list) = (query::limit(which.limit)?, format!("mandates of {wallet}"));
    let before = which.place(&service.keys, &list)?;
    let (links, next) = service.doors.newest::<Link>(wallet.0, before, limit)?;
    let mut data = Vec::new();
    for link in links {
        data.push(service.present_mandate(&caller, link.mandate).await?);
    }
    Ok(Json(Page { data, next_cursor: next.map(|id| query::cursor(&service.keys, &list, &id.0)) }))
}

/// See a mandate.
#[utoipa::path(get, path = "/v1/wallets/{wallet}/mandates/{mandate}", tag = "mandates",
    params(("wallet" = String, Path), ("mandate" = String, Path)), security(("holder" = [])),
    responses((status = 200, body = Shown)))]
async fn show(
    State(service): State<Arc<Service>>,
    caller: Holder,
    Path((wallet, mandate)): Path<(String, String)>,
) -> Result<Json<Shown>, Problem> {
    let mandate = own_mandate(&service, &caller, &wallet, &mandate).await?;
    Ok(Json(service.present_mandate(&caller, mandate).await?))
}

/// End a mandate.
#[utoipa::path(delete, path = "/v1/wallets/{wallet}/mandates/{mandate}", tag = "mandates",
    params(("wallet" = String, Path), ("mandate" = String, Path)), security(("holder" = [])),
    responses((status = 204, description = "As asked.")))]
async fn revoke(
    State(service): State<Arc<Service>>,
    caller: Holder,
    Path((wallet, mandate)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let mandate = own_mandate(&service, &caller, &wallet, &mandate).await?;
    let by = RevokedBy::Holder(caller.id);
    let command = Command::Mandate(mandate::Command::Revoke { mandate, by, why: Why::Unneeded });
    match service.ask(caller.actor(), None, command).await?.reply {
        // What never came to be is as good as ended.
        Ok(_) | Err(Refusal::WrongStatus { .. }) => {}
        Err(refusal) => return Err(refusals::problem(&refusal)),
    }
    service.end_at_gateway(mandate).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// See the bank accounts of a wallet.
#[utoipa::path(get, path = "/v1/wallets/{wallet}/bank-accounts", tag = "mandates",
    params(("wallet" = String, Path), Which), security(("holder" = [])),
    responses((status = 200, body = Page<BankAccount>)))]
async fn accounts(
    State(service): State<Arc<Service>>,
    caller: Holder,
    Path(wallet): Path<String>,
    Query(which): Query<Which>,
) -> Result<Json<Page<BankAccount>>, Problem> {
    let id = parse_id(&wallet)?;
    let wallet = service.wallet_of(id, caller.id).await?;
    let (limit, list) = (query::limit(which.limit)?, format!("bank accounts of {id}"));
    let before = which.place(&service.keys, &list)?;
    let (accounts, next) = service.doors.newest::<LinkedAccount>(id.0, before, limit)?;
    let mut data = Vec::new();
    for linked in accounts {
        let row = service.row(Key::new(table::BANK_ACCOUNT, linked.bank_account.0)).await?;
        // The bank granted it, and it never became a link.
        let Some(Row::BankAccount(row)) = row.as_deref() else { continue };
        let can_pay_out = row.is_route_of(id, &wallet);
        let mandate = service.live_mandate_of(id, row.live_mandate).await?;
        if !can_pay_out && mandate.is_none() {
            continue;
        }
        let account = service.account_shown(caller.id, &linked.account)?;
        data.push(BankAccount {
            id: linked.bank_account.to_string(),
            bank_code: account.bank_code,
            branch: account.branch,
            masked_number: account.masked_number,
            mandate: mandate.map(|mandate| mandate.to_string()),
            can_pay_out,
        });
    }
    Ok(Json(Page { data, next_cursor: next.map(|id| query::cursor(&service.keys, &list, &id.0)) }))
}

/// The bank code in a body.
pub fn parse_bank(text: &str) -> Result<BankCode, Problem> {
    let is_code = text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    let code = text.parse().ok().filter(|_| is_code).and_then(BankCode::new);
    code.ok_or_else(|| Problem::malformed("A bank code has four digits.").with("member", "bank_code"))
}

/// A browser is sent back to our own pages alone: whoever names another place wants it to look like ours.
fn check_return_url(url: &str, own: &str) -> Result<String, Problem> {
    let path = url.strip_prefix(own).unwrap_or(url);
    let is_own = path.starts_with('/') && !path.starts_with("//") && !path.starts_with("/\\");
    let is_plain = url.len() <= RETURN_URL_BYTES_MAX && url.bytes().all(|byte| byte.is_ascii_graphic());
    if is_own && is_plain {
        return Ok(path.to_owned());
    }
    Err(Problem::malformed("A return_url is a path of this service.").with("member", "return_url"))
}

async fn own_mandate(service: &Service, caller: &Holder, wallet: &str, mandate: &str) -> Result<MandateId, Problem> {
    let unknown = || refusals::problem(&Refusal::Unknown { noun: Noun::Mandate });
    let wallet = parse_id(wallet)?;
    let id: MandateId = mandate.parse().map_err(|_| unknown())?;
    let mandate = service.mandate(id).await?;
    if mandate.holder == caller.id && mandate.wallet == wallet { Ok(id) } else { Err(unknown()) }
}

impl Service {
    /// Refuses a bank that the gateway does not know, or where it lets nobody link an account: before anything is asked for.
    async fn check_links_to(&self, bank: BankCode) -> Result<(), Problem> {
        let (banks, _) = self.banks().await.ok_or_else(refusals::unavailable)?;
        let code = bank.to_string();
        let Some(row) = banks.iter().find(|row| row["code"] == code) else {
            return Err(refusals::new(422, "unknown-bank", "No bank here has this code.", "取扱いのない銀行です。")
                .detail("GET /v1/banks lists those that can be linked.")
                .with("member", "bank_code")
                .with("bank_code", code));
        };
        let switch = &row["switches"]["register"];
        if switch["stopped"] != true {
            return Ok(());
        }
        Err(refusals::stopped_there(&code, switch))
    }

    /// Counts a mandate that `wallet` asks for.
    fn count_mandate(&self, wallet: WalletId) -> Result<(), Problem> {
        let count_max = self.options.rates.mandates_max;
        let asked = [Bound { name: "mandates asked in half an hour", count_max, window_ms: HOUR_MS / 2 }];
        let wait_ms = self.doors.change(|doors| {
            let tallies = Tallies { doors, keys: &self.keys, now: self.now() };
            let wait_ms = tallies.wait_ms(&asked, "", wallet.0)?;
            if wait_ms.is_none() {
                tallies.count(&asked, "", wallet.0)?;
            }
            Ok::<_, Problem>(wait_ms)
        })?;
        let Some(wait_ms) = wait_ms else { return Ok(()) };
        let too_many = refusals::new(
            429,
            "too-many-mandates",
            "Too many links were begun.",
            "口座登録の申込みが上限に達しました。",
        );
        Err(too_many.detail("Go on with one of them, or wait.").retry_after((wait_ms + 999) / 1_000))
    }

    /// The mandate `id`.
    pub async fn mandate(&self, id: MandateId) -> Result<Mandate, Problem> {
        match self.row(Key::new(table::MANDATE, id.0)).await?.as_deref() {
            Some(Row::Mandate(mandate)) => Ok(mandate.clone()),
            Some(_) | None => Err(refusals::problem(&Refusal::Unknown { noun: Noun::Mandate })),
        }
    }

    /// The live mandate of an account, if it is this wallet's.
    async fn live_mandate_of(&self, wallet: WalletId, live: Option<MandateId>) -> Result<Option<MandateId>, Problem> {
        let Some(live) = live else { return Ok(None) };
        let mandate = self.mandate(live).await?;
        Ok(Some(live).filter(|_| mandate.wallet == wallet))
    }

    async fn present_mandate(&self, caller: &Holder, id: MandateId) -> Result<Shown, Problem> {
        let mandate = self.mandate(id).await?;
        let link = self.doors.get::<Link>(id.0)?;
        let sealed = link.as_ref().and_then(|link| link.account.as_ref());
        let account = sealed.map(|sealed| self.account_shown(caller.id, sealed)).transpose()?;
        let waits = mandate.status == mandate::Status::Requested;
        Ok(Shown {
            id: id.to_string(),
            status: mandate.status.name(),
            bank_code: mandate.bank.to_string(),
            branch: account.as_ref().map(|account| account.branch.clone()),
            masked_number: account.map(|account| account.masked_number),
            confirmed: mandate.confirmed,
            requested_at: mandate.requested.to_string(),
            authorize_url: waits.then(|| format!("{}/link/{id}", self.options.origin)),
        })
    }

    /// Tells the gateway that a mandate of ours is ended, if it ever was one there. Where that cannot be done now, due work
    /// does it later: the end stands in the books.
    pub async fn end_at_gateway(&self, mandate: MandateId) -> Result<Asked, Problem> {
        let Some(gateway_id) = self.doors.get::<Link>(mandate.0)?.and_then(|link| link.gateway_id) else {
            return Ok(Asked::Over);
        };
        Ok(self.end_grant_of(&gateway_id).await)
    }

    /// Tells the gateway that what it calls `gateway_id` is ended.
    pub async fn end_grant_of(&self, gateway_id: &str) -> Asked {
        let path = format!("/gateway/v1/mandates/{gateway_id}/revoke");
        let body = serde_json::json!({ "reason": "unneeded" });
        match self.gateway_call(http::Method::POST, &path, Some(&body)).await {
            Ok(answer) if answer.status.is_success() => Asked::Over,
            // What it does not know, or has ended before, needs no end. Any other refusal may not even be the gateway's.
            Ok(answer) if is_refused(&answer, &["unknown", "wrong-status"]) => Asked::Over,
            Ok(answer) if is_later(&answer) => Asked::NoAnswer(Silent::Gateway),
            Ok(answer) => {
                tracing::error!(status = answer.status.as_u16(), "a revocation is not taken, and waits");
                Asked::NoAnswer(Silent::Ourselves)
            }
            Err(error) => {
                tracing::warn!(%error, "a revocation waits");
                Asked::NoAnswer(Silent::Gateway)
            }
        }
    }
}
