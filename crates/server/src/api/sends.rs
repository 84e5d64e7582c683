//! Sends: wallet to wallet. The sender has seen the recipient's masked name, shows by the look's token that it is still the
//! same or has looked in the last ten minutes, and gives a second proof.
//!
//! What the sender writes is sealed under the sender's key, and opened for the two of them alone.

use crate::api::ids;
use crate::asked::Asked;
use crate::entrance::Holder;
use crate::refusals;
use crate::service::{Answered, Service};
use axum::extract::{Path, State};
use domain::Key;
use http::StatusCode;
use ledger::Yen;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wallet::send::{self, Request, Status};
use wallet::{Command, Noun, Receipt, Row, SendId, WalletId, table};
use web::{Json, Problem};

/// The longest message, in characters.
const MESSAGE_CHARACTERS_MAX: usize = 140;

/// The paths of this room.
pub fn router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(send)).routes(routes!(get))
}

/// A send that is asked for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AskSend {
    /// To whom; `GET /v1/recipients` says who that is.
    to_wallet_id: String,
    /// How many yen.
    #[schema(value_type = i64, minimum = 1)]
    amount: Yen,
    /// A word for the recipient, at most 140 characters.
    message: Option<String>,
    /// Whom the sender saw: the `recipient_token` of `GET /v1/recipients`. Without it that is whom this session saw there in the
    /// last ten minutes. The send is refused if it would reach another, or if nobody looked.
    recipient_token: Option<String>,
    /// The proof that was asked for.
    challenge_id: Option<String>,
}

/// A send.
#[derive(Serialize, ToSchema)]
pub struct Sent {
    /// Its id.
    id: String,
    /// `completed`; `held` until the desk has looked at it; `given_up` or `expired`, then the sender has the money back.
    status: &'static str,
    /// How much, in yen.
    #[schema(value_type = i64)]
    amount: Yen,
    /// From whom.
    from_wallet_id: String,
    /// To whom.
    to_wallet_id: String,
    /// What the sender wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// When it was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted_at: Option<String>,
}

/// Send money to another identified holder. Takes a second proof.
#[utoipa::path(post, path = "/v1/wallets/{wallet}/sends", tag = "sends", request_body = AskSend,
    params(("wallet" = String, Path), ("Idempotency-Key" = String, Header)), security(("holder" = [])),
    responses((status = 201, description = "completed", body = Sent), (status = 202, description = "held", body = Sent)))]
async fn send(
    State(service): State<Arc<Service>>,
    caller: Holder,
    Path(wallet): Path<String>,
    Asked { body, repeat }: Asked<AskSend>,
) -> Result<(StatusCode, Json<Sent>), Problem> {
    let wallet: WalletId = ids::parse(&wallet, Noun::Wallet)?;
    let to: WalletId = ids::parse(&body.to_wallet_id, Noun::Recipient)?;
    let holder = caller.id;
    // Looked at before a proof is asked for: nobody proves themselves for another's wallet.
    service.wallet_of(wallet, holder).await?;
    let request = repeat.by(&service, caller.actor());
    // What was answered is answered again, whoever the recipient has become since.
    let answer = match service.recall(request).await? {
        Some(answer) => answer,
        None => service.ask_send(&caller, request, wallet, to, &body).await?,
    };
    let receipt = answer.reply.map_err(|refusal| refusals::problem(&refusal))?;
    let Receipt::Send { id, status, amount } = receipt else { return Err(Problem::internal()) };
    let sent = Sent {
        id: id.to_string(),
        status: status.name(),
        amount,
        from_wallet_id: wallet.to_string(),
        to_wallet_id: to.to_string(),
        message: body.message,
        accepted_at: None,
    };
    Ok((ids::code_of(status != Status::Held), Json(sent)))
}

/// See a send: its sender at any time, its recipient once it has come.
#[utoipa::path(get, path = "/v1/wallets/{wallet}/sends/{send}", tag = "sends",
    params(("wallet" = String, Path), ("send" = String, Path)), security(("holder" = [])),
    responses((status = 200, body = Sent)))]
async fn get(
    State(service): State<Arc<Service>>,
    caller: Holder,
    Path((wallet, id)): Path<(String, String)>,
) -> Result<Json<Sent>, Problem> {
    let wallet: WalletId = ids::parse(&wallet, Noun::Wallet)?;
    let id: SendId = ids::parse(&id, Noun::Send)?;
    service.wallet_of(wallet, caller.id).await?;
    let row = match service.row(Key::new(table::SEND, id.0)).await?.as_deref() {
        Some(Row::Send(row)) if row.from == wallet => row.clone(),
        Some(Row::Send(row)) if row.to == wallet && row.status == Status::Completed => row.clone(),
        Some(_) | None => return Err(ids::unknown(Noun::Send)),
    };
    let message = match &row.message {
        None => None,
        Some(sealed) => service.unseal_of(row.from, &sealed.0).await?,
    };
    Ok(Json(Sent {
        id: id.to_string(),
        status: row.status.name(),
        amount: row.amount,
        from_wallet_id: row.from.to_string(),
        to_wallet_id: row.to.to_string(),
        message,
        accepted_at: Some(row.accepted.to_string()),
    }))
}

fn recipient_changed() -> Problem {
    refusals::new(409, "recipient-changed", "This is not whom the sender saw.", "確認した受取人と一致しません。")
        .detail("Look again at GET /v1/recipients.")
        .with("member", "recipient_token")
}

fn recipient_unseen(to: WalletId) -> Problem {
    let path = format!("/v1/recipients?wallet_id={to}");
    refusals::new(
        409,
        "recipient-unseen",
        "The sender has not looked at the recipient.",
        "受取人が確認されていません。",
    )
    .detail(format!("Look at GET {path} first; within ten minutes this session may send there."))
    .with("look_at", path)
}

fn parse_message(text: &str) -> Result<&str, Problem> {
    let length = text.chars().count();
    let is_message = (1..=MESSAGE_CHARACTERS_MAX).contains(&length) && !text.chars().any(char::is_control);
    let problem = || Problem::malformed("A message is 1 to 140 characters on one line.").with("member", "message");
    if is_message { Ok(text) } else { Err(problem()) }
}

impl Service {
    /// Sends to whom the sender saw.
    async fn ask_send(
        &self,
        caller: &Holder,
        request: engine::Request,
        wallet: WalletId,
        to: WalletId,
        asked: &AskSend,
    ) -> Answered {
        let (holder, amount) = (caller.id, asked.amount);
        let seen = match &asked.recipient_token {
            Some(token) => token.clone(),
            None => self.last_look(&caller.session, to)?.ok_or_else(|| recipient_unseen(to))?,
        };
        if !self.recipient(holder, to).await?.is_some_and(|recipient| recipient.is_by(&seen)) {
            return Err(recipient_changed());
        }
        let message = asked.message.as_deref().map(parse_message).transpose()?;
        let message = message.map(|text| self.seal(holder, text.as_bytes())).transpose()?;
        let command = |proof| {
            let (send, origin) = (SendId(self.id()), Some(caller.origin));
            Command::Send(send::Command::Request(Request { send, wallet, holder, to, amount, message, origin, proof }))
        };
        self.submit_provable(caller, request, asked.challenge_id.as_deref(), true, command).await
    }

    /// What was sealed for the holder of the wallet `id`, as text.
    async fn unseal_of(&self, id: WalletId, sealed: &[u8]) -> Result<Option<String>, Problem> {
        match self.row(Key::new(table::WALLET, id.0)).await?.as_deref() {
            Some(Row::Wallet(wallet)) => Ok(String::from_utf8(self.unseal(wallet.holder, sealed)?).ok()),
            Some(_) | None => Ok(None),
        }
    }
}
