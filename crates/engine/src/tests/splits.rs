//! Batching is invisible, and so is a crash for whatever was acknowledged.
