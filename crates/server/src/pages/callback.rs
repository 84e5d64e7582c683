//! Where the browser comes back from the bank. Nothing that it brings is believed by itself: the state must be the one made
//! in this very session, the issuer ours, and what was granted is fetched over the back channel with the verifier that never
//! left us. Anything else ends the request as abandoned, and the grant lapses over there.

use super::{page, see_other, trouble};
use crate::gateway::Granted;
use crate::links::{Link, LinkState};
use crate::refusals;
use crate::service::Service;
use axum::Router;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use engine::{Actor, ActorKind};
use http::HeaderMap;
use maud::html;
use serde::Deserialize;
use std::sync::Arc;
use wallet::mandate::Status;
use wallet::{Command, MandateId, MissingFact, Receipt, mandate};
use web::page::{Words, words};
use web::{Problem, Secret};

/// The paths of this room.
pub fn router() -> Router<Arc<Service>> {
    Router::new().route("/link/callback", get(come_back))
}

/// What the browser brings.
#[derive(Deserialize)]
struct Brought {
    code: Option<Secret<String>>,
    state: Option<Secret<String>>,
    iss: Option<String>,
    error: Option<String>,
}

/// What became of the request.
struct Outcome {
    link: Link,
    status: Status,
    missing: Option<MissingFact>,
}

async fn come_back(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    Query(brought): Query<Brought>,
) -> Response {
    match service.come_back(&headers, brought).await {
        Err(problem) => trouble(&service, &problem),
        Ok(outcome) => present(&service, &outcome),
    }
}

fn present(service: &Service, outcome: &Outcome) -> Response {
    if let Some(path) = &outcome.link.return_url {
        let sign = if path.contains('?') { '&' } else { '?' };
        return see_other(&format!("{path}{sign}mandate_id={}&status={}", outcome.link.mandate, outcome.status.name()));
    }
    let said = match outcome.status {
        Status::Active => Words { ja: "銀行口座を登録しました。", en: "The bank account is linked." },
        Status::InReview => Words {
            ja: "名義を確認しています。結果はメールでお知らせします。",
            en: "We compare the names and will write to you.",
        },
        Status::Requested | Status::Authenticating | Status::Pending => {
            Words { ja: "手続き中です。", en: "It is under way." }
        }
        Status::Refused | Status::Abandoned | Status::Expired | Status::Revoked => {
            Words { ja: "銀行口座は登録されませんでした。", en: "The bank account was not linked." }
        }
    };
    let body = html! {
        p role="status" { (words(said)) }
        dl {
            dt { (words(Words { ja: "受付番号", en: "Request" })) } dd { (outcome.link.mandate) }
            dt { (words(Words { ja: "状態", en: "Status" })) } dd { (outcome.status.name()) }
            @if let Some(missing) = outcome.missing {
                dt { (words(Words { ja: "不足", en: "Missing" })) } dd { (refusals::missing_name(missing)) }
            }
        }
    };
    page(service, Words { ja: "銀行口座の登録", en: "Link a bank account" }, body).into_response()
}

impl Service {
    async fn come_back(&self, headers: &HeaderMap, brought: Brought) -> Result<Outcome, Problem> {
        let stranger = |why| {
            self.log_forgery("bank's return", why);
            refusals::new(
                403,
                "foreign-return",
                "This browser did not begin the link.",
                "このブラウザで始めた手続きではありません。",
            )
        };
        let state = brought.state.as_ref().ok_or_else(|| stranger("it has no state"))?;
        let kept = self.take_state(state.expose())?.ok_or_else(|| stranger("its state is not known, or is used"))?;
        let session = self.browser_session(headers)?.filter(|session| session.token == kept.session);
        let is_ours = brought.iss.as_deref() == Some(self.options.gateway.issuer.as_str());
        if session.is_none() || !is_ours || self.now() >= kept.expires {
            self.give_up(&kept, mandate::Command::Abandon { mandate: kept.mandate }).await?;
            return Err(stranger(match session {
                None => "another browser began the link",
                Some(_) if !is_ours => "it has another issuer",
                Some(_) => "it is too late",
            }));
        }
        let link = self.doors.get::<Link>(kept.mandate.0)?.ok_or_else(Problem::not_found)?;
        let Some(code) = brought.code.filter(|_| brought.error.is_none()) else {
            let mandate = kept.mandate;
            let is_denied = brought.error.as_deref() == Some("access_denied");
            let command =
                if is_denied { mandate::Command::Abandon { mandate } } else { mandate::Command::Refuse { mandate } };
            let status = self.give_up(&kept, command).await?;
            return Ok(Outcome { link, status, missing: None });
        };
        let verifier = self.unseal(kept.holder, &kept.verifier.0)?;
        let verifier = String::from_utf8(verifier).map_err(|_| Problem::internal())?;
        match self.collect_grant(code.expose(), &verifier).await {
            Ok(granted) => self.take_grant(link, &granted).await,
            Err(error) => {
                tracing::warn!(%error, mandate = %kept.mandate, "a grant could not be collected");
                self.give_up(&kept, mandate::Command::Abandon { mandate: kept.mandate }).await?;
                Err(error.link_problem())
            }
        }
    }

    async fn give_up(&self, kept: &LinkState, command: mandate::Command) -> Result<Status, Problem> {
        let actor = Actor { kind: ActorKind::Holder, id: kept.holder.0 };
        match self.ask(actor, None, Command::Mandate(command)).await?.reply {
            Ok(Receipt::Mandate { status, .. }) => Ok(status),
            Ok(_) => Err(Problem::internal()),
            Err(_) => Ok(self.mandate(kept.mandate).await?.status),
        }
    }

    /// What the bank granted goes into the books: first as a grant, which may lack something, then as collected by its holder.
    async fn take_grant(&self, link: Link, granted: &Granted) -> Result<Outcome, Problem> {
        let bank_account = self.bank_account_named(&granted.account_ref);
        let mandate = link.mandate;
        if granted.account.bank_code != link.bank.to_string() {
            tracing::error!(%mandate, "a grant is of another bank than was asked for");
            self.end_grant_of(&granted.mandate_id).await;
            let command = mandate::Command::Abandon { mandate };
            self.ask(crate::entrance::SYSTEM, None, Command::Mandate(command)).await?;
            return Err(refusals::unavailable());
        }
        self.keep_grant(&link, &granted.mandate_id, bank_account, &granted.account)?;
        let bank = Actor { kind: ActorKind::Bank, id: link.bank.id() };
        let command = mandate::Command::Grant { mandate, grant: granted.grant(bank_account) };
        let (status, missing) = self.ask_mandate(bank, command).await?;
        if matches!(status, Status::Pending | Status::InReview) {
            let holder = Actor { kind: ActorKind::Holder, id: link.holder.0 };
            let command = mandate::Command::Confirm { mandate, holder: link.holder, bank_account };
            let confirmed = self.ask_mandate(holder, command).await;
            if confirmed.is_err() {
                self.end_grant(mandate).await?;
            }
            let (status, missing) = confirmed?;
            return Ok(Outcome { link, status, missing });
        }
        self.end_grant(mandate).await?;
        Ok(Outcome { link, status, missing })
    }

    /// A grant that does not become a mandate of ours must not stay one over there.
    async fn end_grant(&self, mandate: MandateId) -> Result<(), Problem> {
        let command = mandate::Command::Abandon { mandate };
        self.ask(crate::entrance::SYSTEM, None, Command::Mandate(command)).await?;
        self.end_at_gateway(mandate).await.map(drop)
    }

    async fn ask_mandate(
        &self,
        actor: Actor,
        command: mandate::Command,
    ) -> Result<(Status, Option<MissingFact>), Problem> {
        match self.submit(actor, None, Command::Mandate(command)).await? {
            Receipt::Mandate { status, missing, .. } => Ok((status, missing)),
            _ => Err(Problem::internal()),
        }
    }
}
