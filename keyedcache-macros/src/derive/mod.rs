//! The derive macros.

pub(crate) mod key_part;
pub(crate) mod object;
