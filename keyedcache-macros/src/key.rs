//! Writes what makes the key of a call: which arguments, and how they become its parts.
//!
//! It is compiled once, in a function of its own that takes references, so that a mistake in a part
//! is told once, and nothing that the function still needs is moved.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::spanned::Spanned;
use syn::{Expr, Type};

use crate::expand::Expansion;
use crate::function::{Argument, This, mentions, ours};

impl<'a> Expansion<'a> {
    /// Makes the parts of the key from references to the arguments.
    pub(crate) fn arguments(&self) -> TokenStream {
        let name = self.home.name("__kc_arguments", Span::call_site());
        let all = self.parts();
        if all.is_empty() {
            return quote! {
                #[doc(hidden)]
                fn #name() {}
            };
        }
        let private = &self.private;
        let mut parts = quote!(());
        for part in all.into_iter().rev() {
            parts = quote!((#part, #parts));
        }
        let parameters = self.key_arguments().map(|argument| {
            let (name, ty) = (self.key_name(argument), argument.ty());
            // `&impl A + B` would be ambiguous.
            let is_impl = matches!(ty, Type::ImplTrait(_));
            if is_impl { quote!(#name: &(#ty)) } else { quote!(#name: &#ty) }
        });
        if let Some(scopes) = self.scopes() {
            parts = quote!(#private::Scoped::new(#parts, #scopes));
        }
        let this = self.borrowed_this();
        let parameters = quote!(#this #(#parameters),*);
        let declared = self.function.declared(std::iter::empty(), &parameters);
        let (generics, conditions) = (declared.parameters, declared.conditions);
        quote! {
            #[doc(hidden)]
            fn #name #generics (#parameters) -> impl #private::KeyParts #conditions {
                use #private::{FitPart as _, UnfitPart as _};
                #parts
            }
        }
    }

    /// The parts of the key of a call of the function, whose arguments are still its own.
    pub(crate) fn key_of_call(&self) -> TokenStream {
        let this = self.this();
        self.key_with(match self.function.this() {
            Some(This::Owned) => quote!(&#this),
            Some(This::Pointed) => quote!(&*#this),
            Some(This::Borrowed) | None => quote!(#this),
        })
    }

    /// The parts of the key in a companion, which has `&self`.
    pub(crate) fn key_of_companion(&self) -> TokenStream {
        self.key_with(self.this())
    }

    /// `self`, as the user's code knows it; nothing of a function that has none.
    fn this(&self) -> TokenStream {
        let this = self.function.receiver().map(|receiver| &receiver.self_token);
        quote!(#this)
    }

    fn key_with(&self, this: TokenStream) -> TokenStream {
        let arguments = self.home.path("__kc_arguments");
        if self.key_arguments().next().is_none() && !self.key_has_self() && self.has_no_parts() {
            return quote!(#arguments());
        }
        let turbofish = self.function.turbofish();
        let names = self.key_arguments().map(|argument| {
            let binding = &argument.binding;
            quote!(&#binding)
        });
        let this = self.key_has_self().then_some(this);
        let names = this.into_iter().chain(names);
        quote!(#arguments #turbofish (#(#names),*))
    }

    fn has_no_parts(&self) -> bool {
        self.options.key.is_none()
    }

    /// What this refers to, if it can be a part: else there is one error, at this place.
    fn checked(&self, reference: &TokenStream, place: Span) -> TokenStream {
        let private = &self.private;
        let checked = Ident::new("checked", ours(place));
        quote!((&&#private::Part(#reference)).#checked())
    }

    /// The expressions that make the parts.
    fn parts(&self) -> Vec<TokenStream> {
        let Some(given) = &self.options.key else {
            let part = |argument: &'a Argument| {
                let name = self.key_name(argument);
                self.checked(&quote!(#name), argument.ty().span())
            };
            let this = self.function.receiver().filter(|_| self.key_has_self());
            let this = this.map(|this| {
                let token = &this.self_token;
                self.checked(&quote!(#token), this.span())
            });
            return this.into_iter().chain(self.key_arguments().map(part)).collect();
        };
        match &given.value {
            Expr::Tuple(tuple) => tuple.elems.iter().map(|part| self.part(part)).collect(),
            part => vec![self.part(part)],
        }
    }

    /// One part of `key = …`. What names a place is borrowed; in what computes, the arguments stand
    /// by value if they are `Copy`, else by reference, so that nothing is moved.
    fn part(&self, part: &Expr) -> TokenStream {
        let private = &self.private;
        let names = || self.function.arguments.iter().filter_map(|argument| argument.name.as_ref());
        if let Expr::Path(path) = part
            && (path.path.is_ident("self") || names().any(|name| path.path.is_ident(name)))
        {
            return self.checked(&quote!(#part), part.span());
        }
        if is_place(part) {
            return self.checked(&quote!(&#part), part.span());
        }
        let seen = names()
            .filter(|name| mentions(quote!(#part), &name.to_string()))
            .map(|name| quote!(let #name = (&&#private::Argument(#name)).seen();));
        quote! {{
            use #private::{BorrowedArgument as _, CopiedArgument as _};
            #(#seen)*
            #part
        }}
    }

    /// What an argument is called where the key is made: as `key = …` calls it, if that is given.
    fn key_name(&self, argument: &'a Argument) -> &'a Ident {
        match (&self.options.key, &argument.name) {
            (Some(_), Some(name)) => name,
            _ => &argument.binding,
        }
    }

    /// `&self,`, if the key is made of it too.
    pub(crate) fn borrowed_this(&self) -> Option<TokenStream> {
        let this = self.this();
        self.key_has_self().then(|| quote!(&#this,))
    }

    /// Whether the key is made of `self` too.
    pub(crate) fn key_has_self(&self) -> bool {
        let options = self.options;
        self.function.receiver().is_some()
            && match &options.key {
                Some(key) => {
                    let key = &key.value;
                    mentions(quote!(#key), "self")
                }
                None => !options.skips(&Ident::new("self", Span::call_site())),
            }
    }

    /// The arguments that the key is made of.
    pub(crate) fn key_arguments(&self) -> impl Iterator<Item = &'a Argument> {
        let options = self.options;
        self.function.arguments.iter().filter(move |argument| {
            match (&options.key, &argument.name) {
                (Some(key), Some(name)) => {
                    let key = &key.value;
                    mentions(quote!(#key), &name.to_string())
                }
                (Some(_), None) => false,
                (None, Some(name)) => !options.skips(name),
                (None, None) => true,
            }
        })
    }
}

/// Whether the expression names a field of something.
fn is_place(expr: &Expr) -> bool {
    match expr {
        Expr::Field(field) => is_place(&field.base) || matches!(*field.base, Expr::Path(_)),
        _ => false,
    }
}
