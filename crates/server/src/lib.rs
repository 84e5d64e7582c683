//! What the wallet's service does around the engine: it acts on what was committed, and reads what people ask to see.
//!
//! Nothing is decided here: no rule about money, and no SQL. There is no HTTP here yet.
//! Start reading at [`notices::follower`] (who is told of what) and [`lists::of_wallet`] (what a holder sees).

pub mod lists;
pub mod notices;

#[cfg(test)]
mod tests;
