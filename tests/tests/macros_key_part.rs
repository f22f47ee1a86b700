//! `#[derive(KeyPart)]`.

#![allow(clippy::needless_pass_by_value)]

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hash::Hasher;
use std::marker::PhantomData;

use keyedcache::key::{KeyParts, part_text};
use keyedcache::{Cache, Error, KeyPart, cached};

#[derive(KeyPart, Clone, Debug)]
struct Point {
    y: i32,
    x: i32,
}

#[derive(KeyPart)]
struct UserId(u64);

#[derive(KeyPart)]
struct Unit;

#[derive(KeyPart)]
struct Named<'a, T: ?Sized> {
    name: &'a str,
    r#type: Cow<'a, str>,
    value: &'a T,
    marker: PhantomData<fn() -> T>,
}

#[derive(KeyPart, Clone, Copy, PartialEq, Debug)]
enum Figure<T> {
    Circle { radius: T },
    Line(T, T),
    Nothing,
}

#[derive(KeyPart)]
enum Never {}

#[derive(KeyPart)]
struct List {
    value: u8,
    next: Option<Box<List>>,
}

struct Pool;

#[derive(KeyPart)]
struct Repo {
    tenant: u32,
    #[key_part(skip)]
    _pool: Pool,
}

#[derive(KeyPart)]
struct Skipping(#[key_part(skip)] Pool, u8, BTreeMap<String, [u8; 2]>);

fn hash(parts: &impl KeyParts) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    parts.hash_identities(&mut hasher);
    hasher.finish()
}

/// A part and its identity have the same text, hash alike, and are the same.
fn assert_lawful(part: &(impl KeyPart + ?Sized)) {
    let identity = part.identity();
    assert_eq!(part_text(part), part_text(&identity));
    assert!(part.is_identity(&identity) && identity.is_identity(&identity));
    assert_eq!(hash(&(part, ())), hash(&(&identity, ())));
    assert!((part, ()).are_identities(&(&identity, ()).identities()));
}

#[test]
fn text_is_the_name_and_the_fields_in_the_order_of_their_names() {
    assert_eq!(part_text(&Point { y: 2, x: 1 }), "Point(x=1,y=2)");
    assert_eq!(part_text(&UserId(7)), "UserId(7)");
    assert_eq!(part_text(&Unit), "Unit()");
    assert_eq!(part_text(&Figure::Circle { radius: 3 }), "Circle(radius=3)");
    assert_eq!(part_text(&Figure::Line("a", "b")), "Line(a,b)");
    assert_eq!(part_text(&Figure::<u8>::Nothing), "Nothing()");
    let skipping = Skipping(Pool, 3, BTreeMap::from([("a".to_owned(), [1, 2])]));
    assert_eq!(part_text(&skipping), part_text(&skipping.identity()));
    assert_eq!(part_text(&Repo { tenant: 3, _pool: Pool }), "Repo(tenant=3)");
    let named = Named { name: "a", r#type: "b".into(), value: "c", marker: PhantomData };
    assert_eq!(part_text(&named), "Named(marker=(),name=a,type=b,value=c)");
}

#[test]
fn parts_agree_with_their_identities() {
    assert_lawful(&Point { y: 2, x: 1 });
    assert_lawful(&UserId(7));
    assert_lawful(&Unit);
    assert_lawful(&Figure::Line("a", "b"));
    assert_lawful(&Figure::<f64>::Nothing);
    assert_lawful(&Named {
        name: "a",
        r#type: "b".into(),
        value: &[1_u8][..],
        marker: PhantomData,
    });
    let rest = Some(Box::new(List { value: 2, next: None }));
    assert_lawful(&List { value: 1, next: rest });
    assert_lawful(&None::<Never>);
}

#[test]
fn what_differs_is_told_apart() {
    let identity = Figure::Line(1, 2).identity();
    assert!(!Figure::Line(2, 1).is_identity(&identity));
    assert!(!Figure::Circle { radius: 1 }.is_identity(&identity));
    assert!(!Figure::<i32>::Nothing.is_identity(&identity));
    assert!(!Point { y: 1, x: 2 }.is_identity(&Point { y: 2, x: 1 }.identity()));
    let list = |value| List { value, next: None };
    assert!(!list(1).is_identity(&list(2).identity()));
}

#[allow(clippy::needless_pass_by_value)] // it is a part of the key
#[cached(timeout = 60, cache = "key-part")]
fn area(figure: &Figure<u32>, at: Option<Point>) -> u32 {
    let _ = at;
    match *figure {
        Figure::Circle { radius } => 3 * radius * radius,
        Figure::Line(..) | Figure::Nothing => 0,
    }
}

#[cached]
impl Repo {
    #[cached(timeout = 60)]
    fn find(&self, id: u64) -> u64 {
        id + u64::from(self.tenant)
    }
}

#[test]
fn derived_parts_are_arguments() -> Result<(), Error> {
    let cache = Cache::from_url("memory:")?;
    cache.register("key-part")?;
    for _ in 0..2 {
        assert_eq!(area(&Figure::Circle { radius: 2 }, Some(Point { y: 1, x: 1 })), 12);
        assert_eq!(area(&Figure::Line(2, 2), None), 0);
    }
    assert_eq!((cache.stats().computed, cache.stats().near_hits), (2, 2));
    let [one, two] = [1, 2].map(|tenant| Repo { tenant, _pool: Pool });
    assert_eq!((one.find(1), two.find(1)), (2, 3));
    assert!(one.find_key(1).text().ends_with("find::Repo(tenant=1)::1"));
    Ok(())
}
