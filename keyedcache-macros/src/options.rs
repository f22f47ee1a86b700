//! The options of `#[cached(...)]`: their names, and what stands behind each.
//!
//! Every option keeps the token that names it, so that what is found wrong later can point there. A
//! mistake in one option does not hide those in the next ones.

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Error, Expr, LitStr, Path, Token};

use crate::duration::Period;
use crate::mistakes::Mistakes;
use crate::suggest::{list, nearest};

mod values;

use values::{
    arguments, codec, companion, early, flag, number, path, refresh, scopes, single_flight, text,
    timeout, value, whole,
};

/// The options, in the order in which messages list them.
const NAMES: [&str; 26] = [
    "timeout",
    "stale",
    "stale_if_error",
    "refresh",
    "early",
    "jitter",
    "timeout_err",
    "timeout_none",
    "cache_if",
    "key",
    "skip",
    "name",
    "version",
    "scope",
    "cache",
    "codec",
    "local",
    "near",
    "single_flight",
    "wait",
    "soft_timeout",
    "hard_timeout",
    "lease",
    "lease_max",
    "companion",
    "crate",
];

/// What other crates call our options.
const ELSEWHERE: [(&str, &str); 19] = [
    ("ttl", "timeout"),
    ("ttl_secs", "timeout"),
    ("ttl_millis", "timeout"),
    ("time", "timeout"),
    ("expire", "timeout"),
    ("expires", "timeout"),
    ("max_age", "timeout"),
    ("time_to_live", "timeout"),
    ("convert", "key"),
    ("ignore", "skip"),
    ("namespace", "name"),
    ("prefix", "name"),
    ("size", "near"),
    ("capacity", "near"),
    ("max_size", "near"),
    ("result_fallback", "stale_if_error"),
    ("cache_err", "timeout_err"),
    ("sync_writes", "single_flight"),
    ("condition", "cache_if"),
];

/// An option that was given: its name where it stands, and its value.
#[derive(Clone)]
pub(crate) struct Given<T> {
    pub(crate) name: Ident,
    pub(crate) value: T,
}

/// How long answers are fresh.
pub(crate) enum Timeout {
    Never,
    After(Period),
    /// A closure over what is stored.
    Of(Expr),
}

/// What answers are encoded by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Codec {
    MessagePack,
    Json,
    Bincode,
}

/// Who waits for one that computes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SingleFlight {
    Cluster,
    Process,
    Off,
}

/// Who computes a new answer while the old one is served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refresh {
    Background,
    Foreground,
}

/// Everything that was given.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) timeout: Option<Given<Timeout>>,
    pub(crate) stale: Option<Given<Period>>,
    pub(crate) stale_if_error: Option<Given<Period>>,
    pub(crate) refresh: Option<Given<Refresh>>,
    pub(crate) early: Option<Given<f64>>,
    pub(crate) jitter: Option<Given<f64>>,
    pub(crate) timeout_err: Option<Given<Period>>,
    pub(crate) timeout_none: Option<Given<Period>>,
    pub(crate) cache_if: Option<Given<Expr>>,
    pub(crate) key: Option<Given<Expr>>,
    pub(crate) skip: Option<Given<Vec<Ident>>>,
    pub(crate) name: Option<Given<LitStr>>,
    pub(crate) version: Option<Given<u32>>,
    /// Groups of arguments.
    pub(crate) scope: Option<Given<Vec<Vec<Ident>>>>,
    pub(crate) cache: Option<Given<LitStr>>,
    pub(crate) codec: Option<Given<Codec>>,
    pub(crate) local: Option<Given<()>>,
    pub(crate) near: Option<Given<usize>>,
    pub(crate) single_flight: Option<Given<SingleFlight>>,
    pub(crate) wait: Option<Given<Period>>,
    pub(crate) soft_timeout: Option<Given<Period>>,
    pub(crate) hard_timeout: Option<Given<Period>>,
    pub(crate) lease: Option<Given<Period>>,
    pub(crate) lease_max: Option<Given<Period>>,
    pub(crate) companion: Option<Given<Ident>>,
    pub(crate) krate: Option<Given<Path>>,
    /// The names that were given, one after another.
    order: Vec<Ident>,
}

impl Options {
    /// Reads what stands in the parentheses of the attribute.
    pub(crate) fn parse(tokens: TokenStream, mistakes: &mut Mistakes) -> Self {
        let mut options = Self::default();
        let read = |input: ParseStream<'_>| {
            while !input.is_empty() {
                if let Err(mistake) = options.parse_one(input) {
                    mistakes.push(mistake);
                    skip_to_comma(input)?;
                }
                if !input.is_empty() {
                    input.parse::<Token![,]>()?;
                }
            }
            Ok(())
        };
        if let Err(mistake) = read.parse2(tokens) {
            mistakes.push(mistake);
        }
        options
    }

    /// An option that was given besides `crate`, if there is one.
    pub(crate) fn first_but_crate(&self) -> Option<&Ident> {
        self.order.iter().find(|name| *name != "crate")
    }

    /// Whether answers are refreshed before they are missing, as far as is known here. Zero is none.
    pub(crate) fn refreshes(&self) -> bool {
        let stale = self.stale.as_ref().is_some_and(|given| !given.value.is_zero());
        stale || self.early.as_ref().is_some_and(|given| given.value > 0.0)
    }

    /// Whether an old answer may be served while a new one is computed in the background.
    pub(crate) fn refreshes_in_background(&self) -> bool {
        let foreground = self.refresh.as_ref().is_some_and(|r| r.value == Refresh::Foreground);
        self.refreshes() && !foreground
    }

    /// Whether a call waits for its own computation only so long.
    pub(crate) fn limits_time(&self) -> bool {
        self.soft_timeout.is_some() || self.hard_timeout.is_some()
    }

    /// Whether the body may go on when its caller has got an answer.
    pub(crate) fn computes_away(&self) -> bool {
        self.refreshes_in_background() || self.limits_time()
    }

    /// Whether the argument of this name was skipped.
    pub(crate) fn skips(&self, argument: &Ident) -> bool {
        self.skip.as_ref().is_some_and(|skip| skip.value.contains(argument))
    }

    fn parse_one(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        if !input.peek(Ident::peek_any) {
            return Err(input.error(format!("expected an option: {}", all())));
        }
        let name = Ident::parse_any(input)?;
        self.order.push(name.clone());
        match name.to_string().as_str() {
            "timeout" => set(&mut self.timeout, name, input, "60", value(timeout)),
            "stale" => set(&mut self.stale, name, input, "\"5m\"", value(Period::parse)),
            "stale_if_error" => {
                set(&mut self.stale_if_error, name, input, "\"1h\"", value(Period::parse))
            }
            "refresh" => set(&mut self.refresh, name, input, "\"foreground\"", value(refresh)),
            "early" => set(&mut self.early, name, input, "1.5", early),
            "jitter" => set(&mut self.jitter, name, input, "0.1", value(number)),
            "timeout_err" => {
                set(&mut self.timeout_err, name, input, "\"5s\"", value(Period::parse))
            }
            "timeout_none" => {
                set(&mut self.timeout_none, name, input, "\"5s\"", value(Period::parse))
            }
            "cache_if" => set(&mut self.cache_if, name, input, "|answer| …", value(Expr::parse)),
            "key" => set(&mut self.key, name, input, "(x, y)", value(Expr::parse)),
            "skip" => set(&mut self.skip, name, input, "", arguments),
            "name" => set(&mut self.name, name, input, "\"find-product\"", value(text)),
            "version" => set(&mut self.version, name, input, "2", value(whole)),
            "scope" => set(&mut self.scope, name, input, "", scopes),
            "codec" => set(&mut self.codec, name, input, "\"json\"", value(codec)),
            "cache" => set(&mut self.cache, name, input, "\"sessions\"", value(text)),
            "local" => set(&mut self.local, name, input, "", flag),
            "near" => set(&mut self.near, name, input, "10_000", value(whole)),
            "single_flight" => {
                set(&mut self.single_flight, name, input, "\"process\"", value(single_flight))
            }
            "wait" => set(&mut self.wait, name, input, "\"10s\"", value(Period::parse)),
            "soft_timeout" => {
                set(&mut self.soft_timeout, name, input, "\"100ms\"", value(Period::parse))
            }
            "hard_timeout" => {
                set(&mut self.hard_timeout, name, input, "\"2s\"", value(Period::parse))
            }
            "lease" => set(&mut self.lease, name, input, "\"30s\"", value(Period::parse)),
            "lease_max" => set(&mut self.lease_max, name, input, "\"10m\"", value(Period::parse)),
            "companion" => set(&mut self.companion, name, input, "Name", value(companion)),
            "crate" => set(&mut self.krate, name, input, "::keyedcache", value(path)),
            _ => Err(unknown(&name)),
        }
    }
}

/// Reads one value and keeps it, unless the option was given before.
fn set<T>(
    option: &mut Option<Given<T>>,
    name: Ident,
    input: ParseStream<'_>,
    example: &str,
    read: impl FnOnce(&Ident, ParseStream<'_>, &str) -> syn::Result<T>,
) -> syn::Result<()> {
    let value = read(&name, input, example)?;
    if !input.is_empty() && !input.peek(Token![,]) {
        return Err(input.error("expected a comma before the next option"));
    }
    if option.is_some() {
        return Err(Error::new_spanned(&name, format!("`{name}` is given twice; leave one out")));
    }
    *option = Some(Given { name, value });
    Ok(())
}

fn unknown(name: &Ident) -> Error {
    let written = name.to_string();
    let meant = ELSEWHERE
        .iter()
        .find(|(elsewhere, _)| *elsewhere == written)
        .map(|(_, ours)| *ours)
        .or_else(|| nearest(&written, NAMES));
    let question = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
    Error::new_spanned(name, format!("unknown option `{name}`{question}\noptions are {}", all()))
}

fn all() -> String {
    list(NAMES)
}

/// Leaves out the rest of an option in which something was wrong.
fn skip_to_comma(input: ParseStream<'_>) -> syn::Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<TokenTree>()?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "options/tests.rs"]
mod tests;
