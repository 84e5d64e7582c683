//! Notices and lists on the embedded store, with a real engine in front of it.

mod http;
mod lists;
mod notices;
mod openapi;
mod world;
