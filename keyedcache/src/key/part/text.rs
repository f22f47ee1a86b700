//! Text of every kind: strings, characters, what the operating system calls strings, and paths.
//!
//! All are written as the text they hold; a path is not normalized, so `a//b` is not `a/b`. What is
//! not UTF-8 is written as escaped bytes: on Windows, where such text is rare and not made of bytes,
//! those of Rust's own encoding of it.

use std::ffi::{CStr, CString, OsStr, OsString};
use std::hash::Hasher;
use std::path::{Path, PathBuf};

use super::{identity_of, own_identity};
use crate::key::{KeyEncoder, KeyPart};

/// Ends text while hashing, so that (`ab`, `c`) and (`a`, `bc`) differ. Not a byte of UTF-8.
const END: u8 = 0xff;

impl KeyPart for str {
    type Identity = Box<str>;

    #[inline]
    fn encode(&self, out: &mut KeyEncoder<'_>) {
        out.text(self);
    }

    #[inline]
    fn identity(&self) -> Box<str> {
        self.into()
    }

    #[inline]
    fn hash_identity<H: Hasher>(&self, state: &mut H) {
        state.write(self.as_bytes());
        state.write_u8(END);
    }

    #[inline]
    fn is_identity(&self, identity: &Box<str>) -> bool {
        *self == **identity
    }
}

impl KeyPart for String {
    identity_of!(str, |this| this);
}

impl KeyPart for char {
    own_identity!(char);

    #[inline]
    fn encode(&self, out: &mut KeyEncoder<'_>) {
        out.text(self.encode_utf8(&mut [0; 4]));
    }
}

impl KeyPart for OsStr {
    type Identity = Box<OsStr>;

    fn encode(&self, out: &mut KeyEncoder<'_>) {
        out.lossless(self.as_encoded_bytes());
    }

    fn identity(&self) -> Box<OsStr> {
        self.into()
    }

    #[inline]
    fn hash_identity<H: Hasher>(&self, state: &mut H) {
        state.write(self.as_encoded_bytes());
        state.write_usize(self.len());
    }

    #[inline]
    fn is_identity(&self, identity: &Box<OsStr>) -> bool {
        *self == **identity
    }
}

impl KeyPart for OsString {
    identity_of!(OsStr, |this| this);
}

impl KeyPart for Path {
    identity_of!(OsStr, |this| this.as_os_str());
}

impl KeyPart for PathBuf {
    identity_of!(OsStr, |this| this.as_os_str());
}

impl KeyPart for CStr {
    type Identity = Box<CStr>;

    fn encode(&self, out: &mut KeyEncoder<'_>) {
        out.lossless(self.to_bytes());
    }

    fn identity(&self) -> Box<CStr> {
        self.into()
    }

    #[inline]
    fn hash_identity<H: Hasher>(&self, state: &mut H) {
        state.write(self.to_bytes_with_nul());
    }

    #[inline]
    fn is_identity(&self, identity: &Box<CStr>) -> bool {
        *self == **identity
    }
}

impl KeyPart for CString {
    identity_of!(CStr, |this| this);
}
