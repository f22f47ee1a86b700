//! Fingerprints of declared types, cheap enough to be made while a program is compiled.

use std::fmt;

/// 64 bits that stand for the declared argument and return types of what made a record.
///
/// A record whose fingerprint differs was stored by a program with another signature and is
/// missing for this one. [`UNCHECKED`](Self::UNCHECKED) agrees with everything.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(u64);

impl Fingerprint {
    /// The fingerprint that agrees with every other.
    pub const UNCHECKED: Self = Self(0);

    /// The fingerprint of a signature's text; the same on every platform and in every version.
    ///
    /// ```
    /// use keyedcache::record::Fingerprint;
    ///
    /// const SIGNATURE: Fingerprint = Fingerprint::of("(i32, i32) -> String");
    /// assert_ne!(SIGNATURE, Fingerprint::of("(i32, i32) -> Option<String>"));
    /// ```
    #[must_use]
    pub const fn of(text: &str) -> Self {
        // FNV-1a, 64 bits: http://www.isthe.com/chongo/tech/comp/fnv/
        let bytes = text.as_bytes();
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
        let mut place = 0;
        while place < bytes.len() {
            hash = (hash ^ bytes[place] as u64).wrapping_mul(0x0000_0100_0000_01b3);
            place += 1;
        }
        // Zero means "not checked", so no text may have it.
        Self(if hash == 0 { 1 } else { hash })
    }

    /// The fingerprint of these bits, as [`to_bits`](Self::to_bits) tells them.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Its 64 bits; zero means "not checked".
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// Whether what one of them stored may be read by the other.
    #[must_use]
    pub const fn agrees_with(self, other: Self) -> bool {
        self.0 == other.0 || self.0 == 0 || other.0 == 0
    }
}

impl Default for Fingerprint {
    fn default() -> Self {
        Self::UNCHECKED
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({:016x})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprint_of_a_text_never_changes() {
        assert_eq!(Fingerprint::of("").to_bits(), 0xcbf2_9ce4_8422_2325);
        assert_eq!(Fingerprint::of("a").to_bits(), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(Fingerprint::of("foobar").to_bits(), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn unchecked_agrees_with_everything_and_others_only_with_themselves() {
        let (one, other) = (Fingerprint::of("fn() -> u8"), Fingerprint::of("fn() -> u16"));
        assert!(one.agrees_with(one));
        assert!(!one.agrees_with(other));
        assert!(one.agrees_with(Fingerprint::UNCHECKED));
        assert!(Fingerprint::UNCHECKED.agrees_with(other));
    }
}
