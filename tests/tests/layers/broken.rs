//! Each rule finds what breaks it, however it is written.

use crate::rules::{self, Layers};
use crate::source::Sources;

/// Sources of a small crate in which `store::disk` contains `code`.
fn with_disk(code: &str) -> Sources {
    Sources::of(&[
        (
            "lib.rs",
            "mod cache; mod clock; mod codec; mod error; mod near; mod flight; mod policy; mod store; pub use error::Error; pub use cache::Cache;",
        ),
        ("cache/mod.rs", "pub struct Cache;"),
        ("clock.rs", "pub struct Clock;"),
        ("codec.rs", "pub struct Codec;"),
        ("error.rs", "pub struct Error;"),
        ("near.rs", "use crate::flight::Flight; pub struct Near;"),
        ("flight.rs", "pub struct Flight;"),
        ("policy.rs", ""),
        ("store/mod.rs", "pub mod disk; mod memory; pub use memory::MemoryStore;"),
        ("store/memory.rs", "use crate::Error; pub struct MemoryStore;"),
        ("store/disk/mod.rs", code),
    ])
}

/// The same crate, with `code` in the file `changed`.
fn with(changed: &str, code: &str) -> Sources {
    let files = [
        ("lib.rs", "mod clock; mod codec; mod flight; mod near; mod policy;"),
        ("clock.rs", "pub struct Clock;"),
        ("codec.rs", ""),
        ("flight.rs", "pub struct Flight;"),
        ("near.rs", "use crate::flight::Flight;"),
        ("policy.rs", ""),
    ];
    Sources::of(&files.map(|(file, text)| (file, if file == changed { code } else { text })))
}

fn layers() -> Layers {
    rules::layers_in(
        "| 0 | `clock` `error` | x |\n| 3 | `codec` `policy` | `no` |\n| 4 | `store` | |\n| 6 | `near` `flight` | |\n| 7 | `cache` | |",
    )
}

#[test]
fn the_table_is_read() {
    let expected = [
        ("cache", 7),
        ("clock", 0),
        ("codec", 3),
        ("error", 0),
        ("flight", 6),
        ("near", 6),
        ("policy", 3),
        ("store", 4),
    ];
    assert_eq!(layers(), expected.map(|(name, number)| (name.to_owned(), number)).into());
}

#[test]
fn a_module_without_a_layer_is_found() {
    let mut layers = layers();
    layers.remove("store");
    assert_eq!(rules::unplaced_modules(&with_disk(""), &layers), ["store"]);
}

#[test]
fn an_import_from_above_is_found_however_it_is_written() {
    for code in [
        "use crate::cache::Cache;",
        "use crate::{error::Error, cache::{self}};",
        "use crate::Cache;",
        "use super::super::cache::Cache;",
        "use crate::cache as other;",
        "pub use crate::cache::Cache as Other;",
        "fn f() { crate::cache::open() }",
        "fn f() { use crate::cache; }",
        "fn f() -> crate::cache::Cache { x }",
        "fn f() { println!(\"{}\", crate::cache::NAME) }",
        "macro_rules! m { () => { $crate::cache::open() } }",
        "mod inner { use super::super::super::cache::Cache; }",
        "use crate as root; fn f() { root::cache::open() }",
        "impl crate::cache::Trait for X {}",
    ] {
        let found = rules::upward_imports(&with_disk(code), &layers());
        assert_eq!(found.len(), 1, "{code}: {found:?}");
        assert!(found[0].starts_with("store/disk/mod.rs names cache"), "{code}: {found:?}");
    }
}

#[test]
fn an_import_from_below_or_for_tests_only_is_let_through() {
    for code in [
        "use crate::Error; use crate::error::Error as E; use crate::clock::Clock;",
        "#[cfg(test)] mod tests { use crate::cache::Cache; }",
        "#[cfg(test)] mod tests;",
        "/// Text.\n#[cfg(test)]\nuse crate::cache::Cache;",
        "/// See [`crate::cache::Cache`].\nfn f() { let cache = 1; g(\"crate::cache::Cache\") }",
        "fn f() { other::cache::open(); ::cache::open() }",
    ] {
        assert_eq!(rules::upward_imports(&with_disk(code), &layers()), [""; 0], "{code}");
    }
}

#[test]
fn a_circle_within_a_layer_is_found() {
    assert_eq!(rules::upward_imports(&with("x", ""), &layers()), [""; 0]);
    let found = rules::upward_imports(&with("flight.rs", "use crate::near::Near;"), &layers());
    assert_eq!(found, ["flight.rs names near::Near", "near.rs names flight::Flight"]);
}

#[test]
fn a_store_that_knows_values_is_found() {
    let found = rules::knowing_stores(&with_disk("use crate::codec::Codec;"));
    assert_eq!(found, ["store/disk/mod.rs names codec::Codec"]);
}

#[test]
fn a_backend_that_knows_another_is_found_behind_a_re_export() {
    for code in [
        "use super::memory::MemoryStore;",
        "use crate::store::MemoryStore;",
        "use crate::store; fn f() { store::memory::MemoryStore }",
        "use super::MemoryStore;",
    ] {
        let found = rules::knowing_backends(&with_disk(code));
        assert!(!found.is_empty(), "{code}");
        assert!(
            found.iter().all(|found| found.contains("names store::memory")),
            "{code}: {found:?}"
        );
    }
    assert_eq!(
        rules::knowing_backends(&with_disk("use super::Store; use self::map::Map;")),
        [""; 0]
    );
}

#[test]
fn the_crate_of_another_backend_is_found() {
    for code in [
        "use redis::Client;",
        "fn f() { ::redis::open() }",
        "use redis as r;",
        "type T = Vec<redis::Value>;",
    ] {
        assert_eq!(rules::straying_backend_crates(&with_disk(code)).len(), 1, "{code}");
    }
    assert_eq!(
        rules::straying_backend_crates(&with_disk("use heed::Env; mod map { use heed::Env; }")),
        [""; 0]
    );
}

#[test]
fn a_policy_that_reads_a_clock_is_found() {
    for code in [
        "use std::time::{Duration, Instant};",
        "use std::time; fn f() { time::SystemTime::now() }",
        "use crate::clock::Clock;",
        "fn f() { ::std::fs::read(x) }",
        "async fn f() { tokio::time::sleep(x).await }",
    ] {
        assert_eq!(rules::impure_policies(&with("policy.rs", code)).len(), 1, "{code}");
    }
    let pure = with("policy.rs", "use std::time::Duration; use crate::clock::Moment;");
    assert_eq!(rules::impure_policies(&pure), [""; 0]);
}

#[test]
fn a_glob_is_found() {
    assert_eq!(rules::globs(&with_disk("use super::*;")), ["store/disk/mod.rs names store::*"]);
    assert_eq!(rules::globs(&with_disk("use std::{fmt, io::*};")).len(), 1);
}

#[test]
fn an_expansion_that_names_something_else_is_found() {
    let straying = |quoted: &str| {
        rules::straying_expansions(&format!("fn f() {{ g(quote! {{ {quoted} }}) }}"))
    };
    for code in [
        "#krate::Cache::default()",
        "::keyedcache::cache::open()",
        "::tokio::spawn(x)",
        "std::mem::take(x)",
        "fn f() -> ::alloc::string::String",
        "impl Trait for ::other::Type",
    ] {
        assert_eq!(straying(code).len(), 1, "{code}");
    }
    let fine = "g(::keyedcache, x); let x: ::core::option::Option<#ty> = #krate::__private::begin(&SITE); #name::call(); Self::f(); <#ty as ::std::fmt::Debug>::fmt(x)";
    assert_eq!(straying(fine), [""; 0]);
    assert_eq!(rules::straying_expansions("fn f() { std::mem::take(x) }"), [""; 0]);
}

#[test]
fn allowances_of_unsafe_code_are_counted() {
    let text = "#![deny(unsafe_code)]\n#[allow(unsafe_code)] fn f() {}\nmod m { #![expect(clippy::x, unsafe_code, reason = \"r\")] }";
    assert_eq!(rules::allowances_of_unsafe(text), 2);
    assert_eq!(rules::allowances_of_unsafe("#![forbid(unsafe_code)] // allow(unsafe_code)"), 0);
}
