//! Tests of the ledger. `world` runs commands as an engine would; `stories` are what a reader should read first;
//! `properties` hold for any history, against the naive `model`; `stored` pins the bytes that live for ever.

mod leg;
mod model;
mod properties;
mod stage;
mod stored;
mod stories;
mod world;
mod yen;
