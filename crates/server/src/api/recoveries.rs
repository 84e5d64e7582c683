//! Recovering a lost password: with a code to the address that logs in and to no other, and, for whoever was identified, the
//! vendor's second look as well; for whoever was not, a code to their telephone, if they have shown one. Nobody learns here whether an address logs anybody in, and no stranger's noise keeps its
//! holder out: see `codes.rs`.
//!
//! Every session ends with it, and the address is told.

use crate::accounts::{Credential, Login};
use crate::api::holders::check_password;
use crate::asked::{Asked, Reply};
use crate::codes::{Purpose, code_refused};
use crate::contacts::{Address, Contact};
use crate::doors::Door;
use crate::entrance::From;
use crate::errands::What;
use crate::identity::Status;
use crate::letters::LETTER_MS;
use crate::proofs::{Challenge, Way};
use crate::refusals;
use crate::service::Service;
use crate::sessions::Session;
use crate::tallies::{Bound, DAY_MS};
use crate::words;
use axum::extract::{Path, State};
use domain::{Id, Time};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::net::IpAddr;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wallet::{ContactId, HolderId, Proof};
use web::{Problem, Secret};

/// How long a recovery may take, in milliseconds.
const RECOVERY_MS: i64 = 60 * 60 * 1_000;
/// Recoveries of one address that are asked for from one network (/24 or /64); from elsewhere they may be still.
const ASKED: [Bound; 1] = [Bound { name: "recoveries asked a day", count_max: 20, window_ms: DAY_MS }];

/// The paths of this room.
pub fn router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(ask)).routes(routes!(confirm))
}

/// A recovery that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovery {
    key: Id,
    /// Whose, if the address logs anybody in.
    holder: Option<HolderId>,
    mail: ContactId,
    ends: Time,
    done: bool,
}

impl Recovery {
    /// Whom its code is for, if the address logs anybody in.
    pub fn addressee(&self) -> Option<(HolderId, ContactId)> {
        self.holder.map(|holder| (holder, self.mail))
    }
}

impl Door for Recovery {
    const TABLE: &'static str = "recovery";

    fn id(&self) -> Id {
        self.key
    }

    fn at(&self) -> Option<Time> {
        Some(self.ends)
    }
}

/// Whose password was lost.
#[derive(Deserialize, ToSchema)]
#[schema(as = RecoveryAsk)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    email: String,
}

/// What was read at the address, and the new password.
#[derive(Deserialize, ToSchema)]
#[schema(as = RecoveryConfirm)]
#[serde(deny_unknown_fields)]
pub struct Confirm {
    code: String,
    #[schema(value_type = String)]
    password: Secret<String>,
    /// What was read at the telephone, once `phone_code_sent` was answered.
    phone_code: Option<String>,
}

/// Recover a lost password.
#[utoipa::path(post, path = "/v1/recoveries", tag = "recoveries", request_body = Ask,
    params(("Idempotency-Key" = String, Header)),
    responses((status = 202, description = "As asked.")))]
async fn ask(
    State(service): State<Arc<Service>>,
    From(source): From,
    Asked { body, repeat }: Asked<Ask>,
) -> Result<Reply, Problem> {
    service.count_entrance(source)?;
    let address = Address::mail(&body.email)?;
    let mail = service.contact_id(&address);
    service.count_login(mail, source)?;
    let request = repeat.by_stranger(&service, source);
    service
        .once_for_a_stranger(request, async {
            service.count_recovery(mail, source)?;
            let holder = service.doors.get::<Login>(mail.0)?.map(|login| login.holder);
            let ends = service.now().plus_milliseconds(RECOVERY_MS);
            let recovery = Recovery { key: service.id(), holder, mail, ends, done: false };
            // The code is written by whoever does the due work: whoever waits for the answer must not be able to tell.
            let errand = service.errand(What::Recover { recovery: recovery.key });
            service.doors.change(|doors| {
                doors.put(&recovery)?;
                doors.put(&errand).map_err(Problem::from)
            })?;
            let id = format!("rcv_{}", recovery.key);
            Ok(Reply::last(StatusCode::ACCEPTED, json!({ "id": id, "status": "code_sent" })))
        })
        .await
}

/// Show the code, and set a new password. Whom vendor or telephone know as well is asked for that first: 202 with a `status`
/// of `identity_pending` or `phone_code_sent`, and then the same request again, with the `phone_code`.
#[utoipa::path(post, path = "/v1/recoveries/{recovery}", tag = "recoveries", request_body = Confirm,
    params(("recovery" = String, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 204, description = "As asked."), (status = 202, description = "As asked.")))]
async fn confirm(
    State(service): State<Arc<Service>>,
    From(source): From,
    Path(id): Path<String>,
    Asked { body, repeat }: Asked<Confirm>,
) -> Result<Reply, Problem> {
    service.count_entrance(source)?;
    check_password(&body.password)?;
    let without_spaces = |code: &str| code.split_whitespace().collect::<String>();
    let codes = Codes { mail: without_spaces(&body.code), phone: body.phone_code.as_deref().map(without_spaces) };
    // The password stays out of what is kept of the request.
    let shown = format!("{} {}", codes.mail, codes.phone.as_deref().unwrap_or_default());
    let request = repeat.over(shown.into_bytes()).by_stranger(&service, source);
    service.once_for_a_stranger(request, service.confirm_recovery(source, &id, &codes, body.password)).await
}

/// What somebody read at their addresses.
struct Codes {
    mail: String,
    phone: Option<String>,
}

impl Service {
    /// Counts a recovery of `mail` that is asked for from `source`, whether or not it logs anybody in.
    fn count_recovery(&self, mail: ContactId, source: IpAddr) -> Result<(), Problem> {
        let Some(wait_ms) = self.wait_ms_from(&ASKED, mail.0, source)? else { return Ok(()) };
        let too_many = refusals::new(
            429,
            "too-many-recoveries",
            "Too many recoveries of this address were asked for from here.",
            "この回線からのパスワード再設定の申込みが上限に達しました。",
        );
        Err(too_many.detail("The last code that came is good for an hour.").retry_after((wait_ms + 999) / 1_000))
    }

    async fn confirm_recovery(
        &self,
        source: IpAddr,
        id: &str,
        codes: &Codes,
        password: Secret<String>,
    ) -> Result<Reply, Problem> {
        let digits = id.strip_prefix("rcv_").and_then(|digits| u128::from_str_radix(digits, 16).ok());
        let recovery = digits.map(|digits| self.doors.get::<Recovery>(Id::from_number(digits))).transpose()?.flatten();
        let recovery = recovery.filter(|recovery| self.now() < recovery.ends && !recovery.done);
        let recovery = recovery.ok_or_else(code_refused)?;
        // Asked for everyone, after the same work: nobody's recovery has no code.
        let subject = recovery.holder.map_or(recovery.mail.0, |holder| Contact::key(holder, recovery.mail));
        self.use_code(Purpose::Recover, subject, recovery.key, &codes.mail, recovery.key)?;
        let holder = recovery.holder.ok_or_else(code_refused)?;
        let way = self.way_beside_mail(holder).await?;
        if let Some(way) = way
            && let Some(answer) = self.second_look(&recovery, holder, way, codes.phone.as_deref()).await?
        {
            return Ok(answer);
        }
        let recovered = if way.is_none() { Some(self.now()) } else { None };
        let credential = Credential { recovered, ..self.new_credential(source, holder, password).await? };
        let ended: Result<_, Problem> = self.doors.change(|doors| {
            let still = doors.get::<Login>(recovery.mail.0)?.filter(|login| login.holder == holder);
            still.ok_or_else(code_refused)?;
            doors.put::<Credential>(&credential)?;
            doors.put(&Recovery { done: true, ..recovery })?;
            // With the password, and all of them: whoever had the old one may have opened many.
            Ok(doors.remove_of::<Session>(holder.0, None)?)
        });
        self.entrance.forget(ended?);
        if let Some(address) = self.address(holder, recovery.mail)? {
            self.keep_letter(recovery.key, holder, &address, words::recovered(), LETTER_MS)?;
        }
        Ok(Reply::last(StatusCode::NO_CONTENT, Value::Null))
    }

    /// By which way beside their mailbox `holder` shows that it is them: the vendor where it knows them, else the telephone.
    async fn way_beside_mail(&self, holder: HolderId) -> Result<Option<Way>, Problem> {
        if self.subject_of(holder)?.is_some() {
            return Ok(Some(Way::Recheck));
        }
        Ok(self.holder(holder).await?.phone.map(|_| Way::Code))
    }

    /// Whoever is known by more than a mailbox is looked at again; until that says yes, how far it is is the answer.
    async fn second_look(
        &self,
        recovery: &Recovery,
        holder: HolderId,
        way: Way,
        phone_code: Option<&str>,
    ) -> Result<Option<Reply>, Problem> {
        let fresh = Challenge {
            key: recovery.key,
            holder,
            payload: recovery.key,
            proof: Proof::Identity,
            way,
            status: Status::Pending,
            begun: false,
            vendor_id: None,
            url: None,
            expires: recovery.ends,
            used_by: None,
        };
        self.doors.insert(&fresh)?;
        let challenge = self.doors.get::<Challenge>(recovery.key)?.unwrap_or(fresh);
        let challenge = self.answer_challenge(challenge, phone_code.filter(|_| way == Way::Code)).await?;
        match challenge.status {
            Status::Approved => Ok(None),
            Status::Pending => {
                let status = match way {
                    Way::Recheck => "identity_pending",
                    Way::Code => "phone_code_sent",
                };
                let body = json!({ "id": format!("rcv_{}", recovery.key), "status": status, "url": challenge.url });
                Ok(Some(Reply::so_far(StatusCode::ACCEPTED, body)))
            }
            Status::Refused => Err(refusals::new(
                403,
                "identity-refused",
                "The identity vendor did not recognise the person.",
                "本人確認ができませんでした。",
            )),
        }
    }
}
