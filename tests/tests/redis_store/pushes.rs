//! What the server pushes, and what it does not.

use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use keyedcache::record::{Scope, ScopeId};
use keyedcache::store::{Guard, HolderId, KeyDigest, LeaseToken, RedisStore, Sink, Store};
use keyedcache_tests::drive::wait;
use keyedcache_tests::redis::Options;
use keyedcache_tests::stored::{HOUR, key, record, save, slot};
use keyedcache_tests::watchdog::wait_until;

use crate::ground::{Listener, ground, open};

#[test]
fn delete_by_anybody_is_told() {
    let (server, store) = ground();
    save(&store, "k", record(1, 50)).unwrap();
    slot(&store, "k").unwrap();
    let listener = Listener::on(&store);
    server.command(&["DEL", "k"]);
    wait_until("the push", || listener.knows(&key("k")));
}

/// The server handles a command of this store whenever it makes room.
#[test]
fn what_a_store_has_evicted_by_its_own_saves_is_told_to_it() {
    let server = Options::new().max_memory("4mb", "volatile-ttl").start();
    let store = open(&server.url());
    // Only what has an end is evicted; the generation, too, though a script has made it.
    let scope = Scope::new("s");
    wait(store.generations(std::slice::from_ref(&scope))).unwrap();
    wait(store.save(&key("k"), record(1, 50), Some(HOUR), Guard::Always, &[])).unwrap();
    slot(&store, "k").unwrap();
    let listener = Listener::on(&store);
    let is_there = |name| server.command(&["EXISTS", name]).number() == 1;
    for n in 0.. {
        if !is_there("k") && !is_there("{s}:generation") {
            break;
        }
        // Refused when there is nothing left to evict.
        let _ = save(&store, &format!("large{n}"), record(n, 100_000));
    }
    slot(&store, "other").unwrap();
    assert!(listener.knows(&key("k")) && listener.knows_scope(&scope));
}

/// What the server forgets that it has told, it says has changed; so it does when it is this store
/// that has read too much.
#[test]
fn what_the_server_forgets_that_a_store_has_read_is_told_to_it() {
    const MOST: usize = 100;
    const KEYS: usize = 1000;

    let server = Options::new().directive(&format!("tracking-table-max-keys {MOST}")).start();
    let store = open(&server.url());
    let listener = Listener::on(&store);
    let keys: Vec<_> = (0..KEYS).map(|n| format!("k{n}")).collect();
    for key in &keys {
        slot(&store, key).unwrap();
    }
    slot(&store, "other").unwrap();
    let is_told = |name: &&String| listener.knows(&key(name));
    // Each stands in the table twice, by its record and by its lease.
    let told = keys.iter().filter(is_told).count();
    assert!(told >= KEYS - MOST, "only {told} of {KEYS} were told, and {MOST} may be remembered");
}

/// A write ends the writer's own registration; the script renews it.
#[test]
fn what_was_saved_under_a_lease_is_told_of_without_having_been_read() {
    let (server, store) = ground();
    let token = LeaseToken::random(HolderId::random());
    wait(store.lease(&key("k"), token, HOUR, None)).unwrap();
    assert!(wait(store.save(&key("k"), record(1, 50), None, Guard::Lease(token), &[])).unwrap());
    slot(&store, "other").unwrap(); // what the save itself has pushed comes before
    let listener = Listener::on(&store);
    server.command(&["DEL", "k"]);
    wait_until("the push", || listener.knows(&key("k")));
}

#[test]
fn generation_that_was_just_made_is_told_of() {
    let (server, store) = ground();
    let scope = Scope::new("s");
    wait(store.generations(std::slice::from_ref(&scope))).unwrap();
    slot(&store, "other").unwrap(); // what that itself has pushed comes before
    let listener = Listener::on(&store);
    server.command(&["DEL", "{s}:generation"]);
    wait_until("the push", || listener.knows_scope(&scope));
}

#[test]
fn generation_that_was_extended_is_told_of() {
    let (server, store) = ground();
    let scope = Scope::new("s");
    wait(store.generations(std::slice::from_ref(&scope))).unwrap();
    let week = Some(Duration::from_hours(7 * 24));
    let scopes = [scope.clone()];
    assert!(wait(store.save(&key("k"), record(1, 50), week, Guard::Always, &scopes)).unwrap());
    slot(&store, "other").unwrap(); // what the save itself has pushed comes before
    let listener = Listener::on(&store);
    server.command(&["DEL", "{s}:generation"]);
    wait_until("the push", || listener.knows_scope(&scope));
}

#[test]
fn server_that_is_emptied_is_a_loss() {
    let (server, store) = ground();
    save(&store, "k", record(1, 50)).unwrap();
    slot(&store, "k").unwrap();
    let listener = Listener::on(&store);
    server.command(&["FLUSHALL"]);
    wait_until("the push", || listener.losses() == 1);
    assert!(store.trusted(), "nothing is wrong with the connection");
}

#[test]
fn lost_connection_is_a_loss_and_ends_trust() {
    let (server, store) = ground();
    let listener = Listener::on(&store);
    server.kill();
    wait_until("the loss", || listener.losses() == 1);
    assert!(!store.trusted());
    server.restart();
    wait_until("trust", || store.trusted());
}

/// Asks, when it is told of a loss, whether the store is still trusted.
struct Asking {
    store: Weak<RedisStore>,
    answers: Mutex<Vec<bool>>,
}

impl Sink for Asking {
    fn key_changed(&self, _: KeyDigest) {}

    fn scope_changed(&self, _: ScopeId) {}

    fn lost(&self) {
        let answer = self.store.upgrade().is_some_and(|store| store.trusted());
        self.answers.lock().expect("no test panics inside").push(answer);
    }
}

#[test]
fn nothing_is_trusted_when_the_loss_of_a_connection_is_told() {
    let (server, store) = ground();
    let store = Arc::new(store);
    let asking = Arc::new(Asking { store: Arc::downgrade(&store), answers: Mutex::default() });
    let weak = Arc::downgrade(&asking);
    store.subscribe(HolderId::random(), weak as Weak<dyn Sink>);
    server.command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    wait_until("the loss", || !asking.answers.lock().unwrap().is_empty());
    assert!(!asking.answers.lock().unwrap()[0]);
}

#[test]
fn write_that_was_given_up_is_told() {
    let (server, store) = ground();
    let listener = Listener::on(&store);
    let (k, l) = (key("k"), key("l"));
    drop(store.delete(std::slice::from_ref(&l)));
    assert!(!listener.knows(&l), "never begun");
    server.freeze(); // so that it does not answer before it is given up
    let mut delete = store.delete(std::slice::from_ref(&k));
    let waker = std::task::Waker::noop();
    let polled = delete.as_mut().poll(&mut std::task::Context::from_waker(waker));
    assert!(polled.is_pending());
    drop(delete);
    assert!(listener.knows(&k));
}

#[test]
fn silent_server_is_not_trusted_for_longer_than_asked() {
    let (server, _) = ground();
    let near_trust = Duration::from_millis(500);
    let store =
        crate::ground::connected(crate::ground::patient(&server.url()).near_trust(near_trust));
    let listener = Listener::on(&store);
    server.freeze();
    let start = std::time::Instant::now();
    wait_until("distrust", || !store.trusted());
    assert!(start.elapsed() < near_trust + Duration::from_millis(200), "{:?}", start.elapsed());
    wait_until("the loss", || listener.losses() == 1);
    server.thaw();
    wait_until("trust", || store.trusted());
}

#[test]
fn two_stores_of_one_process_tell_each_other() {
    let (server, store) = ground();
    let other = open(&server.url());
    slot(&store, "k").unwrap();
    let listener = Listener::on(&store);
    save(&other, "k", record(1, 50)).unwrap();
    slot(&store, "k").unwrap();
    assert!(listener.knows(&key("k")), "by the answer that was asked for afterwards");
}
