//! Finds the paths in tokens, so that those inside macros are found too.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

use crate::source::Names;

/// Every path of at least two names in `tokens`; of `a::{b, c}` both.
pub(crate) fn collect_paths(tokens: TokenStream, out: &mut Vec<Names>) {
    let tokens: Vec<_> = tokens.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Group(group) => {
                collect_paths(group.stream(), out);
                at += 1;
            }
            TokenTree::Ident(name)
                if !is_keyword(&name.to_string()) && is_path_start(&tokens, at) =>
            {
                let start = if is_colons(&tokens, at.wrapping_sub(2)) {
                    vec![String::new()]
                } else {
                    Vec::new()
                };
                at = collect_path(&tokens, at, start, out);
            }
            _ => at += 1,
        }
    }
}

/// Collects the path whose next name is at `at`; returns where it ends.
fn collect_path(
    tokens: &[TokenTree],
    mut at: usize,
    mut path: Names,
    out: &mut Vec<Names>,
) -> usize {
    loop {
        match tokens.get(at) {
            Some(TokenTree::Ident(name)) => path.push(name.to_string()),
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                let inner: Vec<_> = group.stream().into_iter().collect();
                for branch in
                    inner.split(|token| is_punct(token, ',')).filter(|branch| !branch.is_empty())
                {
                    collect_path(branch, 0, path.clone(), out);
                }
                return at + 1;
            }
            Some(token) if is_punct(token, '*') => {
                path.push("*".to_owned());
                out.push(path);
                return at + 1;
            }
            _ => break,
        }
        at += 1;
        if !is_colons(tokens, at) {
            break;
        }
        at += 2;
    }
    if path.last().is_some_and(|name| name == "self") && path.len() > 1 {
        path.pop();
    }
    out.push(path);
    at
}

/// Whether the name at `at` begins a path: `::` follows it, or `::` that nothing precedes precedes it.
fn is_path_start(tokens: &[TokenTree], at: usize) -> bool {
    let Some(colons) = at.checked_sub(2).filter(|&colons| is_colons(tokens, colons)) else {
        return is_colons(tokens, at + 1);
    };
    match colons.checked_sub(1).map(|before| &tokens[before]) {
        None => true,
        // `a::b`, `Vec<T>::new`, `[T]::len`: the middle of a path. `-> ::a`, `as ::a` begin one.
        Some(TokenTree::Ident(name)) => is_keyword(&name.to_string()),
        Some(TokenTree::Group(_)) => false,
        Some(before) => !is_punct(before, '>') || is_punct_at(tokens, colons.wrapping_sub(2), '-'),
    }
}

/// Whether it is a word that cannot stand in a path.
fn is_keyword(word: &str) -> bool {
    let in_paths = ["self", "Self", "super", "crate"];
    !in_paths.contains(&word) && syn::parse_str::<syn::Ident>(word).is_err()
}

fn is_colons(tokens: &[TokenTree], at: usize) -> bool {
    // Two in a row that are apart are the end of `name:` and the beginning of `::path`.
    let joint =
        matches!(tokens.get(at), Some(TokenTree::Punct(sign)) if sign.spacing() == Spacing::Joint);
    joint && is_punct_at(tokens, at, ':') && is_punct_at(tokens, at + 1, ':')
}

fn is_punct_at(tokens: &[TokenTree], at: usize, sign: char) -> bool {
    tokens.get(at).is_some_and(|token| is_punct(token, sign))
}

fn is_punct(token: &TokenTree, sign: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == sign)
}
