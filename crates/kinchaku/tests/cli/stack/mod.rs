//! The whole stack over HTTP: wallet, gateway, banks and people in one running program, and what goes wrong between them.
//!
//! `world` is what a test has in hand (people, banks, the clock), `browser` walks the pages.
#![expect(clippy::panic, reason = "a test that cannot go on says what it was shown")]

mod apart;
mod bad_input;
mod bank_faults;
mod browser;
mod canary;
mod chromium;
mod clients;
mod confirmation;
mod crashes;
mod files;
mod midnight;
mod pages;
mod parallel;
mod redirects;
mod reimbursement;
mod strangers;
mod world;
