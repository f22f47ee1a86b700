//! A part and its owned identity hash and compare alike, for every family of types.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, LinkedList, VecDeque};
use std::ffi::{CStr, CString, OsStr, OsString};
use std::net::SocketAddr;
use std::ops::Bound;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_assert_eq, proptest};

use super::model::{Choices, Recorder};
use crate::key::{Key, KeyPart, KeyParts, part_text};

fn hashed<P: KeyPart + ?Sized>(part: &P) -> Recorder {
    let mut recorder = Recorder::default();
    part.hash_identity(&mut recorder);
    recorder
}

/// Two parts of one identity type agree in text, identity and hash, or differ in text and identity.
/// Says whether they agree.
#[track_caller]
fn agree<P, Q>(one: &P, other: &Q) -> bool
where
    P: KeyPart + ?Sized,
    Q: KeyPart<Identity = P::Identity> + ?Sized,
{
    let (identity, text) = (one.identity(), part_text(one));
    let same = text == part_text(other);
    assert_eq!(part_text(&identity), text);
    assert!(one.is_identity(&identity) && identity.is_identity(&identity), "{text}");
    assert_eq!(hashed(one), hashed(&identity), "{text}");
    assert_eq!(other.is_identity(&identity), same, "{text}");
    assert_eq!(other.identity() == identity, same, "{text}");
    assert!(!same || hashed(one) == hashed(other), "{text}");
    same
}

/// Pairs of which about half are equal.
fn pair<T: Clone + std::fmt::Debug>(
    values: impl Strategy<Value = T>,
) -> impl Strategy<Value = (T, T)> {
    let pairs = proptest::array::uniform2(values);
    (pairs, any::<bool>())
        .prop_map(|([one, other], same)| (one.clone(), if same { one } else { other }))
}

fn texts() -> impl Strategy<Value = String> {
    vec(any::<u8>(), 0..6).prop_map(|bytes| Choices(&bytes).text())
}

proptest! {
    #[test]
    fn text_agrees_however_it_is_owned((one, other) in pair(texts())) {
        let (one, other) = (one.as_str(), other.as_str());
        prop_assert_eq!(agree(one, other), one == other);
        agree(one, &other.to_owned());
        agree(&one.to_owned(), other);
        agree(one, &Cow::Borrowed(other));
        agree(&Cow::<str>::Owned(one.into()), &&other);
        agree(&Box::<str>::from(one), &Arc::<str>::from(other));
        agree(&Rc::<str>::from(one), &other.identity());
        agree(OsStr::new(one), Path::new(other));
        agree(&OsString::from(one), &Path::new(other).to_path_buf());
    }

    #[test]
    fn system_strings_agree_on_any_bytes((one, other) in pair(vec(1_u8.., 0..4))) {
        let [one, other] = [one, other].map(|bytes| CString::new(bytes).expect("no zeros"));
        prop_assert_eq!(agree::<CStr, CString>(&one, &other), one == other);
        #[cfg(unix)]
        {
            use std::os::unix::ffi::OsStrExt;
            agree(OsStr::from_bytes(one.as_bytes()), Path::new(OsStr::from_bytes(other.as_bytes())));
        }
    }

    #[test]
    fn sequences_agree_however_they_are_owned((one, other) in pair(vec(texts(), 0..3))) {
        let borrowed: Vec<&str> = other.iter().map(String::as_str).collect();
        prop_assert_eq!(agree(&one, &borrowed), one == other);
        agree(&one[..], &VecDeque::from(borrowed.clone()));
        agree(&Arc::<[String]>::from(one.clone()), &Cow::Borrowed(&borrowed[..]));
        agree(&one.iter().collect::<LinkedList<_>>(), &Box::<[&str]>::from(borrowed.clone()));
        if let (Ok(one), Ok(other)) = (<[String; 2]>::try_from(one), <[&str; 2]>::try_from(borrowed)) {
            agree(&one, &other);
        }
    }

    #[test]
    fn bytes_and_numbers_agree_in_sequences((one, other) in pair(vec(any::<u16>(), 0..5))) {
        prop_assert_eq!(agree(&one[..], &other), one == other);
        let mut turned = VecDeque::from(other.clone());
        turned.push_front(0); // the ring no longer starts at its beginning
        turned.pop_front();
        agree(&one, &turned);
        let [one, other] = [one, other].map(|words| {
            words.into_iter().flat_map(u16::to_le_bytes).collect::<Vec<u8>>()
        });
        agree(&Bytes::from(one.clone()), &other);
        agree(&one[..], &Bytes::from(other));
    }

    #[test]
    fn maps_and_sets_agree_however_they_are_ordered((one, other) in pair(vec((texts(), 0..3_u8), 0..4))) {
        let borrowed = || other.iter().map(|(key, value)| (key.as_str(), value));
        let map = one.iter().cloned().collect::<BTreeMap<_, _>>();
        let same = map == other.iter().cloned().collect();
        prop_assert_eq!(agree(&map, &borrowed().collect::<HashMap<_, _>>()), same);
        let set = one.iter().cloned().collect::<BTreeSet<_>>();
        let same = set == other.iter().cloned().collect();
        prop_assert_eq!(agree(&set, &borrowed().collect::<HashSet<_>>()), same);
    }

    #[test]
    fn variants_tuples_and_ranges_agree((one, other) in pair((texts(), any::<i8>(), 0..3_u8))) {
        let (text, number, kind) = &other;
        prop_assert_eq!(agree(&one, &(text.as_str(), number, Box::new(*kind))), one == other);
        let option = |kind: u8, text: String| (kind > 0).then_some(text);
        agree(&option(one.2, one.0.clone()), &option(*kind, text.clone()).as_deref());
        let result = |kind: u8, text: String, number| if kind > 0 { Ok(text) } else { Err(number) };
        agree(&result(one.2, one.0.clone(), one.1), &result(*kind, text.clone(), *number).as_deref());
        let bound = |kind: u8, text: String| match kind {
            0 => Bound::Unbounded,
            1 => Bound::Included(text),
            _ => Bound::Excluded(text),
        };
        agree(&bound(one.2, one.0.clone()), &bound(*kind, text.clone()).as_ref());
        agree(&(one.0.clone()..String::new()), &(text.as_str()..""));
        agree(&(one.1..=0), &(number..=&0));
        agree(&(one.1.cmp(&0)), &(number.cmp(&0)));
        agree(&(one.1 > 0), &(*number > 0));
    }

    #[test]
    fn scalars_agree((one, other) in pair((any::<i128>(), any::<char>(), any::<f32>(), 0..3_u8))) {
        prop_assert_eq!(agree(&one.0, &&other.0), one.0 == other.0);
        agree(&one.1, &Arc::new(other.1));
        agree(&one.2, &Cow::Borrowed(&other.2));
        agree(&[one.2], &[other.2]);
        let duration = |kind: u8| Duration::from_millis(u64::from(kind) * 700);
        agree(&duration(one.3), &duration(other.3));
        let time = |kind| SystemTime::UNIX_EPOCH + duration(kind);
        agree(&time(one.3), &&time(other.3));
        let address = |kind| SocketAddr::from(([127, 0, 0, 1], u16::from(kind)));
        agree(&address(one.3), &&address(other.3));
    }

    #[test]
    fn borrowed_arguments_are_the_identities_of_those_with_their_key((one, other) in pair((texts(), any::<u8>(), vec(0..2_u8, 0..3)))) {
        let owned = (&one.0, (&one.1, (&one.2, ())));
        let borrowed = (&other.0.as_str(), (&&other.1, (&&other.2[..], ())));
        let same = Key::of_parts("f", &owned) == Key::of_parts("f", &borrowed);
        prop_assert_eq!(borrowed.are_identities(&owned.identities()), same);
        prop_assert_eq!(borrowed.identities().are_identities(&owned.identities()), same);
        let hash = |parts: &dyn Fn(&mut Recorder)| {
            let mut recorder = Recorder::default();
            parts(&mut recorder);
            recorder.bytes()
        };
        if same {
            let kept = owned.identities();
            prop_assert_eq!(
                hash(&|recorder| borrowed.hash_identities(recorder)),
                hash(&|recorder| kept.hash_identities(recorder))
            );
        }
    }
}

#[test]
fn texts_beside_each_other_do_not_run_together_in_the_hash() {
    let bytes_hashed = |one: &str, other: &str| {
        let mut recorder = Recorder::default();
        (one, (other, ())).hash_identities(&mut recorder);
        recorder.bytes()
    };
    assert_ne!(bytes_hashed("ab", "c"), bytes_hashed("a", "bc"));
}
