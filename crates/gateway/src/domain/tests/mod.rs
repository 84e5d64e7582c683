//! Tests of the gateway's rules alone: what must hold whatever the banks say and in whatever order, and what is stored for ever.

mod decoders;
mod golden;
mod notices;
mod policy;
mod properties;
mod proposals;
mod world;
