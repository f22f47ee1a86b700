//! Generations that everybody reads have copies, and each invalidation strikes all of them.

use std::collections::HashSet;

use keyedcache::record::Scope;
use keyedcache::store::{Severity, Store};
use keyedcache_tests::drive::wait;
use keyedcache_tests::redis::Server;
use keyedcache_tests::stored::{key, record, save};

use crate::ground::{borne, ground, made};

#[test]
fn every_copy_of_a_generation_is_struck_and_told() {
    let (_cluster, store) = ground();
    let scopes = [Scope::new("a::everything"), Scope::new("a::prefix:f")];
    let keys: Vec<_> = (0..200).map(|n| key(&format!("a:1:f::{n}"))).collect();
    for scope in &scopes {
        let before: Vec<_> = keys.iter().map(|key| made(&store, key, scope)).collect();
        assert_eq!(before.iter().map(|one| one.hard).collect::<HashSet<_>>().len(), 16);
        let severities = [(Severity::Soft, true), (Severity::Hard, false)];
        for (severity, is_hard_kept) in severities {
            wait(store.invalidate(std::slice::from_ref(scope), severity)).unwrap();
            for (key, before) in keys.iter().zip(&before) {
                let now = borne(&store, key, scope).expect("it stands");
                assert_eq!(now.hard == before.hard, is_hard_kept, "{key}");
                assert_ne!(now.soft, before.soft, "{key}");
            }
        }
    }
}

#[test]
fn other_scopes_have_no_copies() {
    let (_cluster, store) = ground();
    let scope = Scope::new("a::prefix:user::7");
    let borne: HashSet<_> =
        (0..50).map(|n| made(&store, &key(&format!("a:1:{n}")), &scope).hard).collect();
    assert_eq!(borne.len(), 1);
}

#[test]
fn a_hit_asks_one_node_two_commands() {
    let (cluster, store) = ground();
    let server = cluster.primary_of_slot(500); // in the middle of the first share of slots
    let scopes = [Scope::new("a::everything"), Scope::new("a::prefix:f")];
    // Where the shares of two nodes meet, two are asked.
    let is_inside = |slot: u16| slot < 5 * 1024;
    let key = (0..1000)
        .map(|n| key(&format!("a:1:f::{n}")))
        .find(|key| is_inside(cluster.slot_of(key.as_str())))
        .expect("there are many");
    made(&store, &key, &scopes[0]);
    made(&store, &key, &scopes[1]);
    save(&store, key.as_str(), record(1, 50)).unwrap();
    cluster.servers().iter().for_each(Server::reset_calls);
    let scopes = store.scopes_for(&key, &scopes);
    let found = wait(store.load(std::slice::from_ref(&key), &scopes)).unwrap();
    assert!(found.generations.iter().all(Option::is_some) && found.slots[0].record.is_some());
    for one in cluster.servers() {
        let mgets = one.calls().get("mget").copied().unwrap_or_default();
        assert_eq!(mgets, if one.port() == server.port() { 2 } else { 0 });
    }
}
