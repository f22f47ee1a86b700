//! Pointers, which are what they point to.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use super::identity_of;
use crate::key::KeyPart;

macro_rules! pointers {
    ($($pointer:ty)*) => {$(
        impl<T: KeyPart + ?Sized> KeyPart for $pointer {
            identity_of!(T, |this| this);
        }
    )*};
}
pointers!(&T &mut T Box<T> Rc<T> Arc<T>);

impl<T: KeyPart + ToOwned + ?Sized> KeyPart for Cow<'_, T> {
    identity_of!(T, |this| this);
}
