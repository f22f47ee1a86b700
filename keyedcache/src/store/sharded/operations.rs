//! Which shards each operation asks.

use std::borrow::Cow;
use std::sync::Weak;
use std::time::Duration;

use super::ShardedStore;
use super::place::{Part, Shard, Share, falls_to};
use super::together::{beside, together};
use crate::clock::{Clock, Moment};
use crate::error::{Error, ErrorKind};
use crate::record::{Generation, Life, Record, RecordId, Scope};
use crate::store::{
    Capabilities, Guard, HolderId, Incremented, LeaseToken, Leasing, Loaded, Page, Pending,
    Release, See, Severity, Sink, Slot, Store, StoredKey, Ttl,
};

impl ShardedStore {
    fn place_of(&self, key: &StoredKey) -> usize {
        falls_to(&self.shards, key.as_str())
    }

    /// Asks the shard of a key.
    fn ask<'a, T: Send + 'a>(
        &'a self,
        key: &StoredKey,
        ask: impl FnOnce(&'a dyn Store) -> Pending<'a, T>,
    ) -> Pending<'a, T> {
        let shard = &self.shards[self.place_of(key)];
        let asked = ask(&*shard.store);
        Box::pin(async move { asked.await.map_err(|error| shard.blamed(error)) })
    }

    /// Asks every shard that has a share in it for that, and gives each answer with its share.
    async fn ask_each<'a, S: Part, T: Send>(
        &'a self,
        shares: &'a [S],
        ask: impl Fn(&'a dyn Store, &'a S) -> Pending<'a, T>,
    ) -> Result<Vec<(&'a S, T)>, Error> {
        let concerned = || self.shards.iter().zip(shares).filter(|(_, share)| !share.is_empty());
        let answers =
            together(concerned().map(|(shard, share)| (shard, ask(&*shard.store, share))));
        let answers = answers.await?;
        Ok(concerned().map(|(_, share)| share).zip(answers).collect())
    }

    fn shares_of_keys(&self, keys: &[StoredKey]) -> Vec<Share<StoredKey>> {
        Share::of_each(&self.shards, keys, StoredKey::as_str)
    }

    fn shares_of_scopes(&self, scopes: &[Scope]) -> Vec<Share<Scope>> {
        Share::of_each(&self.shards, scopes, Scope::text)
    }

    /// Asks the shard of each key and of each scope for it, as `ask` does.
    async fn read(
        &self,
        keys: &[StoredKey],
        scopes: &[Scope],
        ask: impl for<'s> Fn(&'s dyn Store, &'s [StoredKey], &'s [Scope]) -> Pending<'s, Loaded>,
    ) -> Result<Loaded, Error> {
        let (of_keys, of_scopes) = (self.shares_of_keys(keys), self.shares_of_scopes(scopes));
        let shares: Vec<_> = of_keys.into_iter().zip(of_scopes).collect();
        let answers = self.ask_each(&shares, |store, (keys, scopes): &(Share<_>, Share<_>)| {
            ask(store, &keys.items, &scopes.items)
        });
        let mut whole = Loaded {
            slots: vec![Slot::default(); keys.len()],
            generations: vec![None; scopes.len()],
        };
        for ((keys, scopes), loaded) in answers.await? {
            keys.put_back(loaded.slots, &mut whole.slots);
            scopes.put_back(loaded.generations, &mut whole.generations);
        }
        Ok(whole)
    }

    /// Has the shards but one keep the generations that are theirs for `ttl`.
    ///
    /// That one fails is only told: when the generations end before the record, it is missing.
    async fn keep_elsewhere(&self, shares: &[Share<Scope>], but: usize, ttl: Ttl) {
        let others = self
            .shards
            .iter()
            .zip(shares)
            .enumerate()
            .filter(|(place, (_, share))| *place != but && !share.is_empty());
        let kept = others.map(|(_, (shard, share))| (shard, shard.store.keep(&share.items, ttl)));
        if let Err(error) = together(kept).await {
            tracing::debug!(target: "keyedcache", %error, "generations may end before a record");
        }
    }

    /// The shard at which a scan goes on, and the page there.
    fn resume<'a>(&self, from: Option<&'a str>) -> Result<(usize, Option<&'a str>), Error> {
        let Some(from) = from else {
            return Ok((0, None));
        };
        let (digest, page) = match from.split_once(':') {
            Some((digest, page)) => (digest, Some(page)),
            None => (from, None),
        };
        let digest = u64::from_str_radix(digest, 16).ok();
        let place = self.shards.iter().position(|shard| Some(shard.digest) == digest);
        place.map(|place| (place, page)).ok_or_else(|| {
            let why = "the page is none of these shards'; begin the scan anew";
            Error::new(ErrorKind::Unsupported, "scan", why).with("store", &self.name)
        })
    }

    /// What to pass to go on after a page of the shard at `place`.
    fn next(&self, place: usize, page: Option<String>) -> Option<String> {
        match page {
            Some(page) => Some(format!("{:016x}:{page}", self.shards[place].digest)),
            None => self.shards.get(place + 1).map(|shard| format!("{:016x}", shard.digest)),
        }
    }
}

#[deny(clippy::missing_trait_methods)]
impl Store for ShardedStore {
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    /// The clock of the shard whose name sorts first, in every process.
    fn now(&self) -> Moment {
        self.shards[0].store.now()
    }

    fn load<'a>(&'a self, keys: &'a [StoredKey], scopes: &'a [Scope]) -> Pending<'a, Loaded> {
        Box::pin(self.read(keys, scopes, |store, keys, scopes| store.load(keys, scopes)))
    }

    fn glance<'a>(&'a self, keys: &'a [StoredKey], scopes: &'a [Scope]) -> Pending<'a, Loaded> {
        Box::pin(self.read(keys, scopes, |store, keys, scopes| store.glance(keys, scopes)))
    }

    /// Only where one shard has all that is asked for.
    fn show(&self, key: &str, scopes: &[Scope], see: &mut See<'_>) -> bool {
        let place = falls_to(&self.shards, key);
        let has_all = scopes.iter().all(|scope| falls_to(&self.shards, scope.text()) == place);
        has_all && self.shards[place].store.show(key, scopes, see)
    }

    fn save<'a>(
        &'a self,
        key: &'a StoredKey,
        record: Record,
        ttl: Ttl,
        guard: Guard,
        scopes: &'a [Scope],
    ) -> Pending<'a, bool> {
        Box::pin(async move {
            let (place, shares) = (self.place_of(key), self.shares_of_scopes(scopes));
            let shard = &self.shards[place];
            let save = shard.store.save(key, record, ttl, guard, &shares[place].items);
            let saved = beside(save, self.keep_elsewhere(&shares, place, ttl)).await;
            saved.map_err(|error| shard.blamed(error))
        })
    }

    fn delete<'a>(&'a self, keys: &'a [StoredKey]) -> Pending<'a, usize> {
        Box::pin(async move {
            let shares = self.shares_of_keys(keys);
            let answers = self.ask_each(&shares, |store, share| store.delete(&share.items));
            Ok(answers.await?.into_iter().map(|(_, deleted)| deleted).sum())
        })
    }

    fn lease<'a>(
        &'a self,
        key: &'a StoredKey,
        token: LeaseToken,
        ttl: Duration,
        seen: Option<RecordId>,
    ) -> Pending<'a, Leasing> {
        self.ask(key, |store| store.lease(key, token, ttl, seen))
    }

    fn renew<'a>(
        &'a self,
        key: &'a StoredKey,
        token: LeaseToken,
        ttl: Duration,
    ) -> Pending<'a, bool> {
        self.ask(key, |store| store.renew(key, token, ttl))
    }

    fn release<'a>(
        &'a self,
        key: &'a StoredKey,
        token: LeaseToken,
        release: Release,
    ) -> Pending<'a, bool> {
        self.ask(key, |store| store.release(key, token, release))
    }

    fn changed<'a>(
        &'a self,
        key: &'a StoredKey,
        lease: LeaseToken,
        at_most: Duration,
    ) -> Pending<'a, ()> {
        self.ask(key, |store| store.changed(key, lease, at_most))
    }

    fn subscribe(&self, holder: HolderId, sink: Weak<dyn Sink>) {
        for shard in &self.shards {
            shard.store.subscribe(holder, Weak::clone(&sink));
        }
    }

    /// Whether every shard is; each is asked, since it may be in asking that it tells.
    fn trusted(&self) -> bool {
        self.trusted_at(Clock::system().coarse_now())
    }

    fn trusted_at(&self, now: Moment) -> bool {
        let mut all = true;
        for shard in &self.shards {
            all &= shard.store.trusted_at(now);
        }
        all
    }

    /// Its generations are apart from its records, so that no record of a shard bears a copy.
    fn scopes_for<'a>(&self, _: &StoredKey, scopes: &'a [Scope]) -> Cow<'a, [Scope]> {
        Cow::Borrowed(scopes)
    }

    fn generations<'a>(&'a self, scopes: &'a [Scope]) -> Pending<'a, Vec<Generation>> {
        Box::pin(async move {
            let shares = self.shares_of_scopes(scopes);
            let answers = self.ask_each(&shares, |store, share| store.generations(&share.items));
            let mut whole = vec![None; scopes.len()];
            for (share, generations) in answers.await? {
                share.put_back(generations.into_iter().map(Some), &mut whole);
            }
            whole.into_iter().collect::<Option<_>>().ok_or_else(|| {
                let why = "a shard gave fewer generations than it was asked for";
                Error::new(ErrorKind::Unavailable, "read generations", why)
                    .with("store", &self.name)
            })
        })
    }

    fn invalidate<'a>(&'a self, scopes: &'a [Scope], severity: Severity) -> Pending<'a, ()> {
        Box::pin(async move {
            let shares = self.shares_of_scopes(scopes);
            let answers =
                self.ask_each(&shares, |store, share| store.invalidate(&share.items, severity));
            answers.await.map(|_| ())
        })
    }

    fn keep<'a>(&'a self, scopes: &'a [Scope], ttl: Ttl) -> Pending<'a, ()> {
        Box::pin(async move {
            let shares = self.shares_of_scopes(scopes);
            let answers = self.ask_each(&shares, |store, share| store.keep(&share.items, ttl));
            answers.await.map(|_| ())
        })
    }

    fn touch<'a>(
        &'a self,
        key: &'a StoredKey,
        seen: RecordId,
        life: Life,
        scopes: &'a [Scope],
    ) -> Pending<'a, bool> {
        Box::pin(async move {
            let (place, shares) = (self.place_of(key), self.shares_of_scopes(scopes));
            let shard = &self.shards[place];
            let touch = shard.store.touch(key, seen, life, &shares[place].items);
            let touched = beside(touch, self.keep_elsewhere(&shares, place, life.ttl)).await;
            touched.map_err(|error| shard.blamed(error))
        })
    }

    fn increment<'a>(
        &'a self,
        key: &'a StoredKey,
        seen: RecordId,
        by: i64,
    ) -> Pending<'a, Incremented> {
        self.ask(key, |store| store.increment(key, seen, by))
    }

    /// One shard's pages after another's; a page may be empty.
    fn scan<'a>(
        &'a self,
        prefix: &'a str,
        from: Option<&'a str>,
        limit: usize,
    ) -> Pending<'a, Page> {
        Box::pin(async move {
            let (place, from) = self.resume(from)?;
            let shard = &self.shards[place];
            let page = shard.store.scan(prefix, from, limit).await;
            let page = page.map_err(|error| shard.blamed(error))?;
            Ok(Page { keys: page.keys, next: self.next(place, page.next) })
        })
    }

    fn clear<'a>(&'a self, prefix: &'a str) -> Pending<'a, usize> {
        let clear = |shard: &'a Shard| (shard, shard.store.clear(prefix));
        let cleared = together(self.shards.iter().map(clear));
        Box::pin(async move { Ok(cleared.await?.into_iter().sum()) })
    }

    fn require(&self) -> Pending<'_, ()> {
        let required = together(self.shards.iter().map(|shard| (shard, shard.store.require())));
        Box::pin(async move { required.await.map(|_| ()) })
    }
}
