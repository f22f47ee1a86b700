//! Sizes as people write them: `65536` (bytes), `64MiB`, `2GB`, `1.5GiB`; units in any case.

use super::value::Refusal;

/// A number of bytes; zero is one.
pub(super) fn size(text: &str) -> Result<u64, Refusal> {
    let text = text.trim();
    if text.starts_with('-') {
        return Err(Refusal::Because("it cannot be negative"));
    }
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit_of(unit.trim_start())?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || fraction.contains('.') || number.ends_with('.') {
        return Err(Refusal::NotOne);
    }
    if !fraction.is_empty() && unit == 1 {
        return Err(Refusal::Because("a byte cannot be split"));
    }
    let too_large = Refusal::Because("it is too large");
    if whole.len() > 20 || fraction.len() > 9 {
        return Err(too_large);
    }
    let digits = |digits: &str| digits.parse::<u128>().unwrap_or(0);
    let scale = fraction.bytes().fold(1, |scale: u128, _| scale * 10);
    let bytes = digits(whole) * unit + digits(fraction) * unit / scale;
    u64::try_from(bytes).map_err(|_| too_large)
}

/// A number of bytes above zero.
pub(super) fn some_room(text: &str) -> Result<u64, Refusal> {
    match size(text)? {
        0 => Err(Refusal::Because("it must be more than zero")),
        some => Ok(some),
    }
}

fn unit_of(unit: &str) -> Result<u128, Refusal> {
    Ok(match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        "k" | "m" | "g" | "t" => return Err(Refusal::Because("write `MB` or `MiB`, not `M`")),
        _ => return Err(Refusal::NotOne),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_bytes_or_numbers_with_units() {
        for (text, bytes) in [
            ("0", 0),
            ("65536", 65_536),
            ("64MiB", 64 << 20),
            ("64mib", 64 << 20),
            ("2 GB", 2_000_000_000),
            ("1.5GiB", 3 << 29),
            ("10b", 10),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused_with_the_reason() {
        for (text, refusal) in [
            ("", Refusal::NotOne),
            ("MiB", Refusal::NotOne),
            ("2 GBs", Refusal::NotOne),
            ("1.2.3KB", Refusal::NotOne),
            ("1.KB", Refusal::NotOne),
            ("much", Refusal::NotOne),
            ("-1", Refusal::Because("it cannot be negative")),
            ("1.5", Refusal::Because("a byte cannot be split")),
            ("64M", Refusal::Because("write `MB` or `MiB`, not `M`")),
            ("18446744073709551616", Refusal::Because("it is too large")),
            ("17000000TiB", Refusal::Because("it is too large")),
            ("99999999999999999999999999999999999999999TiB", Refusal::Because("it is too large")),
        ] {
            assert_eq!(size(text), Err(refusal), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "[0-9]{0,40}\\.?[0-9]{0,40}[kmgtib ]{0,3}\\PC{0,4}") {
            let _ = some_room(&text);
        }
    }
}
