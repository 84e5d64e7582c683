//! The gateway's front as operators, browsers and banks meet it: everything goes through the router, with real keys.

mod attempts;
mod bank;
mod browser;
mod client;
mod desk;
mod fapi;
mod link;
mod notices;
mod oracle;
mod own_page;
mod privacy;
mod rates;
mod world;
