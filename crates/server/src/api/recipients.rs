//! Recipients: whom a send would reach, as much of it as a stranger may see. Asked for before the money goes.
//!
//! A look is kept for ten minutes: within them its session may send to that recipient without showing the look's token.

use crate::api::ids;
use crate::doors::Door;
use crate::entrance::Holder;
use crate::profile::Profile;
use crate::query::Query;
use crate::service::Service;
use crate::sessions::Session;
use axum::extract::State;
use domain::{Id, Key, Time};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wallet::{HolderId, Noun, Row, Tier, WalletId, table};
use web::{Json, Problem};

/// How long a look is kept, in milliseconds: as long as the send's proof may take.
const LOOK_MS: i64 = 10 * 60 * 1_000;

/// The paths of this room.
pub fn router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(find))
}

/// Whom.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Whom {
    /// The recipient's wallet.
    wallet_id: String,
}

/// Whom a send would reach.
#[derive(Serialize, ToSchema)]
pub struct Recipient {
    /// The wallet.
    wallet_id: String,
    /// The first letter of each part of the holder's name.
    masked_name: String,
    /// What shows in a send that it is this person whom the sender saw.
    #[serde(rename = "recipient_token")]
    token: String,
}

impl Recipient {
    /// Whether `token` is of a look at this very recipient.
    pub fn is_by(&self, token: &str) -> bool {
        self.token == token
    }
}

/// A look at a recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// By which session, at which wallet.
    key: Id,
    /// Whom it saw: the recipient's token.
    seen: String,
    /// Until when it is kept.
    ends: Time,
}

impl Door for Look {
    const TABLE: &'static str = "look";

    fn id(&self) -> Id {
        self.key
    }

    fn at(&self) -> Option<Time> {
        Some(self.ends)
    }
}

/// See whom a send would reach.
#[utoipa::path(get, path = "/v1/recipients", tag = "sends", params(Whom), security(("holder" = [])),
    responses((status = 200, body = Recipient)))]
async fn find(
    State(service): State<Arc<Service>>,
    caller: Holder,
    Query(whom): Query<Whom>,
) -> Result<Json<Recipient>, Problem> {
    service.count_look_up(caller.id)?;
    let id: WalletId = ids::parse(&whom.wallet_id, Noun::Recipient)?;
    let found = service.recipient(caller.id, id).await?.ok_or_else(|| ids::unknown(Noun::Recipient))?;
    service.keep_look(&caller.session, id, &found)?;
    Ok(Json(found))
}

impl Service {
    /// Whom a send of `sender` to the wallet `id` would reach, if anybody. The token is the same as long as that is.
    pub async fn recipient(&self, sender: HolderId, id: WalletId) -> Result<Option<Recipient>, Problem> {
        let Some(masked_name) = self.masked_name(id).await? else { return Ok(None) };
        let token = self.keys.secret("recipient", &format!("{sender} {id} {masked_name}"));
        Ok(Some(Recipient { wallet_id: id.to_string(), masked_name, token: format!("rct_{token}") }))
    }

    /// Keeps that whoever has `session` looked at the wallet `id`, and saw `recipient`.
    fn keep_look(&self, session: &Session, id: WalletId, recipient: &Recipient) -> Result<(), Problem> {
        let (key, seen) = (self.look_key(session, id), recipient.token.clone());
        Ok(self.doors.put(&Look { key, seen, ends: self.now().plus_milliseconds(LOOK_MS) })?)
    }

    /// The token of whom `session` saw when it last looked at the wallet `id`; nothing, if that is too long ago or never was.
    pub fn last_look(&self, session: &Session, id: WalletId) -> Result<Option<String>, Problem> {
        let kept = self.doors.get::<Look>(self.look_key(session, id))?;
        Ok(kept.filter(|look| self.now() < look.ends).map(|look| look.seen))
    }

    fn look_key(&self, session: &Session, id: WalletId) -> Id {
        self.keys.secret("look", &format!("{} {id}", session.token))
    }

    /// The holder of the wallet `id` as a stranger may see them; nobody, if there is no such wallet of an identified person.
    pub async fn masked_name(&self, id: WalletId) -> Result<Option<String>, Problem> {
        let row = self.row(Key::new(table::WALLET, id.0)).await?;
        let Some(Row::Wallet(wallet)) = row.as_deref() else { return Ok(None) };
        if wallet.closed || wallet.tier != Tier::Identified {
            return Ok(None);
        }
        let holder = self.holder(wallet.holder).await?;
        let plain = self.unseal(wallet.holder, &holder.profile.0)?;
        let profile: Option<Profile> = serde_json::from_slice(&plain).ok();
        Ok(profile.map(|profile| profile.masked()))
    }
}
