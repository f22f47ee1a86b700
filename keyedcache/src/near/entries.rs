//! A bounded map that is read far more often than written, and by every thread at once.
//!
//! Readers take no lock and wait for nobody: the map is [`papaya`]'s, and what it gives up is freed
//! when no reader can hold it any more ([`seize`]): at once what is replaced, and of a large map what is
//! evicted, some dozens of evictions of the same thread later. A lock a shard,
//! as concurrent caches have it, was a quarter of a hit on one thread and more on two. Writers take
//! the lock of [`Order`], which says what has to go; they have just come back from a store.

use std::cell::Cell;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher};
use std::sync::{Arc, LazyLock};

use foldhash::fast::RandomState;
use papaya::{Guard as _, HashMap, LocalGuard};
use parking_lot::Mutex;
use seize::Collector;

use super::order::{Order, Uses};

/// At most so many entries by the hashes of their keys; of more, the least useful are evicted.
///
/// Keys themselves are their owners' business, so that this is compiled once, and not for every list
/// of arguments: who finds an entry looks whether it is the one that was meant. Of two keys of one
/// hash, which is as likely as 64 coins that fall alike, the later takes the place of the earlier.
pub(crate) struct Entries<E> {
    map: HashMap<u64, Slot<E>, BuildHasherDefault<AsItIs>>,
    hasher: RandomState,
    order: Mutex<Order>,
}

/// An entry, and how often it was used.
pub(crate) struct Slot<E> {
    pub(super) entry: E,
    uses: Uses,
}

impl<E> Slot<E> {
    /// Counts one use; to be done before a value is cloned: while threads hit one entry, the count of
    /// references to its value travels from core to core, and should be given back before it goes on.
    #[inline]
    pub(super) fn count_use(&self) {
        self.uses.count();
    }
}

impl<E> Entries<E> {
    /// At least one of them is kept. What they give up, `collecting` frees.
    pub(crate) fn new(capacity: usize, collecting: &Collecting) -> Self
    where
        E: Send + 'static,
    {
        Self {
            map: collecting.map(),
            hasher: RandomState::default(),
            order: Mutex::new(Order::new(capacity)),
        }
    }

    /// What hashes a key.
    #[inline]
    pub(crate) fn hasher(&self) -> impl Hasher + use<E> {
        self.hasher.build_hasher()
    }

    /// The hash of a key.
    pub(crate) fn hash_of(&self, key: &(impl Hash + ?Sized)) -> u64 {
        self.hasher.hash_one(key)
    }

    /// What keeps alive all that is found with it; `None` when this thread is about to end.
    #[inline]
    pub(crate) fn read(&self) -> Option<LocalGuard<'_>> {
        guard(&self.map)
    }

    /// The entry under this hash, if there is one.
    #[inline]
    pub(crate) fn find<'r>(&self, hash: u64, reading: &'r LocalGuard<'_>) -> Option<&'r Slot<E>>
    where
        Self: 'r,
    {
        self.map.get(&hash, reading)
    }

    /// What `take` makes of the entry under this hash, if there is one that `serves`.
    pub(crate) fn get<T>(
        &self,
        hash: u64,
        serves: impl FnOnce(&E) -> bool,
        take: impl FnOnce(&E) -> T,
    ) -> Option<T> {
        let reading = self.read()?;
        let slot = self.find(hash, &reading)?;
        serves(&slot.entry).then(|| {
            slot.count_use();
            take(&slot.entry)
        })
    }

    /// Inserts the entry, in the place of the one under this hash if there is one.
    pub(crate) fn insert(&self, hash: u64, entry: E) {
        let Some(guard) = guard(&self.map) else { return };
        let uses_of = |hash| self.map.get(&hash, &guard).map(|slot| &slot.uses);
        // Made anew, an answer is as useful as it was.
        let uses = uses_of(hash).cloned().unwrap_or_default();
        if self.map.insert(hash, Slot { entry, uses }, &guard).is_some() {
            // Where few answers are made again and again, those before shall not add up.
            return guard.flush();
        }
        let (evicted, capacity) = {
            let mut order = self.order.lock();
            (order.enter(hash, uses_of), order.capacity())
        };
        // After the lock is given back: what is dropped is the user's, and may ask for more.
        if let Some(hash) = evicted {
            self.map.remove(&hash, &guard);
            if capacity <= FEW {
                guard.flush();
            }
        }
    }

    /// Holds at most so many from now on; one at least.
    pub(crate) fn hold(&self, capacity: usize) {
        let Some(guard) = guard(&self.map) else { return };
        let uses_of = |hash| self.map.get(&hash, &guard).map(|slot| &slot.uses);
        let excess = || self.order.lock().hold(capacity, uses_of);
        while let Some(hash) = excess() {
            self.map.remove(&hash, &guard);
        }
    }
}

/// One value that stands beside entries and is read under their guard.
pub(super) struct Beside<B>(HashMap<(), B, BuildHasherDefault<AsItIs>>, Collecting);

impl<B: Send + 'static> Beside<B> {
    /// `collecting` must be that of the entries.
    pub(super) fn new(collecting: &Collecting) -> Self {
        Self(collecting.map(), collecting.clone())
    }

    /// The value, if there is one.
    #[inline]
    pub(super) fn get<'g>(&self, guard: &'g LocalGuard<'_>) -> Option<&'g B> {
        self.0.get(&(), guard)
    }

    /// Puts the value there if there is none; whether the one that is there now is the one `meant`.
    pub(super) fn offer(&self, value: B, meant: impl FnOnce(&B) -> bool) -> bool {
        guard(&self.0).is_some_and(|guard| meant(self.0.get_or_insert((), value, &guard)))
    }

    /// Takes away the value that is `meant`, and has it dropped as soon as nobody reads it.
    pub(super) fn clear(&self, meant: impl Fn(&B) -> bool) {
        let Some(guard) = guard(&self.0) else { return };
        if let Ok(Some(_)) = self.0.remove_if(&(), |(), value| meant(value), &guard) {
            self.1.collect(&guard);
        }
    }
}

/// What frees that which maps gave up, when no reader can hold it any more.
#[derive(Clone)]
pub(crate) struct Collecting(Arc<Collector>);

/// So much is given up before a thread tries to free any of it.
pub(super) const BATCH: usize = 32;

/// Of so few entries what a thread gives up is freed at once: a batch would be as much again.
const FEW: usize = 8 * BATCH;

impl Collecting {
    /// One of its own: what its maps have given up is freed with the last of them.
    pub(crate) fn own() -> Self {
        Self(Arc::new(Collector::new().batch_size(BATCH)))
    }

    /// One for all maps that live as long as the process.
    pub(super) fn shared() -> &'static Self {
        static SHARED: LazyLock<Collecting> = LazyLock::new(Collecting::own);
        &SHARED
    }

    fn map<K: Send + 'static, V: Send + 'static>(
        &self,
    ) -> HashMap<K, V, BuildHasherDefault<AsItIs>> {
        let builder = HashMap::builder().shared_collector(Arc::clone(&self.0));
        builder.hasher(BuildHasherDefault::default()).build()
    }

    /// Frees what this thread has had given up, as soon as nobody reads it.
    fn collect(&self, guard: &LocalGuard<'_>) {
        // Only a batch that is full is sure to be taken.
        let full = self.map();
        for _ in 0..=BATCH {
            full.insert((), (), guard);
        }
        guard.flush();
    }
}

#[inline]
fn guard<K, V, S>(map: &HashMap<K, V, S>) -> Option<LocalGuard<'_>> {
    (STAGE.get() == Stage::Reading || settle(|| drop(map.guard()))).then(|| map.guard())
}

/// What a thread's destructors may find: guards, or, after the one that ends them, none.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    New,
    Reading,
    Ended,
}

thread_local! {
    static STAGE: Cell<Stage> = const { Cell::new(Stage::New) };
    static END: End = const { End };
}

/// Dropped before what guards stand on: destructors run in the reverse order of first use.
struct End;

impl Drop for End {
    fn drop(&mut self) {
        STAGE.set(Stage::Ended);
    }
}

#[cold]
fn settle(use_guards: impl FnOnce()) -> bool {
    if STAGE.get() == Stage::New {
        use_guards();
        let stage = if END.try_with(|_| ()).is_ok() { Stage::Reading } else { Stage::Ended };
        STAGE.set(stage);
    }
    STAGE.get() == Stage::Reading
}

/// Hashes what is a hash already.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    #[inline]
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only hashes are hashed")
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}
