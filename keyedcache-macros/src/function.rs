//! The annotated function, read: its signature, its arguments under names we can use, and its body,
//! which is kept as tokens, so that one that is half typed still gets its expansion.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::parse::{Parse, ParseStream, Parser};
use syn::spanned::Spanned;
use syn::{Attribute, Error, FnArg, Pat, PatIdent, PatType, Receiver, ReceiverKind, ReturnType};
use syn::{Signature, Token, Type, Visibility, visit};

use crate::generics::{self, Unnamed};
use crate::returns::Returns;

/// A function as it was written.
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    pub(crate) body: TokenTree,
    pub(crate) arguments: Vec<Argument>,
    /// How it hands its answer over.
    pub(crate) returns: Returns,
}

/// How a method has its `self`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum This {
    /// `&self`.
    Borrowed,
    /// `self`.
    Owned,
    /// `self: Arc<Self>`, or behind another pointer.
    Pointed,
}

/// One argument, but for `self`.
pub(crate) struct Argument {
    /// What expansions call it: its own name, or a fresh one where it has a pattern.
    pub(crate) binding: Ident,
    /// Its own name, as it was written.
    pub(crate) name: Option<Ident>,
    /// As it was written, attributes and all.
    pub(crate) written: PatType,
    /// Its type, with a name for each `impl Trait` in it.
    named: Type,
    /// What those names stand for.
    pub(crate) unnamed: Vec<Unnamed>,
}

impl Function {
    /// Reads the item under the attribute.
    pub(crate) fn parse(item: TokenStream) -> syn::Result<Self> {
        Self::read.parse2(item)
    }

    fn read(input: ParseStream<'_>) -> syn::Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        if let Some(other) = other_item(input) {
            return Err(Error::new(input.span(), other));
        }
        let signature: Signature = input.parse()?;
        if input.peek(syn::Token![;]) {
            return Err(Error::new_spanned(
                &signature,
                "there is no body to cache the answers of; put `#[cached]` where it is implemented",
            ));
        }
        if !input.peek(syn::token::Brace) {
            return Err(input.error("expected the function's body"));
        }
        let body = input.parse()?;
        let arguments = arguments(&signature);
        let returns = Returns::of(&signature);
        Ok(Self { attributes, visibility, signature, body, arguments, returns })
    }

    /// Its name.
    pub(crate) fn name(&self) -> &Ident {
        &self.signature.ident
    }

    /// Passes its signature and body through `change`.
    pub(crate) fn rewrite(&mut self, change: &dyn Fn(TokenStream) -> TokenStream) {
        let Self { attributes, visibility, signature, body, .. } = self;
        let written = quote!(#(#attributes)* #visibility #signature #body);
        if let Ok(changed) = Self::parse(change(written)) {
            *self = changed;
        }
    }

    /// Its `self`, if it has one.
    pub(crate) fn receiver(&self) -> Option<&Receiver> {
        self.signature.receiver()
    }

    /// How it has its `self`, if it does.
    pub(crate) fn this(&self) -> Option<This> {
        self.receiver().map(|receiver| match &receiver.kind {
            ReceiverKind::Value => This::Owned,
            ReceiverKind::Reference(..) => This::Borrowed,
            _ => This::Pointed,
        })
    }

    /// Whether its answer is awaited.
    pub(crate) fn is_async(&self) -> bool {
        !matches!(self.returns, Returns::Answer)
    }

    /// The type of its answer: of an async function what awaiting it gives.
    pub(crate) fn answer(&self) -> TokenStream {
        self.written_answer().map_or_else(|| quote!(()), ToTokens::to_token_stream)
    }

    /// The type of its answer, if it was written.
    pub(crate) fn written_answer(&self) -> Option<&Type> {
        match (&self.returns, &self.signature.output) {
            (_, ReturnType::Default) => None,
            (Returns::Future(answer) | Returns::Boxed(answer), _)
            | (_, ReturnType::Type(_, answer)) => Some(answer),
        }
    }

    /// Where errors about the answer belong.
    pub(crate) fn answer_span(&self) -> Span {
        self.written_answer().map_or_else(|| self.name().span(), Spanned::span)
    }
}

impl Argument {
    /// Its type.
    pub(crate) fn ty(&self) -> &Type {
        &self.written.ty
    }

    /// Its type, in which every `impl Trait` has a name.
    pub(crate) fn ty_named(&self) -> &Type {
        &self.named
    }

    /// `name: Type`, with the name of [`binding`](Self::binding).
    pub(crate) fn plain(&self) -> PatType {
        let pattern = Pat::Ident(PatIdent {
            attrs: Vec::new(),
            by_ref: None,
            mutability: None,
            ident: self.binding.clone(),
            subpat: None,
        });
        PatType {
            attrs: Vec::new(),
            pat: Box::new(pattern),
            colon_token: <Token![:]>::default(),
            ty: Box::new(self.ty().clone()),
        }
    }

    /// The same with a type in which every `impl Trait` has a name.
    pub(crate) fn plain_named(&self) -> TokenStream {
        let (binding, ty) = (&self.binding, &self.named);
        quote!(#binding: #ty)
    }
}

/// A place that errors point to, in tokens that are otherwise ours: lints that look at what users
/// wrote leave them alone.
pub(crate) fn ours(place: Span) -> Span {
    Span::call_site().located_at(place)
}

/// Whether an identifier of this text stands among the tokens, or within a text literal (as in
/// `format!("{x}")`).
pub(crate) fn mentions(tokens: TokenStream, name: &str) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Group(group) => mentions(group.stream(), name),
        TokenTree::Ident(ident) => ident == name,
        TokenTree::Literal(literal) => {
            let text = literal.to_string();
            text.contains('"')
                && text.split(|c: char| c != '_' && !c.is_alphanumeric()).any(|word| word == name)
        }
        TokenTree::Punct(_) => false,
    })
}

/// Whether a type names a lifetime, or borrows without naming one. Function pointers borrow nothing.
pub(crate) fn borrows(ty: &Type) -> Borrow {
    struct Search(Borrow);
    impl<'ast> visit::Visit<'ast> for Search {
        fn visit_lifetime(&mut self, lifetime: &'ast syn::Lifetime) {
            let found = if lifetime.ident == "static" { Borrow::Static } else { Borrow::Lifetime };
            self.0 = self.0.max(found);
        }

        fn visit_type_reference(&mut self, reference: &'ast syn::TypeReference) {
            if reference.lifetime.is_none() {
                self.0 = Borrow::Lifetime;
            }
            visit::visit_type_reference(self, reference);
        }

        fn visit_type_fn_ptr(&mut self, _: &'ast syn::TypeFnPtr) {}
    }
    let mut search = Search(Borrow::Nothing);
    visit::Visit::visit_type(&mut search, ty);
    search.0
}

/// What [`borrows`] found.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Borrow {
    Nothing,
    Static,
    Lifetime,
}

fn arguments(signature: &Signature) -> Vec<Argument> {
    let typed = signature.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(typed) => Some(typed),
        FnArg::Receiver(_) => None,
    });
    typed.enumerate().map(|(place, written)| argument(place, written.clone())).collect()
}

fn argument(place: usize, written: PatType) -> Argument {
    let name = match &*written.pat {
        Pat::Ident(name) if name.by_ref.is_none() && name.subpat.is_none() => {
            Some(name.ident.clone())
        }
        _ => None,
    };
    let mut binding = name.clone().unwrap_or_else(|| format_ident!("__kc_arg{place}"));
    binding.set_span(ours(written.pat.span()));
    let (named, unnamed) = generics::name_impl_traits(&written.ty, place);
    Argument { binding, name, written, named, unnamed }
}

/// What to say if the next item is clearly no function.
fn other_item(input: ParseStream<'_>) -> Option<&'static str> {
    let item = input.peek(syn::Token![struct])
        || input.peek(syn::Token![enum])
        || input.peek(syn::Token![trait])
        || input.peek(syn::Token![mod])
        || input.peek(syn::Token![static])
        || input.peek(syn::Token![type])
        || input.peek(syn::Token![let])
        || input.peek(syn::Token![const]) && !input.peek2(syn::Token![fn]) && {
            !input.peek2(syn::Token![async]) && !input.peek2(syn::Token![unsafe])
        };
    item.then_some("`#[cached]` goes on functions, and on impl blocks with methods to cache")
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        Self::read(input)
    }
}
