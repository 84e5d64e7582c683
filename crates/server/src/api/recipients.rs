//! Recipients: whom a send would reach, as much of it as a stranger may see. Asked for before the money goes.

use crate::api::ids;
use crate::entrance::Holder;
use crate::profile::Profile;
use crate::query::Query;
use crate::service::Service;
use axum::extract::State;
use domain::Key;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wallet::{HolderId, Noun, Row, Tier, WalletId, table};
use web::{Json, Problem};

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
    let found = service.recipient(caller.id, id).await?;
    Ok(Json(found.ok_or_else(|| ids::unknown(Noun::Recipient))?))
}

impl Service {
    /// Whom a send of `sender` to the wallet `id` would reach, if anybody. The token is the same as long as that is.
    pub async fn recipient(&self, sender: HolderId, id: WalletId) -> Result<Option<Recipient>, Problem> {
        let Some(masked_name) = self.masked_name(id).await? else { return Ok(None) };
        let token = self.keys.secret("recipient", &format!("{sender} {id} {masked_name}"));
        Ok(Some(Recipient { wallet_id: id.to_string(), masked_name, token: format!("rct_{token}") }))
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
