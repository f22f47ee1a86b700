use super::*;
use crate::record::{Generation, Header, ScopeId};
use crate::store::HolderId;

const NOW: Moment = Moment::from_micros(1_700_000_000_000_000);

fn record(codec: CodecId, payload: &[u8]) -> Record {
    let mut header = Header::new(NOW);
    header.codec = codec;
    header.stamp = [(ScopeId([7; 16]), Generation::random())].into_iter().collect();
    header.tags = vec!["catalog".to_owned()];
    Record::new(&header, payload).unwrap()
}

fn key() -> StoredKey {
    StoredKey::new("shop:1:product::\"7\"")
}

fn places() -> Vec<Place> {
    let token = LeaseToken::random(HolderId::random());
    let json = record(CodecId::JSON, br#"{"name":"chair","tags":["a","b"]}"#);
    let records = [
        json,
        record(CodecId::COUNTER, b"-42"),
        record(CodecId::MESSAGE_PACK, &[0, 255, b'\n', b'}', 8]),
        record(CodecId::BYTES, b""),
        record(CodecId::JSON, b""),
        Record::from_bytes(Bytes::from_static(b"rubbish\n\n")),
        Record::from_bytes(Bytes::new()),
    ];
    let mut places = vec![Place::empty(key())];
    for record in records {
        for until in [NOW.plus(Duration::from_mins(1)), Moment::NEVER] {
            places.push(Place::with_record(key(), record.clone(), until));
        }
    }
    for place in places.clone() {
        let leased = place.clone().leased(token, NOW.plus(Duration::from_secs(5)));
        let under = Some(GenerationToken([9; 16]));
        places.push(Place { under, ..place });
        places.push(leased.clone().declined(NOW));
        places.push(leased);
    }
    places
}

#[test]
fn whatever_is_written_is_read_back() {
    for place in places() {
        let id = WriteId::random();
        let body = write(&place, id, NOW);
        let back = read(&key(), &body);
        assert_eq!((back.write, &back.place), (Some(id), &place), "{body:?}");
        let start = &body[..body.len().min(4_096)];
        let head = read_head(start).unwrap();
        assert_eq!((head.write, head.place.lease), (id, place.lease));
        assert_eq!(head.place.declined_until, place.declined_until);
        assert_eq!(head.place.record.is_some(), place.record.is_some());
    }
}

#[test]
fn equal_places_written_twice_are_different_bodies() {
    for place in places() {
        assert_ne!(write(&place, WriteId::random(), NOW), write(&place, WriteId::random(), NOW));
    }
}

#[test]
fn json_value_is_one_document_with_readable_parts() {
    let until = NOW.plus(Duration::from_mins(1));
    let place = Place::with_record(key(), record(CodecId::JSON, br#"{"a":[1,2]}"#), until);
    let body = write(&place, WriteId::random(), NOW);
    let text = std::str::from_utf8(&body).unwrap().trim_end();
    let people = &text[text.find(",\"key\"").unwrap()..];
    assert_eq!(
        people,
        ",\"key\":\"shop:1:product::\\\"7\\\"\",\"created\":\"2023-11-14T22:13:20.000Z\",\
         \"expires\":\"2023-11-14T22:14:20.000Z\",\"value\":{\"a\":[1,2]}}"
    );
}

#[test]
#[cfg(feature = "json")]
fn every_document_parses() {
    for place in places() {
        let body = write(&place, WriteId::random(), NOW);
        if body.starts_with(b"{") {
            let document: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(document["key"], key().as_str());
        }
    }
}

#[test]
fn size_tells_the_class() {
    let token = LeaseToken::random(HolderId::random());
    let bytes = record(CodecId::BYTES, b"bytes");
    let kept = |until| Place::with_record(key(), bytes.clone(), until);
    let minute = kept(NOW.plus(Duration::from_mins(1)));
    for (place, class) in [
        (minute.clone(), telltale::class_of_record(Some(Duration::from_mins(1)))),
        (kept(Moment::NEVER), telltale::class_of_record(None)),
        (minute.leased(token, Moment::NEVER), telltale::class_of_anything()),
        (Place::empty(key()), telltale::class_of_anything()),
    ] {
        let body = write(&place, WriteId::random(), NOW);
        assert_eq!(body.len() % telltale::CLASSES, class);
    }
}

#[test]
fn what_is_foreign_cut_off_or_of_another_key_is_a_record_nobody_can_decode() {
    let foreign = |body: Bytes| {
        let read = read(&key(), &body);
        assert_eq!(read.write, None);
        assert_eq!(read.place.record.as_ref().unwrap().record.bytes(), &body);
    };
    foreign(Bytes::new());
    foreign(Bytes::from_static(b"{\"keyedcache\":\"zz\"}"));
    for place in places() {
        let body = write(&place, WriteId::random(), NOW);
        for cut in [0, 1, 3, 15, 40, 90] {
            foreign(body.slice(..cut));
        }
        let mut damaged = body.to_vec();
        damaged[30] ^= 1;
        foreign(damaged.into());
        assert_eq!(read(&StoredKey::new("other"), &body).write, None);
    }
}
