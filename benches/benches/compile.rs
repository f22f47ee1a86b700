//! What the compiler takes for 200 annotated functions, against `cached` with a time to live: of one
//! signature, which is the cost of a function, and of a hundred, as real programs have them.
//!
//! Crates of the same functions are built in turns, in a folder of their own, and what the builds'
//! processes took is read from the system: user time, so that a busy machine matters less.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use keyedcache_benches::print_target;

const FUNCTIONS: usize = 200;
const ROUNDS: usize = 5;

/// How many signatures the functions of a crate have.
const SIGNATURES: [usize; 2] = [1, 100];
const ARGUMENTS: [&str; 10] =
    ["u64", "String", "u8", "u16", "u32", "i8", "i32", "i64", "bool", "char"];
const ANSWERS: [&str; 5] = ["String", "u64", "Vec<String>", "(u32, String)", "Box<str>"];

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let benches = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = benches.join("../target/compile");
    let path = benches.join("../keyedcache");
    let sides = [
        (
            "ours",
            "keyedcache::cached(timeout = 60)",
            format!("keyedcache = {{ path = \"{}\" }}", path.display()),
        ),
        ("theirs", "cached::macros::cached(ttl_secs = 60)", "cached = \"4.1\"".to_owned()),
    ];
    let mut members = Vec::new();
    for signatures in SIGNATURES {
        for (side, attribute, dependency) in &sides {
            let name = format!("{side}{signatures}");
            write_crate(&folder, &name, dependency, &source(attribute, signatures))?;
            members.push(name);
        }
    }
    fs::write(folder.join("Cargo.toml"), format!("[workspace]\nmembers = {members:?}\n"))?;
    fs::copy(benches.join("../Cargo.lock"), folder.join("Cargo.lock"))?;
    for name in &members {
        build(&folder, name)?;
    }
    println!("\n{FUNCTIONS} functions, debug build, user time\n");
    for signatures in SIGNATURES {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            ours.push(build(&folder, &format!("ours{signatures}"))?);
            theirs.push(build(&folder, &format!("theirs{signatures}"))?);
        }
        let (ours, theirs) = (median(ours), median(theirs));
        let what = format!("of {signatures} signatures: {ours:.2} s, `cached` 4.1 {theirs:.2} s");
        print_target(&what, ours / theirs, 1.0);
    }
    Ok(())
}

/// Functions of so many signatures.
fn source(attribute: &str, signatures: usize) -> String {
    let mut source = String::from("//! Functions.\n");
    for number in 0..FUNCTIONS {
        let signature = number % signatures;
        let first = ARGUMENTS[signature % ARGUMENTS.len()];
        let second = ARGUMENTS[(signature / ARGUMENTS.len() + signature + 1) % ARGUMENTS.len()];
        let answer = ANSWERS[signature % ANSWERS.len()];
        let text = format!("format!(\"{{x}}{{name}}{number}\")");
        let body = match answer {
            "u64" => format!("{text}.len() as u64"),
            "Vec<String>" => format!("vec![{text}]"),
            "(u32, String)" => format!("(1, {text})"),
            "Box<str>" => format!("{text}.into()"),
            _ => text,
        };
        let _ = write!(
            source,
            "\n/// Number {number}.\n#[{attribute}]\npub fn number{number}(x: {first}, name: {second}) -> {answer} \
             {{\n    {body}\n}}\n"
        );
    }
    source
}

fn write_crate(folder: &Path, name: &str, dependency: &str, source: &str) -> Result<(), Failure> {
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
