//! What a message may repeat of an input.
//!
//! An input that may hold a secret is never repeated, not even in part: a password can contain any
//! character, so a URL that is wrong cannot be taken apart to find where the password ends. Then
//! only words of our own, from the lists of what is known, are printed.

/// Words that announce a secret nearby, in lower case.
const SECRETIVE: [&str; 9] =
    ["pass", "pwd", "secret", "token", "credential", "auth", "apikey", "api_key", "access_key"];

/// The longest piece of an input that helps to find a mistake.
const LONGEST: usize = 60;

/// Whether nothing in `input` looks like a user name, a password or another secret.
///
/// Judged over the whole input, and a piece of it is repeated only if the whole is harmless.
pub(super) fn is_harmless(input: &str) -> bool {
    let lower = input.to_ascii_lowercase();
    !lower.contains('@')
        && !lower.contains("%40")
        && !SECRETIVE.iter().any(|word| lower.contains(word))
}

/// What a message adds about the value itself, if that is plain enough to be repeated.
pub(super) fn not_this(value: &str, harmless: bool) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || " ._+-µ".contains(c);
    let is_short = (1..=LONGEST).contains(&value.len());
    if harmless && is_short && is_harmless(value) && value.chars().all(plain) {
        format!(", not `{value}`")
    } else {
        String::new()
    }
}

/// Whether `text` is the kind of word that names an option, a table or a scheme.
pub(super) fn is_name(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-+.".contains(&byte))
}

/// A path as messages show it: `None` where it may hold a secret or would garble the message.
pub(super) fn path(path: &str) -> Option<&str> {
    (is_harmless(path) && !path.contains("://") && !path.chars().any(char::is_control))
        .then_some(path)
}
