//! TOML files: a table a cache, named by its alias; `url` and the options as keys.
//!
//! A relative path of a disk store is taken from the file's own folder. All mistakes of a file are
//! told at once, each with its line; but a file that is no TOML is not looked into further.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::CacheConfig;
use super::check::is_alias;
use super::draft::Draft;
use super::mistake::{self, Mistake};
use super::{known, quote, url};
use crate::error::{Error, ErrorKind};

/// The caches that a TOML file configures, by alias.
///
/// # Errors
///
/// [`Config`](ErrorKind::Config) if the file cannot be read, or naming all that is wrong in it.
pub fn from_file(path: &Path) -> Result<BTreeMap<String, CacheConfig>, Error> {
    let text = std::fs::read_to_string(path).map_err(|source| {
        let file = shown(path);
        let why = source.kind();
        Error::new(ErrorKind::Config, "configure", format!("{file} cannot be read: {why}"))
            .with_source(source)
    })?;
    from_toml(&text, path)
}

/// The caches that the text of a TOML file configures, by alias; `path` is the file's, for messages
/// and for relative paths in it.
///
/// ```
/// use keyedcache::cache::config;
///
/// let text = r#"
///     [sessions]
///     url = "memory:"
///     timeout = "30m"
/// "#;
/// let caches = config::from_toml(text, "app.toml".as_ref())?;
/// assert!(caches.contains_key("sessions"));
/// # Ok::<(), keyedcache::Error>(())
/// ```
///
/// # Errors
///
/// [`Config`](ErrorKind::Config), naming all that is wrong in it.
pub fn from_toml(text: &str, path: &Path) -> Result<BTreeMap<String, CacheConfig>, Error> {
    let mut reader = Reader { text, path, file: shown(path), mistakes: Vec::new() };
    let mut caches = BTreeMap::new();
    match DeTable::parse(text) {
        Ok(document) => {
            for (alias, value) in document.get_ref() {
                if let Some(config) = reader.cache(alias, value) {
                    caches.insert(alias.get_ref().to_string(), config);
                }
            }
        }
        // Only the message: what else the error displays is the line, with what may be a secret.
        Err(wrong) => {
            let at = wrong.span().map_or(text.len(), |span| span.start);
            reader.wrong(at, &format!("not TOML: {}", wrong.message()));
        }
    }
    if reader.mistakes.is_empty() { Ok(caches) } else { Err(mistake::error(reader.mistakes)) }
}

fn shown(path: &Path) -> String {
    let shown = path.to_str().and_then(quote::path).filter(|path| !path.is_empty());
    shown.unwrap_or("the configuration file").to_owned()
}

struct Reader<'a> {
    text: &'a str,
    path: &'a Path,
    file: String,
    mistakes: Vec<Mistake>,
}

impl Reader<'_> {
    fn wrong(&mut self, at: usize, message: &str) {
        let before = self.text.as_bytes().get(..at).unwrap_or(self.text.as_bytes());
        let line = before.split(|byte| *byte == b'\n').count();
        self.mistakes.push(Mistake { line, text: format!("{}:{line}: {message}", self.file) });
    }

    fn cache(
        &mut self,
        alias: &Spanned<Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
    ) -> Option<CacheConfig> {
        let (at, name) = (alias.span().start, alias.get_ref().as_ref());
        let Some(table) = value.get_ref().as_table() else {
            let what = if quote::is_name(name) { format!("`{name}`") } else { "a key".to_owned() };
            self.wrong(at, &format!("{what} is no table; each cache is one, such as `[default]`"));
            return None;
        };
        if !is_alias(name) {
            self.wrong(at, "the name of a cache takes letters, digits, `_` and `-`");
            return None;
        }
        let known_mistakes = self.mistakes.len();
        let draft = self.options(name, at, table);
        if self.mistakes.len() > known_mistakes {
            return None;
        }
        match draft.finish(self.path.parent().unwrap_or(Path::new(""))) {
            Ok(config) => Some(config),
            Err(message) => {
                self.wrong(at, &format!("[{name}] {message}"));
                None
            }
        }
    }

    /// Reads the URL, then every other key of a table.
    fn options(&mut self, alias: &str, at: usize, table: &DeTable<'_>) -> Draft {
        let mut draft = Draft::default();
        match table.get("url") {
            Some(url) => draft = self.url(alias, url),
            None => {
                self.wrong(at, &format!("[{alias}] `url` is missing, such as `url = \"memory:\"`"));
            }
        }
        let in_url: Vec<_> =
            known::OPTIONS.iter().filter(|option| draft.is_given(option.name)).collect();
        for (key, value) in table {
            let (at, name) = (key.span().start, key.get_ref().as_ref());
            if name == "url" {
                continue;
            }
            let outcome = if in_url.iter().any(|option| option.name == name) {
                Err(format!("`{name}` is given twice: in the query of `url`, and as a key"))
            } else {
                set(&mut draft, name, value.get_ref())
            };
            if let Err(message) = outcome {
                self.wrong(at, &format!("[{alias}] {message}"));
            }
        }
        draft
    }

    fn url(&mut self, alias: &str, value: &Spanned<DeValue<'_>>) -> Draft {
        let at = value.span().start;
        let (draft, wrong) = match (value.get_ref().as_str(), list(value.get_ref())) {
            (Some(url), _) => url::draft(url),
            (None, Some(urls)) => url::drafts(&urls),
            (None, None) => {
                let takes = "`url` takes text in quotes, or a list of such: `[\"…\", \"…\"]`";
                self.wrong(at, &format!("[{alias}] {takes}"));
                return Draft::default();
            }
        };
        for message in wrong {
            self.wrong(at, &format!("[{alias}] url: {message}"));
        }
        draft
    }
}

/// The texts of a list that has some, and nothing else.
fn list<'a>(value: &'a DeValue<'_>) -> Option<Vec<&'a str>> {
    let items = value.as_array().filter(|items| !items.is_empty())?;
    items.iter().map(|item| item.get_ref().as_str()).collect()
}

/// Takes one key. What a value may hold is judged by the value itself: TOML has told where it ends.
fn set(draft: &mut Draft, name: &str, value: &DeValue<'_>) -> Result<(), String> {
    match scalar(value) {
        Some(text) => draft.set(name, &text, true),
        None if known::option(name).is_none() => draft.set(name, "", true),
        None => Err(format!("`{name}` takes one value, not a TOML {}", value.type_str())),
    }
}

/// The text of a value that is one: in quotes, a number, or a boolean.
fn scalar<'a>(value: &'a DeValue<'_>) -> Option<Cow<'a, str>> {
    match value {
        DeValue::String(text) => Some(Cow::Borrowed(text)),
        DeValue::Integer(number) => {
            let (digits, radix) = (number.as_str(), number.radix());
            let value = i128::from_str_radix(digits, radix);
            Some(value.map_or(Cow::Borrowed(digits), |value| Cow::Owned(value.to_string())))
        }
        DeValue::Float(number) => Some(Cow::Borrowed(number.as_str())),
        DeValue::Boolean(value) => Some(Cow::Borrowed(if *value { "true" } else { "false" })),
        _ => None,
    }
}
