//! What objects are called: readable names for stored keys, scopes, and the probe.
//!
//! - Under the store's folder, records are in `records/`, each named by its stored key, escaped, and
//!   `.kc`, and by `.kg` where a key bears a generation of its own; the generations of scopes are in
//!   `generations/`, beside them is `probe`. So a lifecycle rule can be for records alone.
//! - Escaping goes character by character, so keys that begin alike have names that begin alike, and
//!   a prefix can be listed.
//! - No name is longer than [`LONGEST`]: the name of a longer key keeps a readable head and ends in a
//!   digest. Which key it stands for is then told by the object itself.

use std::fmt::Write;

use crate::record::Scope;
use crate::store::StoredKey;

/// What S3 takes, in bytes.
pub(super) const LONGEST: usize = 1_024;

/// How much of it the folder may take, so that every key has room for a readable head.
pub(super) const LONGEST_FOLDER: usize = 512;

/// Where records are in the folder, and what their names end in.
const RECORDS: &str = "records/";
const RECORD: &str = ".kc";
/// What the name of a key's own generation ends in, which stands beside its record.
const OF_KEY: &str = ".kg";
/// The same of generations.
const GENERATIONS: &str = "generations/";
const GENERATION: &str = ".json";

/// Stands before the digest of a name that would be too long.
const DIGEST: &str = "!!";
const DIGEST_LENGTH: usize = DIGEST.len() + 64;

/// The names of one store: all begin with its folder.
#[derive(Debug)]
pub(super) struct Names {
    /// Ends in `/`, unless it is empty.
    folder: String,
}

/// What the name of a listed object says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// The object is under this key.
    Key(StoredKey),
    /// The object is under a key that only it knows.
    Digest,
    /// It is none of ours.
    Foreign,
}

impl Names {
    pub(super) fn in_folder(folder: &str) -> Self {
        let folder = folder.trim_matches('/');
        let slash = if folder.is_empty() { "" } else { "/" };
        Self { folder: format!("{folder}{slash}") }
    }

    /// What all names begin with.
    pub(super) fn folder(&self) -> &str {
        &self.folder
    }

    /// What the names of all records begin with, and no others.
    pub(super) fn records(&self) -> String {
        format!("{}{RECORDS}", self.folder)
    }

    /// The object of a key.
    pub(super) fn of_key(&self, key: &StoredKey) -> String {
        self.bounded(RECORDS, key.as_str(), RECORD)
    }

    /// The object of the generation that a key bears of its own, where conditions are not heeded.
    pub(super) fn of_key_generation(&self, key: &StoredKey) -> String {
        self.bounded(RECORDS, key.as_str(), OF_KEY)
    }

    /// The object of a scope's generation.
    pub(super) fn of_scope(&self, scope: &Scope) -> String {
        self.bounded(GENERATIONS, scope.text(), GENERATION)
    }

    /// The object that shows whether the server heeds preconditions.
    pub(super) fn of_probe(&self) -> String {
        format!("{}probe", self.folder)
    }

    /// What the names of all keys with this prefix begin with. So may those of other keys, if the
    /// prefix is longer than names can show.
    pub(super) fn of_prefix(&self, prefix: &str) -> String {
        let escaped = escaped(prefix);
        let shown = readable_head(&escaped, self.readable_room());
        format!("{}{RECORDS}{shown}", self.folder)
    }

    /// What an object of this name is.
    pub(super) fn read(&self, name: &str) -> Named {
        let inner = name.strip_prefix(&self.folder).and_then(|name| name.strip_prefix(RECORDS));
        let Some(inner) = inner.and_then(|name| name.strip_suffix(RECORD)) else {
            return Named::Foreign;
        };
        if let Some((_, digest)) = inner.split_once(DIGEST) {
            let is_digest = digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit());
            return if is_digest { Named::Digest } else { Named::Foreign };
        }
        unescaped(inner).map_or(Named::Foreign, |key| Named::Key(StoredKey::new(key)))
    }

    /// How many bytes of a name show the key, where a digest follows.
    fn readable_room(&self) -> usize {
        LONGEST - self.folder.len() - GENERATIONS.len() - GENERATION.len() - DIGEST_LENGTH
    }

    fn bounded(&self, within: &str, text: &str, ending: &str) -> String {
        let (folder, escaped) = (&self.folder, escaped(text));
        let room = self.readable_room();
        if escaped.len() <= room {
            return format!("{folder}{within}{escaped}{ending}");
        }
        let head = readable_head(&escaped, room);
        let digest = blake3::hash(text.as_bytes()).to_hex();
        format!("{folder}{within}{head}{DIGEST}{digest}{ending}")
    }
}

/// The first bytes of an escaped text, without half an escape at the end.
fn readable_head(escaped: &str, at_most: usize) -> &str {
    if escaped.len() <= at_most {
        return escaped;
    }
    let head = &escaped[..at_most];
    match head.rfind('!') {
        Some(escape) if escape + 3 > head.len() => &head[..escape],
        _ => head,
    }
}

/// The text in characters that S3, its compatibles and URLs leave alone; all others are `!` and two
/// hexadecimal digits for each of their bytes. So is a full stop in front, for what reads `.` and
/// `..` as folders.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (place, byte) in text.bytes().enumerate() {
        if byte.is_ascii_alphanumeric() || b"-_:,=@".contains(&byte) || (byte == b'.' && place > 0)
        {
            escaped.push(byte.into());
        } else {
            write!(escaped, "!{byte:02X}").expect("a string takes all that is written to it");
        }
    }
    escaped
}

/// The text of an escaped one; `None` of what is no such.
fn unescaped(name: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'!' {
            let digits = [rest.next()?, rest.next()?];
            let digits = std::str::from_utf8(&digits).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    let text = String::from_utf8(bytes).ok()?;
    (escaped(&text) == name).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names::in_folder("app/")
    }

    #[test]
    fn names_are_readable_and_read_back() {
        for (key, name) in [
            ("shop:1:product::123", "app/records/shop:1:product::123.kc"),
            ("shop:1:a b::x%20y", "app/records/shop:1:a!20b::x!2520y.kc"),
            ("../é*", "app/records/!2E.!2F!C3!A9!2A.kc"),
            ("!", "app/records/!21.kc"),
            ("", "app/records/.kc"),
        ] {
            let key = StoredKey::new(key);
            assert_eq!(names().of_key(&key), name);
            assert_eq!(names().read(name), Named::Key(key));
        }
    }

    #[test]
    fn names_of_keys_scopes_and_the_probe_are_apart() {
        let names = names();
        let scope = names.of_scope(&Scope::new("shop::everything"));
        assert_eq!(scope, "app/generations/shop::everything.json");
        assert_eq!(names.read(&scope), Named::Foreign);
        assert_eq!(names.read(&names.of_probe()), Named::Foreign);
        for name in ["notes.txt", "a b.kc", "a!2.kc", "a!2e.kc", "a!!0123.kc"] {
            assert_eq!(names.read(&format!("app/records/{name}")), Named::Foreign, "{name}");
        }
        assert_eq!(names.read("records/a.kc"), Named::Foreign);
    }

    #[test]
    fn no_name_is_too_long_and_no_two_keys_share_one() {
        let names = Names::in_folder(&"f".repeat(LONGEST_FOLDER));
        for unit in ["k", "é", "*"] {
            let mut seen = std::collections::HashSet::new();
            for length in [1, 10, 200, 440, 441, 442, 443, 444, 445, 446, 1_000, 5_000] {
                let key = StoredKey::new(unit.repeat(length));
                let name = names.of_key(&key);
                assert!(name.len() <= LONGEST, "{}", name.len());
                match names.read(&name) {
                    Named::Key(read) => assert_eq!(read, key),
                    Named::Digest => assert!(length > 100),
                    Named::Foreign => panic!("{name} is ours"),
                }
                assert!(seen.insert(name));
                let scope = names.of_scope(&Scope::new(key.as_str()));
                assert!(scope.len() <= LONGEST);
            }
        }
    }

    #[test]
    fn a_listed_prefix_covers_the_names_of_all_its_keys() {
        let names = names();
        let long = "p".repeat(2_000);
        for prefix in ["shop:1:", "shop:1:é", "a*", "", &long] {
            let listed = names.of_prefix(prefix);
            for rest in ["", "x", "::y", "*", &long] {
                let key = StoredKey::new(format!("{prefix}{rest}"));
                assert!(names.of_key(&key).starts_with(&listed), "{key} under {prefix}");
            }
        }
        assert!(
            !names.of_key(&StoredKey::new("shop:10:x")).starts_with(&names.of_prefix("shop:1:"))
        );
    }
}
