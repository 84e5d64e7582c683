//! Drills: an attack replayed against the whole stack in simulated time, among honest people, under a named set of controls.
//!
//! Everybody here is a client of the services' public interfaces, and nothing in the product knows that a drill is on.
//! `stage` has the services, `options` what they are opened with, `presets` the controls of a time; `client` is a device,
//! `holder` what somebody does with it, `honest` (with their `lives`) and `attacker` who they are; `discovery` is how the world finds out;
//! `scenario` and `tactics` have every number that is chosen; `ablation` asks what each control is worth, `matrix` what every way of the attacker comes to. Start reading at [`run()`].

pub mod ablation;
mod attacker;
mod client;
mod controls;
mod discovery;
mod holder;
mod honest;
mod lives;
mod luck;
mod many;
pub mod matrix;
mod options;
pub mod page;
pub mod presets;
pub mod report;
mod run;
pub mod scenario;
pub mod seeds;
mod stage;
pub mod tactics;
#[cfg(test)]
mod tests;

pub use many::{Half, run_many};
pub use report::Report;
pub use run::{Options, Watch, run};
pub use stage::remove_data;
