//! A crate that knows `keyedcache` by another name: every macro finds it.

use memo::{CachedObject, KeyPart, cached};
use serde::{Deserialize, Serialize};

/// A free function.
#[cached(timeout = 60, scope(x), timeout_err = 5)]
pub fn find(x: u8, colour: Colour) -> Result<u8, String> {
    match colour {
        Colour::Red => Ok(x),
        Colour::Other(_) => Err(x.to_string()),
    }
}

/// A part of keys.
#[derive(KeyPart, Clone, Copy, Debug)]
pub enum Colour {
    /// Red.
    Red,
    /// Another one.
    Other(u32),
}

/// An object with a method.
#[derive(KeyPart, CachedObject, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// What it is known by.
    #[cached_object(key)]
    pub id: u64,
}

#[cached]
impl Product {
    /// A method.
    #[cached(timeout = 60, stale = 60)]
    pub async fn price<T: KeyPart + Send + Sync + 'static>(&self, of: T) -> usize {
        std::future::ready(size_of_val(&of)).await
    }
}

/// What only re-exports it.
pub mod re_exported {
    pub use memo as inner;

    /// A function whose expansion goes another way.
    #[inner::cached(timeout = 60, crate = crate::re_exported::inner)]
    #[must_use]
    pub fn doubled(x: u32) -> u32 {
        x * 2
    }
}

#[cfg(test)]
mod tests {
    use super::{Colour, Product, find, re_exported};
    use memo::{CachedObject, cache_delete_function};

    #[test]
    fn every_macro_finds_the_crate() -> Result<(), memo::Error> {
        assert_eq!(find(1, Colour::Red), Ok(1));
        cache_delete_function!(find(1, _)).wait()?;
        assert!(find::peek(1, Colour::Red).wait().is_err());
        assert_eq!(re_exported::doubled(2), 4);
        let product = Product { id: 3 };
        assert_eq!(product.price_refresh(1_u16).wait(), 2);
        product.cache_set().wait()?;
        assert_eq!(Product::cache_get(3).wait().ok(), Some(product));
        let key = memo::cache_key!("product", Colour::Other(1));
        assert_eq!(key.text(), "product::Other(1)");
        Ok(())
    }
}
