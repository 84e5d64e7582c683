//! The identity vendor: who somebody claims to be, and what came of looking at their document.
//!
//! The vendor approves, refuses, delays or asks for the document, by a script that is set. What it verified is what the
//! claim said, except where a document was presented: then it is what the document says.
//! Start reading at [`Identification`].

use super::{Decided, Event as WorldEvent, Receipt, Refusal, Row, Rows, table};
use domain::{Day, Id, Key, Time};
use serde::{Deserialize, Serialize};

/// The longest member of a claim, in bytes.
pub const CLAIM_TEXT_BYTES_MAX: usize = 120;
/// The longest delay of the script, in seconds: a week.
pub const DELAY_SECONDS_MAX: u32 = 7 * 86_400;

/// How the vendor decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
pub enum Script {
    /// At once, yes.
    #[default]
    Approve,
    /// At once, no.
    Refuse,
    /// Yes, after so many seconds.
    Delay {
        /// How many.
        seconds: u32,
    },
    /// When the number of a document is presented on the vendor's page: yes, with what the document says.
    Document,
}

/// Who somebody is, or says to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Family name.
    pub family_name: String,
    /// Given name.
    pub given_name: String,
    /// Family name in kana.
    pub family_kana: String,
    /// Given name in kana.
    pub given_kana: String,
    /// Birth date.
    pub birth_date: Day,
}

impl Identity {
    /// The vendor's stable name for the person: the same identity has the same one.
    pub fn subject(&self) -> Id {
        let kana = crate::kana::key(&format!("{}{}", self.family_kana, self.given_kana));
        super::hashed("subject", &[kana.as_bytes(), &self.birth_date.number().to_be_bytes()])
    }

    fn is_within_bounds(&self) -> bool {
        [&self.family_name, &self.given_name, &self.family_kana, &self.given_kana]
            .into_iter()
            .all(|text| !text.is_empty() && text.len() <= CLAIM_TEXT_BYTES_MAX)
    }
}

/// What is asked of the vendor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Question {
    /// Who is this? The claim is what the person typed.
    Identify {
        /// How: the caller's word, kept as it came.
        method: String,
        /// What the person typed.
        claimed: Identity,
        /// Where the vendor's page leads when it is done.
        return_url: Option<String>,
    },
    /// Is this still the person that was identified as `subject`?
    Recheck {
        /// The vendor's name for the person.
        subject: Id,
    },
}

/// How the vendor decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Not yet.
    Pending,
    /// Yes: this is who it is.
    Approved {
        /// Who; `None` for a re-check.
        verified: Option<Identity>,
        /// The vendor's name for the person.
        subject: Id,
    },
    /// No.
    Refused {
        /// Why, as the vendor says it.
        reason: String,
    },
}

/// One question to the vendor and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identification {
    /// The vendor's id: the caller's reference, hashed.
    pub id: Id,
    /// The caller's reference.
    pub reference: String,
    /// What is asked.
    pub question: Question,
    /// The script under which it began.
    pub script: Script,
    /// When it began.
    pub at: Time,
    /// When a delayed one is decided.
    pub due_at: Option<Time>,
    /// How it was decided.
    pub verdict: Verdict,
}

/// What may be asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Sets the script for what begins from now on.
    SetScript(Script),
    /// Begins.
    Begin {
        /// The vendor's id for it, of the caller's reference.
        id: Id,
        /// The caller's reference.
        reference: String,
        /// What is asked.
        question: Question,
    },
    /// Decides what is due, or what a document was presented for; `None` refuses.
    Conclude {
        /// Which one.
        id: Id,
        /// What the document says; the claim itself, where no document is asked for.
        identity: Option<Identity>,
    },
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// The script is this now.
    ScriptSet(Script),
    /// It began, and was perhaps decided at once.
    Begun(Box<Identification>),
    /// It was decided.
    Concluded {
        /// Which one.
        id: Id,
        /// How.
        verdict: Verdict,
    },
}

/// The key of the vendor's script.
pub const fn script_key() -> Key {
    Key::new(table::SCRIPT, Id::from_number(0))
}

/// The key of an identification.
pub const fn key(id: Id) -> Key {
    Key::new(table::IDENTIFICATION, id)
}

/// The vendor's id for the caller's `reference`.
pub fn id_of(reference: &str) -> Id {
    super::hashed("identification", &[reference.as_bytes()])
}

impl Command {
    pub(super) fn keys(&self, keys: &mut Vec<Key>) {
        match self {
            Self::SetScript(_) => keys.push(script_key()),
            Self::Begin { id, .. } => keys.extend([script_key(), key(*id)]),
            Self::Conclude { id, .. } => keys.push(key(*id)),
        }
    }
}

pub(super) fn decide(rows: Rows<'_>, command: &Command, now: Time) -> Decided {
    match command {
        Command::SetScript(script) => {
            if matches!(script, Script::Delay { seconds } if *seconds > DELAY_SECONDS_MAX) {
                return Err(Refusal::FaultsBeyondBound);
            }
            Ok((vec![WorldEvent::Identification(Event::ScriptSet(*script))], Receipt::Done))
        }
        Command::Begin { id, reference, question } => begin(rows, *id, reference, question, now),
        Command::Conclude { id, identity } => {
            let found = rows.row(key(*id)).map(Row::identification).ok_or(Refusal::IdentificationUnknown)?;
            if found.verdict != Verdict::Pending {
                return Ok((Vec::new(), Receipt::Identification(Box::new(found.clone()))));
            }
            let verdict = concluded(found, identity.clone());
            let receipt = Identification { verdict: verdict.clone(), ..found.clone() };
            let event = WorldEvent::Identification(Event::Concluded { id: *id, verdict });
            Ok((vec![event], Receipt::Identification(Box::new(receipt))))
        }
    }
}

fn begin(rows: Rows<'_>, id: Id, reference: &str, question: &Question, now: Time) -> Decided {
    if let Some(earlier) = rows.row(key(id)).map(Row::identification) {
        let same = earlier.question == *question;
        let receipt = || Receipt::Identification(Box::new(earlier.clone()));
        return if same { Ok((Vec::new(), receipt())) } else { Err(Refusal::ReferenceReused) };
    }
    if let Question::Identify { claimed, .. } = question
        && !claimed.is_within_bounds()
    {
        return Err(Refusal::CustomerBeyondBound);
    }
    let script = rows.row(script_key()).map(Row::script).unwrap_or_default();
    let mut begun = Identification {
        id,
        reference: reference.to_owned(),
        question: question.clone(),
        script,
        at: now,
        due_at: None,
        verdict: Verdict::Pending,
    };
    match script {
        Script::Approve => begun.verdict = concluded(&begun, claimed(question)),
        Script::Refuse => begun.verdict = concluded(&begun, None),
        Script::Delay { seconds } => {
            begun.due_at = Some(now.plus_milliseconds(i64::from(seconds).saturating_mul(1_000)));
        }
        Script::Document => {}
    }
    let receipt = Receipt::Identification(Box::new(begun.clone()));
    Ok((vec![WorldEvent::Identification(Event::Begun(Box::new(begun)))], receipt))
}

/// Who the person says to be; a re-check claims nothing.
pub fn claimed(question: &Question) -> Option<Identity> {
    match question {
        Question::Identify { claimed, .. } => Some(claimed.clone()),
        Question::Recheck { .. } => None,
    }
}

fn concluded(asked: &Identification, identity: Option<Identity>) -> Verdict {
    let refused = |reason: &str| Verdict::Refused { reason: reason.into() };
    match (&asked.question, asked.script, identity) {
        (_, Script::Refuse, _) => refused("scripted"),
        (Question::Identify { .. }, _, Some(identity)) => {
            Verdict::Approved { subject: identity.subject(), verified: Some(identity) }
        }
        (Question::Recheck { subject }, Script::Document, Some(identity)) if identity.subject() == *subject => {
            Verdict::Approved { verified: None, subject: *subject }
        }
        (Question::Recheck { subject }, Script::Approve | Script::Delay { .. }, _) => {
            Verdict::Approved { verified: None, subject: *subject }
        }
        (Question::Identify { .. } | Question::Recheck { .. }, _, _) => refused("document_not_matching"),
    }
}

pub(super) fn touches(event: &Event, keys: &mut Vec<Key>) {
    match event {
        Event::ScriptSet(_) => keys.push(script_key()),
        Event::Begun(begun) => keys.push(key(begun.id)),
        Event::Concluded { id, .. } => keys.push(key(*id)),
    }
}

pub(super) fn evolve(row: &mut Option<Row>, event: &Event) {
    match event {
        Event::ScriptSet(script) => *row = Some(Row::Script(*script)),
        Event::Begun(begun) => *row = Some(Row::Identification(begun.clone())),
        Event::Concluded { verdict, .. } => {
            let Some(Row::Identification(found)) = row else { unreachable!("what is decided has begun") };
            found.verdict = verdict.clone();
        }
    }
}
