//! The API as its callers meet it: the service's own routers in process, beside stand-ins for the outside.

mod bad_input;
mod browser;
mod claims;
mod closing;
mod desk;
mod desk_attack;
mod forgeries;
mod gateway;
mod guesses;
mod links;
mod movements;
mod news;
mod outside;
mod payments;
mod people;
mod proofs;
mod races;
mod scene;
mod sends;
mod takeover;
mod till;
mod tokens;
mod top_ups;
mod waiting;
mod webhooks;
mod world;
