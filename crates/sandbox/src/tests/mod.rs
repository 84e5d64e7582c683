//! The sandbox as its callers meet it: over HTTP, through its routers.

mod authentications;
mod books;
mod faults;
mod files;
mod holders;
mod movements;
mod operator;
mod outside;
mod own_page;
mod privacy;
mod world;
