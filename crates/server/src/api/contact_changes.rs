//! Being reached elsewhere: asked for with a proof, because whoever moves the address takes over the wallet; in force once the
//! new address answers. The old one is told at both steps.

use crate::api::holders::{Code, parse_id};
use crate::asked::{Asked, Reply};
use crate::codes::Purpose;
use crate::contacts::{Address, Channel};
use crate::entrance::Holder;
use crate::refusals;
use crate::service::Service;
use axum::extract::{Path, State};
use domain::Id;
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wallet::holder::Contact;
use wallet::{Command, holder};
use web::Problem;

/// The paths of this room.
pub fn router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(ask)).routes(routes!(confirm))
}

/// Where the holder wants to be reached: one of both.
#[derive(Deserialize, ToSchema)]
#[schema(as = ContactChangeAsk)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    email: Option<String>,
    phone: Option<String>,
    challenge_id: Option<String>,
}

/// Ask to be reached elsewhere.
#[utoipa::path(post, path = "/v1/holders/{holder}/contact-changes", tag = "holders", request_body = Ask,
    params(("holder" = String, Path), ("Idempotency-Key" = String, Header)), security(("holder" = [])),
    responses((status = 202, description = "As asked.")))]
async fn ask(
    State(service): State<Arc<Service>>,
    caller: Holder,
    Path(id): Path<String>,
    Asked { body, repeat }: Asked<Ask>,
) -> Result<Reply, Problem> {
    caller.check(parse_id(&id)?)?;
    let address = match (&body.email, &body.phone) {
        (Some(email), None) => Address::mail(email)?,
        (None, Some(phone)) => Address::phone(phone)?,
        (Some(_), Some(_)) | (None, None) => return Err(Problem::malformed("Give either an email or a phone.")),
    };
    let contact = service.contact_id(&address);
    let to = match address.channel {
        Channel::Mail => Contact::Mail(contact, service.mail_domain(&address)),
        Channel::Sms => Contact::Phone(contact),
    };
    let command = |proof| Command::Holder(holder::Command::ChangeContact { holder: caller.id, to, proof });
    service
        .once(repeat.by(&service, caller.actor()), async {
            let answer = service.submit_provable(&caller, &repeat, body.challenge_id.as_deref(), true, command).await?;
            answer.reply.map_err(|refusal| refusals::problem(&refusal))?;
            service.keep_contact(caller.id, &address)?;
            service.send_code(Purpose::ChangeContact, caller.id, contact, &address).await?;
            Ok(Reply::last(StatusCode::ACCEPTED, Value::Null))
        })
        .await
}

/// Show the code that came to the new address.
#[utoipa::path(post, path = "/v1/holders/{holder}/contact-changes/confirm", tag = "holders", request_body = Code,
    params(("holder" = String, Path), ("Idempotency-Key" = String, Header)), security(("holder" = [])),
    responses((status = 204, description = "As asked.")))]
async fn confirm(
    State(service): State<Arc<Service>>,
    caller: Holder,
    Path(id): Path<String>,
    Asked { body, repeat }: Asked<Code>,
) -> Result<StatusCode, Problem> {
    caller.check(parse_id(&id)?)?;
    let request = repeat.by(&service, caller.actor());
    let contact = service.use_code(Purpose::ChangeContact, caller.id.0, caller.id.0, body.code(), Id(request.key))?;
    let address = service.address(caller.id, contact)?.ok_or_else(Problem::internal)?;
    match address.channel {
        Channel::Mail => service.verified_mail(caller.id, contact, request).await?,
        Channel::Sms => {
            let command = holder::Command::VerifyPhone { holder: caller.id, phone: contact };
            service.submit(caller.actor(), Some(request), Command::Holder(command)).await?;
        }
    }
    Ok(StatusCode::NO_CONTENT)
}
