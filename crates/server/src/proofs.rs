//! Second proofs: what is asked of a holder before money leaves, or before who can move it changes.
//!
//! A refusal for want of a proof names a challenge. The challenge is bound to the holder and to what was asked, to the byte;
//! once proven it opens that one request. A request that was answered needs none any more: its repeats get that answer, with
//! the challenge or without, also when the challenge is long forgotten. Which proofs there are is behind one trait: today the vendor's
//! re-check, or a code for those whom the vendor does not know; passkeys come in beside them.
//! Start reading at [`Service::submit_provable`].

use crate::accounts::Credential;
use crate::codes::Purpose;
use crate::doors::Door;
use crate::entrance::Holder;
use crate::identity::Status;
use crate::refusals;
use crate::service::{Answered, Service};
use crate::sessions::Session;
use crate::tallies::{Bound, DAY_MS, HOUR_MS, Tallies};
use domain::{Id, Time};
use engine::{Answer, Request};
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::future::Future;
use std::pin::Pin;
use wallet::{Command, HolderId, Proof, Refusal, Wallets};
use web::Problem;

/// How long a challenge may be answered and used, in milliseconds.
pub const CHALLENGE_MS: i64 = 10 * 60 * 1_000;

/// How long a code by mail proves nothing after a recovery by mail, in milliseconds.
const RECOVERED_MS: i64 = DAY_MS;

/// Second looks at one holder that the vendor refused; after them there is none for a while.
const LOOKS_REFUSED: [Bound; 2] = [
    Bound { name: "looks refused an hour", count_max: 10, window_ms: HOUR_MS },
    Bound { name: "looks refused a day", count_max: 30, window_ms: DAY_MS },
];

/// Proofs that are asked for in one session, each of which is kept for a day: whoever asks for more must wait.
const CHALLENGES_OF_SESSION: [Bound; 1] = [Bound { name: "challenges an hour", count_max: 60, window_ms: HOUR_MS }];
/// The same of one holder, in all sessions.
const CHALLENGES_OF_HOLDER: [Bound; 1] = [Bound { name: "challenges a day", count_max: 300, window_ms: DAY_MS }];

/// A proof that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// Its id.
    pub key: Id,
    /// Of whom.
    pub holder: HolderId,
    /// For what: the MAC of path and body, the challenge left out.
    pub payload: Id,
    /// Which proof.
    pub proof: Proof,
    /// By which way it is given.
    pub way: Way,
    /// How far it is.
    pub status: Status,
    /// Whether somebody began to answer it.
    pub begun: bool,
    /// What the vendor calls it.
    pub vendor_id: Option<String>,
    /// Where the person goes on.
    pub url: Option<String>,
    /// Until when.
    pub expires: Time,
    /// By which request it was used.
    pub used_by: Option<Id>,
}

/// By which way a proof is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// The identity vendor looks again at whoever holds the device.
    Recheck,
    /// A code to the telephone, or to the mail of who has none: restricted, and only for those whom the vendor does not know.
    Code,
}

impl Way {
    /// The way as the API shows it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Recheck => "identity_recheck",
            Self::Code => "code",
        }
    }
}

impl Door for Challenge {
    const TABLE: &'static str = "challenge";

    fn id(&self) -> Id {
        self.key
    }

    fn owner(&self) -> Option<Id> {
        Some(self.holder.0)
    }

    fn at(&self) -> Option<Time> {
        Some(self.expires)
    }
}

impl Challenge {
    /// Its id as the API shows it.
    pub fn shown(&self) -> String {
        format!("chl_{}", self.key)
    }

    /// Whether something may still come of it at `now`.
    pub fn is_open(&self, now: Time) -> bool {
        self.status == Status::Pending && now < self.expires
    }
}

/// A device, or a session without one, that its holder has proven; or, by the key of the holder alone, that there ever was one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownDevice {
    key: Id,
    holder: HolderId,
    /// When a session without a device ends.
    #[serde(default)]
    ends: Option<Time>,
}

impl Door for KnownDevice {
    const TABLE: &'static str = "known_device";

    fn id(&self) -> Id {
        self.key
    }

    fn owner(&self) -> Option<Id> {
        Some(self.holder.0)
    }

    fn at(&self) -> Option<Time> {
        self.ends
    }
}

/// What a proof's answer comes to.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Result<Challenge, Problem>> + Send + 'a>>;

/// A way to prove that it is the holder who asks.
pub trait SecondProof: Send + Sync {
    /// Begins, or goes on with what was begun; `answer` is what the holder typed, if anything.
    fn answer<'a>(&'a self, service: &'a Service, challenge: Challenge, answer: Option<&'a str>) -> Answering<'a>;
}

/// The vendor's re-check.
struct Recheck;

impl SecondProof for Recheck {
    fn answer<'a>(&'a self, service: &'a Service, mut challenge: Challenge, _: Option<&'a str>) -> Answering<'a> {
        Box::pin(async move {
            let verdict = if let Some(vendor_id) = &challenge.vendor_id {
                if !service.may_ask_vendor(challenge.holder) {
                    // It is asked so often and no more; beyond, what is known is the answer.
                    return Ok(challenge);
                }
                service.ask_vendor(Method::GET, &format!("rechecks/{vendor_id}"), None).await
            } else {
                let subject = service.subject_of(challenge.holder)?.ok_or_else(Problem::not_found)?;
                let body = json!({ "reference": challenge.shown(), "subject": subject });
                service.ask_vendor(Method::POST, "rechecks", Some(body)).await
            };
            let verdict = verdict.ok_or_else(refusals::unavailable)?;
            challenge.status = verdict.status();
            let (vendor_id, url) = verdict.place();
            challenge.vendor_id = Some(vendor_id);
            challenge.url = url.or(challenge.url);
            Ok(challenge)
        })
    }
}

/// A code to an address that answered before.
struct Code;

impl SecondProof for Code {
    fn answer<'a>(&'a self, service: &'a Service, mut challenge: Challenge, answer: Option<&'a str>) -> Answering<'a> {
        Box::pin(async move {
            if let Some(code) = answer {
                service.use_code(Purpose::Prove, challenge.key, challenge.holder.0, code.trim(), challenge.key)?;
                challenge.status = Status::Approved;
                return Ok(challenge);
            }
            let holder = service.holder(challenge.holder).await?;
            let contact = holder.phone.unwrap_or(holder.mail);
            if holder.phone.is_none() {
                service.check_recovered(challenge.holder)?;
            }
            let address = service.address(challenge.holder, contact)?.ok_or_else(Problem::not_found)?;
            let code = service.make_code(Purpose::Prove, challenge.key, challenge.holder, contact)?;
            let code = code.ok_or_else(Problem::internal)?;
            let text = crate::words::code(code.expose());
            service.send_letter(service.id(), challenge.holder, &address, text, CHALLENGE_MS).await?;
            Ok(challenge)
        })
    }
}

const fn ways(way: Way) -> &'static dyn SecondProof {
    match way {
        Way::Recheck => &Recheck,
        Way::Code => &Code,
    }
}

impl Service {
    /// Submits a command that may take a proof. Without one that is good where `needs_proof` or the guard asks for it, the
    /// problem names a challenge for exactly this request. One that was answered before is answered so again, before
    /// anybody looks for its challenge.
    pub async fn submit_provable(
        &self,
        caller: &Holder,
        request: Request,
        challenge_id: Option<&str>,
        needs_proof: bool,
        command: impl FnOnce(Option<Proof>) -> Command,
    ) -> Answered {
        if (needs_proof || challenge_id.is_some())
            && let Some(answer) = self.recall(request).await?
        {
            return Ok(answer);
        }
        let proof = self.proof_of(caller, request, challenge_id, needs_proof)?;
        let answer = self.ask(caller.actor(), Some(request), command(proof)).await?;
        if let Err(Refusal::StepUpRequired { proof }) = answer.reply {
            return Err(self.challenge(caller, request, proof)?);
        }
        if proof.is_some() && answer.reply.is_ok() {
            self.know_device(caller)?;
        }
        Ok(answer)
    }

    /// What `request` was answered, if it was.
    pub async fn recall(&self, request: Request) -> Result<Option<Answer<Wallets>>, Problem> {
        self.engine.recall(request).await.map_err(|error| refusals::engine_problem(&error))
    }

    /// The proof that a challenge gives to this very request, if it names one. Without one where `needs_proof`, the problem
    /// names a challenge.
    pub fn proof_of(
        &self,
        caller: &Holder,
        request: Request,
        challenge_id: Option<&str>,
        needs_proof: bool,
    ) -> Result<Option<Proof>, Problem> {
        match challenge_id {
            Some(challenge) => self.use_challenge(caller, request, challenge).map(Some),
            None if needs_proof => Err(self.challenge(caller, request, Proof::SecondFactor)?),
            None => Ok(None),
        }
    }

    /// The proof that a challenge gives to this very request.
    fn use_challenge(&self, caller: &Holder, request: Request, challenge_id: &str) -> Result<Proof, Problem> {
        let key = parse(challenge_id)?;
        let (payload, used_by) = (Id(request.body), Id(request.key));
        self.doors.change(|doors| {
            let challenge = doors.get::<Challenge>(key)?.filter(|challenge| challenge.holder == caller.id);
            let mut challenge = challenge.ok_or_else(|| Problem::not_found().with("noun", "challenge"))?;
            let is_repeat = challenge.used_by == Some(used_by);
            let fits = challenge.payload == payload && challenge.status == Status::Approved;
            let is_free = challenge.used_by.is_none() && self.now() < challenge.expires;
            if !fits || !(is_repeat || is_free) {
                return Err(refusals::new(
                    403,
                    "challenge-refused",
                    "The challenge was not proven for this request.",
                    "この操作の確認が完了していません。",
                )
                .with("challenge_id", challenge_id)
                .with("challenge_status", challenge.status.name()));
            }
            challenge.used_by = Some(used_by);
            doors.put(&challenge)?;
            Ok(challenge.proof)
        })
    }

    /// The problem that asks `caller` for a proof of this request, with a new challenge.
    pub fn challenge(&self, caller: &Holder, request: Request, proof: Proof) -> Result<Problem, Problem> {
        let way = if self.subject_of(caller.id)?.is_some() { Way::Recheck } else { Way::Code };
        let challenge = Challenge {
            key: self.id(),
            holder: caller.id,
            payload: Id(request.body),
            proof,
            way,
            status: Status::Pending,
            begun: false,
            vendor_id: None,
            url: None,
            expires: self.now().plus_milliseconds(CHALLENGE_MS),
            used_by: None,
        };
        self.keep_challenge(&caller.session, &challenge)?;
        Ok(refusals::step_up(proof)
            .with("challenge_id", challenge.shown())
            .with("way", way.name())
            .with("expires_at", challenge.expires.to_string()))
    }

    /// Keeps a challenge that `session` caused, unless that or its holder's others have caused too many.
    fn keep_challenge(&self, session: &Session, challenge: &Challenge) -> Result<(), Problem> {
        self.doors.change(|doors| {
            let tallies = Tallies { doors, keys: &self.keys, now: self.now() };
            let of_session = tallies.wait_ms(&CHALLENGES_OF_SESSION, "", session.token)?;
            let of_holder = tallies.wait_ms(&CHALLENGES_OF_HOLDER, "", challenge.holder.0)?;
            if let Some(wait_ms) = of_session.max(of_holder) {
                let title = "Too many proofs were asked for.";
                let too_many = refusals::new(429, "too-many-challenges", title, "確認の要求が多すぎます。");
                return Err(too_many.detail("Answer one that is open.").retry_after((wait_ms + 999) / 1_000));
            }
            tallies.count(&CHALLENGES_OF_SESSION, "", session.token)?;
            tallies.count(&CHALLENGES_OF_HOLDER, "", challenge.holder.0)?;
            Ok(doors.put(challenge)?)
        })
    }

    /// Begins to answer a challenge, or goes on: what came of it is kept.
    pub async fn answer_challenge(&self, challenge: Challenge, answer: Option<&str>) -> Result<Challenge, Problem> {
        if !challenge.is_open(self.now()) {
            return Ok(challenge);
        }
        if !challenge.begun {
            self.check_looks(challenge.holder)?;
        }
        let mut answered = ways(challenge.way).answer(self, challenge, answer).await?;
        answered.begun = true;
        self.doors.change(|doors| {
            // Somebody may have answered beside us: a verdict that was given stays.
            let kept = doors.get::<Challenge>(answered.key)?;
            match kept {
                Some(kept) if kept.status != Status::Pending => Ok(kept),
                Some(_) | None => {
                    doors.put(&answered)?;
                    if answered.status == Status::Refused {
                        let tallies = Tallies { doors, keys: &self.keys, now: self.now() };
                        tallies.count(&LOOKS_REFUSED, "", answered.holder.0)?;
                    }
                    Ok(answered)
                }
            }
        })
    }

    /// Refuses to begin where the vendor has refused too often: one challenge after another is not one try after another.
    fn check_looks(&self, holder: HolderId) -> Result<(), Problem> {
        let wait_ms = self.doors.change(|doors| {
            let tallies = Tallies { doors, keys: &self.keys, now: self.now() };
            Ok::<_, Problem>(tallies.wait_ms(&LOOKS_REFUSED, "", holder.0)?)
        })?;
        let Some(wait_ms) = wait_ms else { return Ok(()) };
        let too_many =
            refusals::new(429, "too-many-looks", "Too many proofs were refused.", "確認の失敗が上限に達しました。");
        Err(too_many.retry_after((wait_ms + 999) / 1_000))
    }

    /// Refuses to take the mailbox's word that it is the holder, where the mailbox alone has just set the password: whoever
    /// reads another's mail must not come to the money before its holder has read what was written there.
    fn check_recovered(&self, holder: HolderId) -> Result<(), Problem> {
        let recovered = self.doors.get::<Credential>(holder.0)?.and_then(|credential| credential.recovered);
        let since_ms = recovered.map(|recovered| self.now().milliseconds_since(recovered));
        let Some(wait_ms) = since_ms.map(|since_ms| RECOVERED_MS - since_ms).filter(|wait_ms| *wait_ms > 0) else {
            return Ok(());
        };
        let just_recovered = refusals::new(
            403,
            "just-recovered",
            "The password was set anew by mail a short while ago: a code by mail proves nothing yet.",
            "メールでパスワードを再設定した直後のため、メールによる確認は利用できません。",
        );
        Err(just_recovered
            .detail("A device that was proven before needs no code.")
            .retry_after((wait_ms + 999) / 1_000))
    }

    /// The challenge of that id, if it is `holder`'s.
    pub fn challenge_of(&self, holder: HolderId, id: &str) -> Result<Challenge, Problem> {
        let challenge = self.doors.get::<Challenge>(parse(id)?)?.filter(|challenge| challenge.holder == holder);
        challenge.ok_or_else(|| Problem::not_found().with("noun", "challenge"))
    }

    /// Whether the holder has never proven the device, or the session without one, that asks.
    pub fn is_new_device(&self, caller: &Holder) -> Result<bool, Problem> {
        Ok(!self.is_known_device(&caller.session)?)
    }

    /// Whether the holder has proven the device of this session, or the session itself. One that was found known stays so.
    pub fn is_known_device(&self, session: &Session) -> Result<bool, Problem> {
        if self.entrance.is_known(session.token) {
            return Ok(true);
        }
        let is_known = self.doors.get::<KnownDevice>(self.device_key(session))?.is_some();
        if is_known {
            self.entrance.know(session.token);
        }
        Ok(is_known)
    }

    /// From now on that device is the holder's.
    pub fn know_device(&self, caller: &Holder) -> Result<(), Problem> {
        let known = self.device_of(&caller.session);
        // A session without a device is forgotten with its end; that there was one is not.
        let first = KnownDevice { key: self.first_device_key(caller.id), ends: None, ..known };
        self.doors.change(|doors| {
            doors.insert(&known)?;
            doors.insert(&first)?;
            Ok::<_, Problem>(())
        })
    }

    /// Whether the holder has ever proven a device, or a session without one, or opened a wallet from it.
    pub fn has_known_device(&self, holder: HolderId) -> Result<bool, Problem> {
        Ok(self.doors.get::<KnownDevice>(self.first_device_key(holder))?.is_some())
    }

    fn first_device_key(&self, holder: HolderId) -> Id {
        self.keys.secret("known devices", &holder.to_string())
    }

    /// The device of `session`, as it is kept once it is known.
    pub fn device_of(&self, session: &Session) -> KnownDevice {
        let ends = session.device.is_none().then_some(session.expires);
        KnownDevice { key: self.device_key(session), holder: session.holder, ends }
    }

    /// By what the device of `session`, or the session without one, is known.
    pub fn device_key(&self, session: &Session) -> Id {
        let device = session.device.map_or_else(|| session.token.to_string(), |device| format!("{:016x}", device.0));
        self.keys.secret("known device", &format!("{} {device}", session.holder))
    }
}

fn parse(id: &str) -> Result<Id, Problem> {
    let digits = id.strip_prefix("chl_").filter(|digits| digits.len() == 32);
    let number = digits.and_then(|digits| u128::from_str_radix(digits, 16).ok());
    number.map(Id::from_number).ok_or_else(|| Problem::not_found().with("noun", "challenge"))
}
