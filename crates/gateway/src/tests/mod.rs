//! Tests of the gateway as its callers meet it: through its router, with a bank that does as it is told.

mod api;
mod bad_input;
mod bank;
mod calendar;
mod cuts;
mod debits;
mod desks;
mod disowned;
mod files;
mod front;
mod lists;
mod metrics;
mod parallel;
mod pushes;
mod reconciliation;
mod shares;
mod silence;
mod world;
