//! Why something was stopped, by whom, and until when: what the books do not need to know, and people ask.

use crate::doors::Door;
use domain::{Id, Time};
use serde::{Deserialize, Serialize};
use wallet::{StaffId, SwitchId};

/// The note to a stop; it stays when the stop is lifted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopNote {
    /// Which stop.
    pub switch: SwitchId,
    /// Why, for everyone to read.
    pub reason: String,
    /// Who set it.
    pub set_by: StaffId,
    /// When.
    pub set_at: Time,
    /// Who lifted it, and when.
    pub lifted: Option<(StaffId, Time)>,
}

impl Door for StopNote {
    const TABLE: &'static str = "stop_note";

    fn id(&self) -> Id {
        self.switch.0
    }
}
