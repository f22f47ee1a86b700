//! What the compiler takes for 200 annotated functions, against `cached` with a time to live.
//!
//! Two crates of the same functions are built in turns, in a folder of their own, and what the
//! builds' processes took is read from the system: user time, so that a busy machine matters less.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use keyedcache_benches::print_target;

const FUNCTIONS: usize = 200;
const ROUNDS: usize = 5;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let benches = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = benches.join("../target/compile");
    let ours = format!("keyedcache = {{ path = \"{}\" }}", benches.join("../keyedcache").display());
    write_crate(&folder, "ours", &ours, "keyedcache::cached(timeout = 60)")?;
    let theirs = "cached = \"4.1\"";
    write_crate(&folder, "theirs", theirs, "cached::macros::cached(ttl_secs = 60)")?;
    fs::write(folder.join("Cargo.toml"), "[workspace]\nmembers = [\"ours\", \"theirs\"]\n")?;
    fs::copy(benches.join("../Cargo.lock"), folder.join("Cargo.lock"))?;
    build(&folder, "ours")?;
    build(&folder, "theirs")?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(build(&folder, "ours")?);
        theirs.push(build(&folder, "theirs")?);
    }
    let (ours, theirs) = (median(ours), median(theirs));
    println!(
        "\n{FUNCTIONS} functions, debug build, user time: {ours:.2} s, `cached` {theirs:.2} s\n"
    );
    print_target("against `cached` 4.1", ours / theirs, 1.0);
    Ok(())
}

fn write_crate(
    folder: &Path,
    name: &str,
    dependency: &str,
    attribute: &str,
) -> Result<(), Failure> {
    let mut source = String::from("//! Functions.\n");
    for number in 0..FUNCTIONS {
        write!(
            source,
            "\n/// Number {number}.\n#[{attribute}]\npub fn number{number}(x: u64, name: String) -> String {{\n    \
             format!(\"{{x}}{{name}}{number}\")\n}}\n"
        )?;
    }
    let manifest = format!(
        "[package]\nname = \"{name}\"\nedition = \"2024\"\n\n[dependencies]\n{dependency}\n"
    );
    fs::create_dir_all(folder.join(name).join("src"))?;
    fs::write(folder.join(name).join("Cargo.toml"), manifest)?;
    fs::write(folder.join(name).join("src/lib.rs"), source)?;
    Ok(())
}

/// Builds one of them anew; answers the seconds of user time that took.
fn build(folder: &Path, name: &str) -> Result<f64, Failure> {
    let source = folder.join(name).join("src/lib.rs");
    fs::write(&source, fs::read(&source)?)?; // newer than what was built
    let before = children()?;
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "-p", name]).current_dir(folder);
    cargo.env("CARGO_INCREMENTAL", "0").env("CARGO_TARGET_DIR", folder.join("target"));
    if !cargo.status()?.success() {
        return Err(format!("`{name}` does not compile").into());
    }
    Ok(children()? - before)
}

/// The seconds of user time of all children that have ended: field 16 of `/proc/self/stat`, in
/// hundredths.
fn children() -> Result<f64, Failure> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(") ").ok_or("no fields")?;
    Ok(fields.split(' ').nth(13).ok_or("no field")?.parse::<f64>()? / 100.0)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
