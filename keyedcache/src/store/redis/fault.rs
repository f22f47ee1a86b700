//! What a server's or a connection's failure means to a caller.

use redis::{RedisError, ServerError, Value};

use crate::error::{Error, ErrorKind};

/// The most of a server's own words that a message repeats.
const WORDS: usize = 160;

/// The answer, or the error the server sent instead.
pub(super) fn checked(operation: &'static str, store: &str, reply: Value) -> Result<Value, Error> {
    match reply {
        Value::ServerError(error) => Err(refusal(operation, store, &error)),
        reply => Ok(reply),
    }
}

/// The server has refused: nothing has been done.
pub(super) fn refusal(operation: &'static str, store: &str, error: &ServerError) -> Error {
    let message = format!("the server refuses: {}", told(error.code(), error.details()));
    Error::new(kind(error.code()), operation, message).with("store", store)
}

/// As an error within a script says it: its code, then its words.
pub(super) fn refusal_in_script(operation: &'static str, store: &str, text: &str) -> Error {
    let (code, words) = text.split_once(' ').unwrap_or((text, ""));
    let message = format!("the server refuses: {}", told(code, Some(words)));
    Error::new(kind(code), operation, message).with("store", store)
}

/// What an error in connecting says, without what was sent.
pub(super) fn words(error: &RedisError) -> String {
    match error.code() {
        Some(code) => told(code, error.detail()),
        None => cut(&error.to_string()),
    }
}

/// What a line says by which a server refuses, without what was sent.
pub(super) fn line(line: &[u8]) -> String {
    told(&String::from_utf8_lossy(line), None)
}

/// No server can be asked; nothing was sent.
pub(super) fn unavailable(operation: &'static str, store: &str, because: &str) -> Error {
    Error::new(ErrorKind::Unavailable, operation, because.to_owned()).with("store", store)
}

/// Something was sent and no reply came, and it may not be sent again, or was and that did not help.
pub(super) fn lost(operation: &'static str, store: &str, is_repeatable: bool) -> Error {
    let kind = if is_repeatable { ErrorKind::Unavailable } else { ErrorKind::OutcomeUnknown };
    Error::new(kind, operation, "the connection was lost before the answer came")
        .with("store", store)
}

/// The reply is of another form than the command has.
pub(super) fn garbled(operation: &'static str, store: &str) -> Error {
    Error::new(ErrorKind::Unavailable, operation, "the server's answer makes no sense")
        .with("store", store)
}

fn kind(code: &str) -> ErrorKind {
    if code == "OOM" { ErrorKind::Full } else { ErrorKind::Unavailable }
}

fn told(code: &str, details: Option<&str>) -> String {
    let words = format!("{code} {}", details.unwrap_or_default());
    // What follows is what was sent, values and all.
    let words = words.split(", with args beginning").next().unwrap_or_default();
    cut(words.trim_end())
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(WORDS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
