//! The sites of a generic function: one for each list of types it is called with.
//!
//! A static cannot be generic, so one serves all instances. An instance is known by the function that
//! makes its options, which the compiler writes once for each list of types. Should it write one
//! twice, two sites serve one namespace, as two processes would; should it find two to be the same,
//! they have the same options and namespace, and the near cache serves nothing of another type.

use std::fmt;
use std::sync::OnceLock;

use super::site::Site;
use super::spec::Spec;

/// How many chains there are, so that each stays short.
const CHAINS: usize = 8;

/// The sites of one generic function, as a constant.
///
/// Finding one costs a comparison for each instance met before in its chain; no lock, and an
/// allocation at the first call of each instance only.
pub struct Sites([Link; CHAINS]);

type Link = OnceLock<Box<Instance>>;

struct Instance {
    site: Site,
    next: Link,
}

impl Sites {
    /// No instances yet.
    #[must_use]
    #[allow(clippy::new_without_default)] // a default could not be made in a static
    pub const fn new() -> Self {
        Self([const { OnceLock::new() }; CHAINS])
    }

    /// The site of the instance whose options this makes.
    #[inline]
    pub fn of(&'static self, spec: fn() -> Spec) -> &'static Site {
        // Functions begin at multiples of 16.
        let mut link = &self.0[(spec as usize >> 4) % CHAINS];
        loop {
            let instance = match link.get() {
                Some(instance) => instance,
                None => add(link, spec),
            };
            if instance.site.has_options(spec) {
                return &instance.site;
            }
            link = &instance.next;
        }
    }
}

/// Whoever comes first: it may be another instance that is added here.
#[cold]
fn add(link: &Link, spec: fn() -> Spec) -> &Instance {
    link.get_or_init(|| Box::new(Instance { site: Site::evaluated(spec), next: OnceLock::new() }))
}

impl fmt::Debug for Sites {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sites")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_instance_has_a_site_of_its_own() {
        static SITES: Sites = Sites::new();
        fn site<const N: usize>() -> &'static Site {
            SITES.of(|| Spec::of(&N.to_string(), 0, &[]))
        }
        let sites = [site::<0>(), site::<1>(), site::<2>(), site::<3>(), site::<4>(), site::<5>()];
        for (place, site) in sites.iter().enumerate() {
            assert_eq!(site.function().key(&()).text(), place.to_string());
        }
        assert!(std::ptr::eq(site::<3>(), sites[3]));
    }
}
