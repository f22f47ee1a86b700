//! What is written when something is wrong: the mistakes, the function as it was, and companions
//! that compile, so that the rest of the program is checked as if all were well.

use proc_macro2::TokenStream;
use quote::quote;
use syn::GenericParam;

use crate::expand::{Expansion, without_expectations};
use crate::function::{Function, mentions};
use crate::mistakes::Mistakes;
use crate::options::Options;

/// For an item that is no function we could read.
pub(crate) fn unread(item: &TokenStream, mistakes: Mistakes) -> TokenStream {
    let mistakes = mistakes.into_tokens();
    quote!(#mistakes #item)
}

/// For a function.
pub(crate) fn fallback(options: &Options, function: &Function, mistakes: Mistakes) -> TokenStream {
    let mistakes = mistakes.into_tokens();
    let Function { attributes, visibility, signature, body, .. } = function;
    let attributes = attributes.iter().map(without_expectations);
    let companions = companions(options, function);
    quote! {
        #mistakes
        #(#attributes)*
        #visibility #signature #body
        #companions
    }
}

/// Companions that are never called; nothing where they could not stand, or would be wrong
/// themselves.
fn companions(options: &Options, function: &Function) -> Option<TokenStream> {
    let signature = &function.signature;
    let generic = |parameter: &GenericParam| !matches!(parameter, GenericParam::Lifetime(_));
    let method = signature.receiver().is_some() || mentions(quote!(#signature), "Self");
    let inputs = &signature.inputs;
    let unwritable = method
        || signature.generics.params.iter().any(generic)
        || mentions(quote!(#inputs), "impl");
    if unwritable {
        return None;
    }
    let expansion = Expansion::new(options, function);
    let requests = expansion.requests();
    let answer_is_no_type = crate::check::is_unnamed(&signature.output);
    let companion = expansion.companion();
    if answer_is_no_type {
        return Some(companion);
    }
    let written = requests.iter().map(|request| request.write(&expansion, true));
    let uncached = expansion.unmade();
    let lints = expansion.lints();
    let name = &expansion.companion;
    Some(quote! {
        #companion
        #lints
        impl #name {
            #(#written)*
            #uncached
        }
    })
}

impl Expansion<'_> {
    /// `uncached`, without the body, whose own mistakes are said of the function.
    fn unmade(&self) -> TokenStream {
        let mut signature = crate::expand::plain_signature(self.function);
        signature.ident = syn::Ident::new("uncached", proc_macro2::Span::call_site());
        signature.constness = None;
        signature.abi = None;
        signature.safety = syn::Safety::Default;
        let visibility = &self.function.visibility;
        quote! {
            /// The plain function.
            #visibility #signature { ::core::unreachable!() }
        }
    }
}
