//! `cache_delete_function!`: which companion a path and its arguments mean.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{AngleBracketedGenericArguments, PathArguments};
use syn::{Error, Expr, ExprPath, Token, parenthesized};

use crate::function::mentions;
use crate::krate;
use crate::options::Options;

/// What stands in the macro's parentheses.
struct Deleted {
    path: ExprPath,
    arguments: Option<Punctuated<Expr, Token![,]>>,
}

impl Parse for Deleted {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.is_empty() {
            return Err(Error::new(
                Span::call_site(),
                "name the function, or one call of it: `cache_delete_function!(find)`, \
                 `cache_delete_function!(find(2, 6))`",
            ));
        }
        let path = input.parse()?;
        let mut arguments = None;
        if input.peek(syn::token::Paren) {
            let content;
            parenthesized!(content in input);
            arguments = Some(Punctuated::parse_terminated(&content)?);
        }
        input.parse::<Option<Token![,]>>()?;
        if !input.is_empty() {
            return Err(input.error("expected nothing behind the function"));
        }
        Ok(Self { path, arguments })
    }
}

/// The request that forgets it.
pub(crate) fn expand(input: TokenStream) -> syn::Result<TokenStream> {
    let Deleted { mut path, arguments } = Deleted::parse.parse2(input)?;
    let types = take_types(&mut path);
    if let (Some(types), None) = (&types, &arguments) {
        return Err(Error::new_spanned(
            types,
            "all instances of a generic function are forgotten together: leave the types out",
        ));
    }
    if arguments.iter().flatten().any(|argument| matches!(argument, Expr::Infer(_))) {
        return by_scope(path, &arguments.unwrap_or_default());
    }
    let companion = if arguments.is_some() { "invalidate" } else { "invalidate_all" };
    let arguments = arguments.unwrap_or_default();
    if is_method(&path) {
        let path = method_companion(path, companion);
        return Ok(quote!(#path #types (#arguments)));
    }
    let span = path.path.segments.last().map_or_else(Span::call_site, |last| last.ident.span());
    let companion = Ident::new(companion, span);
    Ok(quote!(#path::#companion #types (#arguments)))
}

/// Takes the types off the function's name: they are its companion's.
fn take_types(path: &mut ExprPath) -> Option<AngleBracketedGenericArguments> {
    let last = path.path.segments.last_mut()?;
    match std::mem::take(&mut last.arguments) {
        PathArguments::AngleBracketed(mut types) => {
            types.colon2_token = Some(Token![::](Span::call_site()));
            Some(types)
        }
        _ => None,
    }
}

/// The request that forgets all calls with some arguments.
fn by_scope(path: ExprPath, arguments: &Punctuated<Expr, Token![,]>) -> syn::Result<TokenStream> {
    let private = krate::path(&Options::default());
    let private = quote!(#private::__private);
    let (mut bits, mut given) = (0_u64, Vec::new());
    for (place, argument) in arguments.iter().enumerate() {
        if !matches!(argument, Expr::Infer(_)) {
            bits |= crate::scope::bit(place);
            given.push(argument);
        }
    }
    if given.is_empty() {
        return Err(Error::new_spanned(
            arguments,
            "these are all calls: leave the arguments out, `cache_delete_function!(path)`",
        ));
    }
    let count = arguments.len();
    let parts = given.iter().rev().fold(quote!(()), |rest, given| quote!((&#given, #rest)));
    let whole = if is_method(&path) {
        let path = renamed(path, |method| format_ident!("__kc_{}_whole", method));
        quote!(#path)
    } else {
        quote!(#path::__kc_whole)
    };
    let check = quote!(#whole.check(#bits, #count));
    // An item is evaluated when the program is only checked, too, but knows no types from around.
    let needs_types = mentions(quote!(#whole), "Self") || mentions_generics(&whole);
    let check =
        if needs_types { quote!(const { #check }) } else { quote!(const __KC_SCOPED: () = #check) };
    Ok(quote!({ #check; #private::invalidate_scope(#whole.site(), #bits, &#parts) }))
}

/// Whether there are angle brackets.
fn mentions_generics(path: &TokenStream) -> bool {
    path.clone().into_iter().any(|token| token.to_string() == "<")
}

/// A method's path is qualified, or has a type before its name.
fn is_method(path: &ExprPath) -> bool {
    let before_last = path.path.segments.iter().rev().nth(1);
    path.qself.is_some()
        || before_last.is_some_and(|segment| {
            segment.ident.to_string().trim_start_matches("r#").starts_with(char::is_uppercase)
        })
}

/// `Repo::find` becomes `Repo::find_invalidate`, `<Repo as Find>::find` `<Repo>::find_invalidate`:
/// the companions are inherent.
fn method_companion(path: ExprPath, companion: &str) -> ExprPath {
    renamed(path, |method| format_ident!("{}_{}", method, companion, span = method.span()))
}

fn renamed(mut path: ExprPath, name: impl FnOnce(&Ident) -> Ident) -> ExprPath {
    if let Some(last) = path.path.segments.last_mut() {
        last.ident = name(&last.ident);
    }
    if let Some(qself) = &mut path.qself
        && qself.position > 0
    {
        qself.position = 0;
        qself.as_token = None;
        path.path.leading_colon = Some(Token![::](Span::call_site()));
        path.path.segments = path.path.segments.into_iter().rev().take(1).collect();
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> String {
        let tokens = expand(text.parse().expect("tokens")).expect(text);
        tokens.to_string().replace(' ', "")
    }

    fn refused(text: &str) -> String {
        expand(text.parse().expect("tokens")).expect_err(text).to_string()
    }

    #[test]
    fn a_path_means_every_call() {
        assert_eq!(expanded("find"), "find::invalidate_all()");
        assert_eq!(expanded("crate::products::find,"), "crate::products::find::invalidate_all()");
        assert_eq!(expanded("r#type"), "r#type::invalidate_all()");
    }

    #[test]
    fn arguments_mean_one_call() {
        assert_eq!(expanded("find(2, 6)"), "find::invalidate(2,6)");
        assert_eq!(expanded("find::<u8>(2)"), "find::invalidate::<u8>(2)");
        assert_eq!(expanded("a::find()"), "a::find::invalidate()");
        assert_eq!(expanded("find(x.y(), &[1, 2][..],)"), "find::invalidate(x.y(),&[1,2][..],)");
    }

    #[test]
    fn a_type_before_the_name_means_a_method() {
        assert_eq!(expanded("Repo::find"), "Repo::find_invalidate_all()");
        assert_eq!(expanded("a::Repo::<u8>::find(1)"), "a::Repo::<u8>::find_invalidate(1)");
        assert_eq!(expanded("<Repo as Find>::find(1)"), "<Repo>::find_invalidate(1)");
        assert_eq!(expanded("<Repo>::find"), "<Repo>::find_invalidate_all()");
        assert_eq!(expanded("Self::find"), "Self::find_invalidate_all()");
        assert_eq!(expanded("Repo::find::<u8>(1)"), "Repo::find_invalidate::<u8>(1)");
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        assert!(refused("").contains("name the function"));
        assert!(refused("find(_, _)").contains("leave the arguments out"));
        assert!(refused("find::<u8>").contains("leave the types out"));
        assert!(refused("find(2) and more").contains("expected nothing behind"));
    }
}
