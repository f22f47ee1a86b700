//! Sharded stores of which a shard is down, hangs, or is added.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keyedcache::record::{Header, Life, Record, Scope};
use keyedcache::store::{
    Guard, HolderId, LeaseToken, MemoryStore, Severity, ShardedStore, Slot, Store, StoredKey,
};
use keyedcache::{Cache, Error, ErrorKind, cache_key, cached};
use keyedcache_tests::drive::{Driven, wait};
use keyedcache_tests::faulty::{Fault, Faulty, Operation};
use keyedcache_tests::gate::Gate;
use keyedcache_tests::place::alone;
use keyedcache_tests::stored::{self, HOUR, key};

const NAMES: [&str; 4] = ["east", "north", "south", "west"];

/// Shards that can be broken, and the list of them.
struct Shards {
    each: Vec<(&'static str, Arc<Faulty>)>,
    list: Arc<ShardedStore>,
}

impl Shards {
    /// The first so many of [`NAMES`].
    fn new(many: usize) -> Self {
        let faulty = |name: &&'static str| (*name, Faulty::new(Arc::new(MemoryStore::new())));
        Self::of(NAMES[..many].iter().map(faulty).collect())
    }

    fn of(each: Vec<(&'static str, Arc<Faulty>)>) -> Self {
        let list = each.iter().fold(ShardedStore::builder(), |list, (name, store)| {
            list.shard(name, Arc::clone(store) as Arc<dyn Store>)
        });
        Self { list: Arc::new(list.build().expect("names that differ")), each }
    }

    /// The same and one more.
    fn and_one_more(&self) -> Self {
        let mut each = self.each.clone();
        each.push((NAMES[each.len()], Faulty::new(Arc::new(MemoryStore::new()))));
        Self::of(each)
    }

    fn shard(&self, name: &str) -> &Faulty {
        &self.each.iter().find(|(known, _)| *known == name).expect("a name of the list").1
    }

    fn break_down(&self, name: &str) {
        self.shard(name).break_down(Operation::ALL, Fault::Fails);
    }

    /// A text that begins so and falls to this shard.
    fn text_on(&self, name: &str, start: &str) -> String {
        let mut texts = (0..).map(|n| format!("{start}{n}"));
        texts.find(|text| self.list.shard_of(text) == name).expect("one of endless many")
    }

    /// A key and a scope on each, in the order of the names.
    fn one_on_each(&self) -> (Vec<StoredKey>, Vec<Scope>) {
        let texts = || self.each.iter().map(|(name, _)| self.text_on(name, "one"));
        (texts().map(StoredKey::new).collect(), texts().map(Scope::new).collect())
    }

    /// A cache on it whose own scope, and that of `segments`, are on this shard.
    fn cache_with_scopes_on(&self, name: &str, segments: &str) -> Cache {
        let is_there = |prefix: &String| {
            let scopes = [format!("{prefix}::everything"), format!("{prefix}::prefix:{segments}")];
            scopes.iter().all(|scope| self.list.shard_of(scope) == name)
        };
        let prefix = (0..10_000).map(|n| format!("shop{n}")).find(is_there);
        self.cache(&prefix.expect("one of endless many"))
    }

    fn cache(&self, prefix: &str) -> Cache {
        let store = Arc::clone(&self.list) as Arc<dyn Store>;
        Cache::builder().store(store).prefix(prefix).build().expect("the defaults")
    }
}

fn is_of<T: std::fmt::Debug>(shard: &str, answer: Result<T, Error>) {
    let error = answer.expect_err("the shard is down");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains(&format!("shard {shard}")), "{error}");
}

#[test]
fn a_shard_that_is_down_is_unavailable_and_named() {
    let shards = Shards::new(3);
    shards.break_down("north");
    let (key, scope) = (key(&shards.text_on("north", "")), Scope::new(shards.text_on("north", "")));
    let (keys, scopes) = (std::slice::from_ref(&key), std::slice::from_ref(&scope));
    let store = &*shards.list;
    let token = LeaseToken::random(HolderId::random());
    is_of("north", wait(store.load(keys, &[])));
    is_of("north", wait(store.load(&[], scopes)));
    is_of("north", wait(store.save(&key, stored::record(1, 32), None, Guard::Always, &[])));
    is_of("north", wait(store.delete(keys)));
    is_of("north", wait(store.lease(&key, token, HOUR, None)));
    is_of("north", wait(store.changed(&key, token, HOUR)));
    is_of("north", wait(store.generations(scopes)));
    is_of("north", wait(store.invalidate(scopes, Severity::Hard)));
    is_of("north", wait(store.scan("", Some(&page_of("north", store)), 10)));
}

/// The cursor of the shard's first page.
fn page_of(name: &str, store: &ShardedStore) -> String {
    let before = store.shards().position(|shard| shard == name).expect("it is one");
    let mut page = None;
    for _ in 0..before {
        page = wait(store.scan("", page.as_deref(), 10)).expect("those before are up").next;
    }
    page.expect("it is not the first")
}

#[test]
fn nobody_stands_in_for_a_shard_that_is_down() {
    let shards = Shards::new(3);
    let text = shards.text_on("south", "");
    shards.break_down("south");
    is_of("south", stored::save(&*shards.list, &text, stored::record(1, 32)));
    for (name, _) in shards.each.iter().filter(|(name, _)| *name != "south") {
        let there = stored::slot(shards.shard(name), &text).expect("it is up");
        assert_eq!(there, Slot::default());
    }
    shards.shard("south").mend();
    assert_eq!(stored::slot(&*shards.list, &text).expect("it is back"), Slot::default());
}

#[test]
fn what_is_on_the_other_shards_goes_on() {
    let shards = Shards::new(3);
    shards.break_down("north");
    for name in ["east", "south"] {
        let text = shards.text_on(name, "");
        assert!(stored::save(&*shards.list, &text, stored::record(7, 32)).expect("it is up"));
        let found = stored::slot(&*shards.list, &text).expect("it is up");
        assert_eq!(found.record, Some(stored::record(7, 32)));
        wait(shards.list.invalidate(&[Scope::new(text)], Severity::Hard)).expect("it is up");
    }
}

#[test]
fn of_many_keys_those_on_shards_that_are_up_are_deleted_and_the_error_says_how_many_shards_did_it()
{
    let shards = Shards::new(3);
    let (keys, _) = shards.one_on_each();
    for key in &keys {
        stored::save(&*shards.list, key.as_str(), stored::record(1, 32)).expect("all are up");
    }
    shards.break_down("east"); // which is asked first
    let error = wait(shards.list.delete(&keys)).expect_err("one is down");
    assert!(error.to_string().contains("shard east, done by 2 of 3 shards"), "{error}");
    shards.shard("east").mend();
    let left = wait(shards.list.load(&keys, &[])).expect("all are up").slots;
    let left: Vec<_> = left.iter().map(|slot| slot.record.is_some()).collect();
    assert_eq!(left, [true, false, false]);
}

#[test]
fn of_many_scopes_those_on_shards_that_are_up_are_invalidated() {
    let shards = Shards::new(3);
    let (_, scopes) = shards.one_on_each();
    let before = wait(shards.list.generations(&scopes)).expect("all are up");
    shards.break_down("east");
    shards.break_down("south");
    let error = wait(shards.list.invalidate(&scopes, Severity::Hard)).expect_err("two are down");
    assert!(error.to_string().contains("shard east and south, done by 1 of 3"), "{error}");
    shards.each.iter().for_each(|(_, shard)| shard.mend());
    let after = wait(shards.list.generations(&scopes)).expect("all are up");
    let same: Vec<_> = before.iter().zip(after).map(|(old, new)| *old == new).collect();
    assert_eq!(same, [true, false, true]);
}

#[test]
fn a_clear_reclaims_what_it_can_reach() {
    let shards = Shards::new(3);
    let (keys, _) = shards.one_on_each();
    for key in &keys {
        stored::save(&*shards.list, key.as_str(), stored::record(1, 32)).expect("all are up");
    }
    shards.break_down("east");
    let error = wait(shards.list.clear("one")).expect_err("one is down");
    assert!(error.to_string().contains("done by 2 of 3"), "{error}");
    shards.shard("east").mend();
    assert_eq!(wait(shards.list.clear("one")).expect("all are up"), 1);
}

#[test]
fn a_load_asks_all_shards_before_any_has_answered() {
    let shards = Shards::new(3);
    let (keys, scopes) = shards.one_on_each();
    shards.shard("east").break_down(&[Operation::Load], Fault::Hangs);
    let asked = ["north", "south"].map(|name| watch(&shards, name, Operation::Load));
    assert!(Driven::new(shards.list.load(&keys, &scopes)).poll_times(1).is_pending());
    assert!(asked.iter().all(|asked| asked.load(Ordering::Acquire)));
}

/// Whether the operation is asked of this shard from now on.
fn watch(shards: &Shards, name: &str, operation: Operation) -> Arc<AtomicBool> {
    let asked = Arc::new(AtomicBool::new(false));
    let was_asked = Arc::clone(&asked);
    shards.shard(name).interrupt(operation, move || was_asked.store(true, Ordering::Release));
    asked
}

#[test]
fn a_save_has_the_generations_on_other_shards_kept_and_does_not_depend_on_it() {
    for works in [true, false] {
        let shards = Shards::new(4);
        let key = key(&shards.text_on("north", ""));
        let scopes = ["north", "south"].map(|name| Scope::new(shards.text_on(name, "")));
        wait(shards.list.generations(&scopes)).expect("all are up");
        let kept = NAMES.map(|name| watch(&shards, name, Operation::Keep));
        if !works {
            shards.shard("south").break_down(&[Operation::Keep], Fault::Fails);
        }
        let record = Record::new(&Header::new(shards.list.now()), b"kept").expect("it is short");
        let save = shards.list.save(&key, record.clone(), Some(HOUR), Guard::Always, &scopes);
        assert!(wait(save).expect("the shard of the key is up"));
        let kept = kept.map(|kept| kept.load(Ordering::Acquire));
        assert_eq!(kept, [false, false, true, false], "its own shard hears of it by the save");
        let life = Life { created: shards.list.now(), fresh_for: None, ttl: None };
        let touched = watch(&shards, "south", Operation::Keep);
        assert!(wait(shards.list.touch(&key, record.id(), life, &scopes)).expect("it is up"));
        assert!(touched.load(Ordering::Acquire));
    }
}

static RUNS: Gate = Gate::new();

#[cached(cache = "sharded", timeout = 60, name = "doubled")]
fn doubled(x: u64) -> u64 {
    RUNS.pass();
    x * 2
}

#[test]
fn calls_are_answered_while_a_shard_is_down_and_hit_on_the_others() {
    let _alone = alone();
    let shards = Shards::new(3);
    let cache = shards.cache_with_scopes_on("east", "doubled");
    cache.register("sharded").expect("an alias");
    let runs = || (0..60).filter(|x| runs_of(|| assert_eq!(doubled(*x), x * 2)) > 0).count();
    assert_eq!(runs(), 60);
    cache.enable(false);
    cache.enable(true); // so that what follows asks the shards
    shards.break_down("south");
    let lost = runs();
    assert!((10..30).contains(&lost), "about a third of sixty is computed, not {lost}");
    assert!(cache.stats().store_errors > 0);
    shards.shard("south").mend();
    assert_eq!(runs(), 0);
}

/// How often the body ran meanwhile.
fn runs_of(act: impl FnOnce()) -> usize {
    let before = RUNS.runs();
    act();
    RUNS.runs() - before
}

#[test]
fn an_invalidation_whose_shard_is_down_is_an_error_that_names_it() {
    let _alone = alone();
    let shards = Shards::new(3);
    let cache = shards.cache_with_scopes_on("north", "doubled");
    cache.register("sharded").expect("an alias");
    assert_eq!(doubled(3), 6);
    shards.break_down("north");
    is_of("north", doubled::invalidate_all().wait());
    assert_eq!(runs_of(|| assert_eq!(doubled(3), 6)), 1, "nothing can vouch for what is stored");
    shards.shard("north").mend();
    doubled::invalidate_all().wait().expect("it is back");
    assert_eq!(runs_of(|| assert_eq!(doubled(3), 6)), 1);
}

#[test]
fn a_shard_more_makes_its_part_of_what_is_cached_missing_and_no_more() {
    const MANY: i32 = 2_000;
    let few = Shards::new(3);
    let more = few.and_one_more();
    // What belongs to scopes that stay where they are.
    let stays = |prefix: &String| {
        let scopes = [format!("{prefix}::everything"), format!("{prefix}::prefix:product")];
        scopes.iter().all(|scope| few.list.shard_of(scope) == more.list.shard_of(scope))
    };
    let prefix = (0..10_000).map(|n| format!("shop{n}")).find(stays).expect("about every second");
    let (before, after) = (few.cache(&prefix), more.cache(&prefix));
    for n in 0..MANY {
        before.set(cache_key!("product", n), &n).wait().expect("all are up");
    }
    let kept = (0..MANY).filter(|n| after.get::<i32>(cache_key!("product", *n)).wait().is_ok());
    let missing = 1.0 - f64::from(u32::try_from(kept.count()).unwrap()) / f64::from(MANY);
    assert!((0.22..0.28).contains(&missing), "{missing}");
}

#[test]
fn a_shard_that_hangs_takes_no_longer_than_the_store_may() {
    let _alone = alone();
    let shards = Shards::new(3);
    let store = Arc::clone(&shards.list) as Arc<dyn Store>;
    let patience = Duration::from_millis(50);
    let cache =
        Cache::builder().store(store).store_timeout(patience).build().expect("the defaults");
    cache.register("sharded").expect("an alias");
    for (_, shard) in &shards.each {
        shard.break_down(Operation::ALL, Fault::Hangs);
    }
    let start = std::time::Instant::now();
    assert_eq!(doubled(4), 8);
    assert!(start.elapsed() < Duration::from_secs(1));
}
