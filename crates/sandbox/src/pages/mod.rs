//! The sandbox's own pages: what is here, the inbox, the banks and their people. For this machine alone.

pub(crate) mod bank;

use crate::state::State;
use axum::Router;
use std::sync::Arc;

pub(crate) fn router(_: &Arc<State>) -> Router {
    web::page::assets()
}
