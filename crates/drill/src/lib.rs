//! The drill: the real wallet and the real engine, driven hard in a world of our own making.
//!
//! `simulate` runs them in simulated time against scripted banks, people and disks, with faults, and checks every answer
//! against a naive model. `fraud` replays attacks against all services together, joined in one process. Nothing here is part
//! of what is shipped to run: no rule about money is decided here, and no crate of the product may depend on this one. Start reading at [`simulate::run`].

pub mod bench;
pub mod crash;
pub mod fraud;
pub mod simulate;
