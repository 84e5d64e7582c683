//! The API as its callers meet it: the service's own routers in process, beside stand-ins for the outside.

mod browser;
mod gateway;
mod links;
mod outside;
mod people;
mod proofs;
mod top_ups;
mod world;
