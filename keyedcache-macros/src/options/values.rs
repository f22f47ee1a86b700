//! How the values of options are written, and read.

use proc_macro2::Ident;
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::punctuated::Punctuated;
use syn::{Error, Expr, Lit, LitInt, LitStr, Path, Token, parenthesized};

use super::{Codec, Refresh, SingleFlight, Timeout};
use crate::duration::Period;

/// Reads `= value`.
pub(super) fn value<T>(
    read: impl FnOnce(ParseStream<'_>) -> syn::Result<T>,
) -> impl FnOnce(&Ident, ParseStream<'_>, &str) -> syn::Result<T> {
    move |name, input, example| {
        let equals: Option<Token![=]> = input.parse()?;
        if equals.is_none() || input.is_empty() || input.peek(Token![,]) {
            let message = format!("`{name}` needs a value: `{name} = {example}`");
            return Err(Error::new_spanned(name, message));
        }
        read(input)
    }
}

pub(super) fn flag(name: &Ident, input: ParseStream<'_>, _: &str) -> syn::Result<()> {
    if input.is_empty() || input.peek(Token![,]) {
        return Ok(());
    }
    Err(Error::new_spanned(name, format!("`{name}` takes no value: write `{name}`")))
}

pub(super) fn early(name: &Ident, input: ParseStream<'_>, example: &str) -> syn::Result<f64> {
    if input.is_empty() || input.peek(Token![,]) {
        return Ok(1.0);
    }
    value(number)(name, input, example)
}

pub(super) fn arguments(name: &Ident, input: ParseStream<'_>, _: &str) -> syn::Result<Vec<Ident>> {
    if !input.peek(syn::token::Paren) {
        let message = format!("`{name}` takes arguments' names: `{name}(connection)`");
        return Err(Error::new_spanned(name, message));
    }
    let content;
    parenthesized!(content in input);
    let names = Punctuated::<Ident, Token![,]>::parse_terminated_with(&content, name_or_self)?;
    if names.is_empty() {
        let message = format!("`{name}` names no argument: `{name}(connection)`");
        return Err(Error::new_spanned(name, message));
    }
    Ok(names.into_iter().collect())
}

pub(super) fn scopes(
    name: &Ident,
    input: ParseStream<'_>,
    _: &str,
) -> syn::Result<Vec<Vec<Ident>>> {
    let example = format!("`{name}` takes arguments' names: `{name}(x)`, `{name}(x, (x, y))`");
    if !input.peek(syn::token::Paren) {
        return Err(Error::new_spanned(name, example));
    }
    let content;
    parenthesized!(content in input);
    let one = |input: ParseStream<'_>| {
        if !input.peek(syn::token::Paren) {
            return Ok(vec![name_or_self(input)?]);
        }
        let group;
        parenthesized!(group in input);
        let names = Punctuated::<Ident, Token![,]>::parse_terminated_with(&group, name_or_self)?;
        Ok(names.into_iter().collect())
    };
    let scopes = Punctuated::<Vec<Ident>, Token![,]>::parse_terminated_with(&content, one)?;
    if scopes.is_empty() || scopes.iter().any(Vec::is_empty) {
        return Err(Error::new_spanned(name, example));
    }
    Ok(scopes.into_iter().collect())
}

pub(super) fn codec(input: ParseStream<'_>) -> syn::Result<Codec> {
    choice(
        input,
        [("msgpack", Codec::MessagePack), ("json", Codec::Json), ("bincode", Codec::Bincode)],
    )
}

fn name_or_self(input: ParseStream<'_>) -> syn::Result<Ident> {
    if input.peek(Token![self]) { input.call(Ident::parse_any) } else { input.parse() }
}

pub(super) fn timeout(input: ParseStream<'_>) -> syn::Result<Timeout> {
    let expr: Expr = input.parse()?;
    match &expr {
        Expr::Path(path) if path.path.is_ident("Never") => Ok(Timeout::Never),
        Expr::Closure(_) => Ok(Timeout::Of(expr)),
        _ => Period::from_expr(expr).map(Timeout::After),
    }
}

pub(super) fn refresh(input: ParseStream<'_>) -> syn::Result<Refresh> {
    choice(input, [("background", Refresh::Background), ("foreground", Refresh::Foreground)])
}

pub(super) fn single_flight(input: ParseStream<'_>) -> syn::Result<SingleFlight> {
    choice(
        input,
        [
            ("cluster", SingleFlight::Cluster),
            ("process", SingleFlight::Process),
            ("off", SingleFlight::Off),
        ],
    )
}

fn choice<T: Copy, const N: usize>(
    input: ParseStream<'_>,
    choices: [(&str, T); N],
) -> syn::Result<T> {
    let expr: Expr = input.parse()?;
    let written = match &expr {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) => text.value(),
            _ => String::new(),
        },
        _ => String::new(),
    };
    if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == written) {
        return Ok(*choice);
    }
    let names = choices.map(|(name, _)| format!("\"{name}\"")).join(" or ");
    Err(Error::new_spanned(expr, format!("write {names}")))
}

pub(super) fn companion(input: ParseStream<'_>) -> syn::Result<Ident> {
    let why = "write the name itself: `companion = Name`";
    input.parse().map_err(|_| input.error(why))
}

pub(super) fn path(input: ParseStream<'_>) -> syn::Result<Path> {
    let why = "write the path itself: `crate = ::keyedcache`";
    Path::parse_mod_style(input).map_err(|_| input.error(why))
}

pub(super) fn text(input: ParseStream<'_>) -> syn::Result<LitStr> {
    let text: LitStr = input.parse().map_err(|_| input.error("write a name in quotes"))?;
    if text.value().trim().is_empty() {
        return Err(Error::new_spanned(
            text,
            "this name is empty; write one, or leave the option out",
        ));
    }
    Ok(text)
}

pub(super) fn whole<T: std::str::FromStr<Err: std::fmt::Display>>(
    input: ParseStream<'_>,
) -> syn::Result<T> {
    let expr: Expr = input.parse()?;
    match &expr {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Int(number) => LitInt::base10_parse(number),
            _ => Err(Error::new_spanned(literal, "write a whole number")),
        },
        _ => Err(Error::new_spanned(expr, "write a whole number")),
    }
}

pub(super) fn number(input: ParseStream<'_>) -> syn::Result<f64> {
    let expr: Expr = input.parse()?;
    match &expr {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Int(number) => number.base10_parse(),
            Lit::Float(number) => number.base10_parse(),
            _ => Err(Error::new_spanned(literal, "write a number")),
        },
        _ => Err(Error::new_spanned(expr, "write a number")),
    }
}
