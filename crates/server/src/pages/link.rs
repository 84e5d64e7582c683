//! The page where a link begins. It wants its holder's login in this very browser; only then is anything made that could be
//! collected later. A link that is opened in another person's browser shows nothing and grants nothing.

use super::{check_csrf, csrf_field, page, see_other, trouble};
use crate::gateway::Pushed;
use crate::links::{Link, LinkState, STATE_MS};
use crate::profile::Profile;
use crate::refusals;
use crate::sealed::Ciphertext;
use crate::service::Service;
use crate::sessions::Session;
use axum::Router;
use axum::extract::{Form, Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use maud::html;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use wallet::mandate::Status;
use wallet::{Command, MandateId, mandate};
use web::page::{Words, words};
use web::{Problem, chance};

/// The paths of this room.
pub fn router() -> Router<Arc<Service>> {
    Router::new().route("/link/{request}", get(show).post(begin))
}

#[derive(Deserialize)]
struct Begin {
    csrf: String,
}

/// What stands open for whoever is logged in here.
struct Open {
    session: Arc<Session>,
    link: Link,
    profile: Profile,
}

async fn show(State(service): State<Arc<Service>>, headers: HeaderMap, Path(request): Path<String>) -> Response {
    let Ok(request) = request.parse::<MandateId>() else { return trouble(&service, &Problem::not_found()) };
    match service.browser_session(&headers) {
        Err(problem) => return trouble(&service, &problem),
        Ok(None) => return see_other(&format!("/login?link={request}")),
        Ok(Some(_)) => {}
    }
    match service.open_link(&headers, request).await {
        Err(problem) => trouble(&service, &problem),
        Ok(open) => present(&service, &open).await,
    }
}

async fn present(service: &Service, open: &Open) -> Response {
    let (bank, path) = (open.link.bank, format!("/link/{}", open.link.mandate));
    let limits = match service.policy().await {
        Ok(policy) => policy.top_up,
        Err(problem) => return trouble(service, &problem),
    };
    let name = service.bank_name(bank).await;
    let body = html! {
        p { (words(Words {
            ja: "銀行のページで本人確認のあと、次の口座振替を許可します。",
            en: "After you have shown the bank who you are, you allow these debits.",
        })) }
        dl {
            dt { (words(Words { ja: "銀行", en: "Bank" })) } dd { (name) " (" (bank) ")" }
            dt { (words(Words { ja: "ウォレット", en: "Wallet" })) } dd { (open.link.wallet) }
            dt { (words(Words { ja: "名義", en: "Holder" })) } dd { (open.profile.masked()) }
            dt { (words(Words { ja: "1回の上限", en: "At most at a time" })) } dd { (limits.per_time_max.amount()) "円" }
            dt { (words(Words { ja: "1か月の上限", en: "At most a month" })) } dd { (limits.per_month_max.amount()) "円" }
        }
        form method="post" action=(path) {
            (csrf_field(service, &open.session.token.to_string(), &path))
            button { (words(Words { ja: "銀行へ進む", en: "Go on to the bank" })) }
        }
    };
    let mut page = page(service, Words { ja: "銀行口座の登録", en: "Link a bank account" }, body);
    page.form_origins.push(service.options.gateway.origin.clone());
    page.into_response()
}

async fn begin(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    Path(request): Path<String>,
    Form(sent): Form<Begin>,
) -> Response {
    let Ok(request) = request.parse::<MandateId>() else { return trouble(&service, &Problem::not_found()) };
    match go_on(&service, &headers, request, &sent.csrf).await {
        Ok(url) => see_other(&url),
        Err(problem) => trouble(&service, &problem),
    }
}

/// Makes state and verifier for this holder, session and request, and pushes the request. Where the browser goes.
async fn go_on(service: &Service, headers: &HeaderMap, request: MandateId, sent: &str) -> Result<String, Problem> {
    let open = service.open_link(headers, request).await?;
    check_csrf(service, headers, &open.session.token.to_string(), &format!("/link/{request}"), sent)?;
    service.count_link(open.link.wallet)?;
    let (state, verifier) =
        (chance::token(service.outside.chance.as_ref()), chance::token(service.outside.chance.as_ref()));
    let holder = open.link.holder;
    service.keep_state(&LinkState {
        state: service.state_hash(state.expose()),
        mandate: request,
        holder,
        session: open.session.token,
        verifier: Ciphertext(service.seal(holder, verifier.expose().as_bytes())?.0),
        expires: service.now().plus_milliseconds(STATE_MS),
    })?;
    let limits = service.policy().await?.top_up;
    let pushed = Pushed {
        mandate: request.to_string(),
        wallet: open.link.wallet.to_string(),
        holder_name_kana: open.profile.kana(),
        holder_name_masked: open.profile.masked(),
        birth_date: open.profile.birth_date.clone(),
        bank_code: open.link.bank.to_string(),
        per_time: limits.per_time_max.amount(),
        per_month: limits.per_month_max.amount(),
        state: state.expose(),
        code_challenge: &URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose())),
    };
    let url = service.push_mandate(pushed).await.map_err(|error| error.link_problem())?;
    let command = Command::Mandate(mandate::Command::Authenticate { mandate: request });
    let actor = engine::Actor { kind: engine::ActorKind::Holder, id: holder.0 };
    service.submit(actor, None, command).await?;
    Ok(url)
}

impl Service {
    /// The link of `request`, for the holder who is logged in here: another's looks like none.
    async fn open_link(&self, headers: &HeaderMap, request: MandateId) -> Result<Open, Problem> {
        let session = self.browser_session(headers)?.ok_or_else(Problem::unauthenticated)?;
        let link = self.doors.get::<Link>(request.0)?.filter(|link| link.holder == session.holder);
        let link = link.ok_or_else(Problem::not_found)?;
        let row = self.mandate(request).await?;
        let waits = matches!(row.status, Status::Requested | Status::Authenticating) && self.now() < row.deadline;
        if !waits {
            let is_over = self.now() >= row.deadline;
            let status = if is_over { wallet::Standing::Expired } else { row.status.into() };
            let refusal = wallet::Refusal::WrongStatus { noun: wallet::Noun::Mandate, status };
            return Err(refusals::problem(&refusal));
        }
        let holder = self.holder(link.holder).await?;
        let profile = self.unseal(link.holder, &holder.profile.0)?;
        let profile = serde_json::from_slice(&profile).map_err(|_| Problem::internal())?;
        Ok(Open { session, link, profile })
    }
}
