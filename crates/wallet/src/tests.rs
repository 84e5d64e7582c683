//! Tests across the rooms. `world` runs commands as an engine would and checks the invariants after each; `stories` are
//! what a reader should read first.

mod stories;
mod story;
mod world;
