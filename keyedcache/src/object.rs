//! Objects: values that are stored and read back by their id.
//!
//! An object's key is a namespace, by default its type's path, and the parts of its id. What belongs
//! to it may be kept below: `product.cache_key().child("reviews")`. Forgetting it forgets that too.

use std::borrow::{Borrow, Cow};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cache::{Boxed, Cache, Delete, Get, Request, Set, named_or_broken};
use crate::error::Error;
use crate::function::type_text;
use crate::key::{Key, KeyPart};
use crate::policy::Timeout;
use crate::store::Severity;

/// What an object must be, to be read by other processes.
#[diagnostic::on_unimplemented(
    message = "objects of `{Self}` cannot be read back",
    label = "this must be `Clone`, `serde::Serialize` and `serde::de::DeserializeOwned`",
    note = "`#[derive(Clone, serde::Serialize, serde::Deserialize)]` on it, and see that it is `Send + Sync + 'static`"
)]
pub trait ObjectValue: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Clone + Serialize + DeserializeOwned + Send + Sync + 'static> ObjectValue for T {}

/// Compiles only for what can be an object.
pub const fn is_object_value<T: ObjectValue>() {}

/// An object that is stored and read back by its id, in this process and others. Derived.
///
/// ```
/// use keyedcache::CachedObject;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, CachedObject)]
/// #[cached_object(timeout = 3600, name = "product")]
/// struct Product {
///     #[cached_object(key)]
///     id: u64,
///     title: String,
/// }
///
/// let product = Product { id: 7, title: "A book".into() };
/// product.cache_set().wait()?;
/// assert_eq!(Product::cache_get(7).wait().ok(), Some(product.clone()));
/// assert_eq!(product.cache_key().text(), "product::7");
/// product.cache_delete().wait()?;
/// assert!(!Product::is_cached(7).wait());
/// # Ok::<(), keyedcache::Error>(())
/// ```
pub trait CachedObject: Sized + 'static {
    /// What an object is known by: the type of its key field (`str` for a `String`), or the tuple of
    /// them.
    type Id: KeyPart + ?Sized;

    #[doc(hidden)]
    fn __kc_spec() -> ObjectSpec;
    #[doc(hidden)]
    fn __kc_key(namespace: &str, id: &Self::Id) -> Key;
    #[doc(hidden)]
    fn __kc_own_key(&self, namespace: &str) -> Key;

    /// The key under which this object is cached.
    fn cache_key(&self) -> Key {
        let spec = Self::__kc_spec();
        self.__kc_own_key(&spec.namespace).of_version(spec.version)
    }

    /// The key under which the object of this id is cached.
    fn cache_key_of(id: impl Borrow<Self::Id>) -> Key {
        let spec = Self::__kc_spec();
        Self::__kc_key(&spec.namespace, id.borrow()).of_version(spec.version)
    }

    /// The object of this id, if it is cached. One round trip.
    fn cache_get(id: impl Borrow<Self::Id>) -> Get<Self>
    where
        Self: ObjectValue,
    {
        Get::new(Self::__kc_spec().registered().value(Self::cache_key_of(id)))
    }

    /// Whether the object of this id is cached. `false` too where the store cannot be asked.
    fn is_cached(id: impl Borrow<Self::Id>) -> Request<Boxed<'static, bool>> {
        let value = Self::__kc_spec().registered().value(Self::cache_key_of(id));
        Request::new(Box::pin(async move { value.is_there().await }))
    }

    /// Stores the object, whatever is there.
    fn cache_set(&self) -> Set<'_, Self>
    where
        Self: ObjectValue,
    {
        let spec = Self::__kc_spec();
        let value = spec.registered().value(self.cache_key());
        let set = Set::new(value, self);
        match spec.timeout {
            Some(timeout) => set.timeout(timeout),
            None => set,
        }
    }

    /// Forgets the object, and all that is cached below its key; answers how many records were
    /// removed.
    fn cache_delete(&self) -> Delete {
        Delete::new(Self::__kc_spec().registered().value(self.cache_key())).children()
    }

    /// The same of the object of this id, for whoever does not have it at hand.
    fn cache_delete_of(id: impl Borrow<Self::Id>) -> Delete {
        Delete::new(Self::__kc_spec().registered().value(Self::cache_key_of(id))).children()
    }

    /// Stores the object anew, and forgets all that is cached below its key.
    fn cache_reset(&self) -> Request<Boxed<'_, Result<(), Error>>>
    where
        Self: ObjectValue,
    {
        Request::new(Box::pin(async move {
            self.cache_delete().await?;
            self.cache_set().await
        }))
    }

    /// Forgets every object of this type, of every version, and all that is cached below them.
    fn cache_delete_all() -> Request<Boxed<'static, Result<(), Error>>> {
        let spec = Self::__kc_spec();
        let cache = spec.registered();
        Request::new(Box::pin(async move {
            let core = cache.core();
            let all = core.scopes.whole(&spec.namespace);
            core.invalidate(&[all], Severity::Hard).await
        }))
    }
}

/// How the objects of one type are kept.
#[derive(Clone, Debug)]
pub struct ObjectSpec {
    namespace: Cow<'static, str>,
    alias: &'static str,
    version: Option<u32>,
    timeout: Option<Timeout>,
}

impl ObjectSpec {
    /// In the default cache, under the type's path.
    #[must_use]
    pub fn of<T: ?Sized>() -> Self {
        Self {
            namespace: type_text::<T>().into(),
            alias: crate::cache::DEFAULT_ALIAS,
            version: None,
            timeout: None,
        }
    }

    /// The namespace, in place of the type's path.
    #[must_use]
    pub fn name(mut self, name: &'static str) -> Self {
        self.namespace = name.into();
        self
    }

    /// The alias of the cache that keeps them.
    #[must_use]
    pub fn cache(mut self, alias: &'static str) -> Self {
        self.alias = alias;
        self
    }

    /// The version in the keys, in place of the cache's.
    #[must_use]
    pub fn version(mut self, version: u32) -> Self {
        self.version = Some(version);
        self
    }

    /// How long they are fresh.
    #[must_use]
    pub fn timeout(mut self, timeout: Timeout) -> Self {
        self.timeout = Some(timeout);
        self
    }

    fn registered(&self) -> Cache {
        named_or_broken(self.alias)
    }
}
