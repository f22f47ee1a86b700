//! Durations as people write them: `300` (seconds), `5m`, `1h 30m`, `250ms`; and timeouts.

use std::time::Duration;

use super::value::Refusal;
use crate::policy::Timeout;

/// The longest text and the longest number in it that are passed on. Within them no sum comes near
/// `u64::MAX` seconds, where `humantime` 2.4 can panic (`18446744073709551615s 1000000000ns`).
const LONGEST_TEXT: usize = 64;
const LONGEST_NUMBER: usize = 10;

/// A duration; zero is one.
pub(super) fn duration(text: &str) -> Result<Duration, Refusal> {
    let text = text.trim();
    if text.starts_with('-') {
        return Err(Refusal::Because("it cannot be negative"));
    }
    if let Ok(seconds) = text.parse() {
        return Ok(Duration::from_secs(seconds));
    }
    let too_large = Refusal::Because("it is too large");
    let is_long = |digits: &str| digits.len() > LONGEST_NUMBER;
    if text.len() > LONGEST_TEXT || text.split(|c: char| !c.is_ascii_digit()).any(is_long) {
        return Err(too_large);
    }
    humantime::parse_duration(text).map_err(|wrong| match wrong {
        humantime::DurationError::NumberOverflow => {
            Refusal::Because("it is too large or too precise")
        }
        humantime::DurationError::UnknownUnit { unit, .. } if unit.is_empty() => {
            Refusal::Because("a unit is missing")
        }
        _ => Refusal::NotOne,
    })
}

/// A duration that is longer than zero.
pub(super) fn some_time(text: &str) -> Result<Duration, Refusal> {
    match duration(text)? {
        Duration::ZERO => Err(Refusal::Because("it must be longer than zero")),
        some => Ok(some),
    }
}

/// A duration, or `never`.
pub(super) fn timeout(text: &str) -> Result<Timeout, Refusal> {
    if text.trim().eq_ignore_ascii_case("never") {
        return Ok(Timeout::Never);
    }
    duration(text).map(Timeout::After)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_seconds_or_numbers_with_units() {
        for (text, millis) in [
            ("0", 0),
            ("300", 300_000),
            (" 300 ", 300_000),
            ("+5", 5_000),
            ("5m", 300_000),
            ("1h 30m", 5_400_000),
            ("1h30m", 5_400_000),
            ("250ms", 250),
            ("1.5s", 1_500),
            ("2 days", 172_800_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_with_the_reason() {
        for (text, refusal) in [
            ("", Refusal::NotOne),
            ("soon", Refusal::NotOne),
            ("5x", Refusal::NotOne),
            ("never", Refusal::NotOne),
            ("1.5", Refusal::Because("a unit is missing")),
            ("5m 30", Refusal::Because("a unit is missing")),
            ("-5", Refusal::Because("it cannot be negative")),
            ("-5m", Refusal::Because("it cannot be negative")),
            ("0.5ns", Refusal::Because("it is too large or too precise")),
            ("99999999999s", Refusal::Because("it is too large")),
            ("18446744073709551615s 1000000000ns", Refusal::Because("it is too large")),
        ] {
            assert_eq!(duration(text), Err(refusal), "{text}");
        }
    }

    #[test]
    fn only_a_timeout_may_be_never() {
        assert_eq!(timeout("never"), Ok(Timeout::Never));
        assert_eq!(timeout("Never"), Ok(Timeout::Never));
        assert_eq!(timeout("0"), Ok(Timeout::After(Duration::ZERO)));
        assert_eq!(some_time("0s"), Err(Refusal::Because("it must be longer than zero")));
        assert_eq!(some_time("1ms"), Ok(Duration::from_millis(1)));
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "[0-9]{0,22}[smhdyµun. ]{0,3}[0-9]{0,22}(ns|y|s|M)?\\PC{0,4}") {
            let _ = timeout(&text);
        }
    }
}
