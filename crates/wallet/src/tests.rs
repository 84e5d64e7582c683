//! Tests across the rooms. `world` runs commands as an engine would and checks the invariants after each; `stories` are
//! what a reader should read first.

mod bank;
mod bank_matrix;
mod bank_properties;
mod bank_stories;
mod books;
mod calendar;
#[cfg(feature = "canaries")]
mod canaries;
mod case;
mod controls;
mod decoders;
mod desk_stories;
mod evolve;
mod give_back_stories;
mod golden;
mod holders;
mod lists;
mod operations;
mod payment_matrix;
mod precedence;
mod precedence_of_banks;
mod properties;
mod reimbursement;
mod reimbursement_properties;
mod stories;
mod story;
mod world;
