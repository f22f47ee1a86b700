//! That `docs/configuration.md` says what the lists of what is known say.

use super::super::known::{OPTIONS, SCHEMES};

const DOCUMENT: &str = include_str!("../../../../../docs/configuration.md");

/// The rows of the first table below a heading, as cells without their padding.
fn table(heading: &str) -> Vec<Vec<&'static str>> {
    let (_, section) = DOCUMENT.split_once(&format!("\n## {heading}\n")).expect(heading);
    section
        .lines()
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'))
        .skip(2)
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

#[test]
fn every_option_is_documented_with_its_default() {
    let documented: Vec<_> =
        table("Options").into_iter().map(|row| (row[0].trim_matches('`'), row[2])).collect();
    let known: Vec<_> = OPTIONS.iter().map(|option| (option.name, option.default)).collect();
    assert_eq!(documented, known);
    assert!(known.is_sorted());
}

#[test]
fn every_scheme_is_documented() {
    let documented: Vec<_> = table("URLs")
        .into_iter()
        .map(|row| row[0].trim_matches('`').split(':').next().unwrap_or(""))
        .collect();
    let known: Vec<_> = SCHEMES.iter().map(|(scheme, _)| *scheme).collect();
    assert_eq!(documented, known);
}

#[test]
#[cfg(feature = "disk")]
fn the_examples_of_the_document_are_right() {
    let mut examples = 0;
    for text in DOCUMENT.split("```toml\n").skip(1) {
        let (text, _) = text.split_once("```").expect("a block ends");
        super::read_file(text).expect("the example is right");
        examples += 1;
    }
    for url in DOCUMENT.split("```text\n").skip(1) {
        let (urls, _) = url.split_once("```").expect("a block ends");
        for url in urls.lines() {
            super::CacheConfig::from_url(url).expect(url);
            examples += 1;
        }
    }
    assert!(examples >= 5, "{examples}");
}
