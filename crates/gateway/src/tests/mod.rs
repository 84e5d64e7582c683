//! Tests of the gateway as its callers meet it: through its router, with a bank that does as it is told.

mod api;
mod bank;
mod calendar;
mod debits;
mod files;
mod front;
mod lists;
mod shares;
mod world;
