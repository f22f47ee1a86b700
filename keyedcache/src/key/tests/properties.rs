//! Injectivity, bounds and safety of texts, on arbitrary parts.
//!
//! `PROPTEST_CASES=3000000 cargo test --release -p keyedcache key::` raises the number of cases.

use proptest::collection::vec;
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use proptest::test_runner::TestCaseError;

use super::model::{Canonical, Choices, Value, read};
use crate::key::{Key, KeyPart};

/// A list of one to four parts.
fn parts(choices: &mut Choices<'_>) -> Vec<Value> {
    (0..=choices.below(4)).map(|_| choices.value(3)).collect()
}

fn canonical(parts: &[Value]) -> Vec<Canonical> {
    parts.iter().map(Value::canonical).collect()
}

fn key_of(parts: &[Value]) -> Key {
    let mut builder = Key::builder().part(&parts[0]);
    for part in &parts[1..] {
        builder = builder.part(part);
    }
    builder.build()
}

/// Two lists have one text if and only if they are the same list.
fn compare(one: &[Value], other: &[Value]) -> Result<(), TestCaseError> {
    let same = canonical(one) == canonical(other);
    prop_assert_eq!(key_of(one) == key_of(other), same, "{:?} {:?}", one, other);
    Ok(())
}

proptest! {
    #[test]
    fn whole_text_reads_back_as_what_was_written(bytes in vec(any::<u8>(), 0..64)) {
        let parts = parts(&mut Choices(&bytes));
        let key = key_of(&parts);
        prop_assert_eq!(read(&key.0.full), Some(canonical(&parts)), "{}", key.0.full);
    }

    #[test]
    fn lists_with_one_text_are_the_same_list(bytes in vec(any::<u8>(), 0..32)) {
        // Few bytes and small choices: independent lists are often nearly, and at times quite, equal.
        let mut choices = Choices(&bytes);
        let (one, other) = (parts(&mut choices), parts(&mut choices));
        compare(&one, &other)?;
        compare(&one, &one)?;
    }

    #[test]
    fn a_small_change_changes_the_text(
        bytes in vec(any::<u8>(), 1..64),
        at in any::<usize>(),
        byte in any::<u8>(),
    ) {
        let mut changed = bytes.clone();
        let at = at % bytes.len();
        changed[at] = byte;
        compare(&parts(&mut Choices(&bytes)), &parts(&mut Choices(&changed)))?;
    }

    #[test]
    fn short_strings_and_lists_of_them_are_told_apart(bytes in vec(any::<u8>(), 0..24)) {
        let mut choices = Choices(&bytes);
        let text = |choices: &mut Choices<'_>| Value::Text(choices.text());
        let list = |choices: &mut Choices<'_>| {
            (0..=choices.below(3)).map(|_| text(choices)).collect::<Vec<_>>()
        };
        let (one, other) = (list(&mut choices), list(&mut choices));
        compare(&one, &other)?;
        // A text that looks like another key, cut or not, is not that key.
        let imitation = [Value::Text(key_of(&one).text().to_owned())];
        compare(&imitation, &one)?;
        compare(&imitation, &other)?;
    }

    #[test]
    fn text_is_bounded_and_printable(bytes in vec(any::<u8>(), 0..64)) {
        let key = key_of(&parts(&mut Choices(&bytes)));
        let unsafe_here = |c: char| {
            c.is_whitespace() || c.is_control() || "*?[]{}\\\"'`".contains(c)
        };
        for text in key.prefixes().chain([key.text().into(), key.namespace().into()]) {
            prop_assert!(!text.is_empty() && text.len() <= Key::MAX_TEXT, "{}", text);
            prop_assert!(!text.contains(unsafe_here), "{}", text);
        }
    }

    #[test]
    fn prefixes_are_the_keys_of_the_first_segments(bytes in vec(any::<u8>(), 0..64)) {
        let parts = parts(&mut Choices(&bytes));
        let key = key_of(&parts);
        let above: Vec<Key> = (1..parts.len()).map(|count| key_of(&parts[..count])).collect();
        prop_assert_eq!(key.prefixes().collect::<Vec<_>>(), above.iter().map(Key::text).collect::<Vec<_>>());
        let namespace = key_of(&parts[..1]);
        prop_assert_eq!(key.namespace(), namespace.text());
        let from_above = above.last().map(|above| above.child(&parts[parts.len() - 1]));
        prop_assert_eq!(from_above.unwrap_or_else(|| key.clone()), key);
    }

    #[test]
    fn named_parts_are_told_by_name_and_value(bytes in vec(any::<u8>(), 0..48)) {
        let mut choices = Choices(&bytes);
        let first = choices.value(1);
        let mut named = choices.list(|choices| (choices.text(), choices.value(1)));
        let mut builder = Key::builder().part(&first);
        for (name, value) in &named {
            builder = builder.named(name, value);
        }
        named.sort_by(|one, other| one.0.cmp(&other.0));
        let flat = named.into_iter().flat_map(|(name, value)| [Value::Text(name), value]);
        prop_assert_eq!(builder.build(), key_of(&[first].into_iter().chain(flat).collect::<Vec<_>>()));
    }

    #[test]
    fn floats_have_one_text_if_they_are_one_value(bytes in vec(any::<u8>(), 0..18)) {
        let mut choices = Choices(&bytes);
        let (one, other) = (choices.float(), choices.float());
        #[allow(clippy::float_cmp)] // exactly equal is what is meant
        let same = one == other || (one.is_nan() && other.is_nan());
        prop_assert_eq!(Key::builder().part(&one).build() == Key::builder().part(&other).build(), same);
        prop_assert_eq!(one.is_identity(&other.identity()), same);
        prop_assert!(crate::key::part_text(&one).parse::<f64>().is_ok_and(|read| one.is_identity(&read.identity())));
    }
}
