//! Which shape an answer gets, and what each stores.

use std::any::type_name_of_val;

use super::probe::{Anything as _, HasForm as _, Probe};
use super::*;

/// The form of an answer of this type, as expansions find it.
macro_rules! form {
    ($answer:ty) => {
        (&&&&Probe::<$answer>::new().kind()).form()
    };
}

/// An error that is neither `Clone` nor anything else.
#[derive(Debug, PartialEq)]
struct Opaque;

/// A value that is `Clone` and no more.
#[derive(Clone, Debug, PartialEq)]
struct Unserialized(u8);

type Alias<T> = Result<T, Opaque>;

/// The name of a value's type, without modules and parameters.
fn name<T>(value: &T) -> &'static str {
    let name = type_name_of_val(value);
    let name = name.split('<').next().unwrap_or(name);
    name.rsplit("::").next().unwrap_or(name)
}

#[test]
fn the_form_is_found_from_the_type() {
    assert_eq!(name(&form!(u8).0), "Plain");
    assert_eq!(name(&form!(()).0), "Plain");
    assert_eq!(name(&form!(Vec<Option<u8>>).0), "Plain");
    assert_eq!(name(&form!(Option<u8>).0), "Optional");
    assert_eq!(name(&form!(Result<u8, String>).0), "Fallible");
    assert_eq!(name(&form!(Alias<u8>).0), "Fallible");
}

#[test]
fn a_generic_answer_is_a_plain_value() {
    fn of<T: 'static>() -> &'static str {
        name(&form!(T).0)
    }
    assert_eq!(of::<Result<u8, u8>>(), "Plain");
}

#[test]
fn what_fits_becomes_a_shape_that_stores() {
    assert_eq!(name(&form!(u8).shared()), "Shared");
    assert_eq!(name(&form!(Alias<u8>).shared()), "Shared");
    assert_eq!(name(&form!(Unserialized).local()), "Local");
    assert_eq!(name(&form!(Result<u8, String>).with_errors().0), "Failing");
}

#[test]
fn of_a_result_only_ok_is_stored() {
    let shape = form!(Alias<u8>).shared();
    assert_eq!(shape.stored(&Ok(3)), Some(&3));
    assert_eq!(shape.stored(&Err(Opaque)), None);
    assert_eq!(shape.answer(3), Ok(3));
    assert!(shape.is_err(&Err(Opaque)) && !shape.is_err(&Ok(3)));
}

#[test]
fn errors_are_stored_where_asked_for() {
    let shape = form!(Result<Option<u8>, String>).with_errors().shared();
    let error = Err("no".to_owned());
    assert_eq!(shape.stored(&error), Some(&error));
    assert_eq!(shape.answer(error.clone()), error);
    assert!(shape.is_none(&Ok(None)) && !shape.is_none(&Ok(Some(3))) && !shape.is_none(&error));
}

#[test]
fn none_is_told_from_other_answers() {
    let optional = form!(Option<u8>).shared();
    assert!(optional.is_none(&None) && !optional.is_none(&Some(3)));
    assert_eq!(optional.stored(&None), Some(&None));
    let shared_errors = form!(Result<Option<u8>, String>).shared();
    assert!(shared_errors.is_none(&Ok(None)));
    let opaque_errors = form!(Alias<Option<u8>>).shared();
    assert!(opaque_errors.is_none(&Ok(None)));
    assert!(!form!(Alias<u8>).shared().is_none(&Ok(3)));
}

#[test]
fn errors_are_shared_if_they_can_be() {
    fn for_both<T, S: Shape<Answer = Result<T, String>>>(shape: S, ok: T) {
        let shared = shape.share_error(&Err("no".to_owned())).expect("a `String` can be shared");
        let answer = shape.answer_of_error(&shared).expect("it came from here");
        assert_eq!(answer.err().as_deref(), Some("no"));
        assert!(shape.share_error(&Ok(ok)).is_none());
    }

    for_both(form!(Result<u8, String>).shared(), 3);
    for_both(form!(Result<Option<u8>, String>).shared(), Some(3));

    let opaque = form!(Alias<u8>).shared();
    assert!(opaque.share_error(&Err(Opaque)).is_none());
}

#[test]
fn a_condition_decides_what_is_stored() {
    let shape = cache_if(form!(Alias<u8>).shared(), |answer| *answer == Ok(3));
    assert_eq!(shape.stored(&Ok(3)), Some(&3));
    assert_eq!(shape.stored(&Ok(4)), None);
    assert_eq!(shape.stored(&Err(Opaque)), None);
}

/// Notes that it was asked to encode.
struct Asked;

impl Encode for Asked {
    type Output = &'static str;

    fn encode<T: Serialize>(self, _: &T) -> &'static str {
        std::any::type_name::<T>()
    }
}

#[test]
fn only_what_is_shared_is_encoded() {
    let shared = form!(Result<u8, String>).shared();
    assert_eq!(shared.encode(&3, Asked), Some("u8"));
    let local = form!(Unserialized).local();
    assert_eq!(local.encode(&Unserialized(3), Asked), None);
}
