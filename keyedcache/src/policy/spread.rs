//! Timeouts spread out, so that what was stored together does not end together.

use std::time::Duration;

/// The least that is left of a timeout: the finest time a record can tell. Zero would mean that
/// nothing is stored.
const LEAST: Duration = Duration::from_micros(1);

/// `timeout`, shortened by the part `draw` of the part `jitter` of it.
///
/// Both are numbers from 0 to 1, `draw` random for each record; what is outside counts as the
/// nearest of these. Never longer than `timeout`, and zero only if that is.
pub(crate) fn spread(timeout: Duration, jitter: f64, draw: f64) -> Duration {
    let part = jitter.clamp(0.0, 1.0) * draw.clamp(0.0, 1.0);
    // Fails for NaN, and for durations so near the largest that they are for ever in any case.
    let less = Duration::try_from_secs_f64(timeout.as_secs_f64() * part).unwrap_or_default();
    timeout.saturating_sub(less).max(LEAST.min(timeout))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn a_timeout_is_shortened_by_a_part_of_the_jitter() {
        for (jitter, draw, minutes) in [
            (0.0, 1.0, 60),
            (0.5, 0.0, 60),
            (0.5, 0.5, 45),
            (0.5, 1.0, 30),
            (-1.0, 1.0, 60),
            (9.0, 0.5, 30),
            (f64::NAN, 0.5, 60),
        ] {
            let expected = Duration::from_mins(minutes);
            assert_eq!(spread(HOUR, jitter, draw), expected, "{jitter} {draw}");
        }
    }

    #[test]
    fn only_a_timeout_of_zero_becomes_zero() {
        assert_eq!(spread(Duration::ZERO, 1.0, 1.0), Duration::ZERO);
        assert_eq!(spread(HOUR, 1.0, 1.0), LEAST);
        assert_eq!(spread(Duration::from_nanos(1), 1.0, 1.0), Duration::from_nanos(1));
    }

    proptest! {
        #[test]
        fn a_timeout_is_never_lengthened_nor_shortened_beyond_the_jitter(
            secs in any::<u64>(), nanos in 0..1_000_000_000_u32,
            jitter in 0.0..=1.0, draw in 0.0..=1.0,
        ) {
            let timeout = Duration::new(secs, nanos);
            let spread = spread(timeout, jitter, draw);
            prop_assert!(spread <= timeout);
            let least = timeout.as_secs_f64() * (1.0 - jitter);
            prop_assert!(spread.as_secs_f64() >= least * (1.0 - 1e-9));
        }

        #[test]
        fn a_greater_draw_never_means_a_longer_timeout(
            micros in 0..10_000_000_000_u64, jitter in 0.0..=1.0, one in 0.0..=1.0_f64, other in 0.0..=1.0,
        ) {
            let timeout = Duration::from_micros(micros);
            let (less, more) = (one.min(other), one.max(other));
            prop_assert!(spread(timeout, jitter, more) <= spread(timeout, jitter, less));
        }
    }
}
