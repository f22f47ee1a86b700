//! Examples of keyedcache, one idea a file. `cargo run --example` without a name lists them.
