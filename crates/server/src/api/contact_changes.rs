//! Being reached elsewhere, or by telephone as well: asked for with a proof by what is there already, because whoever moves an
//! address takes over the wallet; in force once the new address answers. Every address that was there is told at both steps.
//!
//! The first telephone takes the proof too: later proofs are sent to it. Nobody learns here whether an address is another
//! holder's: the answer is the same, after the same work, and the address is told.

use crate::api::holders::{Code, parse_id};
use crate::asked::{Asked, Repeat, Reply};
use crate::codes::{Purpose, SHARED_CODE_MS};
use crate::contacts::{Address, Channel};
use crate::entrance::Holder;
use crate::refusals;
use crate::service::Service;
use crate::words;
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
use wallet::{Command, Noun, Refusal, holder};
use web::Problem;

/// The paths of this room.
pub fn router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new()
        .routes(routes!(ask))
        .routes(routes!(confirm))
        .routes(routes!(ask_phone))
        .routes(routes!(verify_phone))
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

/// A telephone number that is to answer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Phone {
    phone: String,
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
    service.want_contact(&caller, &repeat, body.challenge_id.as_deref(), &address).await
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
    service.reached_at_contact(&caller, &repeat, body.code()).await
}

/// Have a code sent to a telephone.
#[utoipa::path(post, path = "/v1/holders/{holder}/phone-verification", tag = "holders", request_body = Phone,
    params(("holder" = String, Path), ("Idempotency-Key" = String, Header)), security(("holder" = [])),
    responses((status = 202, description = "As asked.")))]
async fn ask_phone(
    State(service): State<Arc<Service>>,
    caller: Holder,
    Path(id): Path<String>,
    Asked { body, repeat }: Asked<Phone>,
) -> Result<Reply, Problem> {
    caller.check(parse_id(&id)?)?;
    let address = Address::phone(&body.phone)?;
    service.want_contact(&caller, &repeat, body.challenge_id.as_deref(), &address).await
}

/// Show the code that came by telephone.
#[utoipa::path(post, path = "/v1/holders/{holder}/phone-verification/confirm", tag = "holders", request_body = Code,
    params(("holder" = String, Path), ("Idempotency-Key" = String, Header)), security(("holder" = [])),
    responses((status = 204, description = "As asked.")))]
async fn verify_phone(
    State(service): State<Arc<Service>>,
    caller: Holder,
    Path(id): Path<String>,
    Asked { body, repeat }: Asked<Code>,
) -> Result<StatusCode, Problem> {
    caller.check(parse_id(&id)?)?;
    service.reached_at_contact(&caller, &repeat, body.code()).await
}

impl Service {
    /// Asks for `caller` to be reached at `address`, and writes there.
    async fn want_contact(
        &self,
        caller: &Holder,
        repeat: &Repeat,
        challenge_id: Option<&str>,
        address: &Address,
    ) -> Result<Reply, Problem> {
        let contact = self.contact_id(address);
        let to = match address.channel {
            Channel::Mail => Contact::Mail(contact, self.mail_domain(address)),
            Channel::Sms => Contact::Phone(contact),
        };
        let command = |proof| Command::Holder(holder::Command::ChangeContact { holder: caller.id, to, proof });
        let request = repeat.by(self, caller.actor());
        self.once(request, async {
            let answer = self.submit_provable(caller, request, challenge_id, true, command).await?;
            let is_taken = match answer.reply {
                Ok(_) => false,
                Err(Refusal::Taken { noun: Noun::Contact, .. }) => true,
                Err(refusal) => return Err(refusals::problem(&refusal)),
            };
            // As much is done for an address that is another's: neither the answer nor how long it takes must tell.
            self.keep_contact(caller.id, address)?;
            let subject = if is_taken { self.look_up("taken", &contact.0.0) } else { contact.0 };
            // Where one came before that is good still, whoever reads it there types that one.
            if let Some(code) = self.make_code(Purpose::ChangeContact, subject, caller.id, contact)? {
                let text = if is_taken { words::address_taken() } else { words::address_code(code.expose()) };
                self.keep_letter(self.id(), caller.id, address, text, SHARED_CODE_MS)?;
            }
            Ok(Reply::last(StatusCode::ACCEPTED, Value::Null))
        })
        .await
    }

    /// Whoever reads at the new address has shown the code.
    async fn reached_at_contact(&self, caller: &Holder, repeat: &Repeat, code: &str) -> Result<StatusCode, Problem> {
        let request = repeat.by(self, caller.actor());
        let wanted = self.holder(caller.id).await?.wanted.map(Contact::id);
        let subject = wanted.map_or(caller.id.0, |wanted| wanted.0);
        let contact = self.use_code(Purpose::ChangeContact, subject, caller.id.0, code, Id(request.key))?;
        let address = self.address(caller.id, contact)?.ok_or_else(Problem::internal)?;
        match address.channel {
            Channel::Mail => self.verified_mail(caller.id, contact, request).await?,
            Channel::Sms => {
                let command = holder::Command::VerifyPhone { holder: caller.id, phone: contact };
                self.submit(caller.actor(), Some(request), Command::Holder(command)).await?;
            }
        }
        Ok(StatusCode::NO_CONTENT)
    }
}
