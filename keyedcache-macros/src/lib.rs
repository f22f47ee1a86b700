//! The macros of `keyedcache`; use them through that crate.
