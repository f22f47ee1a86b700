//! Computing away from the caller: how the body gets arguments of its own.
//!
//! What the caller passed by value moves into the body, since the caller needs it no more; only what
//! is borrowed has to be copied.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Receiver, ReceiverKind, Type};

use crate::function::{Argument, Borrow, Function, This, borrows, ours};
use crate::mistakes::Mistakes;

/// Finds arguments of which no body could have a copy, and says why that matters.
pub(crate) fn check(function: &Function, why: &str, mistakes: &mut Mistakes) {
    for argument in &function.arguments {
        let borrowed = match argument.ty() {
            Type::Reference(reference) => {
                reference.mutability.is_some() || borrows(&reference.elem) == Borrow::Lifetime
            }
            ty => borrows(ty) == Borrow::Lifetime,
        };
        if borrowed {
            mistakes.at(argument.ty(), why);
        }
    }
}

/// The arguments of a body that computes away from its caller.
#[derive(Default)]
pub(crate) struct Owned {
    /// What makes copies of those that are borrowed.
    pub(crate) copies: TokenStream,
    /// What to call the function with.
    pub(crate) arguments: Vec<TokenStream>,
}

/// The arguments that it can take along, copied through this trait.
pub(crate) fn owned(function: &Function, keeping: &TokenStream) -> Owned {
    let mut owned = Owned::default();
    if let Some(receiver) = function.receiver() {
        let this = &receiver.self_token;
        if function.this() == Some(This::Borrowed) && !is_static(receiver) {
            let keep = quote_spanned! { ours(receiver.span()) =>
                #keeping::keep
            };
            owned.copies.extend(quote!(let __kc_kept = #keep(#this);));
            owned.arguments.push(quote!(::core::borrow::Borrow::<Self>::borrow(&__kc_kept)));
        } else {
            owned.arguments.push(quote!(#this));
        }
    }
    for argument in &function.arguments {
        let binding = &argument.binding;
        let Some(target) = borrowed(argument) else {
            owned.arguments.push(quote!(#binding));
            continue;
        };
        let kept = format_ident!("__kc_kept_{}", binding);
        let keep = quote_spanned! { ours(argument.ty().span()) =>
            #keeping::keep
        };
        owned.copies.extend(quote!(let #kept = #keep(#binding);));
        owned.arguments.push(quote!(::core::borrow::Borrow::<#target>::borrow(&#kept)));
    }
    owned
}

/// Whether this is `&'static self`.
fn is_static(receiver: &Receiver) -> bool {
    match &receiver.kind {
        ReceiverKind::Reference(_, Some(lifetime), _) => lifetime.ident == "static",
        _ => false,
    }
}

/// What the argument borrows, if it is a reference that may end.
fn borrowed(argument: &Argument) -> Option<&Type> {
    match argument.ty() {
        Type::Reference(reference)
            if reference.lifetime.as_ref().is_none_or(|lifetime| lifetime.ident != "static") =>
        {
            Some(&reference.elem)
        }
        _ => None,
    }
}
