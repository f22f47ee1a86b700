//! Copies of the generations that everybody reads: in a cluster, those of the cache and of each
//! function, so that no node is asked by everyone.
//!
//! - There are [`COUNT`], each for the records of as many neighbouring slots, and itself on a slot
//!   among these: a record and its generations are on one node, but where the shares of two nodes meet.
//! - A copy is a scope of its own, with tokens of its own. All that concerns one record asks for the
//!   same copy, so copies need not agree. An invalidation strikes the scope itself and all copies.
//! - Scopes of arguments and longer prefixes have none: there are too many of them, and nobody asks
//!   for all.

use std::borrow::Cow;
use std::sync::LazyLock;

use super::slots::{SLOTS, slot};
use crate::record::Scope;

/// How many copies there are.
pub(super) const COUNT: u16 = 16;

/// What stands between a scope's text and the number of the copy: printable text does not hold it.
const MARK: char = '\u{3}';

/// The hash tag of each copy: the smallest number whose slot is near the middle of those whose
/// records the copy is for.
static TAGS: LazyLock<Vec<String>> = LazyLock::new(|| (0..COUNT).map(find_tag).collect());

fn find_tag(copy: u16) -> String {
    const SHARE: u16 = SLOTS / COUNT;
    let middle = copy * SHARE + SHARE / 2;
    let is_near = |tag: &String| slot(tag).abs_diff(middle) < SHARE / 8;
    (0..u32::MAX).map(|n| n.to_string()).find(is_near).expect("numbers fall to all slots")
}

/// Whether a scope has copies.
pub(super) fn has(scope: &Scope) -> bool {
    let Some((_, which)) = scope.text().split_once("::") else { return false };
    let is_namespace = |prefix: &str| !prefix.contains("::");
    (which == "everything" || which.strip_prefix("prefix:").is_some_and(is_namespace))
        && !which.contains(MARK)
}

/// The copy that records on this slot bear.
pub(super) fn of(scope: &Scope, slot: u16) -> Scope {
    numbered(scope, slot / (SLOTS / COUNT))
}

/// The scope itself and all copies of it, if it has any.
pub(super) fn all(scope: &Scope) -> Vec<Scope> {
    let count = if has(scope) { COUNT } else { 0 };
    std::iter::once(scope.clone()).chain((0..count).map(|n| numbered(scope, n))).collect()
}

/// The scopes with, in place of those that have copies, the copies that records on this slot bear.
pub(super) fn chosen(scopes: &[Scope], slot: u16) -> Cow<'_, [Scope]> {
    if !scopes.iter().any(has) {
        return Cow::Borrowed(scopes);
    }
    let choose = |scope: &Scope| if has(scope) { of(scope, slot) } else { scope.clone() };
    scopes.iter().map(choose).collect()
}

/// What a copy is a copy of; the scope itself if it is none.
pub(super) fn original(scope: &Scope) -> Cow<'_, Scope> {
    match scope.text().rsplit_once(MARK) {
        Some((text, _)) => Cow::Owned(Scope::new(text)),
        None => Cow::Borrowed(scope),
    }
}

fn numbered(scope: &Scope, copy: u16) -> Scope {
    Scope::new(format!("{}{MARK}{copy}", scope.text()))
}

/// Of a copy's text, its hash tag and the text of what it is a copy of.
pub(super) fn tag(text: &str) -> Option<(&'static str, &str)> {
    let (text, copy) = text.rsplit_once(MARK)?;
    let tag = TAGS.get(copy.parse::<usize>().ok()?)?;
    Some((tag, text))
}

/// The hash tag of the copies that records on this slot bear.
pub(super) fn tag_of(slot: u16) -> &'static str {
    &TAGS[usize::from(slot / (SLOTS / COUNT))]
}

/// The hash tag of each share.
pub(super) fn tags() -> impl Iterator<Item = &'static str> {
    TAGS.iter().map(String::as_str)
}

/// Whether it is one of them.
pub(super) fn is_tag(tag: &str) -> bool {
    tags().any(|other| other == tag)
}

/// The copy with this hash tag.
pub(super) fn with_tag(scope: &Scope, tag: &str) -> Option<Scope> {
    let copy = TAGS.iter().position(|other| other == tag)?;
    Some(numbered(scope, u16::try_from(copy).ok()?))
}

#[cfg(test)]
mod tests {
    use super::super::names;
    use super::*;

    #[test]
    fn the_cache_and_functions_have_copies() {
        for (text, expected) in [
            ("app::everything", true),
            ("app::prefix:my_crate::f", false),
            ("app::prefix:f", true),
            ("app::prefix:user::7", false),
            ("app::tag:x", false),
            ("everything", false),
            ("", false),
        ] {
            let scope = Scope::new(text);
            assert_eq!(has(&scope), expected, "{text}");
            assert_eq!(all(&scope).len(), if expected { 17 } else { 1 });
            assert!(!has(&of(&scope, 7)));
        }
    }

    #[test]
    fn copy_is_among_the_slots_whose_records_bear_it() {
        let scope = Scope::new("app::everything");
        for record in [0, 1023, 1024, 9000, 16383] {
            let copy = of(&scope, record);
            assert_eq!(slot(&names::generation(&copy)) / 1024, record / 1024);
            assert_eq!(slot(&names::era(tag_of(record))), slot(&names::generation(&copy)));
            assert_eq!(*original(&copy), scope);
            assert!(all(&scope).contains(&copy));
        }
    }

    #[test]
    fn names_of_copies_stay_as_they_are() {
        // Another tag would be another generation: what running systems have stored would be missing.
        let name = |slot| names::generation(&of(&Scope::new("app::everything"), slot));
        assert_eq!(name(0), "{18}:app::everything:generation");
        assert_eq!(name(16383), "{48}:app::everything:generation");
    }
}
