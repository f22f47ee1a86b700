//! What an error of serde may say: what was expected, never what was found, for that is a value.

use std::borrow::Cow;

/// Why something could not be encoded or decoded.
pub(super) type Reason = Cow<'static, str>;

/// What a message of a `Deserializer` or a `Deserialize` tells about the type alone.
pub(super) fn of_decoding(message: &str) -> Reason {
    // "invalid type: string \"secret\", expected u32": the last "expected" is the type's own.
    if let Some((_, expected)) = message.rsplit_once(", expected ") {
        return format!("expected {expected}").into();
    }
    // The names of fields are the type's own, too.
    if message.starts_with("missing field `") || message.starts_with("duplicate field `") {
        return message.to_owned().into();
    }
    "the bytes do not fit the type".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_tells_what_was_expected_and_never_what_was_found() {
        for (message, reason) in [
            ("invalid type: string \"secret\", expected u32", "expected u32"),
            ("invalid value: string \"s, expected ret\", expected a path", "expected a path"),
            ("unknown variant `secret`, expected `A` or `B`", "expected `A` or `B`"),
            ("missing field `name`", "missing field `name`"),
            ("no such secret", "the bytes do not fit the type"),
        ] {
            assert_eq!(of_decoding(message), reason);
        }
    }
}
