//! Grants that nobody here has taken: the gateway says that a mandate is active, and the answer that would have brought it to
//! us was lost. Such a one must not stay over there, able to debit an account of which no wallet knows.
//!
//! The news may come before the answer itself, so a grant has as long as its browser's state to be taken; then it is ended.

use crate::banking::{Asked, Silent};
use crate::doors::Door;
use crate::links::{Link, STATE_MS};
use crate::service::Service;
use domain::{Id, Time};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wallet::MandateId;
use web::{Due, Problem};

/// How long an end waits that the gateway did not take, in milliseconds.
const AGAIN_MS: i64 = 60_000;

/// A mandate that is active at the gateway, and may be nobody's here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unclaimed {
    /// The hash of the gateway's name.
    name: Id,
    /// What the gateway calls it.
    gateway_id: String,
    /// What we asked for, if it is one of ours.
    mandate: Option<MandateId>,
    /// When it is ended, unless it was taken.
    at: Time,
}

impl Door for Unclaimed {
    const TABLE: &'static str = "unclaimed_mandate";

    fn id(&self) -> Id {
        self.name
    }

    fn at(&self) -> Option<Time> {
        Some(self.at)
    }
}

impl Service {
    /// News that a mandate is active over there.
    pub fn note_active(&self, piece: &Value) -> Result<(), Problem> {
        let Some(gateway_id) = piece["mandate_id"].as_str() else { return Ok(()) };
        let mandate = piece["mandate_reference"].as_str().and_then(|reference| reference.parse().ok());
        let name = self.gateway_name(gateway_id);
        let at = self.now().plus_milliseconds(STATE_MS);
        let unclaimed = Unclaimed { name, gateway_id: gateway_id.to_owned(), mandate, at };
        if !self.is_taken(&unclaimed)? {
            self.doors.insert(&unclaimed)?;
        }
        Ok(())
    }

    fn is_taken(&self, unclaimed: &Unclaimed) -> Result<bool, Problem> {
        let Some(mandate) = unclaimed.mandate else { return Ok(false) };
        let link = self.doors.get::<Link>(mandate.0)?;
        Ok(link.is_some_and(|link| link.gateway_id.as_ref() == Some(&unclaimed.gateway_id)))
    }

    /// Ends at the gateway what nobody here has taken by `now`.
    pub async fn end_unclaimed(&self, now: Time, budget: usize) -> Result<Due, Problem> {
        let mut done = 0;
        for unclaimed in &self.doors.due::<Unclaimed>(now, budget)? {
            done += 1;
            if !self.is_taken(unclaimed)? {
                tracing::warn!(mandate = ?unclaimed.mandate, "a grant whose answer was lost is ended at the gateway");
                match self.end_grant_of(&unclaimed.gateway_id).await {
                    Asked::Over => {}
                    asked @ (Asked::Open | Asked::Elsewhere | Asked::NoAnswer(_)) => {
                        self.doors.put(&Unclaimed { at: now.plus_milliseconds(AGAIN_MS), ..unclaimed.clone() })?;
                        if asked == Asked::NoAnswer(Silent::Gateway) {
                            // It is away: the others are asked for in the next step, and nothing else waits meanwhile.
                            break;
                        }
                        continue;
                    }
                }
            }
            self.doors.remove::<Unclaimed>(unclaimed.name)?;
        }
        Ok(Due { done, next: self.doors.next::<Unclaimed>()? })
    }
}
