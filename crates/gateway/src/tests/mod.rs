//! Tests of the gateway as its callers meet it: through its router, with a bank that does as it is told.

mod api;
mod bad_input;
mod bank;
mod calendar;
mod debits;
mod desks;
mod files;
mod front;
mod lists;
mod parallel;
mod pushes;
mod shares;
mod world;
