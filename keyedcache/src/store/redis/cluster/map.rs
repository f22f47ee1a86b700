//! Which primary serves which slots, as a node says it.

use std::collections::BTreeSet;

use redis::Value;

use crate::store::redis::address::Place;
use crate::store::redis::server::text;
use crate::store::redis::slots::SLOTS;

/// A node's answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Map {
    /// Sorted, each once.
    places: Vec<Place>,
    /// For each slot which of them.
    owners: Vec<Option<u16>>,
}

impl Map {
    /// What `CLUSTER SLOTS` answers when it is asked at this place.
    pub(super) fn read(reply: Value, asked: &Place) -> Option<Self> {
        let Value::Array(ranges) = reply else { return None };
        let mut places = Vec::with_capacity(ranges.len());
        let mut owners = vec![None; usize::from(SLOTS)];
        for range in ranges {
            let (first, last, place) = range_of(range, asked)?;
            owners.get_mut(first..=last)?.fill(Some(places.len()));
            places.push(place);
        }
        Some(Self::of(&places, &owners))
    }

    /// The map of these owners, told by where among the places they are.
    fn of(places: &[Place], owners: &[Option<usize>]) -> Self {
        let mut is_used = vec![false; places.len()];
        owners.iter().flatten().for_each(|&at| is_used[at] = true);
        let used =
            places.iter().zip(is_used).filter_map(|(place, is_used)| is_used.then_some(place));
        let sorted: Vec<_> = used.collect::<BTreeSet<_>>().into_iter().cloned().collect();
        let number = |place| {
            let at = sorted.binary_search(place).ok()?;
            u16::try_from(at).ok()
        };
        let numbers: Vec<_> = places.iter().map(number).collect();
        let owners = owners.iter().map(|owner| numbers[(*owner)?]);
        Self { owners: owners.collect(), places: sorted }
    }

    /// Those that serve slots, sorted.
    pub(super) fn places(&self) -> &[Place] {
        &self.places
    }

    /// Which of the places serves a slot.
    pub(super) fn owner(&self, slot: u16) -> Option<usize> {
        self.owners.get(usize::from(slot)).copied().flatten().map(usize::from)
    }

    /// The place that serves a slot.
    pub(super) fn place_of(&self, slot: u16) -> Option<&Place> {
        self.places.get(self.owner(slot)?)
    }

    /// Whether all slots are served.
    pub(super) fn is_whole(&self) -> bool {
        self.owners.iter().all(Option::is_some)
    }

    /// What tells this map from others.
    pub(super) fn fingerprint(&self) -> u64 {
        let mut hasher = xxhash_rust::xxh3::Xxh3::new();
        self.places.iter().for_each(|place| hasher.update(format!("{place} ").as_bytes()));
        for owner in &self.owners {
            hasher.update(&owner.map_or(u16::MAX, |owner| owner).to_le_bytes());
        }
        hasher.digest()
    }

    /// This map, but the slots that it does not know, and those of which `is_kept` says so, are where
    /// they were.
    pub(super) fn after(self, before: &Self, is_kept: impl Fn(u16) -> bool) -> Self {
        let owner = |slot| {
            let now = self.owner(slot);
            let then = before.owner(slot).map(|at| self.places.len() + at);
            if is_kept(slot) { then.or(now) } else { now.or(then) }
        };
        let owners: Vec<_> = (0..SLOTS).map(owner).collect();
        Self::of(&[&*self.places, &before.places].concat(), &owners)
    }
}

/// First and last slot, and the primary of one range.
fn range_of(range: Value, asked: &Place) -> Option<(usize, usize, Place)> {
    let Value::Array(parts) = range else { return None };
    let mut parts = parts.into_iter();
    let mut number = || match parts.next() {
        Some(Value::Int(number)) => usize::try_from(number).ok(),
        _ => None,
    };
    let (first, last) = (number()?, number()?);
    let Some(Value::Array(primary)) = parts.next() else { return None };
    let mut primary = primary.into_iter();
    let host = primary.next().and_then(text).unwrap_or_default();
    let Some(Value::Int(port)) = primary.next() else { return None };
    Some((first, last, place(&host, u16::try_from(port).ok()?, asked)))
}

/// The place of a node; one that does not know its own host is where it was asked.
pub(super) fn place(host: &str, port: u16, asked: &Place) -> Place {
    let host = match (host, asked) {
        ("" | "?", Place::Tcp { host, .. }) => host.clone(),
        _ => host.to_owned(),
    };
    Place::Tcp { host, port }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16) -> Place {
        Place::Tcp { host: "a".to_owned(), port }
    }

    fn range(first: i64, last: i64, host: Value, port: i64) -> Value {
        let node = Value::Array(vec![host, Value::Int(port), Value::Nil, Value::Array(Vec::new())]);
        Value::Array(vec![Value::Int(first), Value::Int(last), node.clone(), node])
    }

    fn host(name: &str) -> Value {
        Value::BulkString(name.as_bytes().to_vec())
    }

    #[test]
    fn owners_are_read() {
        let ranges = vec![range(0, 9, host("a"), 2), range(10, 16383, Value::Nil, 1)];
        let map = Map::read(Value::Array(ranges), &at(7)).unwrap();
        assert_eq!(map.places(), [at(1), at(2)]);
        let owners = [0, 9, 10, 16383].map(|slot| map.place_of(slot).cloned());
        assert_eq!(owners, [at(2), at(2), at(1), at(1)].map(Some));
        assert!(map.is_whole());
    }

    #[test]
    fn nonsense_is_no_map() {
        for wrong in [
            Value::Nil,
            Value::Array(vec![Value::Int(1)]),
            Value::Array(vec![range(0, 99_999, host("a"), 1)]),
            Value::Array(vec![range(9, 0, host("a"), 1)]),
            Value::Array(vec![range(0, 9, host("a"), 99_999)]),
            Value::Array(vec![range(-1, 9, host("a"), 1)]),
        ] {
            assert_eq!(Map::read(wrong.clone(), &at(7)), None, "{wrong:?}");
        }
    }

    #[test]
    fn what_is_kept_or_unknown_stays_where_it_was() {
        let read = |ranges| Map::read(Value::Array(ranges), &at(7)).unwrap();
        let before = read(vec![range(0, 16383, host("a"), 1)]);
        let after = read(vec![range(0, 99, host("a"), 2)]).after(&before, |slot| slot < 10);
        let owners = [0, 9, 10, 99, 100].map(|slot| after.place_of(slot).cloned());
        assert_eq!(owners, [at(1), at(1), at(2), at(2), at(1)].map(Some));
    }
}
