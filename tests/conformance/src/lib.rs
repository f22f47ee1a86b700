//! The behaviours every store must show.
