//! Tests of the gateway's rules: stories told in sentences, what must always hold, and what is stored for ever.

mod world;
