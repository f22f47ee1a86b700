//! How many crates a program gets with keyedcache's default features.
//!
//! How long they take to build is measured as the README of this folder says: it needs a target
//! folder of its own, and the machine for itself.

use std::collections::BTreeSet;
use std::process::Command;

use keyedcache_benches::print_target;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = ["tree", "-e", "normal", "-p", "keyedcache", "--prefix", "none"];
    let output = Command::new(env!("CARGO")).args(arguments).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let tree = String::from_utf8(output.stdout)?;
    let crates: BTreeSet<_> = tree.lines().map(|line| line.trim_end_matches(" (*)")).collect();
    println!("\ndefault features\n");
    #[allow(clippy::cast_precision_loss)] // some dozens
    print_target("crates in `cargo tree -e normal -p keyedcache`", crates.len() as f64, 60.0);
    Ok(())
}
