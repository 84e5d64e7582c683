//! The second operator, over the sandbox's API: what it asks of the gateway, and what it was answered.

use crate::api::relay::Refused;
use crate::operator::{Link, LinkAsked};
use crate::state::State;
use axum::extract::{Path, Query, State as Shared};
use http::{Method, StatusCode};
use maud::html;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use web::page::{Page, SANDBOX, Words, words};
use web::{Json, Problem};

/// What it may ask for: the gateway's API alone.
const PATHS: &str = "/gateway/v1/";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    method: String,
    path: String,
    #[serde(default)]
    body: Value,
}

pub(super) async fn ask(Shared(state): Shared<Arc<State>>, Json(asked): Json<Asked>) -> Result<Json<Value>, Problem> {
    let method: Method = asked.method.parse().map_err(|_| Problem::malformed("This is no method."))?;
    let is_path = asked.path.parse::<http::uri::PathAndQuery>().is_ok();
    if !is_path || !asked.path.starts_with(PATHS) || asked.path.contains("..") {
        return Err(Problem::malformed("The second operator asks the gateway's API alone.").with("paths", PATHS));
    }
    let answer = state.operator.ask(&state, method, &asked.path, &asked.body).await;
    Ok(Json(json!({ "status": answer.status.as_u16(), "body": answer.body })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewLink {
    bank_code: String,
    holder_name_kana: String,
    birth_date: String,
    #[serde(default)]
    per_time: Option<i64>,
    #[serde(default)]
    per_month: Option<i64>,
}

pub(super) async fn link(
    Shared(state): Shared<Arc<State>>,
    Json(asked): Json<NewLink>,
) -> Result<(StatusCode, Json<Value>), Refused> {
    let asked = LinkAsked {
        bank_code: asked.bank_code,
        holder_name_kana: asked.holder_name_kana,
        birth_date: asked.birth_date,
        per_time: asked.per_time.unwrap_or(100_000),
        per_month: asked.per_month.unwrap_or(300_000),
    };
    match state.operator.link(&state, asked).await {
        Ok(link) => Ok((StatusCode::CREATED, Json(shown(&link)))),
        Err(answer) => Err(Refused::by("the gateway", answer.status, answer.body)),
    }
}

pub(super) async fn find(Shared(state): Shared<Arc<State>>, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    Ok(Json(shown(&state.operator.find(&id).ok_or_else(Problem::not_found)?)))
}

fn shown(link: &Link) -> Value {
    let (status, details) = match &link.outcome {
        None => ("requested", &Value::Null),
        Some((true, details)) => ("granted", details),
        Some((false, details)) => ("refused", details),
    };
    json!({ "id": link.state, "status": status, "authorize_url": link.authorize_url, "details": details })
}

pub(super) async fn come_back(
    Shared(state): Shared<Arc<State>>,
    Query(brought): Query<BTreeMap<String, String>>,
) -> Result<Page, Problem> {
    let link = state.operator.come_back(&state, &brought).await.ok_or_else(Problem::not_found)?;
    let is_granted = link.outcome.is_some_and(|(is_granted, _)| is_granted);
    let body = html! {
        @if is_granted { p { (words(Words { ja: "口座を登録しました。", en: "The account is linked." })) } }
        @else { p.error { (words(Words { ja: "口座は登録されませんでした。", en: "The account is not linked." })) } }
        p { a href="/" { "戻る / Back" } }
    };
    let title = Words { ja: "となりの財布（別の事業者）", en: "Tonari Wallet (another operator)" };
    Ok(Page { title, banner: Some(SANDBOX), form_origins: Vec::new(), body })
}
