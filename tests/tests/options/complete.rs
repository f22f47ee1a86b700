//! Every option has its file here, its line in the README, and a mistake in `ui/`.

use std::fs;
use std::path::Path;

/// The options, as the macro lists them to whom one is unknown.
fn options() -> Vec<String> {
    let message = include_str!("../../ui/option_unknown.stderr");
    let list = message.lines().find(|line| line.contains("options are")).expect("the list");
    list.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_option_is_tested_documented_and_can_be_got_wrong() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let options = options();
    assert!(options.len() >= 26, "{options:?}");
    let readme = fs::read_to_string(here.join("../README.md")).expect("the README");
    let mistakes = fs::read_dir(here.join("ui")).expect("the folder");
    let mistakes: Vec<_> = mistakes
        .map(|file| file.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| fs::read_to_string(path).expect("a program"))
        .collect();
    for option in options {
        let file = if option == "crate" { "crate_" } else { &option };
        let file = here.join(format!("tests/options/{file}.rs"));
        assert!(file.exists(), "`{option}` has no file of tests");
        assert!(readme.contains(&format!("| `{option}")), "`{option}` is not in the README");
        let in_attribute = |program: &String| {
            let lines = program.lines().filter(|line| line.contains("cached("));
            lines.flat_map(|line| line.split([' ', '(', ',', ')'])).any(|word| word == option)
        };
        assert!(mistakes.iter().any(in_attribute), "no mistake is made with `{option}`");
    }
}
