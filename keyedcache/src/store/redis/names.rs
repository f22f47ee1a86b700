//! What the store's keys are called in Redis: the one place that knows.
//!
//! | what | key |
//! |---|---|
//! | a record | the stored key itself, `K` |
//! | its lease | `{K}:lease` |
//! | what those who wait for the lease are told of: it goes when the lease is ended, not when it runs out; while it stands, only by eviction | `{K}:held` |
//! | the header of a counter, whose record is its number alone | `{K}:header` |
//! | the generation of a scope | `{scope}:generation` |
//! | the same in a cluster, as records of a sixteenth of all slots bear it | `{n}:scope:generation` |
//! | the era, where a failover makes everything missing | `{keyedcache}:era` |
//! | the same in a cluster, of a sixteenth of all slots | `{n}:era` |
//!
//! - The braces are Redis's hash tag: what belongs to one key is on one slot.
//! - No name but these begins with a brace, since braces inside of keys and scopes are replaced by
//!   two control characters, which printable text does not hold. Keys that a cache makes have none.

use std::borrow::Cow;

use super::copies;
use crate::record::Scope;
use crate::store::StoredKey;

const LEASE: &str = "}:lease";
const HELD: &str = "}:held";
const HEADER: &str = "}:header";
const GENERATION: &str = "}:generation";
const COPY: &str = ":generation";

/// The name of the era.
pub(super) const ERA: &str = "{keyedcache}:era";

/// What the name of the era of some slots ends with.
const SHARE: &str = "}:era";

/// What stands for `{` and for `}`.
const BRACES: [(char, char); 2] = [('{', '\u{1}'), ('}', '\u{2}')];

/// The name of what is stored under a key.
pub(super) fn record(key: &StoredKey) -> String {
    without_braces(key.as_str()).into_owned()
}

/// The name of the lease on it.
pub(super) fn lease(key: &StoredKey) -> String {
    tagged(key.as_str(), LEASE)
}

/// The name of the header of the counter under it.
pub(super) fn header(key: &StoredKey) -> String {
    tagged(key.as_str(), HEADER)
}

/// The name of a scope's generation, or of the copy of it that [`copies::of`] made of the scope.
pub(super) fn generation(scope: &Scope) -> String {
    match copies::tag(scope.text()) {
        Some((tag, text)) => ["{", tag, "}:", &without_braces(text), COPY].concat(),
        None => tagged(scope.text(), GENERATION),
    }
}

/// The name of the era of the share of slots that this hash tag is of; see [`copies::tag_of`].
pub(super) fn era(tag: &str) -> String {
    ["{", tag, SHARE].concat()
}

/// Whether this is the name of a generation or an era: of what many records depend on.
pub(super) fn is_of_scopes(name: &str) -> bool {
    name.starts_with('{') && (name.ends_with(COPY) || name.ends_with(SHARE))
}

/// Whether this is the name of an era.
pub(super) fn is_era(name: &str) -> bool {
    name.starts_with('{') && name.ends_with(SHARE)
}

/// All names of a key, in the order in which scripts take them.
pub(super) fn all(key: &StoredKey) -> [String; 4] {
    [record(key), lease(key), header(key), tagged(key.as_str(), HELD)]
}

/// Whether this is the name of a record.
pub(super) fn is_record(name: &str) -> bool {
    !name.starts_with('{')
}

/// The key whose record has this name; `None` if it is the name of something else.
pub(super) fn key_of_record(name: &[u8]) -> Option<StoredKey> {
    let name = std::str::from_utf8(name).ok()?;
    is_record(name).then(|| StoredKey::new(with_braces(name).into_owned()))
}

/// The pattern of SCAN that finds the records whose keys start with `prefix`, literally.
pub(super) fn pattern(prefix: &str) -> String {
    let mut pattern = String::with_capacity(prefix.len() + 8);
    for c in without_braces(prefix).chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '^' | '-' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('*');
    pattern
}

/// What a name that the server pushes belongs to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// The record of this key, or its header.
    Record(StoredKey),
    /// The end of a lease on this key.
    Held(StoredKey),
    /// The generation of this scope, or of a copy of one.
    Generation(Scope),
    /// What all generations depend on.
    Era,
}

/// Takes a pushed name apart; `None` if it is none of this store's.
pub(super) fn named(name: &[u8]) -> Option<Named> {
    let name = std::str::from_utf8(name).ok()?;
    let Some(inner) = name.strip_prefix('{') else {
        return Some(Named::Record(StoredKey::new(with_braces(name).into_owned())));
    };
    if name == ERA {
        return Some(Named::Era);
    }
    let text = |ending| inner.strip_suffix(ending).map(|text| with_braces(text).into_owned());
    if let Some(key) = text(HELD) {
        return Some(Named::Held(StoredKey::new(key)));
    }
    if let Some(key) = text(HEADER) {
        return Some(Named::Record(StoredKey::new(key)));
    }
    if let Some(scope) = text(GENERATION) {
        return Some(Named::Generation(Scope::new(scope)));
    }
    if inner.strip_suffix(SHARE).is_some_and(copies::is_tag) {
        return Some(Named::Era);
    }
    let (tag, rest) = inner.split_once("}:")?;
    let copied = with_braces(rest.strip_suffix(COPY)?).into_owned();
    copies::with_tag(&Scope::new(copied), tag).map(Named::Generation)
}

fn tagged(text: &str, ending: &str) -> String {
    ["{", &without_braces(text), ending].concat()
}

fn without_braces(text: &str) -> Cow<'_, str> {
    replaced(text, |(brace, stand_in)| (brace, stand_in))
}

fn with_braces(text: &str) -> Cow<'_, str> {
    replaced(text, |(brace, stand_in)| (stand_in, brace))
}

fn replaced(text: &str, order: fn((char, char)) -> (char, char)) -> Cow<'_, str> {
    let pairs = BRACES.map(order);
    if !text.contains(pairs.map(|(from, _)| from)) {
        return Cow::Borrowed(text);
    }
    let one = |c| pairs.iter().find(|(from, _)| *from == c).map_or(c, |(_, to)| *to);
    Cow::Owned(text.chars().map(one).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> StoredKey {
        StoredKey::new(text)
    }

    #[test]
    fn names_are_read_back_as_what_they_belong_to() {
        for text in [
            "app:1:product::123",
            "a:1:{tag}",
            "a:1:{tag",
            "a:1:}x{",
            "a:generation",
            "a}:era",
            "ключ",
            "",
        ] {
            let key = key(text);
            assert_eq!(named(record(&key).as_bytes()), Some(Named::Record(key.clone())), "{text}");
            assert_eq!(named(header(&key).as_bytes()), Some(Named::Record(key.clone())));
            let [_, lease_name, _, held] = all(&key);
            assert_eq!(named(held.as_bytes()), Some(Named::Held(key.clone())));
            assert_eq!(named(lease_name.as_bytes()), None, "who looks need not hear of a grant");
            let scope = Scope::new(text);
            let expected = Named::Generation(scope.clone());
            assert_eq!(named(generation(&scope).as_bytes()), Some(expected));
            for slot in [0, 5000, 16383] {
                let copy = copies::of(&scope, slot);
                let expected = Named::Generation(copy.clone());
                assert_eq!(named(generation(&copy).as_bytes()), Some(expected));
                assert!(is_of_scopes(&generation(&copy)));
            }
            assert!(is_of_scopes(&generation(&scope)));
            assert!(all(&key).iter().all(|name| !is_of_scopes(name)), "{text}");
            assert_eq!(key_of_record(record(&key).as_bytes()), Some(key.clone()));
            assert_eq!(key_of_record(lease(&key).as_bytes()), None);
        }
    }

    #[test]
    fn plain_keys_are_what_redis_cli_shows() {
        let key = key("app:1:product::123");
        assert_eq!(
            all(&key),
            [
                "app:1:product::123",
                "{app:1:product::123}:lease",
                "{app:1:product::123}:header",
                "{app:1:product::123}:held"
            ]
        );
        assert_eq!(generation(&Scope::new("app::everything")), "{app::everything}:generation");
    }

    #[test]
    fn what_belongs_to_one_key_has_one_hash_tag() {
        fn tag(name: &str) -> &str {
            let rest = name.find('{').map(|open| &name[open + 1..]);
            let tag = rest.and_then(|rest| rest.find('}').map(|close| &rest[..close]));
            tag.filter(|tag| !tag.is_empty()).unwrap_or(name)
        }
        for text in ["app:1:product::123", "a:1:{tag}", "a:1:x{", "a:1:}{", "a:1:{}"] {
            let names = all(&key(text));
            assert!(names.iter().all(|name| tag(name) == tag(&names[0])), "{text}");
        }
    }

    #[test]
    fn pattern_takes_the_prefix_literally() {
        assert_eq!(pattern("a*b?[c]\\-^"), r"a\*b\?\[c\]\\\-\^*");
        assert_eq!(pattern(""), "*");
    }

    #[test]
    fn foreign_names_are_nobodys() {
        assert_eq!(named(b"{a}:other"), None);
        assert_eq!(named(b"{a}:era"), None);
    }

    #[test]
    fn eras_are_read_back() {
        assert_eq!(named(ERA.as_bytes()), Some(Named::Era));
        assert!(is_of_scopes(ERA));
        for tag in copies::tags() {
            assert!(is_of_scopes(&era(tag)));
            assert!(is_era(&era(tag)) && named(era(tag).as_bytes()) == Some(Named::Era));
        }
        assert!(!is_era("a:1:}:era") && !is_era("{a}:lease"));
        assert_eq!(named(b"\xff"), None);
    }
}
