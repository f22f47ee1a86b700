//! What a listing tells of an object without a request for it: its size, modulo 64, says about how
//! long it lives.
//!
//! A listing has names, sizes and times, and a request for each of its objects would cost ten thousand
//! times what the listing did. So each body is padded until its size says of which class it is. What
//! is told is never wrong, but often "unsure": then the object itself is asked.

use std::time::Duration;

use crate::clock::Moment;

/// How many classes there are: padding is below this.
pub(super) const CLASSES: usize = 64;

/// A record is not all there is, or there is none.
const LOOK_INSIDE: usize = 0;
/// A record that is kept for ever, and nothing else.
const FOR_EVER: usize = 1;
/// A record that is kept for at least 2^n seconds and less than twice as long, and nothing else, is
/// of the class this plus n.
const FOR_A_TIME: usize = 2;

/// By how much the times of a listing may be off: it tells when an object was written in seconds, and
/// writing it took a while.
const MARGIN: Duration = Duration::from_mins(1);

/// What a listing tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Telltale {
    /// A record whose time is not over, and nothing else.
    Live,
    /// A record whose time is over, and nothing else.
    Ended,
    /// The object must be asked.
    Unsure,
}

/// The class of an object that holds a record for so long, and nothing else.
pub(super) fn class_of_record(ttl: Option<Duration>) -> usize {
    let Some(ttl) = ttl else { return FOR_EVER };
    let seconds = ttl.as_secs().max(1);
    (FOR_A_TIME + seconds.ilog2() as usize).min(CLASSES - 1)
}

/// The class of any other object.
pub(super) const fn class_of_anything() -> usize {
    LOOK_INSIDE
}

/// How many bytes bring an object of this size into the class.
pub(super) fn padding(size: usize, class: usize) -> usize {
    (class + CLASSES - size % CLASSES) % CLASSES
}

/// What size and time of an object tell.
pub(super) fn tell(size: u64, written: Moment, now: Moment) -> Telltale {
    let class = usize::try_from(size % CLASSES as u64).expect("it is below 64");
    match class.checked_sub(FOR_A_TIME) {
        None if class == FOR_EVER => Telltale::Live,
        None => Telltale::Unsure,
        // The last class has no upper bound.
        Some(power) => {
            let at_least = if power == 0 { 0 } else { 1_u64 << power };
            let at_most = if class == CLASSES - 1 { u64::MAX } else { 2_u64 << power };
            if now.plus(MARGIN) < written.plus(Duration::from_secs(at_least)) {
                Telltale::Live
            } else if written.plus(Duration::from_secs(at_most)).plus(MARGIN) < now {
                Telltale::Ended
            } else {
                Telltale::Unsure
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN: Moment = Moment::from_micros(1_700_000_000_000_000);

    #[test]
    fn padding_brings_any_size_into_any_class() {
        for size in 0..200 {
            for class in 0..CLASSES {
                let padding = padding(size, class);
                assert!(padding < CLASSES);
                assert_eq!((size + padding) % CLASSES, class);
            }
        }
    }

    #[test]
    fn what_is_told_of_a_record_is_never_wrong() {
        for ttl in [0, 1, 2, 3, 59, 60, 300, 3_600, 86_400, 1 << 40] {
            let size = class_of_record(Some(Duration::from_secs(ttl))) as u64;
            let mut sure = 0;
            for age in [0, 1, 50, 130, 299, 301, 400, 700, 7_000, 90_000, 300_000, 1 << 41] {
                let told = tell(size, WRITTEN, WRITTEN.plus(Duration::from_secs(age)));
                match told {
                    Telltale::Live => assert!(age < ttl, "{age} of {ttl}"),
                    Telltale::Ended => assert!(age >= ttl, "{age} of {ttl}"),
                    Telltale::Unsure => continue,
                }
                sure += 1;
            }
            assert!(sure > 0, "nothing is ever told of {ttl}");
        }
    }

    #[test]
    fn record_kept_for_ever_is_told_to_live_and_anything_else_is_looked_into() {
        let century = WRITTEN.plus(Duration::from_hours(24 * 365 * 100));
        assert_eq!(tell(class_of_record(None) as u64, WRITTEN, century), Telltale::Live);
        assert_eq!(tell(class_of_anything() as u64, WRITTEN, century), Telltale::Unsure);
    }

    #[test]
    fn five_minutes_are_told_to_live_for_three_and_to_have_ended_after_ten() {
        let size = class_of_record(Some(Duration::from_mins(5))) as u64;
        let after = |minutes| tell(size, WRITTEN, WRITTEN.plus(Duration::from_mins(minutes)));
        assert_eq!(
            [after(3), after(5), after(10)],
            [Telltale::Live, Telltale::Unsure, Telltale::Ended]
        );
    }
}
