//! The engine: runs any [`domain::Domain`] in batches, keeps its journal and its rows.
//!
//! One batch: load the rows that its commands name, decide and evolve command by command on an overlay, append the
//! records durably, publish the overlay, answer everybody. A command's refusal or defect never disturbs its neighbours.
//! The engine knows no wallet and no HTTP; the clock and the source of chance are passed in.
//! Start reading at [`Core::step`] (what happens), [`Record`] (what is stored) and [`Store`] (where).

pub mod anchor;
pub mod audit;
pub mod canary;
mod clock;
mod consumer;
mod core;
mod cursors;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod decoders;
mod encoding;
mod journal;
pub mod memory;
pub mod options;
mod outbox;
pub mod postgres;
mod prefix;
mod record;
mod shell;
pub mod sqlite;
mod store;
mod submission;
#[cfg(test)]
mod tests;
pub mod vault;
mod witness;

pub use clock::{Believed, Clock, ClockWatch, SystemClock};
pub use consumer::{
    CONSUMER_BATCHES_MAX, CONSUMER_PAGE_RECORDS_MAX, CURSOR_RECORDS_MAX, Consumer, ConsumerError, Consumers, EffectId,
    Follower, Progress, Watch,
};
pub use core::{Committed, Core, Mode, Observer, Status};
pub use cursors::{CONSUMERS_FILE, Cursors, MemoryCursors, SqliteCursors};
pub use encoding::ENTRY_BYTES_MAX;
pub use journal::{HISTORY_RECORDS_MAX, JournalReader, history};
pub use options::Options;
pub use outbox::{Outbox, OutboxReader, Page};
pub use record::{Actor, ActorKind, Entry, Outcome, Place, Record, Request, SealedRecord, Touch, chain};
pub use shell::{EXIT_ENGINE_DEAD, Engine, Fatal};
pub use store::{Changed, Commit, Generation, Head, KnownRequest, Recovered, Store, StoreError, Stored};
pub use submission::{Answer, Answered, EngineError, Submission};
