//! All of a function: what forgetting it, or some of its calls, must know.

use super::site::Site;

/// All instances of a function.
#[derive(Clone, Copy)]
pub struct Whole<S> {
    /// What finds their site.
    pub site: S,
    /// How many arguments a call is known by.
    pub arguments: usize,
    /// The declared scopes, as bits of arguments.
    pub scopes: &'static [u64],
    /// What to say of another number of arguments.
    pub miscounted: &'static str,
    /// What to say of another scope.
    pub undeclared: &'static str,
}

impl Whole<&'static Site> {
    /// The site of them all.
    #[must_use]
    pub fn site(self) -> &'static Site {
        self.site
    }
}

impl Whole<fn() -> &'static Site> {
    /// The site of them all.
    #[must_use]
    pub fn site(self) -> &'static Site {
        (self.site)()
    }
}

impl<S: Copy> Whole<S> {
    /// Compiles only if calls can be forgotten by the arguments at these bits, of this many.
    ///
    /// # Panics
    ///
    /// While compiling, if they cannot.
    #[track_caller]
    pub const fn check(self, bits: u64, arguments: usize) {
        assert!(arguments == self.arguments, "{}", self.miscounted);
        let mut place = 0;
        while place < self.scopes.len() {
            if self.scopes[place] == bits {
                return;
            }
            place += 1;
        }
        panic!("{}", self.undeclared);
    }
}
