//! Which scopes a key that is made by hand belongs to.
//!
//! Making a scope takes a digest, and most keys share what stands above their last segment. So the
//! scopes are remembered by that; which is exact, since they follow from it alone.

use std::sync::{Arc, OnceLock};

use crate::key::{Key, Owner};
use crate::near::{Entries, Used, Uses};
use crate::record::Scope;

/// How many lists of scopes are remembered, and of texts of how many bytes.
const REMEMBERED: usize = 1024;
const REMEMBERED_TEXT: usize = Key::MAX_TEXT;

/// A text, and the scopes of the keys below it.
struct Known {
    above: Box<str>,
    scopes: Arc<[Scope]>,
    uses: Uses,
}

impl Used for Known {
    fn uses(&self) -> &Uses {
        &self.uses
    }
}

/// The scopes of one cache.
pub(crate) struct Scopes {
    prefix: Box<str>,
    everything: Scope,
    known: OnceLock<Entries<Known>>,
}

impl Scopes {
    /// Those of the cache of this prefix.
    pub(super) fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.into(),
            everything: Scope::new(format!("{prefix}::everything")),
            known: OnceLock::new(),
        }
    }

    /// The one that everything in the cache belongs to.
    pub(crate) fn everything(&self) -> &Scope {
        &self.everything
    }

    /// That of all keys below these segments. It knows no version.
    ///
    /// `::` cannot come from a stored key's version, which is a number.
    pub(crate) fn prefix(&self, segments: &str) -> Scope {
        Scope::new(format!("{}::prefix:{segments}", self.prefix))
    }

    /// That of all calls of the function, or objects of the type, of this namespace.
    pub(crate) fn whole(&self, namespace: &str) -> Scope {
        self.prefix(Key::of_parts(namespace, &()).text())
    }

    /// That of the calls of the function of this namespace in which the arguments at these bits have
    /// this text.
    pub(crate) fn arguments(&self, whole: &str, bits: u64, text: &str) -> Scope {
        // `:` stands in no namespace, and after the first one no key begins with a number.
        Scope::new(format!("{}::scope:{whole}:{bits}:{text}", self.prefix))
    }

    /// Those of a key: the cache and every proper prefix; of a call, the cache, the function, and what
    /// its arguments belong to.
    pub(crate) fn of(&self, key: &Key) -> Arc<[Scope]> {
        if let Some(owner) = key.owner() {
            return self.of_owner(owner, key.namespace());
        }
        let above = key.above().filter(|above| above.len() <= REMEMBERED_TEXT);
        let Some(above) = above else { return self.made(key) };
        let known = self.known.get_or_init(|| Entries::new(REMEMBERED));
        let hash = known.hash_of(above);
        let is_this = |known: &Known| *known.above == *above;
        known.get(hash, is_this, |known| Arc::clone(&known.scopes)).unwrap_or_else(|| {
            let scopes = self.made(key);
            let (above, uses) = (above.into(), Uses::default());
            known.insert(hash, Known { above, scopes: Arc::clone(&scopes), uses });
            scopes
        })
    }

    fn of_owner(&self, owner: &Owner, namespace: &str) -> Arc<[Scope]> {
        let Some(whole) = &owner.whole else {
            return [self.everything.clone(), self.prefix(namespace)].into();
        };
        let arguments = owner.scopes.iter().map(|(bits, text)| self.arguments(whole, *bits, text));
        [self.everything.clone(), self.whole(whole)].into_iter().chain(arguments).collect()
    }

    fn made(&self, key: &Key) -> Arc<[Scope]> {
        let prefixes = key.prefixes().map(|prefix| self.prefix(&prefix));
        std::iter::once(self.everything.clone()).chain(prefixes).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::cache_key;

    use super::*;

    fn texts(scopes: &[Scope]) -> Vec<&str> {
        scopes.iter().map(Scope::text).collect()
    }

    #[test]
    fn a_key_belongs_to_the_cache_and_to_what_stands_above_it() {
        let scopes = Scopes::new("app");
        for key in [cache_key!("a", "b", 1), cache_key!("a", "b", 2)] {
            let expected = ["app::everything", "app::prefix:a", "app::prefix:a::b"];
            assert_eq!(texts(&scopes.of(&key)), expected);
        }
        assert_eq!(texts(&scopes.of(&cache_key!("a", 1))), ["app::everything", "app::prefix:a"]);
        assert_eq!(texts(&scopes.of(&cache_key!("a"))), ["app::everything"]);
    }

    #[test]
    fn the_key_of_a_call_belongs_to_its_function_and_not_to_what_has_its_name() {
        let scopes = Scopes::new("app");
        let by_hand = cache_key!("f", 1, 2);
        let call = Key::of_parts("f", &(&1, (&2, ())));
        assert_eq!(by_hand.text(), call.text());
        assert_eq!(scopes.of(&by_hand).len(), 3);
        assert_eq!(texts(&scopes.of(&call)), ["app::everything", "app::prefix:f"]);
    }

    #[test]
    fn scopes_are_made_once_for_all_keys_below_the_same_segments() {
        let scopes = Scopes::new("app");
        let [one, two] = [1, 2].map(|id| scopes.of(&cache_key!("user", id)));
        assert!(Arc::ptr_eq(&one, &two));
    }
}
