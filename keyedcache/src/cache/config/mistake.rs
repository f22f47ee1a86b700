//! Mistakes found in a configuration, and the one error they end in.

use crate::error::{Error, ErrorKind};

/// What is wrong, and where.
#[derive(Debug)]
pub(super) struct Mistake {
    /// The line it stands in, for the order in which mistakes are told.
    pub(super) line: usize,
    /// Place and message: `app.toml:7: [sessions] unknown option …`.
    pub(super) text: String,
}

/// The error that tells all of `mistakes`, in the order of their lines.
pub(super) fn error(mut mistakes: Vec<Mistake>) -> Error {
    mistakes.sort_by_key(|mistake| mistake.line);
    let mut texts: Vec<String> = mistakes.into_iter().map(|mistake| mistake.text).collect();
    let message = match texts.len() {
        1 => texts.remove(0),
        many => format!("{many} mistakes:\n  {}", texts.join("\n  ")),
    };
    Error::new(ErrorKind::Config, "configure", message)
}

/// The error that tells what is wrong in one place.
pub(super) fn all_in(place: &str, wrong: Vec<String>) -> Error {
    let mistake = |text| Mistake { line: 0, text: format!("{place}: {text}") };
    error(wrong.into_iter().map(mistake).collect())
}
