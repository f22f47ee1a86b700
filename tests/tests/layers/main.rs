//! The shape of the code: which module may know which, and what each must not touch.
//!
//! The table of layers is the one in `ARCHITECTURE.md`, so that the two cannot differ. Modules that
//! do not exist yet may stand in it; a module that exists must. That each rule finds what breaks it
//! is shown in `broken.rs`.

mod broken;
mod paths;
mod rules;
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use rules::Layers;
use source::Sources;

/// What a file may grow to before it is split by idea; its tests in `tests.rs` do not count.
const MAX_LINES: usize = 450;

/// Where `unsafe_code` is allowed, once each: what opens the LMDB environment, what frees that which
/// readers of the near cache may hold, and the one that calls it.
const UNSAFE_FILES: [&str; 3] = [
    "keyedcache/src/near/readers.rs",
    "keyedcache/src/near/table.rs",
    "keyedcache/src/store/disk/environment.rs",
];

#[test]
fn every_module_has_a_layer() {
    assert_none(
        &rules::unplaced_modules(&sources(), &layers()),
        "not in the table of ARCHITECTURE.md",
    );
}

#[test]
fn modules_import_only_downwards() {
    assert_none(
        &rules::upward_imports(&sources(), &layers()),
        "a higher layer, or a circle within one",
    );
}

#[test]
fn stores_know_neither_values_nor_policy() {
    assert_none(&rules::knowing_stores(&sources()), "not for a store to know");
}

#[test]
fn backends_do_not_know_each_other() {
    assert_none(&rules::knowing_backends(&sources()), "another backend");
}

#[test]
fn the_crate_behind_a_backend_stays_in_its_module() {
    assert_none(&rules::straying_backend_crates(&sources()), "the crate of another module");
}

#[test]
fn policy_is_a_function_of_its_arguments() {
    assert_none(&rules::impure_policies(&sources()), "time, chance and I/O are passed in");
}

#[test]
fn nothing_is_imported_by_glob() {
    assert_none(&rules::globs(&sources()), "a glob");
}

#[test]
fn expansions_name_only_what_is_private_to_them() {
    let files = rust_files("keyedcache-macros/src");
    let found = files.iter().flat_map(|(file, text)| {
        let straying = rules::straying_expansions(text);
        straying.into_iter().map(move |path| format!("{} expands to {path}", file.display()))
    });
    assert_none(&found.collect::<Vec<_>>(), "only #krate::__private, ::core and ::std");
}

#[test]
fn unsafe_code_is_allowed_in_two_places() {
    let files = [rust_files("keyedcache/src"), rust_files("keyedcache-macros/src")].concat();
    let mut allowing: Vec<_> = files
        .iter()
        .flat_map(|(file, text)| vec![file.clone(); rules::allowances_of_unsafe(text)])
        .collect();
    allowing.sort();
    let expected: Vec<_> = UNSAFE_FILES.iter().map(|file| root().join(file)).collect();
    assert_eq!(allowing, expected);
}

#[test]
fn no_file_outgrows_its_idea() {
    let files = [rust_files("keyedcache/src"), rust_files("keyedcache-macros/src")].concat();
    let long = files
        .iter()
        .map(|(file, text)| (file, text.lines().count()))
        .filter(|(file, lines)| *lines > MAX_LINES && !file.ends_with("tests.rs"));
    let long: Vec<_> =
        long.map(|(file, lines)| format!("{} has {lines} lines", file.display())).collect();
    assert_none(&long, "split it by idea");
}

fn sources() -> Sources {
    Sources::read(&root().join("keyedcache/src"))
}

fn layers() -> Layers {
    let document = root().join("ARCHITECTURE.md");
    rules::layers_in(&fs::read_to_string(document).expect("the document is in the repository"))
}

/// Every `.rs` file below a folder, and its text.
fn rust_files(folder: &str) -> Vec<(PathBuf, String)> {
    fn add(folder: &Path, files: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).expect("a folder of sources") {
            let path = entry.expect("an entry of it").path();
            if path.is_dir() {
                add(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source file");
                files.push((path, text));
            }
        }
    }
    let mut files = Vec::new();
    add(&root().join(folder), &mut files);
    files
}

fn root() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("the crate is in the repository")
}

fn assert_none(found: &[String], why: &str) {
    assert!(found.is_empty(), "{why}:\n  {}", found.join("\n  "));
}
