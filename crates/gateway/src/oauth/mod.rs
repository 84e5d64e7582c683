//! Who calls: operators prove it with keys, and each call says what it is allowed to do.
//!
//! Start reading at [`Caller`].

mod caller;

pub use caller::{Caller, Scope};
