//! `scope(…)`: the arguments by which calls can be forgotten together, and what
//! `cache_delete_function!(f(2, _))` finds them by.
//!
//! The arguments of `invalidate` are numbered from the first; a scope is known by the bits of its
//! arguments.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Ident;

use crate::expand::Expansion;
use crate::function::Function;
use crate::mistakes::Mistakes;
use crate::options::Options;
use crate::suggest::{list, nearest};

/// Finds scopes of arguments that the key is not made of.
pub(crate) fn check(options: &Options, function: &Function, mistakes: &mut Mistakes) {
    let Some(given) = &options.scope else { return };
    let expansion = Expansion::new(options, function, None);
    let known = expansion.key_names();
    for name in given.value.iter().flatten() {
        let written = name.to_string();
        if known.contains(&written) {
            continue;
        }
        let names = || known.iter().map(String::as_str).filter(|name| *name != "_");
        let help = match nearest(&written, names()) {
            Some(meant) => format!("; did you mean `{meant}`?"),
            None if names().next().is_none() => "; leave it out".to_owned(),
            None => format!("; it is made of {}", list(names())),
        };
        mistakes.at(name, format!("the key is not made of `{written}`{help}"));
    }
}

/// The bit of the argument at this place. There are fewer than 64 in any sane function.
pub(crate) fn bit(place: usize) -> u64 {
    u32::try_from(place).ok().and_then(|place| 1_u64.checked_shl(place)).unwrap_or(0)
}

impl Expansion<'_> {
    /// What the arguments of `invalidate` are called.
    fn key_names(&self) -> Vec<String> {
        let this = self.key_has_self().then(|| "self".to_owned());
        let others = self.key_arguments().map(|argument| {
            argument.name.as_ref().map_or_else(|| "_".to_owned(), ToString::to_string)
        });
        this.into_iter().chain(others).collect()
    }

    /// The bits of these arguments.
    fn bits(&self, names: &[Ident]) -> u64 {
        let known = self.key_names();
        let places = names.iter().filter_map(|name| known.iter().position(|known| name == known));
        places.fold(0, |bits, place| bits | bit(place))
    }

    /// The scopes of a call, where its arguments are references under their own names.
    pub(crate) fn scopes(&self) -> Option<TokenStream> {
        let given = self.options.scope.as_ref()?;
        let mut scopes = quote!(());
        for names in given.value.iter().rev() {
            let bits = self.bits(names);
            let known = self.key_names();
            let mut sorted: Vec<_> = names.iter().collect();
            sorted.sort_by_key(|name| known.iter().position(|known| *name == known));
            let parts = sorted.iter().rev().fold(quote!(()), |rest, name| quote!((#name, #rest)));
            scopes = quote!(((#bits, #parts), #scopes));
        }
        Some(scopes)
    }

    /// The declared scopes, and what to say of others: fields of `Whole`.
    pub(crate) fn declared_scopes(&self) -> TokenStream {
        let known = self.key_names();
        let count = known.len();
        let declared = self.options.scope.iter().flat_map(|given| &given.value);
        let declared = declared.map(|names| self.bits(names));
        let (called, arguments) = (self.function.name(), known.join(", "));
        let first = known.iter().find(|name| *name != "_").map_or("x", String::as_str);
        let undeclared = format!(
            "`{called}({arguments})` declares no scope for these arguments; declare it where \
             the function is: `#[cached(scope({first}))]`, for several arguments together \
             `scope((a, b))`"
        );
        let miscounted =
            format!("`{called}({arguments})` is known by {count} arguments; give as many");
        quote! {
            arguments: #count, scopes: &[#(#declared),*],
            miscounted: #miscounted, undeclared: #undeclared
        }
    }
}
