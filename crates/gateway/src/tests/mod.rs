//! Tests of the gateway as its callers meet it.

mod front;
