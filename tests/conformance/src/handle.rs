//! One handle to the storage under test, with every operation as a call that returns when it is
//! done: cases read as what they show, and run on plain threads.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use keyedcache::Error;
use keyedcache::record::Life;
use keyedcache::record::{Generation, Record, RecordId, Scope};
use keyedcache::store::{
    Capabilities, Guard, HolderId, Incremented, LeaseToken, Leasing, Loaded, Pending, Release,
    Severity, Sink, Slot, Store, StoredKey, Ttl,
};

use crate::subject::HOUR;

/// After this long an operation is taken to hang, and the case fails.
const HANGS: Duration = Duration::from_mins(1);

/// How many keys a scan asks for at once: few, so that there are many pages.
const PAGE: usize = 7;

/// One handle to the storage under test.
#[derive(Clone, Debug)]
pub struct Handle(Arc<dyn Store>);

impl Handle {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self(store)
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &*self.0
    }

    pub(crate) fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    pub(crate) fn load_all(&self, keys: &[StoredKey], scopes: &[Scope]) -> Loaded {
        let loaded = done("load", self.0.load(keys, scopes));
        if let [key] = keys {
            self.shows_what_it_loads(key, scopes, &loaded);
        }
        loaded
    }

    /// What a store shows is what it loads; it may show nothing.
    fn shows_what_it_loads(&self, key: &StoredKey, scopes: &[Scope], loaded: &Loaded) {
        let mut seen = None;
        let shown = self.0.show(key.as_str(), scopes, &mut |record, generations| {
            seen = Some((record.to_vec(), generations.to_vec()));
        });
        assert_eq!(shown, seen.is_some(), "show says whether it has shown anything");
        let Some((record, generations)) = seen else { return };
        // Others may write meanwhile: only what nothing has come between must agree.
        if done("load", self.0.load(std::slice::from_ref(key), scopes)) == *loaded {
            let slot = loaded.slots.first().expect("load gives one slot for one key");
            let loaded_record = slot.record.as_ref().map(|record| record.bytes().to_vec());
            assert_eq!(Some(record), loaded_record, "show and load find the same record");
            assert_eq!(generations, loaded.generations, "show and load find the same generations");
        }
    }

    pub(crate) fn load(&self, key: &StoredKey) -> Slot {
        let mut slots = self.load_all(std::slice::from_ref(key), &[]).slots;
        assert_eq!(slots.len(), 1, "load gives one slot for one key");
        slots.remove(0)
    }

    /// The id of the record that stands under the key.
    pub(crate) fn id(&self, key: &StoredKey) -> Option<RecordId> {
        self.load(key).record.map(|record| record.id())
    }

    pub(crate) fn try_save(
        &self,
        key: &StoredKey,
        record: &Record,
        ttl: Ttl,
        guard: Guard,
    ) -> Result<bool, Error> {
        block_on(self.0.save(key, record.clone(), ttl, guard, &[]))
    }

    pub(crate) fn save(&self, key: &StoredKey, record: &Record, guard: Guard) -> bool {
        done("save", self.0.save(key, record.clone(), None, guard, &[]))
    }

    /// Saves whatever stands there, for ever.
    pub(crate) fn put(&self, key: &StoredKey, record: &Record) {
        self.put_for(key, record, None);
    }

    pub(crate) fn put_for(&self, key: &StoredKey, record: &Record, ttl: Ttl) {
        let saved = done("save", self.0.save(key, record.clone(), ttl, Guard::Always, &[]));
        assert!(saved, "a save that nothing guards takes place");
    }

    pub(crate) fn delete(&self, keys: &[StoredKey]) -> usize {
        done("delete", self.0.delete(keys))
    }

    pub(crate) fn lease(
        &self,
        key: &StoredKey,
        token: LeaseToken,
        ttl: Duration,
        seen: Option<RecordId>,
    ) -> Leasing {
        done("lease", self.0.lease(key, token, ttl, seen))
    }

    /// A new holder's lease on the key as it stands, for an hour.
    pub(crate) fn leased(&self, key: &StoredKey) -> LeaseToken {
        self.leased_for(key, HOUR)
    }

    pub(crate) fn leased_for(&self, key: &StoredKey, ttl: Duration) -> LeaseToken {
        let token = LeaseToken::random(HolderId::random());
        let answer = self.lease(key, token, ttl, self.id(key));
        assert_eq!(answer, Leasing::Granted, "a free key is leased to the first who asks");
        token
    }

    pub(crate) fn renew(&self, key: &StoredKey, token: LeaseToken, ttl: Duration) -> bool {
        done("renew", self.0.renew(key, token, ttl))
    }

    pub(crate) fn release(&self, key: &StoredKey, token: LeaseToken, release: Release) -> bool {
        done("release", self.0.release(key, token, release))
    }

    /// The wait for the lease to end, not begun.
    pub(crate) fn changed<'a>(
        &'a self,
        key: &'a StoredKey,
        lease: LeaseToken,
        at_most: Duration,
    ) -> Pending<'a, ()> {
        self.0.changed(key, lease, at_most)
    }

    pub(crate) fn generations(&self, scopes: &[Scope]) -> Vec<Generation> {
        let generations = done("generations", self.0.generations(scopes));
        assert_eq!(generations.len(), scopes.len(), "one generation for each scope");
        generations
    }

    pub(crate) fn generation(&self, scope: &Scope) -> Generation {
        self.generations(std::slice::from_ref(scope))[0]
    }

    /// The generation as a load finds it.
    pub(crate) fn loaded_generation(&self, scope: &Scope) -> Option<Generation> {
        let generations = self.load_all(&[], std::slice::from_ref(scope)).generations;
        assert_eq!(generations.len(), 1, "load gives one generation for one scope");
        generations[0]
    }

    pub(crate) fn invalidate(&self, scopes: &[Scope], severity: Severity) {
        done("invalidate", self.0.invalidate(scopes, severity));
    }

    pub(crate) fn touch(&self, key: &StoredKey, seen: RecordId, life: Life) -> bool {
        done("touch", self.0.touch(key, seen, life, &[]))
    }

    /// The life of a record that begins now.
    pub(crate) fn life(&self, fresh_for: Ttl, ttl: Ttl) -> Life {
        Life { created: self.0.now(), fresh_for, ttl }
    }

    pub(crate) fn try_increment(
        &self,
        key: &StoredKey,
        seen: RecordId,
        by: i64,
    ) -> Result<Incremented, Error> {
        block_on(self.0.increment(key, seen, by))
    }

    pub(crate) fn increment(&self, key: &StoredKey, seen: RecordId, by: i64) -> Incremented {
        done("increment", self.0.increment(key, seen, by))
    }

    /// Every page's keys, one after another, doubles and all. Calls `between` after each page.
    pub(crate) fn scan_and(&self, prefix: &str, mut between: impl FnMut(usize)) -> Vec<StoredKey> {
        let mut keys = Vec::new();
        let mut from: Option<String> = None;
        for page_number in 0..10_000 {
            let page = done("scan", self.0.scan(prefix, from.as_deref(), PAGE));
            keys.extend(page.keys);
            from = page.next;
            if from.is_none() {
                return keys;
            }
            between(page_number);
        }
        panic!("a scan of a few keys did not end after ten thousand pages");
    }

    pub(crate) fn scan(&self, prefix: &str) -> Vec<StoredKey> {
        self.scan_and(prefix, |_| ())
    }

    pub(crate) fn clear(&self, prefix: &str) -> usize {
        done("clear", self.0.clear(prefix))
    }

    pub(crate) fn subscribe(&self, holder: HolderId, sink: Weak<dyn Sink>) {
        self.0.subscribe(holder, sink);
    }

    /// Returns once the store says that all changes so far have been told.
    pub(crate) fn catch_up(&self) {
        let start = Instant::now();
        while !self.0.trusted() {
            assert!(start.elapsed() < HANGS, "a store that pushes is trusted sooner or later");
            thread::sleep(Duration::from_millis(1));
        }
    }
}

fn done<T>(operation: &str, pending: Pending<'_, T>) -> T {
    block_on(pending).unwrap_or_else(|error| panic!("{operation} failed: {error:?}"))
}

struct Unpark {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// Runs a future to its end on this thread.
///
/// That it was woken is kept apart from the thread's park token, which what the future does inside a
/// poll (receiving from a std channel, say) may use up.
///
/// # Panics
///
/// If it hangs.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let start = Instant::now();
    let unpark = Arc::new(Unpark { thread: thread::current(), woken: AtomicBool::new(false) });
    let waker = Waker::from(Arc::clone(&unpark));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(answer) = future.as_mut().poll(&mut context) {
            return answer;
        }
        while !unpark.woken.swap(false, Ordering::Acquire) {
            let left = HANGS.checked_sub(start.elapsed());
            thread::park_timeout(left.expect("no operation takes longer than a minute"));
        }
    }
}

/// Whether a future is done after one poll. To be run to its end by [`block_on`].
pub(crate) fn is_ready<F: Future + Unpin>(future: &mut F) -> bool {
    pin!(future).poll(&mut Context::from_waker(Waker::noop())).is_ready()
}
