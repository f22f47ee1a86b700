//! Texts as they have to stay: what is stored anywhere is found by them.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, LinkedList, VecDeque};
use std::ffi::CString;
use std::marker::PhantomData;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::num::{NonZeroU8, Wrapping};
use std::ops::Bound;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;

use crate::cache_key;
use crate::key::{Fields, Key, KeyEncoder, KeyPart, TextIdentity, part_text};

/// Asserts the text of each part.
macro_rules! texts {
    ($($part:expr => $text:literal),* $(,)?) => {
        $(assert_eq!(part_text(&$part), $text, "{}", stringify!($part));)*
    };
}

/// A part that writes itself by a closure.
struct Written<F>(F);

impl<F: Fn(&mut KeyEncoder<'_>)> KeyPart for Written<F> {
    crate::key::part::text_identity!();

    fn encode(&self, out: &mut KeyEncoder<'_>) {
        self.0(out);
    }
}

#[test]
fn integers_are_decimal() {
    texts! {
        0_u8 => "0",
        -7_i8 => "-7",
        u64::MAX => "18446744073709551615",
        i128::MIN => "-170141183460469231731687303715884105728",
        5_usize => "5",
        -5_isize => "-5",
        NonZeroU8::MIN => "1",
        Wrapping(3_i32) => "3",
        true => "true",
        false => "false",
    }
}

#[test]
fn floats_are_their_shortest_decimal() {
    texts! {
        0.0_f64 => "0.0",
        -0.0_f64 => "0.0",
        1.0_f64 => "1.0",
        -1.5_f64 => "-1.5",
        0.1_f64 => "0.1",
        0.1_f32 => "0.1",
        f64::from(0.1_f32) => "0.10000000149011612",
        1e15_f64 => "1000000000000000.0",
        1e16_f64 => "1e16",
        -1.25e300_f64 => "-1.25e300",
        0.00001_f64 => "0.00001",
        0.000_001_5_f64 => "1.5e-6",
        f64::MAX => "1.7976931348623157e308",
        5e-324_f64 => "5e-324",
        f32::MAX => "3.4028235e38",
        f64::INFINITY => "inf",
        f64::NEG_INFINITY => "-inf",
        f64::NAN => "NaN",
        -f64::NAN => "NaN",
        f32::NAN => "NaN",
        0.0_f64.identity() => "0.0",
        (-2.5_f32).identity() => "-2.5",
    }
}

#[test]
fn text_stays_readable() {
    texts! {
        "US" => "US",
        "a.b-c_d/e+f;g@h!i#j$k&l^m|n" => "a.b-c_d/e+f;g@h!i#j$k&l^m|n",
        "Zürich" => "Zürich",
        "日本語" => "日本語",
        "😀" => "😀",
        'é' => "é",
        String::from("x") => "x",
        Cow::Borrowed("x") => "x",
        Box::<str>::from("x") => "x",
        Arc::<str>::from("x") => "x",
        Rc::<str>::from("x") => "x",
        &&"x" => "x",
    }
}

#[test]
fn what_is_ambiguous_or_unsafe_is_escaped() {
    texts! {
        "" => "~",
        "~" => "%7E",
        "a::b" => "a%3A%3Ab",
        "a b" => "a%20b",
        "100%" => "100%25",
        "%3A" => "%253A",
        "*?[]{}\\" => "%2A%3F%5B%5D%7B%7D%5C",
        "\"'`" => "%22%27%60",
        "(),<>=" => "%28%29%2C%3C%3E%3D",
        "\0\t\r\n\u{7f}" => "%00%09%0D%0A%7F",
        "\u{85}\u{a0}\u{2028}\u{3000}" => "%C2%85%C2%A0%E2%80%A8%E3%80%80",
        "\u{202e}\u{200b}\u{feff}" => "%E2%80%AE%E2%80%8B%EF%BB%BF",
        ':' => "%3A",
    }
}

#[test]
fn paths_and_system_strings_are_their_text() {
    texts! {
        Path::new("/var/cache/a b") => "/var/cache/a%20b",
        Path::new("a//b") => "a//b",
        Path::new("").to_path_buf() => "~",
        std::ffi::OsString::from("Zürich") => "Zürich",
        CString::new("US").unwrap() => "US",
        CString::new(*b"\xff").unwrap() => "%FF",
    }
}

#[cfg(unix)]
#[test]
fn bytes_that_are_not_utf8_are_escaped() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    texts! {
        OsStr::from_bytes(b"a\xffb") => "a%FFb",
        OsStr::from_bytes(b"\xc3\xa9\xc3") => "é%C3",
        OsStr::from_bytes(b"\xed\xa0\x80") => "%ED%A0%80",
        Path::new(OsStr::from_bytes(b"/x/\xfe")) => "/x/%FE",
    }
}

#[test]
fn composites_have_their_own_punctuation() {
    texts! {
        () => "()",
        PhantomData::<str> => "()",
        (1,) => "(1)",
        (1, "a", ("", ())) => "(1,a,(~,()))",
        (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12) => "(1,2,3,4,5,6,7,8,9,10,11,12)",
        [1, 2] => "<1,2>",
        [0_u8; 0] => "<>",
        [""] => "<~>",
        vec![vec!["a,b"], vec![]] => "<<a%2Cb>,<>>",
        VecDeque::from([1, 2]) => "<1,2>",
        LinkedList::from([1, 2]) => "<1,2>",
        &b"hi"[..] => "<104,105>",
        Bytes::from_static(b"hi") => "<104,105>",
        None::<u8> => "None()",
        Some(3) => "Some(3)",
        Some(None::<u8>) => "Some(None())",
        "None()" => "None%28%29",
        Ok::<_, ()>(3) => "Ok(3)",
        Err::<(), _>("x") => "Err(x)",
        Ordering::Less => "Less()",
    }
}

#[test]
fn maps_and_sets_are_sorted_by_text() {
    texts! {
        BTreeSet::from([2, 10, 1]) => "set<1,10,2>",
        HashSet::from(["b", "a", ""]) => "set<a,b,~>",
        BTreeSet::<u8>::new() => "set<>",
        BTreeMap::from([("b", 1), ("a-", 2), ("a", 3)]) => "map<a=3,a-=2,b=1>",
        HashMap::from([((1, 2), vec!["x"]), ((1, 1), vec![])]) => "map<(1,1)=<>,(1,2)=<x>>",
        BTreeMap::<u8, u8>::new() => "map<>",
    }
}

#[test]
fn ranges_times_and_addresses_have_a_form() {
    texts! {
        1..9 => "Range(start=1,end=9)",
        1..=9 => "RangeInclusive(start=1,end=9)",
        1.. => "RangeFrom(start=1)",
        ..9 => "RangeTo(end=9)",
        ..=9 => "RangeToInclusive(end=9)",
        .. => "RangeFull()",
        Bound::Excluded(1) => "Excluded(1)",
        Bound::<u8>::Unbounded => "Unbounded()",
        Duration::ZERO => "0s",
        Duration::from_secs(90) => "90s",
        Duration::new(1, 50_000_000) => "1.05s",
        Duration::MAX => "18446744073709551615.999999999s",
        UNIX_EPOCH => "@0",
        UNIX_EPOCH + Duration::from_millis(1_700_000_000_500) => "@1700000000.5",
        UNIX_EPOCH - Duration::from_millis(1_500) => "@-1.5",
        "127.0.0.1".parse::<IpAddr>().unwrap() => "127.0.0.1",
        "2001:db8::1".parse::<IpAddr>().unwrap() => "2001%3Adb8%3A%3A1",
        "::ffff:1.2.3.4".parse::<IpAddr>().unwrap() => "%3A%3Affff%3A1.2.3.4",
        "127.0.0.1:80".parse::<SocketAddr>().unwrap() => "127.0.0.1%3A80",
        "[::1]:80".parse::<SocketAddr>().unwrap() => "%5B%3A%3A1%5D%3A80",
        SocketAddrV6::new("::1".parse().unwrap(), 80, 7, 0) => "(%5B%3A%3A1%5D%3A80,7)",
        SocketAddrV6::new("fe80::1".parse().unwrap(), 80, 0, 5) => "%5Bfe80%3A%3A1%255%5D%3A80",
    }
}

#[test]
fn an_encoder_gets_one_part_out_of_any_calls() {
    let fields = |fields: &mut Fields<'_>| {
        fields.item(&1);
        fields.named("a b", "");
        fields.named("", &Some(2));
    };
    texts! {
        Written(|_: &mut KeyEncoder<'_>| ()) => "()",
        Written(|out: &mut KeyEncoder<'_>| out.text("")) => "~",
        Written(|out: &mut KeyEncoder<'_>| out.lossless(b"")) => "~",
        Written(|out: &mut KeyEncoder<'_>| out.display(&"")) => "~",
        Written(|out: &mut KeyEncoder<'_>| out.display(&format_args!("{}:{}", 1, 2))) => "1%3A2",
        Written(|out: &mut KeyEncoder<'_>| { out.text("a"); out.text(""); }) => "(a,~)",
        Written(|out: &mut KeyEncoder<'_>| out.composite("Point", fields)) => "Point(1,a%20b=~,~=Some(2))",
        Written(|out: &mut KeyEncoder<'_>| out.composite("", |_| ())) => "~()",
        [Written(|_: &mut KeyEncoder<'_>| ())] => "<()>",
    }
}

#[test]
fn keys_are_segments_joined() {
    assert_eq!(cache_key!("product", 123).text(), "product::123");
    assert_eq!(cache_key!("product", "").text(), "product::~");
    assert_eq!(cache_key!("product").text(), "product");
    assert_eq!(cache_key!("").text(), "~");
    assert_eq!(cache_key!("a", (), None::<u8>, [1]).text(), "a::()::None()::<1>");
    assert_eq!(Key::of_parts("f", &()).text(), "f");
    assert_eq!(Key::of_parts("a::f", &(&"x", (&Some(2), ()))).text(), "a%3A%3Af::x::Some(2)");
    assert_eq!(cache_key!("a").child("b c").text(), "a::b%20c");
    assert_eq!(format!("{0} {0:?}", cache_key!("a", 1)), "a::1 Key(a::1)");
}

#[test]
fn named_parts_are_sorted_behind_the_others() {
    let shipping = "SHIP_company::country::US::weight::3";
    assert_eq!(cache_key!("SHIP_company", weight = 3, country = "US").text(), shipping);
    assert_eq!(cache_key!(weight = 3, "SHIP_company", country = "US",).text(), shipping);
    assert_eq!(cache_key!(product = 123), cache_key!("product", 123));
    assert_eq!(cache_key!(b = 1, a = 1 + 1).text(), "a::2::b::1");
    assert_eq!(cache_key!("x", r#type = 1).text(), "x::type::1");
    let same = (1, 2);
    assert_eq!(cache_key!("x", same == (1, 2), a = same.0 == 1).text(), "x::true::a::true");
    let twice = Key::builder().named("a", &2).named("a", &1).named("0 ", &0).build();
    assert_eq!(twice.text(), "0%20::0::a::2::a::1");
}

#[test]
fn lookalikes_are_different_keys() {
    let keys = [
        cache_key!("a::b"),
        cache_key!("a", "b"),
        cache_key!("a b"),
        cache_key!("a.b"),
        cache_key!("a%3A%3Ab"),
        cache_key!(("a", "b")),
        cache_key!(["a", "b"]),
        cache_key!("a", "b", ""),
        cache_key!("", "a", "b"),
    ];
    for (place, key) in keys.iter().enumerate() {
        assert!(!keys[..place].contains(key), "{key}");
    }
}

#[test]
fn prefixes_are_the_keys_above() {
    let key = cache_key!("a", "b::c", 3);
    assert_eq!(key.prefixes().collect::<Vec<_>>(), ["a", "a::b%3A%3Ac"]);
    assert_eq!(key.namespace(), "a");
    assert_eq!(cache_key!("a").prefixes().count(), 0);
    assert_eq!(cache_key!("a").namespace(), "a");
}

#[test]
fn text_over_200_bytes_ends_in_the_digest_of_the_whole() {
    let fits = cache_key!("n", "x".repeat(197));
    assert_eq!(fits.text(), format!("n::{}", "x".repeat(197)));

    let long = cache_key!("n", "x".repeat(198));
    let digest = "6bf252fbcdf61dba59da3bfa3bddcdb061a476fd36d3dd92a4ef4413409ab030";
    assert_eq!(long.text(), format!("n::{}~{digest}", "x".repeat(132)));
    let whole = blake3::hash(format!("n::{}", "x".repeat(198)).as_bytes());
    assert_eq!(digest, whole.to_hex().as_str());
}

#[test]
fn a_text_is_cut_between_characters_and_escapes() {
    for (character, written) in [("é", "é"), (" ", "%20"), ("日", "日")] {
        for shift in 0..3 {
            let key = cache_key!(format!("{}{}", "x".repeat(shift), character.repeat(101)));
            let (head, _) = key.text().split_once('~').unwrap();
            assert_eq!(head[shift..].replace(written, ""), "", "{head}");
        }
    }
    let key = cache_key!("x".repeat(134), "y".repeat(99));
    assert!(key.text().starts_with(&format!("{}~", "x".repeat(134))));
}

#[test]
fn long_segments_leave_namespace_prefixes_and_children_right() {
    let long = "x".repeat(300);
    let key = cache_key!(long, 1, 2);
    assert_eq!(key.namespace(), cache_key!(long).text());
    let above = [cache_key!(long), cache_key!(long, 1)];
    assert_eq!(key.prefixes().collect::<Vec<_>>(), above.each_ref().map(Key::text));
    assert_eq!(cache_key!(long, 1).child(&2), key);
    assert_ne!(cache_key!(cache_key!(long).text(), 1, 2), key);
}

#[test]
fn a_text_identity_is_written_as_what_it_stands_for() {
    let map = BTreeMap::from([("a b", Some(1))]);
    assert_eq!(part_text(&map.identity()), part_text(&map));
    assert_eq!(part_text(&[TextIdentity::of(&map)]), "<map<a%20b=Some(1)>>");
}

#[test]
fn maps_by_key_are_asked_by_text() {
    let map = HashMap::from([(cache_key!("a", 1), 'x')]);
    assert_eq!(map.get("a::1"), Some(&'x'));
}

#[test]
fn text_behind_a_head_is_that_of_the_key() {
    let long = "é%".repeat(Key::MAX_TEXT);
    for parts in ["", "a b", long.as_str()] {
        let parts = (&parts, (&7, ()));
        let key = Key::of_parts("app::f", &parts);
        assert_eq!(Key::text_of_parts("kc:1:", "app::f", &parts), format!("kc:1:{}", key.text()));
    }
}
