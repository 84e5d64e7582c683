//! Coverage: which fault met which state of which flow, and which of these cells must be met.
//!
//! A cell that can be reached and never is means that the simulation proves less than it says. Cells that cannot be
//! reached are listed with the reason, so that nobody has to guess.

use std::collections::BTreeMap;

/// A fault's fixed name.
pub type Fault = &'static str;
/// A flow's fixed name.
pub type Flow = &'static str;
/// The fixed name of a state of a flow; `new` where the command makes the thing.
pub type Phase = &'static str;

/// How often each cell was met, and each fault at all.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    cells: BTreeMap<(Fault, Flow, Phase), u64>,
    faults: BTreeMap<Fault, u64>,
    replies: BTreeMap<(&'static str, &'static str), u64>,
}

impl Coverage {
    /// Notes that `fault` happened.
    pub fn fault(&mut self, fault: Fault) {
        *self.faults.entry(fault).or_default() += 1;
    }

    /// Notes that `fault` met `flow` in `phase`.
    pub fn meet(&mut self, fault: Fault, flow: Flow, phase: Phase) {
        *self.cells.entry((fault, flow, phase)).or_default() += 1;
    }

    /// Notes how a command was answered: `done`, or the reason of its refusal.
    pub fn answered(&mut self, command: &'static str, reply: &'static str) {
        *self.replies.entry((command, reply)).or_default() += 1;
    }

    /// How often each command was answered in each way.
    pub const fn replies(&self) -> &BTreeMap<(&'static str, &'static str), u64> {
        &self.replies
    }

    /// Adds what another run met.
    pub fn add(&mut self, other: &Self) {
        for (cell, count) in &other.cells {
            *self.cells.entry(*cell).or_default() += count;
        }
        for (fault, count) in &other.faults {
            *self.faults.entry(fault).or_default() += count;
        }
    }

    /// How often each fault happened.
    pub const fn faults(&self) -> &BTreeMap<Fault, u64> {
        &self.faults
    }

    /// How often each cell was met.
    pub const fn cells(&self) -> &BTreeMap<(Fault, Flow, Phase), u64> {
        &self.cells
    }
}
