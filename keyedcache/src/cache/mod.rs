//! Caches: how they are configured.

pub mod config;
