//! The API as its callers meet it: the service's own routers in process, beside stand-ins for the outside.

mod outside;
mod people;
mod world;
