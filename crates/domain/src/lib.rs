//! The contract between a domain and whatever runs it.
//!
//! Every change to money or state is one command through one pair of pure functions:
//! [`Domain::decide`] looks at the rows the command named and says what happens, [`Domain::evolve`] applies
//! what happened to one row. This crate holds that pair's types, the keys of rows, and time as the domains
//! know it. It must never hold a clock, a source of chance, a database, or a rule about money.
//! Start reading at [`Domain`].

#![warn(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm
)]

mod key;
#[doc(hidden)]
pub mod named;
mod time;

pub use key::{Id, Key, Table};
pub use named::MalformedId;
pub use time::{Day, Month, Time};

use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;

/// A set of rules over a set of rows: the wallet is one, the bare ledger another.
///
/// The functions are pure and total. The caller loads the rows, supplies the moment, stores the outcome.
pub trait Domain: Debug + Sized + Send + Sync + 'static {
    /// What somebody asks for.
    type Command: Debug + Send + 'static;
    /// What the moment supplies beside the time: the policy in force, the registries.
    type Context: Send + Sync + 'static;
    /// One row of any table.
    type Row: Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// One fact that happened. Stored for ever: variants are added at the end, never changed.
    type Event: Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// What a command that was carried out answers.
    type Receipt: Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// Why a command was not carried out.
    type Refusal: Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static;

    /// The domain's name, part of what the journal's hash covers: `"wallet"`.
    const NAME: &'static str;
    /// The tables, in the fixed order in which they are loaded and saved; a [`Table`] is an index into it.
    const TABLES: &'static [TableSpec];

    /// Grows when the stored form of [`Domain::Row`] changes: stores then rebuild their rows from the journal.
    const ROWS_VERSION: u32 = 1;

    /// Grows with every variant of whatever is stored: events, receipts, refusals and what they are made of. A store keeps the
    /// largest that wrote to it, and an older program refuses what it may not be able to read.
    const VOCABULARY: u32 = 1;

    /// The first round of rows that `command` needs.
    fn keys(command: &Self::Command, keys: &mut Vec<Key>);

    /// The second and last round, computed from the rows of the first alone.
    fn keys_further(command: &Self::Command, state: &dyn State<Self::Row>, keys: &mut Vec<Key>);

    /// What `command` does to `state` at `moment`: facts, and the answer. Refusals leave facts behind too.
    fn decide(
        state: &dyn State<Self::Row>,
        command: &Self::Command,
        moment: Moment,
        context: &Self::Context,
    ) -> Decision<Self>;

    /// The rows that `event` changes, each once.
    fn touches(event: &Self::Event, keys: &mut Vec<Key>);

    /// Applies `event` to the one row at `key`. Total: it decides nothing, and asserts what decide promised.
    fn evolve(key: Key, row: &mut Option<Self::Row>, event: &Self::Event);

    /// Asserts the invariants across the rows that one command's `events` changed; `after` has them applied.
    fn assert_decided(events: &[Self::Event], after: &dyn State<Self::Row>);

    /// The row of the operation that `events` began and did not end, if there is one: the key of the request behind them
    /// stays known until that row is final, and for the retention after that.
    fn operation_begun(_events: &[Self::Event]) -> Option<Key> {
        None
    }

    /// Whether the operation that `row` stands for has come to its end.
    fn is_final(_row: &Self::Row) -> bool {
        true
    }

    /// Whether `refusal` only asks the caller for something more: its request key has no answer then, and may come again
    /// with what was asked for.
    fn asks_for_more(_refusal: &Self::Refusal) -> bool {
        false
    }

    /// The values of the typed columns of `row`'s table, in the order of its [`TableSpec::columns`].
    fn columns(row: &Self::Row, values: &mut Vec<Value>);

    /// A short fixed name of what the command asks, as the journal shows it: `"top_up.request"`.
    fn command_name(command: &Self::Command) -> &'static str;
}

/// The rows that a command named, already loaded.
pub trait State<R> {
    /// The row at `key`, if there is one. Asking for a row that the command did not name is a bug and panics.
    fn row(&self, key: Key) -> Option<&R>;
}

/// When a command is decided, and whether the clock can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The lane's time: it never steps back.
    pub now: Time,
    /// The clock drifted by more than the bound: money must not leave.
    pub clock_drifted: bool,
}

/// What [`Domain::decide`] says: the facts, and the answer to the caller.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision<D: Domain> {
    /// What happened, in order.
    pub events: Vec<D::Event>,
    /// What the caller is told.
    pub reply: Result<D::Receipt, D::Refusal>,
}

/// A table as an operator sees it in SQL: the noun, and the typed columns beside the stored row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableSpec {
    /// The noun, singular: `"wallet"`.
    pub name: &'static str,
    /// The typed columns, after `id`, `version` and `place`.
    pub columns: &'static [&'static str],
}

/// One typed column's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// No value.
    Null,
    /// A whole number: yen, a count, milliseconds, a bank code.
    Integer(i64),
    /// A state's or kind's fixed name.
    Text(&'static str),
    /// The id of another row.
    Id(Id),
}
