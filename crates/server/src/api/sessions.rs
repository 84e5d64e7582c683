//! Sessions: logging in, seeing where one is logged in, logging out.
//!
//! A wrong password and an unknown address answer alike, after the same work. Who tries many passwords at one address does
//! not lock its holder out: from then on a login takes a code as well, which is sent to whoever knows the password.

use crate::accounts::{Credential, Login};
use crate::codes::Purpose;
use crate::contacts::Address;
use crate::doors::{Door, Transaction};
use crate::entrance::{From, Holder};
use crate::errands::What;
use crate::letters::LETTER_MS;
use crate::query::{Page, Query, Which};
use crate::refusals;
use crate::service::Service;
use crate::sessions::Session;
use crate::tallies::{Bound, DAY_MS, Tallies};
use crate::words;
use axum::extract::{Path, State};
use domain::{Id, Time};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wallet::{ContactId, Fingerprint, Proof};
use web::jose::dpop;
use web::{Json, Problem, Secret};

/// Wrong passwords for one address in a day; after them a login takes a code as well.
const WRONG_PASSWORDS: [Bound; 1] = [Bound { name: "wrong passwords a day", count_max: 50, window_ms: DAY_MS }];

/// The paths of this room.
pub fn router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(open, list)).routes(routes!(end))
}

/// Somebody who wants to come in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogIn {
    email: String,
    #[schema(value_type = String)]
    password: Secret<String>,
    device: Option<Device>,
    /// The code that came by mail, after this login was answered `step-up-required`.
    code: Option<String>,
}

/// The device that somebody comes in with: it signs this very call (`DPoP`, RFC 9449), and is known by its key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// The key's thumbprint (RFC 7638), if the caller wants it checked.
    key: Option<String>,
    #[schema(value_type = String)]
    proof: Secret<String>,
}

/// A session that was opened.
#[derive(Serialize, ToSchema)]
#[schema(as = SessionOpened)]
pub struct Opened {
    id: String,
    holder_id: String,
    token: String,
    expires_at: String,
}

/// A session in a list.
#[derive(Serialize, ToSchema)]
#[schema(as = SessionListed)]
pub struct Listed {
    id: String,
    kind: &'static str,
    current: bool,
    opened_at: String,
    expires_at: String,
    /// When it was last used.
    last_seen_at: String,
    /// The device whose key was proven at the login, if one was.
    device: Option<ListedDevice>,
}

/// A device in the list.
#[derive(Serialize, ToSchema)]
#[schema(as = SessionDevice)]
pub struct ListedDevice {
    /// What it is called: the same at each login with its key.
    id: String,
    /// Whether it has been proven to be the holder's own.
    known: bool,
}

/// Log in.
#[utoipa::path(post, path = "/v1/sessions", tag = "sessions", request_body = LogIn,
    responses((status = 201, body = Opened)))]
async fn open(
    State(service): State<Arc<Service>>,
    From(source): From,
    Json(body): Json<LogIn>,
) -> Result<(StatusCode, Json<Opened>), Problem> {
    service.count_entrance(source)?;
    let credential = service.log_in(source, &body.email, body.password, body.code.as_deref()).await?;
    let device = body.device.map(|device| service.prove_device(&device)).transpose()?;
    let (token, session) = service.open_session(&credential, false, device)?;
    service.tell_of_log_in(&session).await?;
    let opened = Opened {
        id: session.shown(),
        holder_id: credential.holder.to_string(),
        token: token.expose().clone(),
        expires_at: session.expires.to_string(),
    };
    Ok((StatusCode::CREATED, Json(opened)))
}

/// See where one is logged in, the newest first.
#[utoipa::path(get, path = "/v1/sessions", tag = "sessions", params(Which), security(("holder" = [])),
    responses((status = 200, body = Page<Listed>)))]
async fn list(
    State(service): State<Arc<Service>>,
    caller: Holder,
    Query(which): Query<Which>,
) -> Result<Json<Page<Listed>>, Problem> {
    let device = |session: &Session| {
        let Some(device) = session.device else { return Ok::<_, Problem>(None) };
        let known = service.is_known_device(session)?;
        Ok(Some(ListedDevice { id: format!("dev_{:016x}", device.0), known }))
    };
    let listed = |session: Session| {
        let shown = Listed {
            device: device(&session)?,
            last_seen_at: session.seen.max(session.opened).to_string(),
            id: session.shown(),
            kind: if session.is_browser { "browser" } else { "api" },
            current: session.token == caller.session.token,
            opened_at: session.opened.to_string(),
            expires_at: session.expires.to_string(),
        };
        Ok::<_, Problem>((session.name, shown))
    };
    let all = service.sessions_of(caller.id)?.into_iter().map(listed).collect::<Result<_, _>>()?;
    Ok(Json(which.page(&service.keys, &format!("sessions of {}", caller.id), all)?))
}

/// Log out: one session, or `current`.
#[utoipa::path(delete, path = "/v1/sessions/{session}", tag = "sessions",
    params(("session" = String, Path)), security(("holder" = [])),
    responses((status = 204, description = "As asked.")))]
async fn end(
    State(service): State<Arc<Service>>,
    caller: Holder,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    let session = match name.as_str() {
        "current" => Some((*caller.session).clone()),
        _ => service.sessions_of(caller.id)?.into_iter().find(|session| session.shown() == name),
    };
    service.end_session(&session.ok_or_else(|| Problem::not_found().with("noun", "session"))?)?;
    Ok(StatusCode::NO_CONTENT)
}

impl Service {
    /// The credential of the holder whose address and password these are. Where many passwords were tried, `code` must be right as well.
    pub async fn log_in(
        &self,
        source: IpAddr,
        email: &str,
        password: Secret<String>,
        code: Option<&str>,
    ) -> Result<Credential, Problem> {
        let address = Address::mail(email)?;
        let mail = self.contact_id(&address);
        self.count_login(mail, source)?;
        let login = self.doors.get::<Login>(mail.0)?;
        let credential = login.map(|login| self.doors.get::<Credential>(login.holder.0)).transpose()?.flatten();
        let kept = credential.as_ref().map(|credential| credential.password.clone());
        let is_right =
            self.passwords.verify(self.keys.networks(source).0, password, kept).await.map_err(|_| Problem::busy())?;
        let found = credential.filter(|_| is_right);
        let is_tried = self.doors.change(|doors| self.count_password(doors, mail, found.is_none()))?;
        match found {
            Some(credential) if !is_tried => Ok(credential),
            None if !is_tried => Err(refusals::log_in_refused()),
            Some(_) | None => self.log_in_with_code(mail, found, code),
        }
    }

    /// Whether too many passwords were tried for `mail`; counts one more, if it was wrong.
    fn count_password(&self, doors: &Transaction<'_>, mail: ContactId, is_wrong: bool) -> Result<bool, Problem> {
        let tallies = Tallies { doors, keys: &self.keys, now: self.now() };
        let is_tried = tallies.wait_ms(&WRONG_PASSWORDS, "", mail.0)?.is_some();
        if is_wrong && !is_tried {
            tallies.count(&WRONG_PASSWORDS, "", mail.0)?;
        }
        Ok(is_tried)
    }

    /// Whoever guesses learns nothing here: all that is not wholly right is answered the same, after as many writes. The
    /// code goes to whoever has the mailbox, and only after the right password.
    fn log_in_with_code(
        &self,
        mail: ContactId,
        found: Option<Credential>,
        code: Option<&str>,
    ) -> Result<Credential, Problem> {
        let used = match (found, code) {
            (Some(credential), Some(code)) => {
                let holder = credential.holder.0;
                self.use_code(Purpose::LogIn, holder, holder, code.trim(), self.id()).ok().map(|_| credential)
            }
            (None, Some(code)) => {
                // Nobody's code is never right; it is looked at all the same.
                let nobody = self.id();
                drop(self.use_code(Purpose::LogIn, nobody, nobody, code.trim(), nobody));
                None
            }
            (Some(_), None) => {
                self.doors.put(&self.errand(What::LogIn { mail }))?;
                None
            }
            (None, None) => {
                let nobody = self.look_up("nobody", &mail.0.0);
                self.doors.put(&self.errand(What::LogIn { mail: ContactId(nobody) }))?;
                None
            }
        };
        used.ok_or_else(|| {
            refusals::step_up(Proof::SecondFactor).with("way", "code").detail(
                "Many passwords were tried here. With the right one a code is sent to the address: log in with `code` as well.",
            )
        })
    }
}

/// A proof that was shown: it is worth nothing a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenProof {
    jti: Id,
    ends: Time,
}

impl SeenProof {
    /// A proof known by the hash `jti`, which nobody believes any more after `ends`.
    pub const fn new(jti: Id, ends: Time) -> Self {
        Self { jti, ends }
    }
}

impl Door for SeenProof {
    const TABLE: &'static str = "seen_proof";

    fn id(&self) -> Id {
        self.jti
    }

    fn at(&self) -> Option<Time> {
        Some(self.ends)
    }
}

impl Service {
    /// The trait of the device whose key signed this login.
    fn prove_device(&self, device: &Device) -> Result<Fingerprint, Problem> {
        let refused = || {
            refusals::new(401, "device-refused", "The device's proof is not good.", "端末の証明が正しくありません。")
        };
        let url = format!("{}/v1/sessions", self.options.origin);
        let call = dpop::Call { method: "POST", url: &url, access_token: None };
        let proof = dpop::believe(device.proof.expose(), call, self.now()).map_err(|_| refused())?;
        if device.key.as_ref().is_some_and(|key| *key != proof.thumbprint) {
            return Err(refused());
        }
        let seen = SeenProof::new(self.keys.secret("device proof", &proof.jti), proof.expires);
        if !self.doors.insert(&seen)? {
            return Err(refused());
        }
        Ok(self.keys.fingerprint("device", proof.thumbprint.as_bytes()))
    }

    /// Tells a holder that somebody came in with a device that was never proven to be theirs.
    pub async fn tell_of_log_in(&self, session: &Session) -> Result<(), Problem> {
        if self.is_known_device(session)? {
            return Ok(());
        }
        let holder = self.holder(session.holder).await?;
        if let Some(address) = self.address(session.holder, holder.mail)? {
            self.keep_letter(self.id(), session.holder, &address, words::logged_in(), LETTER_MS)?;
        }
        Ok(())
    }
}
