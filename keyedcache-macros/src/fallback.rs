//! What is written when something is wrong: the mistakes, the function as it was, and companions
//! that compile, so that the rest of the program is checked as if all were well.

use proc_macro2::TokenStream;
use quote::quote;

use crate::expand::{Expansion, without_expectations};
use crate::function::{Function, mentions};
use crate::mistakes::Mistakes;
use crate::options::Options;
use crate::returns::Returns;

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
    let method = signature.receiver().is_some() || mentions(quote!(#signature), "Self");
    if method || crate::check::has_primitive_name(options, function) {
        return None;
    }
    let expansion = Expansion::new(options, function, None);
    Some(expansion.in_struct(&expansion.unmade()))
}

impl Expansion<'_> {
    /// The companions without what they do; none where the answer is no type.
    pub(crate) fn unmade(&self) -> TokenStream {
        if self.function.written_answer().is_some_and(crate::check::is_unnamed) {
            return TokenStream::new();
        }
        let written = self.requests().into_iter().map(|request| request.write(self, true));
        let uncached = self.unmade_uncached();
        quote!(#(#written)* #uncached)
    }

    /// `uncached`, without the body, whose own mistakes are said of the function.
    fn unmade_uncached(&self) -> TokenStream {
        let mut signature = crate::expand::plain_signature(self.function);
        signature.ident = self.home.name("uncached", proc_macro2::Span::call_site());
        signature.constness = None;
        signature.abi = None;
        signature.safety = syn::Safety::Default;
        let visibility = self.visibility();
        let never = quote!(::core::unreachable!());
        let is_future = matches!(self.function.returns, Returns::Future(_));
        let body = if is_future { quote!(async move { #never }) } else { never };
        quote! {
            /// The plain function.
            #visibility #signature { #body }
        }
    }
}
