//! The identity vendor: who says who a holder is, and whether whoever asks now is that person still.
//!
//! A callback says only that there is news; what the news is, the vendor is asked. A person's id in the books is a keyed hash
//! of the vendor's subject: the same person is the same id, and nobody can read it back.

use crate::doors::Door;
use crate::entrance::SYSTEM;
use crate::profile::Profile;
use crate::sealed::Ciphertext;
use crate::service::Service;
use crate::tallies::DAY_MS;
use bytes::Bytes;
use domain::{Id, Time};
use http::{Method, Request, header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wallet::{Command, HolderId, IdentificationMethod, PersonId, holder};
use web::{Bounds, Due, Problem};

/// How long the vendor may take, in milliseconds.
const VENDOR_MS_MAX: u64 = 5_000;
/// How soon the vendor is asked for news that no callback brought, in milliseconds; ever more seldom as it goes on.
pub const POLL_MS: i64 = 60_000;
/// By what part of its age an identification waits before the vendor is asked again.
const POLL_PART: i64 = 10;
/// How long an identification may stay without a verdict, in milliseconds.
const IDENTIFICATION_MS_MAX: i64 = 7 * DAY_MS;
/// How long one that is over is shown, in milliseconds. What it proved stands in the books, and in [`Subject`].
const OVER_MS: i64 = 90 * DAY_MS;

/// How far an identification, or a proof, is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The vendor has not said.
    Pending,
    /// It is the person.
    Approved,
    /// It is not, or it cannot be told.
    Refused,
}

impl Status {
    /// The status as the API shows it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Refused => "refused",
        }
    }

    /// Which of two says more.
    const fn weight(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::Refused => 1,
            Self::Approved => 2,
        }
    }
}

/// An identification that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identification {
    /// Its id, made from the request for it.
    pub key: Id,
    /// The MAC of that request's body.
    pub body: Id,
    /// Of whom.
    pub holder: HolderId,
    /// How.
    pub method: IdentificationMethod,
    /// How far it is.
    pub status: Status,
    /// What the vendor calls it.
    pub vendor_id: Option<String>,
    /// Where the person goes on, at the vendor's.
    pub url: Option<String>,
    /// Why it was refused.
    pub reason: Option<String>,
    /// When it was asked for.
    pub asked: Time,
    /// When the vendor is to be asked again; of one that is over, when it is forgotten.
    pub due: Option<Time>,
    /// The device on which it was asked for: whoever is found to be themselves has proven this one.
    #[serde(default)]
    pub device: Option<Id>,
}

impl Door for Identification {
    const TABLE: &'static str = "identification";

    fn id(&self) -> Id {
        self.key
    }

    fn owner(&self) -> Option<Id> {
        Some(self.holder.0)
    }

    fn at(&self) -> Option<Time> {
        self.due
    }
}

impl Identification {
    /// Its id as the API and the vendor see it.
    pub fn shown(&self) -> String {
        format!("idn_{}", self.key)
    }
}

/// Whom the vendor found: who gives the proofs of that holder from then on. Found by the holder, however often they asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    holder: HolderId,
    sealed: Ciphertext,
}

impl Door for Subject {
    const TABLE: &'static str = "subject";

    fn id(&self) -> Id {
        self.holder.0
    }
}

/// What the vendor says.
#[derive(Clone, Deserialize)]
pub struct Verdict {
    id: String,
    reference: String,
    status: String,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    subject: Option<String>,
    #[serde(default)]
    verified: Option<Profile>,
    #[serde(default)]
    reason: Option<String>,
}

impl Verdict {
    /// How far it is; a word that we do not know is no verdict.
    pub fn status(&self) -> Status {
        match self.status.as_str() {
            "approved" => Status::Approved,
            "refused" => Status::Refused,
            _ => Status::Pending,
        }
    }

    /// What the vendor calls it, and where the person goes on.
    pub fn place(&self) -> (String, Option<String>) {
        (self.id.clone(), self.url.clone())
    }
}

impl Service {
    /// Asks the vendor; `None` when there was no answer that could be read.
    pub async fn ask_vendor(&self, method: Method, path: &str, body: Option<Value>) -> Option<Verdict> {
        let provider = &self.options.identity.provider;
        let request = Request::builder()
            .method(method)
            .uri(format!("{}/identity/v1/{path}", provider.origin))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, format!("Bearer {}", provider.token.expose()))
            .header("idempotency-key", body.as_ref().and_then(|body| body["reference"].as_str()).unwrap_or("none"))
            .body(body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string())))
            .ok()?;
        let bounds = Bounds { time_ms: VENDOR_MS_MAX, body_bytes: 64 << 10 };
        match self.outside.transport.call(request, bounds).await {
            Ok(answer) if answer.status().is_success() => serde_json::from_slice(answer.body()).ok(),
            Ok(answer) => {
                tracing::warn!(status = answer.status().as_u16(), "the identity vendor refused");
                None
            }
            Err(error) => {
                tracing::warn!(%error, "the identity vendor does not answer");
                None
            }
        }
    }

    /// Hands an identification to the vendor, and takes its verdict if there is one at once.
    async fn begin_identification(&self, mut row: Identification) -> Result<(Identification, bool), Problem> {
        let holder = self.holder(row.holder).await?;
        let claimed = self.unseal(row.holder, &holder.profile.0)?;
        let claimed: Value = serde_json::from_slice(&claimed).map_err(|_| Problem::internal())?;
        let body = json!({
            "reference": row.shown(),
            "method": method_name(row.method),
            "claimed": claimed,
            "return_url": format!("{}/", self.options.origin),
        });
        let Some(verdict) = self.ask_vendor(Method::POST, "identifications", Some(body)).await else {
            self.postpone(&mut row);
            return Ok((self.keep_identification(row)?, false));
        };
        (row.vendor_id, row.url) = (Some(verdict.id.clone()), verdict.url.clone());
        self.postpone(&mut row);
        let row = self.keep_identification(row)?;
        if verdict.status() == Status::Pending { Ok((row, true)) } else { self.look_at(row).await }
    }

    /// Asks the vendor what became of an identification, and acts on it.
    pub async fn refresh_identification(&self, row: Identification) -> Result<Identification, Problem> {
        self.look_at(row).await.map(|(row, _)| row)
    }

    /// The same; and whether the vendor answered at all.
    async fn look_at(&self, mut row: Identification) -> Result<(Identification, bool), Problem> {
        if row.status != Status::Pending {
            return Ok((row, true));
        }
        let Some(vendor_id) = row.vendor_id.clone() else { return Box::pin(self.begin_identification(row)).await };
        let verdict = self.ask_vendor(Method::GET, &format!("identifications/{vendor_id}"), None).await;
        let has_answered = verdict.is_some();
        match verdict.filter(|verdict| verdict.reference == row.shown()) {
            None => self.postpone(&mut row),
            Some(verdict) => match (verdict.status(), verdict.subject, verdict.verified) {
                (Status::Approved, Some(subject), Some(verified)) => {
                    self.identify(&mut row, &subject, verified).await?;
                }
                (Status::Approved | Status::Pending, _, _) => self.postpone(&mut row),
                (Status::Refused, _, _) => {
                    (row.status, row.reason, row.due) = (Status::Refused, verdict.reason, Some(self.forgotten()));
                }
            },
        }
        Ok((self.keep_identification(row)?, has_answered))
    }

    /// Keeps what became of an identification, unless more became of it while the vendor was asked: a verdict is never
    /// overwritten by none, and what the books took for proven by nothing.
    fn keep_identification(&self, row: Identification) -> Result<Identification, Problem> {
        self.doors.change(|doors| match doors.get::<Identification>(row.key)? {
            Some(kept) if kept.status != Status::Pending && kept.status.weight() >= row.status.weight() => Ok(kept),
            Some(kept) => {
                let vendor_id = row.vendor_id.clone().or(kept.vendor_id);
                let row = Identification { vendor_id, ..row };
                doors.put(&row)?;
                Ok(row)
            }
            None => {
                doors.put(&row)?;
                Ok(row)
            }
        })
    }

    fn postpone(&self, row: &mut Identification) {
        let now = self.now();
        if now.milliseconds_since(row.asked) >= IDENTIFICATION_MS_MAX {
            (row.status, row.reason) = (Status::Refused, Some("no verdict in time".into()));
            row.due = Some(self.forgotten());
        } else {
            row.due = Some(now.plus_milliseconds(POLL_MS.max(now.milliseconds_since(row.asked) / POLL_PART)));
        }
    }

    /// When an identification that is over now is forgotten.
    fn forgotten(&self) -> Time {
        self.now().plus_milliseconds(OVER_MS)
    }

    /// The vendor has found who it is: that goes into the books, which may know better.
    async fn identify(&self, row: &mut Identification, subject: &str, verified: Profile) -> Result<(), Problem> {
        let verified = verified.parse(self.now().day().date())?;
        let profile = serde_json::to_vec(&verified).map_err(|_| Problem::internal())?;
        let command = Command::Holder(holder::Command::Identify {
            holder: row.holder,
            person: PersonId(self.look_up("person", subject.as_bytes())),
            method: row.method,
            profile: Some(self.seal(row.holder, &profile)?),
        });
        let answer = self.ask(SYSTEM, None, command).await?;
        (row.status, row.due) = (Status::Approved, Some(self.forgotten()));
        match answer.reply {
            Ok(_) => {
                let sealed = Ciphertext(self.seal(row.holder, subject.as_bytes())?.0);
                self.doors.put(&Subject { holder: row.holder, sealed })?;
            }
            Err(refusal) => {
                let problem = crate::refusals::problem(&refusal);
                (row.status, row.reason) = (Status::Refused, Some(problem.name().to_owned()));
            }
        }
        Ok(())
    }

    /// The vendor's subject of `holder`, as it was last identified.
    pub fn subject_of(&self, holder: HolderId) -> Result<Option<String>, Problem> {
        let Some(subject) = self.doors.get::<Subject>(holder.0)? else { return Ok(None) };
        Ok(Some(String::from_utf8_lossy(&self.unseal(holder, &subject.sealed.0)?).into_owned()))
    }

    /// Asks for news of the identifications for which that is due, and forgets those that were over long ago.
    pub async fn refresh_identifications(&self, now: Time, budget: usize) -> Result<Due, Problem> {
        let due: Vec<Identification> = self.doors.due(now, budget)?;
        let mut done = 0;
        for row in due {
            done += 1;
            if row.status != Status::Pending {
                self.doors.remove::<Identification>(row.key)?;
                continue;
            }
            let mut waiting = row.clone();
            match self.look_at(row).await {
                Ok((_, true)) => {}
                // The vendor is away: the others are asked in the next step.
                Ok((_, false)) => break,
                Err(problem) => {
                    // One that cannot be read holds up no other.
                    tracing::error!(%problem, "an identification waits");
                    self.postpone(&mut waiting);
                    self.keep_identification(waiting)?;
                }
            }
        }
        Ok(Due { done, next: self.doors.next::<Identification>()? })
    }
}

/// The method as the API and the vendor write it.
pub const fn method_name(method: IdentificationMethod) -> &'static str {
    match method {
        IdentificationMethod::SigningCertificate => "signing_certificate",
        IdentificationMethod::ChipAndFace => "chip_and_face",
        IdentificationMethod::PictureAndFace => "picture_and_face",
        IdentificationMethod::RegisteredLetter => "registered_letter",
    }
}

/// The method of that name.
pub fn method_of(name: &str) -> Option<IdentificationMethod> {
    let all = [
        IdentificationMethod::SigningCertificate,
        IdentificationMethod::ChipAndFace,
        IdentificationMethod::PictureAndFace,
        IdentificationMethod::RegisteredLetter,
    ];
    all.into_iter().find(|method| method_name(*method) == name)
}
