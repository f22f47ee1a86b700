//! The environment: `KEYEDCACHE_URL` and `KEYEDCACHE_CONFIG`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use super::{CacheConfig, from_file, known, mistake, url};
use crate::error::Error;

/// The variable that holds the URL of the cache named `default`.
const URL: &str = "KEYEDCACHE_URL";
/// The variable that holds the path of a TOML file.
const CONFIG: &str = "KEYEDCACHE_CONFIG";
/// The cache that is used where none is named.
const DEFAULT: &str = "default";

/// The caches that the environment configures, by alias; `None` if it says nothing.
///
/// `read` tells the value of a variable: `|name| std::env::var_os(name)`. `KEYEDCACHE_URL`
/// configures `default`; `KEYEDCACHE_CONFIG` names a TOML file of any number of caches. If both are
/// set, the URL replaces the file's `default`. An empty variable counts as not set.
///
/// # Errors
///
/// [`Config`](crate::ErrorKind::Config), naming the variable and what is wrong.
pub fn from_environment(
    read: impl Fn(&str) -> Option<OsString>,
) -> Result<Option<BTreeMap<String, CacheConfig>>, Error> {
    let read = |name| read(name).filter(|value| !value.is_empty());
    let file = read(CONFIG).map(|path| in_file(Path::new(&path))).transpose()?;
    let default = read(URL).map(|text| in_url(&text.to_string_lossy())).transpose()?;
    if file.is_none() && default.is_none() {
        return Ok(None);
    }
    let mut caches = file.unwrap_or_default();
    caches.extend(default.map(|config| (DEFAULT.to_owned(), config)));
    Ok(Some(caches))
}

fn in_url(text: &str) -> Result<CacheConfig, Error> {
    if text.contains(char::REPLACEMENT_CHARACTER) {
        return Err(mistake::all_in(URL, vec!["it is not UTF-8".to_owned()]));
    }
    url::cache(text).map_err(|mut wrong| {
        if Path::new(text).extension().is_some_and(|end| end == "toml") && !text.contains(':') {
            wrong = vec![format!("it takes a URL; the path of a TOML file goes into `{CONFIG}`")];
        }
        mistake::all_in(URL, wrong)
    })
}

fn in_file(path: &Path) -> Result<BTreeMap<String, CacheConfig>, Error> {
    let text = path.to_string_lossy();
    let is_url = text.contains("://")
        || known::SCHEMES
            .iter()
            .any(|(scheme, _)| text.strip_prefix(scheme).is_some_and(|rest| rest.starts_with(':')));
    if is_url {
        let message = format!("it takes the path of a TOML file; a URL goes into `{URL}`");
        return Err(mistake::all_in(CONFIG, vec![message]));
    }
    from_file(path)
}
