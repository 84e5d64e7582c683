//! The identity vendor: its API for the wallet, the page on which a person shows a document, and its callback.
//!
//! What it decides is `domain::identification`'s. A person of the sandbox has a synthetic document, whose number is on the
//! sandbox's page of people. Start reading at [`router`].

use crate::callbacks;
use crate::connector::day;
use crate::domain::identification::{self, Identification, Identity, Question, Verdict};
use crate::domain::{Command, Receipt, Row};
use crate::state::{State, bearer};
use crate::world::Undone;
use ::domain::{Id, Time};
use axum::extract::{Form, Path, State as Shared};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};
use http::{HeaderMap, StatusCode};
use maud::html;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::Arc;
use web::page::{Page, SANDBOX, Words, words};
use web::{Due, Json, Problem};

/// What an identification's id begins with.
const PREFIX: &str = "idn_";
/// What the vendor's name for a person begins with.
const SUBJECT_PREFIX: &str = "sub_";

pub(crate) fn router(state: &Arc<State>) -> Router {
    let page = get(page).post(present).layer(middleware::from_fn(crate::state::local_only));
    Router::new()
        .route("/identity/v1/identifications", post(identify))
        .route("/identity/v1/identifications/{id}", get(find))
        .route("/identity/v1/rechecks", post(recheck))
        .route("/identity/v1/rechecks/{id}", get(find))
        .route("/identify/{id}", page)
        .with_state(Arc::clone(state))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Identify {
    reference: String,
    method: String,
    claimed: WireIdentity,
    #[serde(default)]
    return_url: Option<String>,
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct WireIdentity {
    family_name: String,
    given_name: String,
    family_kana: String,
    given_kana: String,
    birth_date: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Recheck {
    reference: String,
    subject: String,
}

#[derive(Serialize)]
struct Answer {
    id: String,
    reference: String,
    status: &'static str,
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<WireIdentity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

fn answer(state: &State, found: &Identification) -> Answer {
    let mut answer = Answer {
        id: format!("{PREFIX}{}", found.id),
        reference: found.reference.clone(),
        status: status(&found.verdict),
        url: format!("{}/identify/{PREFIX}{}", state.options.origins.own("sandbox"), found.id),
        subject: None,
        verified: None,
        reason: None,
    };
    match &found.verdict {
        Verdict::Pending => {}
        Verdict::Approved { verified, subject } => {
            answer.subject = Some(format!("{SUBJECT_PREFIX}{subject}"));
            answer.verified = verified.as_ref().map(|identity| WireIdentity {
                family_name: identity.family_name.clone(),
                given_name: identity.given_name.clone(),
                family_kana: identity.family_kana.clone(),
                given_kana: identity.given_kana.clone(),
                birth_date: identity.birth_date.to_string(),
            });
        }
        Verdict::Refused { reason } => answer.reason = Some(reason.clone()),
    }
    answer
}

fn status(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Pending => "pending",
        Verdict::Approved { .. } => "approved",
        Verdict::Refused { .. } => "refused",
    }
}

async fn identify(
    Shared(state): Shared<Arc<State>>,
    headers: HeaderMap,
    Json(asked): Json<Identify>,
) -> Result<(StatusCode, Json<Answer>), Problem> {
    let birth_date = day(&asked.claimed.birth_date)
        .ok_or_else(|| Problem::malformed("A birth date is written as 1985-04-12.").with("member", "birth_date"))?;
    let claimed = Identity {
        family_name: asked.claimed.family_name,
        given_name: asked.claimed.given_name,
        family_kana: asked.claimed.family_kana,
        given_kana: asked.claimed.given_kana,
        birth_date,
    };
    let question = Question::Identify { method: asked.method, claimed, return_url: asked.return_url };
    begin(&state, &headers, asked.reference, question).await
}

async fn recheck(
    Shared(state): Shared<Arc<State>>,
    headers: HeaderMap,
    Json(asked): Json<Recheck>,
) -> Result<(StatusCode, Json<Answer>), Problem> {
    let subject = parse_id(&asked.subject, SUBJECT_PREFIX)
        .ok_or_else(|| Problem::malformed("A subject is what an identification answered.").with("member", "subject"))?;
    begin(&state, &headers, asked.reference, Question::Recheck { subject }).await
}

async fn begin(
    state: &State,
    headers: &HeaderMap,
    reference: String,
    question: Question,
) -> Result<(StatusCode, Json<Answer>), Problem> {
    bearer(headers, state.options.secrets.identity.as_ref())?;
    let id = identification::id_of(&reference);
    let command = identification::Command::Begin { id, reference, question };
    let found = submitted(state, command).await?;
    if found.verdict != Verdict::Pending {
        // The callback follows as due work, so that it may well arrive before this answer does.
        state.world.index().identifications.insert((found.at, id));
    }
    Ok((StatusCode::CREATED, Json(answer(state, &found))))
}

async fn submitted(state: &State, command: identification::Command) -> Result<Identification, Undone> {
    match state.world.submit(Command::Identification(command)).await? {
        Receipt::Identification(found) => Ok(*found),
        Receipt::Done | Receipt::Movement(_) | Receipt::Missed { .. } | Receipt::Attempt(_) => {
            unreachable!("an identification is answered with itself")
        }
    }
}

async fn find(
    Shared(state): Shared<Arc<State>>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Json<Answer>, Problem> {
    bearer(&headers, state.options.secrets.identity.as_ref())?;
    let found = read(&state, &id).await?;
    Ok(Json(answer(&state, &found)))
}

async fn read(state: &State, id: &str) -> Result<Identification, Problem> {
    let id = parse_id(id, PREFIX).ok_or_else(Problem::not_found)?;
    let row = state.world.read(identification::key(id)).await?;
    row.as_deref().map(|row| Row::identification(row).clone()).ok_or_else(Problem::not_found)
}

fn parse_id(text: &str, prefix: &str) -> Option<Id> {
    let digits = text.strip_prefix(prefix).filter(|digits| digits.len() == 32)?;
    u128::from_str_radix(digits, 16).ok().map(Id::from_number)
}

/// Decides what is due at `now`, at most `budget`, and tells the wallet of each decision.
pub(crate) async fn run_due(state: &State, now: Time, budget: usize) -> Due {
    let due: Vec<(Time, Id)> = {
        let index = state.world.index();
        index.identifications.iter().take_while(|(at, _)| *at <= now).take(budget).copied().collect()
    };
    let done = due.len();
    for (at, id) in due {
        state.world.index().identifications.remove(&(at, id));
        if let Err(error) = conclude(state, id).await {
            tracing::warn!(?error, "sandbox: an identification could not be decided");
        }
    }
    let next = state.world.index().identifications.first().map(|(at, _)| *at);
    Due { done, next }
}

async fn conclude(state: &State, id: Id) -> Result<(), Undone> {
    let row = state.world.read(identification::key(id)).await?;
    let Some(mut found) = row.as_deref().map(|row| Row::identification(row).clone()) else { return Ok(()) };
    if found.verdict == Verdict::Pending {
        let identity = identification::claimed(&found.question);
        found = submitted(state, identification::Command::Conclude { id, identity }).await?;
    }
    tell(state, &found).await;
    Ok(())
}

/// Tells the wallet that there is something to ask for. A wallet that does not hear it asks anyway.
async fn tell(state: &State, found: &Identification) {
    let url = format!("{}/v1/callbacks/identity", state.options.origins.wallet);
    let id = format!("{PREFIX}{}", found.id);
    let body = json!({ "id": id, "reference": found.reference, "status": status(&found.verdict) });
    if !callbacks::send(state, &url, &id, &body, state.options.secrets.identity_callbacks.as_ref()).await {
        tracing::debug!("sandbox: the wallet did not take the identity vendor's callback");
    }
}

const TITLE: Words = Words { ja: "本人確認（サンドボックス）", en: "Identity check (sandbox)" };

async fn page(Shared(state): Shared<Arc<State>>, Path(id): Path<String>) -> Result<Response, Problem> {
    let found = read(&state, &id).await?;
    let body = html! {
        @match &found.verdict {
            Verdict::Pending => {
                p { (words(Words {
                    ja: "本人確認書類の番号（12桁）を入力してください。番号はサンドボックスの利用者一覧にあります。",
                    en: "Enter the number of your document: 12 digits, listed on the sandbox's page of people.",
                })) }
                form method="post" {
                    label for="document" { (words(Words { ja: "書類番号", en: "Document number" })) }
                    input id="document" name="document" type="text" inputmode="numeric" required maxlength="12" autocomplete="off";
                    button { (words(Words { ja: "提示する", en: "Present it" })) }
                }
            }
            Verdict::Approved { .. } => { p { (words(Words { ja: "確認できました。", en: "You are identified." })) } }
            Verdict::Refused { .. } => { p.error { (words(Words { ja: "確認できませんでした。", en: "You could not be identified." })) } }
        }
        @if let Some(url) = return_url(&found) { p { a href=(url) { (words(Words { ja: "戻る", en: "Back" })) } } }
    };
    Ok(Page { title: TITLE, banner: Some(SANDBOX), form_origins: Vec::new(), body }.into_response())
}

/// Where the page leads back to: only to pages, never to a script.
fn return_url(found: &Identification) -> Option<&str> {
    let Question::Identify { return_url: Some(url), .. } = &found.question else { return None };
    (url.starts_with("http://") || url.starts_with("https://")).then_some(url)
}

#[derive(Deserialize)]
struct Presented {
    document: String,
}

async fn present(
    Shared(state): Shared<Arc<State>>,
    Path(path): Path<String>,
    Form(presented): Form<Presented>,
) -> Result<Redirect, Problem> {
    let found = read(&state, &path).await?;
    let identity = state.world.index().documents.get(presented.document.trim()).cloned();
    let found = submitted(&state, identification::Command::Conclude { id: found.id, identity }).await?;
    tell(&state, &found).await;
    Ok(Redirect::to(&format!("/identify/{path}")))
}
