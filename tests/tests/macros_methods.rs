//! Methods and associated functions, in inherent impl blocks and in those of traits.

#![allow(clippy::unused_async, clippy::unused_self, clippy::trivially_copy_pass_by_ref)]

use std::fmt::Debug;
use std::hash::Hasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use keyedcache::key::KeyEncoder;
use keyedcache::{Cache, Error, KeyPart, cache_delete_function, cached};
use keyedcache_tests::drive::wait as block_on;

/// A shop, told from others by its number.
#[derive(Clone)]
struct Shop {
    id: u8,
    runs: Arc<AtomicUsize>,
}

impl Shop {
    fn new(id: u8) -> Self {
        Self { id, runs: Arc::default() }
    }

    fn run(&self) {
        self.runs.fetch_add(1, Ordering::Relaxed);
    }

    fn runs(&self) -> usize {
        self.runs.load(Ordering::Relaxed)
    }
}

impl KeyPart for Shop {
    type Identity = u8;

    fn encode(&self, out: &mut KeyEncoder<'_>) {
        self.id.encode(out);
    }
    fn identity(&self) -> u8 {
        self.id
    }
    fn hash_identity<H: Hasher>(&self, state: &mut H) {
        self.id.hash_identity(state);
    }
    fn is_identity(&self, identity: &u8) -> bool {
        self.id == *identity
    }
}

#[cached]
impl Shop {
    const FACTOR: u32 = 2;

    /// What an article costs here.
    #[cached(timeout = 60)]
    fn price(&self, article: &str) -> u32 {
        self.run();
        Self::FACTOR * u32::from(self.id) + self.length(article)
    }

    fn length(&self, article: &str) -> u32 {
        u32::try_from(article.len()).expect("a short name")
    }

    #[cached(timeout = 60, skip(self))]
    pub(crate) async fn price_anywhere(&self, article: &str) -> u32 {
        self.run();
        self.length(article)
    }

    #[cached(timeout = 60, key = (self.id / 10, article))]
    fn price_in_chain(&self, article: u8) -> u8 {
        self.run();
        article
    }

    #[cached(timeout = 60, stale = 60)]
    async fn shared(self: Arc<Self>, x: u8) -> u8 {
        self.run();
        x + self.id
    }

    #[cached(timeout = 60, stale = 60)]
    fn refreshed(&self, x: u8) -> u8 {
        self.run();
        x + self.id
    }

    #[cached(timeout = 60)]
    fn consumed(mut self, x: u8) -> u8 {
        self.run();
        self.id += 1;
        self.id + x
    }

    #[cached(timeout = 60)]
    fn number(x: u8) -> u8 {
        x + 1
    }

    #[cached(timeout = 60)]
    fn generic<T: KeyPart + Debug>(&self, x: T, y: impl KeyPart) -> String {
        self.run();
        let _ = y;
        format!("{x:?}")
    }
}

#[test]
fn self_is_part_of_the_key() {
    let (one, two) = (Shop::new(1), Shop::new(2));
    assert_eq!([one.price("ab"), one.price("ab"), two.price("ab")], [4, 4, 6]);
    assert_eq!((one.runs(), two.runs()), (1, 1));
    assert_eq!(one.price_key("ab").text(), "macros_methods.Shop.price::1::ab");
}

#[test]
fn self_may_be_left_out_of_the_key() {
    let (one, two) = (Shop::new(3), Shop::new(4));
    assert_eq!(block_on(one.price_anywhere("abc")), 3);
    assert_eq!(block_on(two.price_anywhere("abc")), 3);
    assert_eq!(two.runs(), 0);
    assert!(Shop::price_anywhere_key("abc").text().ends_with("price_anywhere::abc"));
    assert_eq!(Shop::price_anywhere_peek("abc").wait().ok(), Some(3));
}

#[test]
fn a_key_is_made_of_fields() {
    let (one, two, other) = (Shop::new(11), Shop::new(12), Shop::new(21));
    assert_eq!([&one, &two, &other].map(|shop| shop.price_in_chain(7)), [7; 3]);
    assert_eq!([one.runs(), two.runs(), other.runs()], [1, 0, 1]);
    assert_eq!(one.price_in_chain_key(7), two.price_in_chain_key(7));
}

#[test]
fn self_comes_in_any_form() {
    let shop = Arc::new(Shop::new(5));
    assert_eq!(block_on(Arc::clone(&shop).shared(1)), 6);
    assert_eq!(block_on(Arc::clone(&shop).shared(1)), 6);
    assert_eq!(shop.refreshed(1), 6);
    assert_eq!(shop.refreshed(1), 6);
    assert_eq!([shop.as_ref().clone().consumed(1), shop.as_ref().clone().consumed(1)], [7; 2]);
    assert_eq!(shop.runs(), 3);
    assert_eq!(Shop::number(3), 4);
    assert_eq!(Shop::number_peek(3).wait().ok(), Some(4));
}

#[test]
fn methods_may_be_generic() {
    let shop = Shop::new(6);
    assert_eq!([shop.generic(1_u8, 2), shop.generic(1_u8, 2)], ["1", "1"]);
    assert_eq!(shop.generic::<u16>(1, 2_u64), "1");
    assert_eq!(shop.runs(), 2);
    assert!(shop.generic_key(1_u8, 2).text().ends_with("Shop.generic/u8|::6::1::2"));
}

#[test]
fn companions_stand_beside_the_method() -> Result<(), Error> {
    let shop = Shop::new(7);
    assert_eq!(shop.price_uncached("abc"), 17);
    shop.price_put("abc", 3).wait()?;
    assert_eq!(shop.price("abc"), 3);
    assert_eq!(shop.price_refresh("abc").wait(), 17);
    assert_eq!(shop.price_peek("abc").wait().ok(), Some(17));
    cache_delete_function!(Shop::price(&shop, "abc")).wait()?;
    assert!(shop.price_peek("abc").wait().is_err());
    Shop::price_anywhere_put("seven", 7).wait()?;
    cache_delete_function!(Shop::price_anywhere("seven")).wait()?;
    assert!(Shop::price_anywhere_peek("seven").wait().is_err());
    assert_eq!(Arc::new(shop.clone()).shared_refresh(1).wait(), 8);
    assert_eq!(shop.clone().consumed_refresh(1).wait(), 9);
    Ok(())
}

#[cached]
impl Shop {
    #[cached(timeout = 60)]
    fn forgotten(&self) -> u8 {
        self.id
    }
}

#[test]
fn all_calls_of_a_method_are_forgotten_together() -> Result<(), Error> {
    let shops = [Shop::new(8), Shop::new(9)];
    let is_cached = || shops.each_ref().map(|shop| shop.forgotten_peek().wait().is_ok());
    assert_eq!(shops.each_ref().map(Shop::forgotten), [8, 9]);
    assert_eq!(is_cached(), [true; 2]);
    cache_delete_function!(Shop::forgotten).wait()?;
    assert_eq!(is_cached(), [false; 2]);
    Ok(())
}

trait Find {
    type Found: Debug;
    type Error;

    fn find(&self, id: u8) -> Result<Self::Found, Self::Error>;
    fn find_later(&self, id: u8) -> impl Future<Output = Self::Found> + Send;
    fn rest(&self) -> u8 {
        3
    }
}

trait Search {
    fn find(&self, id: u8) -> u8;
}

struct Repo;

#[cached]
impl Find for Repo {
    type Found = String;
    type Error = std::num::TryFromIntError;

    #[cached(timeout = 60, skip(self))]
    fn find(&self, id: u8) -> Result<Self::Found, Self::Error> {
        let found: Self::Found = Self::Found::from("found");
        i8::try_from(id).map(|id| format!("{found} {id} {}", self.rest()))
    }

    #[cached(timeout = 60, skip(self))]
    async fn find_later(&self, id: u8) -> Self::Found {
        id.to_string()
    }
}

#[cached]
impl Search for Repo {
    #[cached(timeout = 60, skip(self), companion = search)]
    fn find(&self, id: u8) -> u8 {
        id
    }
}

#[test]
fn methods_of_traits_are_cached_apart() {
    assert_eq!(Find::find(&Repo, 1).as_deref(), Ok("found 1 3"));
    assert_eq!(Search::find(&Repo, 1), 1);
    assert_eq!(block_on(Repo.find_later(1)), "1");
    assert_eq!(Repo::find_peek(1).wait().expect("it is cached").as_deref(), Ok("found 1 3"));
    assert_eq!(Repo::search_peek(1).wait().ok(), Some(1));
    assert_ne!(Repo::find_key(1), Repo::search_key(1));
    assert!(cache_delete_function!(<Repo as Find>::find(1)).wait().is_ok());
    assert!(Repo::find_peek(1).wait().is_err());
}

struct Wrapper<'a, T, const N: usize>
where
    T: Debug,
{
    values: &'a [T; N],
}

#[cached]
impl<'a, T, const N: usize> Wrapper<'a, T, N>
where
    T: Debug + KeyPart,
{
    #[cached(timeout = 60, key = (self.values, x), cache = "generic-impls")]
    fn sized(&self, x: u8) -> usize {
        size_of_val(self.values) + usize::from(x)
    }

    #[cached(timeout = 60, cache = "generic-impls")]
    fn described<U: KeyPart + Debug>(values: &'a [T; N], other: U) -> String {
        format!("{values:?}{other:?}")
    }

    #[cached(timeout = Self::TIMEOUT)]
    fn alone() -> usize {
        N
    }

    const TIMEOUT: u64 = 60;
}

#[test]
fn instances_of_generic_blocks_share_no_answer() -> Result<(), Error> {
    let cache = Cache::from_url("memory:")?;
    cache.register("generic-impls")?;
    assert_eq!(Wrapper { values: &[1_u8, 2] }.sized(1), 3);
    assert_eq!(Wrapper { values: &[1_u16, 2] }.sized(1), 5);
    let key = Wrapper { values: &[1_u8, 2] }.sized_key(1);
    assert!(key.text().contains("Wrapper/u8+2|.sized::"), "{key}");
    assert_eq!(Wrapper::described(&[1_u8], 2_u16), "[1]2");
    assert_eq!(Wrapper::described(&[1_u8], 2_u8), "[1]2");
    assert_eq!(cache.stats().computed, 4);
    Wrapper::<u8, 1>::described_invalidate_all().wait()?;
    assert!(Wrapper::described_peek(&[1_u8], 2_u16).wait().is_err());
    assert!(Wrapper { values: &[1_u16, 2] }.sized_peek(1).wait().is_ok());
    assert_eq!([Wrapper::<u8, 3>::alone(), Wrapper::<u8, 4>::alone()], [3, 4]);
    Ok(())
}
