//! `cache_key!` and what its expansion calls.

/// Makes a [`Key`](crate::Key) of its arguments, each a [`KeyPart`](crate::KeyPart).
///
/// Arguments with a name go behind those without, sorted, as two segments each. So
/// `cache_key!(product = 123)` is `cache_key!("product", 123)`. Arguments are borrowed.
///
/// ```
/// use keyedcache::cache_key;
///
/// let id = 123;
/// assert_eq!(cache_key!("product", id).text(), "product::123");
/// assert_eq!(cache_key!(product = id), cache_key!("product", id));
/// assert_eq!(
///     cache_key!("SHIP_company", weight = 3, country = "US").text(),
///     "SHIP_company::country::US::weight::3",
/// );
/// ```
///
/// No arguments, and a name given twice, do not compile:
///
/// ```compile_fail
/// keyedcache::cache_key!();
/// ```
/// ```compile_fail,E0080
/// keyedcache::cache_key!("SHIP_company", weight = 3, weight = 4);
/// ```
#[macro_export]
macro_rules! cache_key {
    () => {
        ::core::compile_error!("a key has at least one part: `cache_key!(\"product\", 123)`")
    };
    ($($arguments:tt)+) => {
        $crate::__cache_key!([] [] $($arguments)+)
    };
}

/// Sorts the arguments of `cache_key!` into those without and those with a name.
#[doc(hidden)]
#[macro_export]
macro_rules! __cache_key {
    ([$($part:expr,)*] [$($name:ident = $value:expr,)*]) => {{
        const { $crate::key::macros::distinct(&[$(::core::stringify!($name)),*]) }
        $crate::key::Key::builder()
            $(.part(&$part))*
            $(.named($crate::key::macros::name(::core::stringify!($name)), &$value))*
            .build()
    }};
    ([$($parts:tt)*] [$($named:tt)*] $name:ident = $value:expr $(, $($rest:tt)*)?) => {
        $crate::__cache_key!([$($parts)*] [$($named)* $name = $value,] $($($rest)*)?)
    };
    ([$($parts:tt)*] [$($named:tt)*] $part:expr $(, $($rest:tt)*)?) => {
        $crate::__cache_key!([$($parts)* $part,] [$($named)*] $($($rest)*)?)
    };
}

/// The name an identifier stands for: that of `r#type` is `type`.
#[must_use]
pub const fn name(identifier: &'static str) -> &'static str {
    match identifier.as_bytes() {
        [b'r', b'#', ..] => identifier.split_at(2).1,
        _ => identifier,
    }
}

/// Called while compiling, so that a name given twice does not compile.
///
/// # Panics
///
/// If a name is given twice.
pub const fn distinct(names: &[&'static str]) {
    let mut at = 1;
    while at < names.len() {
        let mut earlier = 0;
        while earlier < at {
            assert!(!same(names[earlier], names[at]), "a name is given twice in `cache_key!`");
            earlier += 1;
        }
        at += 1;
    }
}

/// `==`, which is not `const`.
const fn same(one: &'static str, other: &'static str) -> bool {
    let (one, other) = (name(one).as_bytes(), name(other).as_bytes());
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}
