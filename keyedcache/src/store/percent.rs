//! Percent escapes in the URLs of stores.

/// The text that percent escapes stand for.
pub(crate) fn decoded(text: &str) -> Result<String, &'static str> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else {
            return Err(
                "`%` is not followed by two hexadecimal digits; write `%25` for a percent \
                        sign",
            );
        };
        bytes.push(u8::try_from(high * 16 + low).expect("two hexadecimal digits make a byte"));
    }
    String::from_utf8(bytes).map_err(|_| "the percent escapes are not UTF-8")
}
