//! Writes what asks for a call: whose it is, and which arguments its key is made of.
//!
//! It is compiled once, in a function of its own that takes references, so that a mistake in a part
//! is told once, and nothing that the function still needs is moved. Its types have no names, which
//! the compiler pays for wherever it is called: so companions call another one, beside it, that has
//! them put away.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::spanned::Spanned;
use syn::{Expr, Type};

use crate::expand::Expansion;
use crate::function::{Argument, This, mentions, ours};

impl<'a> Expansion<'a> {
    /// Makes what asks for a call, from references to the arguments that its key is made of.
    pub(crate) fn call(&self) -> TokenStream {
        let Self { private, home, function, .. } = self;
        let name = home.name("__kc_asking", Span::call_site());
        let (made, parts) = if self.has_unnamed() {
            self.parts_apart()
        } else {
            (TokenStream::new(), self.parts_in_place())
        };
        let parameters = self.key_arguments().map(|argument| {
            let (name, ty) = (self.key_name(argument), argument.ty_named());
            quote!(#name: &#ty)
        });
        let this = self.borrowed_this();
        let parameters = quote!(#this #(#parameters),*);
        let declared = function.declared(self.key_arguments(), &parameters);
        let (generics, conditions) = (declared.parameters, declared.conditions);
        let (answer, captured) = (function.answer(), self.captured());
        let (site, probing, shape) = (self.site(), self.probing(), self.shape());
        let call = home.name("__kc_call", Span::call_site());
        let (asking, turbofish) = (home.path("__kc_asking"), self.turbofish_of_call());
        let this_name = self.key_has_self().then(|| self.this()).map(|this| quote!(#this,));
        let names = self.key_arguments().map(|argument| self.key_name(argument));
        quote! {
            #made
            #[doc(hidden)]
            fn #name #generics (#parameters)
                -> #private::Asking<
                    impl #private::Shape<Answer = #answer> + #captured,
                    impl #private::KeyParts,
                >
            #conditions
            {
                use #private::{#probing};
                #private::Asking { site: #site, shape: #shape, arguments: #parts }
            }
            #[doc(hidden)]
            #[inline]
            fn #call #generics (#parameters) -> #private::Call<#answer> #conditions {
                #asking #turbofish (#this_name #(#names),*).call()
            }
        }
    }

    /// The parts of the key.
    fn parts_in_place(&self) -> TokenStream {
        let private = &self.private;
        let (given, scopes) = (self.parts(), self.scopes());
        if given.is_empty() && scopes.is_none() {
            return quote!(()); // alone in a block, it would be what lints find needless
        }
        let mut parts = quote!(());
        for part in given.into_iter().rev() {
            parts = quote!((#part, #parts));
        }
        if let Some(scopes) = scopes {
            parts = quote!(#private::Scoped::new(#parts, #scopes));
        }
        let checks = self.options.key.is_some()
            || self.key_has_self()
            || self.key_arguments().any(|argument| !is_surely_part(argument.ty()));
        if checks { quote!({ use #private::UnfitPart as _; #parts }) } else { parts }
    }

    /// The same in a function of their own, and its call: messages shall say `impl Trait` where the
    /// user wrote it, and what asks for a call must have names for such types.
    fn parts_apart(&self) -> (TokenStream, TokenStream) {
        let Self { private, home, function, .. } = self;
        let name = home.name("__kc_parts", Span::call_site());
        let parameters = self.key_arguments().map(|argument| {
            let (name, ty) = (self.key_name(argument), argument.ty());
            // `&impl A + B` would be ambiguous.
            let is_impl = matches!(ty, Type::ImplTrait(_));
            if is_impl { quote!(#name: &(#ty)) } else { quote!(#name: &#ty) }
        });
        let this = self.borrowed_this();
        let parameters = quote!(#this #(#parameters),*);
        let declared = function.declared(std::iter::empty(), &parameters);
        let (generics, conditions) = (declared.parameters, declared.conditions);
        let parts = self.parts_in_place();
        let made = quote! {
            #[doc(hidden)]
            fn #name #generics (#parameters) -> impl #private::KeyParts #conditions { #parts }
        };
        let (path, turbofish) = (home.path("__kc_parts"), function.turbofish());
        let this = self.key_has_self().then(|| self.this());
        let names = self.key_arguments().map(|argument| {
            let name = self.key_name(argument);
            quote!(#name)
        });
        let names = this.into_iter().chain(names);
        (made, quote!(#path #turbofish (#(#names),*)))
    }

    /// Whether there is an `impl Trait` among the arguments that the key is made of.
    fn has_unnamed(&self) -> bool {
        self.key_arguments().any(|argument| !argument.unnamed.is_empty())
    }

    /// Asks for a call of the function, whose arguments are still its own.
    pub(crate) fn asking_in_function(&self) -> TokenStream {
        self.made_by("__kc_asking", self.borrowing_this())
    }

    /// The call, in a companion that has the arguments of the function.
    pub(crate) fn call_in_function(&self) -> TokenStream {
        self.made_by("__kc_call", self.borrowing_this())
    }

    /// Asks for a call in a companion, which has `&self`.
    pub(crate) fn asking_in_companion(&self) -> TokenStream {
        self.made_by("__kc_asking", self.this())
    }

    /// The call, in a companion, which has `&self`.
    pub(crate) fn call_in_companion(&self) -> TokenStream {
        self.made_by("__kc_call", self.this())
    }

    /// `self` by reference, where the function has it as its user wrote.
    fn borrowing_this(&self) -> TokenStream {
        let this = self.this();
        match self.function.this() {
            Some(This::Owned) => quote!(&#this),
            Some(This::Pointed) => quote!(&*#this),
            Some(This::Borrowed) | None => this,
        }
    }

    /// `self`, as the user's code knows it; nothing of a function that has none.
    fn this(&self) -> TokenStream {
        let this = self.function.receiver().map(|receiver| &receiver.self_token);
        quote!(#this)
    }

    fn made_by(&self, maker: &str, this: TokenStream) -> TokenStream {
        let (maker, turbofish) = (self.home.path(maker), self.turbofish_of_call());
        let names = self.key_arguments().map(|argument| {
            let binding = &argument.binding;
            quote!(&#binding)
        });
        let this = self.key_has_self().then_some(this);
        let names = this.into_iter().chain(names);
        quote!(#maker #turbofish (#(#names),*))
    }

    /// `::<T, N, _>`, with a place for each `impl Trait`; or nothing.
    fn turbofish_of_call(&self) -> TokenStream {
        if !self.function.is_generic() {
            return TokenStream::new();
        }
        let instance = self.function.instance();
        let unnamed = self.key_arguments().flat_map(|argument| &argument.unnamed);
        let unnamed = unnamed.map(|_| quote!(_));
        quote!(::<#(#instance,)* #(#unnamed),*>)
    }

    /// What this reference to an argument refers to. Finding out whether a type can be a part costs
    /// the compiler a thirtieth of a function, so those that surely can are not asked.
    fn argument(&self, name: &Ident, ty: &Type) -> TokenStream {
        if is_surely_part(ty) { quote!(#name) } else { self.checked(&quote!(#name), ty.span()) }
    }

    /// What this refers to, if it can be a part: else there is one error, at this place.
    fn checked(&self, reference: &TokenStream, place: Span) -> TokenStream {
        let private = &self.private;
        let checked = Ident::new("checked", ours(place));
        quote!(#private::Part(#reference).#checked())
    }

    /// The expressions that make the parts.
    fn parts(&self) -> Vec<TokenStream> {
        let Some(given) = &self.options.key else {
            let part =
                |argument: &'a Argument| self.argument(self.key_name(argument), argument.ty());
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

/// Whether this is a type of the language or of std, by its name, or a reference to one. Who gives
/// that name to another type is told of a missing `KeyPart` in the compiler's words.
fn is_surely_part(ty: &Type) -> bool {
    const NAMES: [&str; 16] = [
        "bool", "char", "str", "String", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16",
        "i32", "i64", "i128", "isize",
    ];
    match ty {
        Type::Path(path) => NAMES.iter().any(|name| path.path.is_ident(name)),
        Type::Reference(reference) => {
            reference.mutability.is_none() && is_surely_part(&reference.elem)
        }
        _ => false,
    }
}

/// Whether the expression names a field of something.
fn is_place(expr: &Expr) -> bool {
    match expr {
        Expr::Field(field) => is_place(&field.base) || matches!(*field.base, Expr::Path(_)),
        _ => false,
    }
}
