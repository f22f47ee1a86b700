//! What the tests of several files share.

pub mod child;
pub mod stored;
