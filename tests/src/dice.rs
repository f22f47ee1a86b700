//! Randomness that a printed seed brings back.

use std::ops::RangeInclusive;
use std::time::Duration;

/// A `SplitMix64` generator (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The dice of this seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// Dice of a seed that differs from run to run, which is printed; `KEYEDCACHE_SEED` sets it.
    #[must_use]
    pub fn new() -> Self {
        let given = std::env::var("KEYEDCACHE_SEED").ok();
        let seed = given.map_or_else(
            || u64::from(std::process::id()),
            |seed| seed.parse().expect("KEYEDCACHE_SEED is a number"),
        );
        println!("KEYEDCACHE_SEED={seed}");
        Self(seed)
    }

    /// A seed for other dice.
    pub fn seed(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.seed() % end
    }

    /// Whether a chance of one in `many` came.
    pub fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    /// A duration of these microseconds.
    pub fn micros(&mut self, range: RangeInclusive<u64>) -> Duration {
        let (least, most) = range.into_inner();
        Duration::from_micros(least + self.below(most - least + 1))
    }

    /// One of these.
    pub fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        let place = self.below(all.len() as u64);
        all[usize::try_from(place).expect("it is below a length")]
    }
}

impl Default for Dice {
    fn default() -> Self {
        Self::new()
    }
}
