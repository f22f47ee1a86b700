//! Examples of keyedcache: `cargo run --example quickstart`; without a name cargo lists what there is.
