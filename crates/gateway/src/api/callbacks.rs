//! What banks tell the gateway by themselves: `/gateway/v1/bank-callbacks/{code}`, signed by the Standard Webhooks
//! specification. A callback that comes twice, late or out of order changes nothing that is on record.

use super::problem;
use crate::connector::outcome_of;
use crate::domain::movement::{Command, Kind, Outcome, Source};
use crate::domain::{BankCode, Command as Asked, MovementId, Noun};
use crate::gateway::Gateway;
use crate::options::BankOptions;
use crate::rates::Meter;
use axum::extract::{Path, State};
use bytes::Bytes;
use domain::Id;
use engine::{Actor, ActorKind};
use http::{HeaderMap, StatusCode};
use ledger::Yen;
use serde::Deserialize;
use web::webhook::{self, Key};
use web::{Problem, Secret, Verdict};

/// What a bank says became of a movement.
#[derive(Deserialize)]
pub(crate) struct CallbackBody {
    kind: CallbackKind,
    reference: String,
    outcome: String,
    code: Option<u64>,
    amount: i64,
}

impl CallbackBody {
    /// What it says of a movement of `kind`; nothing where it is about another kind.
    pub(crate) fn outcome_of(&self, kind: Kind) -> Option<Outcome> {
        match (self.kind, kind) {
            (CallbackKind::Reversal, _) => {
                Some(Yen::checked(self.amount).map_or(Outcome::Unknown, |amount| Outcome::Reversed { amount }))
            }
            (CallbackKind::Debit, Kind::Debit) | (CallbackKind::Credit, Kind::Credit | Kind::Return) => {
                Some(outcome_of(&self.outcome, self.code, self.amount))
            }
            (CallbackKind::Debit, Kind::Credit | Kind::Return) | (CallbackKind::Credit, Kind::Debit) => None,
        }
    }
}

/// What a callback is about.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum CallbackKind {
    Debit,
    Credit,
    Reversal,
}

/// `POST /gateway/v1/bank-callbacks/{code}`.
pub async fn hear(
    State(gateway): State<Gateway>,
    Path(code): Path<String>,
    meter: Meter,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let (bank, _) = believe(&gateway, &code, &meter, &headers, &body)?;
    let code = bank.code;
    let said: CallbackBody =
        serde_json::from_slice(&body).map_err(|_| Problem::malformed("This is no callback of a bank."))?;
    let unknown = || problem::unknown(Noun::Debit);
    let movement = MovementId::of_bank_reference(&said.reference).ok_or_else(unknown)?;
    let row = gateway.movement(movement).await.map_err(|error| problem::engine_error(&error))?;
    let row = row.filter(|row| row.order.bank == code).ok_or_else(unknown)?;
    let outcome = said.outcome_of(row.order.kind).ok_or_else(unknown)?;
    let command = Command::Answer { movement, bank: code, outcome, source: Source::Callback };
    let actor = Actor { kind: ActorKind::Bank, id: code.id() };
    gateway.submit(Asked::Movement(command), actor, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The bank that signed `body`, if it does not call too often, and the id of its message. Who is no bank of ours and who cannot sign are answered alike.
pub(super) fn believe<'a>(
    gateway: &'a Gateway,
    code: &str,
    meter: &Meter,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(&'a BankOptions, String), Problem> {
    let code: Option<BankCode> = code.parse().ok();
    let bank = code.and_then(|code| gateway.bank(code));
    let nobody = Secret::new(String::new());
    let secret = bank.map_or(&nobody, |bank| &bank.secret);
    let keys: Vec<Key> = Key::parse(secret.expose()).into_iter().collect();
    let now = gateway.outside().now();
    let id = webhook::verify(&keys, headers, body, now).inspect_err(|error| {
        let claimed = bank.map(|bank| bank.code);
        if gateway.limits().may_log_forgery(claimed.map_or(Id([0; 16]), BankCode::id), now) {
            tracing::warn!(bank = ?claimed, ?error, "what a bank is said to say was not believed");
        }
    })?;
    let bank = bank.ok_or_else(Problem::unauthenticated)?;
    gateway.limits().bank(meter, bank.code, now).map_err(Verdict::problem)?;
    Ok((bank, id))
}
