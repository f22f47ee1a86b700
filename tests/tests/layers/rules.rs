//! The rules. Each takes sources and says what in them breaks it: file and path.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};

use crate::paths::collect_paths;
use crate::source::{Names, Sources, Target};

/// The backends: modules of `store` that must not know one another.
const BACKENDS: [&str; 6] = ["memory", "disk", "redis", "s3", "sharded", "null"];

/// What a store could reach by its layer and must not know all the same.
const UNKNOWN_TO_STORES: [&str; 3] = ["codec", "compress", "policy"];

/// Crates whose types stay in one module.
const BACKEND_CRATES: [(&str, &str); 5] = [
    ("heed", "store::disk"),
    ("redis", "store::redis"),
    ("aws_sdk_s3", "store::s3"),
    ("aws_config", "store::s3"),
    ("aws_smithy_runtime_api", "store::s3"),
];

/// What would make `policy` more than a function of its arguments.
const IMPURE: [&str; 12] = [
    "clock::Clock",
    "getrandom",
    "rustix",
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "tokio",
];

/// The number of each top-level module's layer.
pub(crate) type Layers = BTreeMap<String, u32>;

/// Reads the table whose rows are `| number | `module` `module` | … |`.
pub(crate) fn layers_in(document: &str) -> Layers {
    let mut layers = Layers::new();
    for row in document.lines() {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let [_, number, modules, ..] = cells.as_slice() else {
            continue;
        };
        let Ok(number) = number.parse() else { continue };
        layers.extend(modules.split('`').skip(1).step_by(2).map(|name| (name.to_owned(), number)));
    }
    layers
}

/// Modules that are in no layer.
pub(crate) fn unplaced_modules(sources: &Sources, layers: &Layers) -> Vec<String> {
    let top = sources.modules().filter(|(path, _)| path.len() == 1);
    top.filter(|(path, _)| !layers.contains_key(&path[0]))
        .map(|(path, _)| path[0].clone())
        .collect()
}

/// Imports from a higher layer; and, within a layer, between modules that import each other.
pub(crate) fn upward_imports(sources: &Sources, layers: &Layers) -> Vec<String> {
    let pairs: BTreeSet<_> =
        uses(sources).filter_map(|found| found.between_top_modules()).collect();
    broken(sources, |found| {
        let Some((from, to)) = found.between_top_modules() else {
            return false;
        };
        let mutual = pairs.contains(&(to.clone(), from.clone()));
        match (layers.get(&from), layers.get(&to)) {
            (Some(from), Some(to)) => to > from || (to == from && mutual),
            _ => false,
        }
    })
}

/// Stores that know values or policy.
pub(crate) fn knowing_stores(sources: &Sources) -> Vec<String> {
    broken(sources, |found| {
        let pair = found.between_top_modules();
        pair.is_some_and(|(from, to)| from == "store" && UNKNOWN_TO_STORES.contains(&&*to))
    })
}

/// Backends that know another one.
pub(crate) fn knowing_backends(sources: &Sources) -> Vec<String> {
    fn backend_of(path: &[String]) -> Option<&String> {
        let [store, name, ..] = path else { return None };
        (store == "store" && BACKENDS.contains(&name.as_str())).then_some(name)
    }
    broken(sources, |found| match &found.target {
        Target::Inside(to, _) => {
            let (from, to) = (backend_of(found.from), backend_of(to));
            from.is_some() && to.is_some() && from != to
        }
        Target::Outside(_) => false,
    })
}

/// Backend crates named outside their module.
pub(crate) fn straying_backend_crates(sources: &Sources) -> Vec<String> {
    broken(sources, |found| match &found.target {
        Target::Outside(path) => BACKEND_CRATES
            .iter()
            .any(|(name, home)| path[0] == *name && !found.from.starts_with(&names(home))),
        Target::Inside(..) => false,
    })
}

/// Clocks, randomness and I/O in `policy`.
pub(crate) fn impure_policies(sources: &Sources) -> Vec<String> {
    broken(sources, |found| {
        let path = found.target.path();
        found.from.first().is_some_and(|top| top == "policy")
            && IMPURE.iter().any(|impure| path.starts_with(&names(impure)))
    })
}

/// Imports by glob, which hide what is imported.
pub(crate) fn globs(sources: &Sources) -> Vec<String> {
    broken(sources, |found| found.target.path().last().is_some_and(|name| name == "*"))
}

/// Paths in the expansions of macros that lead elsewhere than `::core`, `::std` and, in the crate
/// that `#krate` stands for (which is `::keyedcache`), `__private`.
pub(crate) fn straying_expansions(text: &str) -> Vec<String> {
    let mut paths = Vec::new();
    collect_quoted(text.parse().expect("the compiler reads it too"), &mut paths);
    let strays = |path: &Names| match path.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["", "core" | "std", ..] | ["", "keyedcache"] => false,
        ["", "keyedcache", next, ..] | ["krate", next, ..] => next != "__private",
        // Anything else that does not begin with a name bound by the user's code or the expansion.
        ["" | "core" | "std" | "alloc" | "keyedcache" | "crate", ..] => true,
        _ => false,
    };
    paths.retain(strays);
    paths.iter().map(|path| path.join("::")).collect()
}

/// How often `unsafe_code` is allowed.
pub(crate) fn allowances_of_unsafe(text: &str) -> usize {
    fn count(tokens: TokenStream, allowing: bool) -> usize {
        let mut last = String::new();
        let mut found = 0;
        for token in tokens {
            match &token {
                TokenTree::Group(group) => {
                    let allowing = last == "allow" || last == "expect" || last == "warn";
                    found += count(group.stream(), allowing);
                }
                TokenTree::Ident(name) if allowing && name == "unsafe_code" => found += 1,
                _ => {}
            }
            last = token.to_string();
        }
        found
    }
    count(text.parse().expect("the compiler reads it too"), false)
}

/// The paths inside `quote!` and its like.
fn collect_quoted(tokens: TokenStream, out: &mut Vec<Names>) {
    const QUOTES: [&str; 4] = ["quote", "quote_spanned", "parse_quote", "parse_quote_spanned"];
    let tokens: Vec<_> = tokens.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else {
            continue;
        };
        let quoted = matches!(
            tokens[..at].last_chunk(),
            Some([TokenTree::Ident(name), TokenTree::Punct(bang)])
                if bang.as_char() == '!' && QUOTES.contains(&&*name.to_string())
        );
        if quoted {
            collect_paths(group.stream(), out);
        } else {
            collect_quoted(group.stream(), out);
        }
    }
}

/// One path that a module names.
struct Use<'a> {
    from: &'a Names,
    file: String,
    target: Target,
}

impl Use<'_> {
    /// The top-level modules that use and are used, if they are two.
    fn between_top_modules(&self) -> Option<(String, String)> {
        let Target::Inside(to, _) = &self.target else {
            return None;
        };
        let (from, to) = (self.from.first()?, to.first()?);
        (from != to).then(|| (from.clone(), to.clone()))
    }
}

fn uses(sources: &Sources) -> impl Iterator<Item = Use<'_>> {
    sources.modules().flat_map(|(from, module)| {
        let file = module.file.display().to_string();
        sources.targets(from).map(move |target| Use { from, file: file.clone(), target })
    })
}

fn broken(sources: &Sources, breaks: impl Fn(&Use<'_>) -> bool) -> Vec<String> {
    let found: BTreeSet<_> = uses(sources)
        .filter(|found| breaks(found))
        .map(|found| format!("{} names {}", found.file, found.target.path().join("::")))
        .collect();
    found.into_iter().collect()
}

fn names(path: &str) -> Names {
    path.split("::").map(str::to_owned).collect()
}
