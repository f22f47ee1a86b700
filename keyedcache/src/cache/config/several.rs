//! Where one URL of a list ends and the next begins.
//!
//! A comma may be part of a URL: it separates the hosts of a cluster, and stands in paths. So one
//! that separates URLs is known by what follows it: a scheme.

use super::url::known_scheme;

/// The URLs of a text: one, or several with commas between.
pub(super) fn split(text: &str) -> Vec<&str> {
    let mut urls = Vec::new();
    let mut start = 0;
    for (comma, _) in text.match_indices(',') {
        if begins_url(text[comma + 1..].trim_start()) {
            urls.push(&text[start..comma]);
            start = comma + 1;
        }
    }
    urls.push(&text[start..]);
    urls
}

/// Whether this is a URL and no host with its port (`redis:6379`) or rest of a path.
fn begins_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let is_port = rest.starts_with(|c: char| c.is_ascii_digit());
    is_scheme(scheme) && (rest.starts_with('/') || (known_scheme(scheme).is_some() && !is_port))
}

/// Whether this can stand before the colon of a URL.
pub(super) fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}
