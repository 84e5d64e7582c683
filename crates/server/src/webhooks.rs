//! Webhooks: a shop's own server is told what happened to its payments, and the operator's what the desk should look at, by the
//! Standard Webhooks specification.
//!
//! What is to be told follows from the journal alone: [`feed`] reads committed records and makes a [`delivery`] for each
//! endpoint that wants to know. Each delivery is a row with the moment at which it is due; [`couriers`] go to where something
//! is, one for each endpoint; [`deliver`] signs and sends, and puts back what failed until the schedule ends. A message has one id for ever, by which its receiver knows
//! it again. A stranger's address is called on the public internet alone; what the sandbox may call beside is named.
//! Start reading at `feed`, then at `Service::begin_webhooks`.

pub mod couriers;
pub mod deliver;
pub mod delivery;
pub mod endpoint;
pub mod event;
pub mod feed;
pub mod operator;
