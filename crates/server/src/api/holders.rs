//! Opening: somebody becomes a holder, and shows that they read the addresses they gave.
//!
//! Nobody learns here whether an address has a wallet already: the answer is the same, and the address is told.

use crate::accounts::{CANDIDATE_MS, Candidate, Credential, Login, UNVERIFIED_MS};
use crate::asked::{Asked, Reply};
use crate::codes::Purpose;
use crate::contacts::{Address, Channel, Contact};
use crate::entrance::{ANYONE, From, Holder};
use crate::errands::{Errand, What};
use crate::password::{PASSWORD_BYTES_MAX, PASSWORD_CHARACTERS_MIN};
use crate::profile::Profile;
use crate::refusals;
use crate::service::Service;
use axum::extract::{Path, State};
use domain::{Id, Time};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::net::IpAddr;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wallet::{Command, ContactId, HolderId, Noun, Receipt, Refusal, holder};
use web::{Json, Problem, Secret};

/// The paths of this room.
pub fn router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new()
        .routes(routes!(open))
        .routes(routes!(show))
        .routes(routes!(verify_mail))
        .routes(routes!(ask_mail))
}

/// Somebody who wants to be a holder.
#[derive(Deserialize, ToSchema)]
#[schema(as = HolderOpen)]
#[serde(deny_unknown_fields)]
pub struct Open {
    email: String,
    #[schema(value_type = String)]
    password: Secret<String>,
    family_name: String,
    given_name: String,
    family_kana: String,
    given_kana: String,
    birth_date: String,
    phone: Option<String>,
}

/// A holder's id.
#[derive(Serialize, ToSchema)]
#[schema(as = HolderOpened)]
pub struct Opened {
    id: String,
}

/// A body without members.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// A code that somebody read at an address.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Code {
    code: String,
}

impl Code {
    /// The code without what a person types around it.
    pub fn code(&self) -> &str {
        self.code.trim()
    }
}

/// Join.
#[utoipa::path(post, path = "/v1/holders", tag = "holders", request_body = Open,
    params(("Idempotency-Key" = String, Header)),
    responses((status = 201, body = Opened)))]
async fn open(
    State(service): State<Arc<Service>>,
    From(source): From,
    Asked { body, repeat }: Asked<Open>,
) -> Result<Reply, Problem> {
    service.count_entrance(source)?;
    let address = Address::mail(&body.email)?;
    let phone = body.phone.as_deref().map(Address::phone).transpose()?;
    check_password(&body.password)?;
    let profile = Profile {
        family_name: body.family_name,
        given_name: body.given_name,
        family_kana: body.family_kana,
        given_kana: body.given_kana,
        birth_date: body.birth_date,
    }
    .parse(service.now().day().date())?;
    let profile = serde_json::to_vec(&profile).map_err(|_| Problem::internal())?;

    // The password stays out of what is kept of the request.
    let request = repeat.over([address.expose().as_bytes(), &profile].concat()).by_stranger(&service, source);
    let wanted = Wanted { source, address, phone, profile, password: body.password };
    // Kept here for those who are refused as well: the books forget refusals of a flood, and a repeat must not tell.
    service.once_for_a_stranger(request, service.open_holder(request, wanted)).await
}

/// What somebody wants to be a holder with.
struct Wanted {
    source: IpAddr,
    address: Address,
    phone: Option<Address>,
    profile: Vec<u8>,
    password: Secret<String>,
}

impl Service {
    async fn open_holder(&self, request: engine::Request, wanted: Wanted) -> Result<Reply, Problem> {
        let Wanted { source, address, phone, profile, password } = wanted;
        let (holder, mail) = (HolderId(self.id()), self.contact_id(&address));
        let until = self.now().plus_milliseconds(UNVERIFIED_MS);
        let credential =
            Credential { unverified_until: Some(until), ..self.new_credential(source, holder, password).await? };
        self.doors.put(&Candidate { holder, at: self.now().plus_milliseconds(CANDIDATE_MS) })?;
        let command = holder::Command::Open {
            holder,
            mail,
            mail_domain: self.mail_domain(&address),
            profile: self.seal(holder, &profile)?,
        };
        let answer = self.ask(ANYONE, Some(request), Command::Holder(command)).await?;
        let (id, is_decoy) = match answer.reply {
            Ok(Receipt::Holder { id, .. }) => (id, false),
            Err(Refusal::Taken { noun: Noun::Contact, .. }) => (decoy(request.key, answer.at), true),
            Ok(_) => return Err(Problem::internal()),
            Err(refusal) => return Err(refusals::problem(&refusal)),
        };
        let contacts = [Some(address), phone].into_iter().flatten();
        let sealer = if is_decoy { holder } else { id };
        let contacts = contacts.map(|address| self.sealed_contact(sealer, &address)).collect::<Result<Vec<_>, _>>()?;
        let what = if is_decoy { What::JoinedAlready { mail } } else { What::VerifyMail { holder: id, mail } };
        // The letter's id is the request's: a repeat writes the same one.
        let errand = Errand { key: Id(request.key), ..self.errand(what) };
        // One write for an address that is known and for one that is not, and the letter after the answer: neither tells. A
        // repeat finds all of this done, or does what a crash left undone.
        self.doors.change(|doors| {
            let is_fresh = is_decoy || doors.insert(&Credential { holder: id, ..credential })?;
            for contact in contacts.iter().filter(|_| !is_decoy) {
                doors.put(contact)?;
            }
            if is_fresh {
                doors.put(&errand)?;
            }
            Ok::<_, Problem>(())
        })?;
        Reply::shown(StatusCode::CREATED, &Opened { id: id.to_string() })
    }
}

/// The id of nobody, for whoever asks with an address that is taken: the same at each repeat, and like any other.
fn decoy(request: [u8; 16], at: Time) -> HolderId {
    let mut bytes = request;
    bytes[..6].copy_from_slice(&at.milliseconds().to_be_bytes()[2..]);
    bytes[6] = (bytes[6] & 0x0f) | 0x70;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    HolderId(Id(bytes))
}

/// Refuses a password that is too short to be one, or too long to be hashed.
pub fn check_password(password: &Secret<String>) -> Result<(), Problem> {
    let password = password.expose();
    if password.chars().count() < PASSWORD_CHARACTERS_MIN || password.len() > PASSWORD_BYTES_MAX {
        return Err(refusals::new(
            422,
            "password-refused",
            "The password is too short or too long.",
            "パスワードの長さが不適切です。",
        )
        .with("characters_min", PASSWORD_CHARACTERS_MIN)
        .with("bytes_max", PASSWORD_BYTES_MAX));
    }
    Ok(())
}

/// A holder, as they see themselves.
#[derive(Serialize, ToSchema)]
#[schema(as = HolderShown)]
pub struct Shown {
    id: String,
    /// `email`, `phone`, `identified`.
    tier: &'static str,
    opened_at: String,
    email_verified_at: Option<String>,
    phone_verified_at: Option<String>,
    identified_at: Option<String>,
    /// The open wallet, if there is one.
    wallet_id: Option<String>,
}

/// See how far one's identity is proven, and which wallet one has.
#[utoipa::path(get, path = "/v1/holders/{holder}", tag = "holders", params(("holder" = String, Path)),
    security(("holder" = [])), responses((status = 200, body = Shown)))]
async fn show(
    State(service): State<Arc<Service>>,
    caller: Holder,
    Path(holder): Path<String>,
) -> Result<Json<Shown>, Problem> {
    let id = parse_id(&holder)?;
    caller.check(id)?;
    let row = service.holder(id).await?;
    let time = |at: Option<Time>| at.map(|at| at.to_string());
    Ok(Json(Shown {
        id: id.to_string(),
        tier: row.tier.name(),
        opened_at: row.opened.to_string(),
        email_verified_at: time(row.mail_verified),
        phone_verified_at: time(row.phone_verified),
        identified_at: time(row.identified.map(|(_, at)| at)),
        wallet_id: row.wallet.map(|wallet| wallet.to_string()),
    }))
}

/// Show the code that came by mail.
#[utoipa::path(post, path = "/v1/holders/{holder}/email-verification", tag = "holders", request_body = Code,
    params(("holder" = String, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 204, description = "As asked.")))]
async fn verify_mail(
    State(service): State<Arc<Service>>,
    From(source): From,
    Path(holder): Path<String>,
    Asked { body, repeat }: Asked<Code>,
) -> Result<StatusCode, Problem> {
    service.count_entrance(source)?;
    let id = parse_id(&holder)?;
    let request = repeat.by_stranger(&service, source);
    // Asked for everyone, after the same work: nobody's address has no code.
    let contacts: Vec<Contact> = service.doors.of(id.0)?;
    let mail = contacts.iter().find(|contact| contact.channel == Channel::Mail);
    let subject = mail.map_or(id.0, |mail| mail.known_as.0);
    // By the holder in the path: counted by address, two holders of a free one would share what two of a known one do not.
    service.count_typed(id.0, source)?;
    let mail = service.use_code(Purpose::VerifyMail, subject, id.0, body.code(), Id(request.key))?;
    service.verified_mail(id, mail, request).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sends another code. Whether there is anybody to send one to is not told.
#[utoipa::path(post, path = "/v1/holders/{holder}/email-verification/codes", tag = "holders", request_body = Nothing,
    params(("holder" = String, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 202, description = "As asked.")))]
async fn ask_mail(
    State(service): State<Arc<Service>>,
    From(source): From,
    Path(holder): Path<String>,
    Asked { body: Nothing {}, repeat }: Asked<Nothing>,
) -> Result<Reply, Problem> {
    service.count_entrance(source)?;
    let id = parse_id(&holder)?;
    service
        .once_for_a_stranger(repeat.by_stranger(&service, source), async {
            let contacts: Vec<Contact> = service.doors.of(id.0)?;
            let kept = service.doors.get::<Credential>(id.0)?;
            // Whose time is over is forgotten soon: no code may make them a holder meanwhile.
            let is_known = kept.is_some_and(|kept| kept.unverified_until.is_none_or(|until| service.now() < until));
            let mail = contacts.into_iter().find(|contact| contact.channel == Channel::Mail).filter(|_| is_known);
            if let Some(mail) = mail {
                service.doors.put(&service.errand(What::VerifyMail { holder: id, mail: mail.known_as }))?;
            }
            Ok(Reply::last(StatusCode::ACCEPTED, Value::Null))
        })
        .await
}

/// The holder's id in a path; one that is none is nobody's.
pub fn parse_id(text: &str) -> Result<HolderId, Problem> {
    text.parse().map_err(|_| Problem::not_found().with("noun", "holder"))
}

impl Service {
    /// What is kept of a holder's new password, that came from `source`.
    pub async fn new_credential(
        &self,
        source: IpAddr,
        holder: HolderId,
        password: Secret<String>,
    ) -> Result<Credential, Problem> {
        let mut salt = [0; 16];
        self.outside.chance.fill(&mut salt);
        let password =
            self.passwords.hash(self.keys.networks(source).0, password, salt).await.map_err(|_| Problem::busy())?;
        Ok(Credential { holder, password, unverified_until: None, recovered: None })
    }

    /// A mail address answered: it logs its holder in from now on, and the one before does no more.
    pub async fn verified_mail(&self, id: HolderId, mail: ContactId, request: engine::Request) -> Result<(), Problem> {
        let command = Command::Holder(holder::Command::VerifyMail { holder: id, mail });
        self.submit(ANYONE, Some(request), command).await?;
        self.note_verified(id, mail)
    }

    /// The books have it that `mail` is `id`'s: from now on it logs them in.
    pub fn note_verified(&self, id: HolderId, mail: ContactId) -> Result<(), Problem> {
        self.doors.change(|doors| {
            for login in doors.of::<Login>(id.0)? {
                doors.remove::<Login>(login.mail.0)?;
            }
            if let Some(credential) = doors.get::<Credential>(id.0)? {
                doors.put(&Credential { unverified_until: None, ..credential })?;
            }
            doors.put(&Login { mail, holder: id }).map_err(Problem::from)
        })
    }
}
