//! The engine's bounds, each with its name and default.

use crate::record::ActorKind;

/// Commands that wait for the engine; one more is refused as busy.
pub const QUEUE_COMMANDS_MAX: usize = 4_096;
/// Commands in one batch.
pub const BATCH_COMMANDS_MAX: usize = 512;
/// Rows that the cache keeps; only dirty rows may push it above.
pub const CACHE_ROWS_MAX: usize = 2_000_000;
/// Records after which the current generation is handed to the store.
pub const GENERATION_EVENTS_MIN: u64 = 98_304;
/// Records that may be ahead of the stored rows; beyond, the engine waits for the store.
pub const TAIL_EVENTS_MAX: u64 = 262_144;
/// How long one batch waits at most while the tail grows towards its bound.
pub const SLOWING_MS_MAX: u64 = 20;
/// How old the current generation may become, by the lane's time.
pub const GENERATION_AGE_MS_MAX: i64 = 5_000;
/// How far a clock may be off before money must not leave.
pub const CLOCK_DRIFT_MS_MAX: i64 = 10_000;
/// How long a clock that strayed must have gone as the steady one does, before it is believed where it is.
pub const CLOCK_SETTLED_MS_MIN: i64 = 300_000;
/// How far a calendar may be ahead of the lane's last record when the process begins, or may have jumped since, and be believed
/// without anybody's word: less than the nine hours by which a machine is ahead that takes its hardware clock's time in Japan for
/// UTC.
pub const CLOCK_AHEAD_MS_MAX: i64 = 8 * 3_600_000;
/// How far the two clocks may come apart meanwhile.
pub const CLOCK_AGREES_WITHIN_MS: i64 = 1_000;
/// Refusals and defects of one person, logged in or not, that are journaled one by one in an hour: more than anybody meets by
/// hand.
pub const REFUSALS_JOURNALED_MAX: u32 = 1_000;
/// The same of a caller that acts for many: a shop, somebody of the desk or their program, a bank, our own workers. What a shop
/// is refused is mostly its customers' affair: a chain of shops with a hundred payments a second, of which one in twenty is
/// declined, is refused 18,000 times in an hour, and each till must hear why. Nobody becomes such a caller without a contract,
/// and a stolen key of one still writes less than 10 MB an hour.
pub const REFUSALS_OF_SERVICE_JOURNALED_MAX: u32 = 20_000;
/// Callers whose refusals are counted one by one in an hour; those beyond share one count for each kind.
pub const REFUSAL_ACTORS_MAX: usize = 262_144;
/// Counts of an hour that ended which are journaled before one command: so no batch has more than its commands' share.
pub const AGGREGATED_A_COMMAND_MAX: usize = 8;
/// Counts that are journaled in one commit when the engine stops.
pub const AGGREGATED_A_COMMIT_MAX: usize = 4_096;
/// How often one batch is decided anew because another engine on the same database was faster; beyond, it is refused.
pub const CONFLICTS_MAX: u32 = 16;
/// Records that a restart reads at a time.
pub const REPLAY_PAGE_RECORDS_MAX: usize = 16_384;

/// What may be set when an engine is opened. The defaults are the constants of the same names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Commands that wait for the engine.
    pub queue_commands_max: usize,
    /// Commands in one batch.
    pub batch_commands_max: usize,
    /// Rows that the cache keeps.
    pub cache_rows_max: usize,
    /// Records after which the current generation is handed to the store.
    pub generation_events_min: u64,
    /// Records that may be ahead of the stored rows.
    pub tail_events_max: u64,
    /// Refusals of one person that are journaled one by one in an hour.
    pub refusals_journaled_max: u32,
    /// The same of a caller that acts for many.
    pub refusals_of_service_journaled_max: u32,
    /// Callers whose refusals are counted one by one in an hour.
    pub refusal_actors_max: usize,
    /// Records that a restart reads at a time.
    pub replay_page_records_max: usize,
    /// Somebody says that the machine's calendar is right, however far it is ahead of the lane's last record.
    pub clock_believed: bool,
    /// Whoever has a command runs the engine for it, one at a time, instead of a thread that gathers batches: for a simulation,
    /// whose order must repeat.
    pub in_callers: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            queue_commands_max: QUEUE_COMMANDS_MAX,
            batch_commands_max: BATCH_COMMANDS_MAX,
            cache_rows_max: CACHE_ROWS_MAX,
            generation_events_min: GENERATION_EVENTS_MIN,
            tail_events_max: TAIL_EVENTS_MAX,
            refusals_journaled_max: REFUSALS_JOURNALED_MAX,
            refusals_of_service_journaled_max: REFUSALS_OF_SERVICE_JOURNALED_MAX,
            refusal_actors_max: REFUSAL_ACTORS_MAX,
            replay_page_records_max: REPLAY_PAGE_RECORDS_MAX,
            clock_believed: false,
            in_callers: false,
        }
    }
}

impl Options {
    /// How many refusals of one caller of this kind are journaled one by one in an hour.
    pub(crate) const fn refusals_journaled_max_of(&self, kind: ActorKind) -> u32 {
        match kind {
            ActorKind::Anyone | ActorKind::Holder => self.refusals_journaled_max,
            ActorKind::Shop | ActorKind::Operator | ActorKind::Bank | ActorKind::System => {
                self.refusals_of_service_journaled_max
            }
        }
    }
}
