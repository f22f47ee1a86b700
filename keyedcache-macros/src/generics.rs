//! The generics of a function, as its companions declare and name them.
//!
//! What a companion declares is a function's own parameters, at a place of our own so that lints on
//! what users wrote leave it alone, and a name for each `impl Trait` among its arguments: such types
//! have none, and a companion must say what its futures do not borrow.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};
use syn::visit_mut::{self, VisitMut};
use syn::{GenericParam, Generics, Token, Type, TypeParamBound, punctuated::Punctuated};

use crate::function::{Argument, Function, mentions, ours};

/// An `impl Trait` among the arguments, under a name.
pub(crate) struct Unnamed {
    pub(crate) name: Ident,
    bounds: Punctuated<TypeParamBound, Token![+]>,
}

/// Replaces each `impl Trait` in the type of the argument at this place by a name.
pub(crate) fn name_impl_traits(ty: &Type, place: usize) -> (Type, Vec<Unnamed>) {
    struct Naming {
        place: usize,
        unnamed: Vec<Unnamed>,
    }
    impl VisitMut for Naming {
        fn visit_type_mut(&mut self, ty: &mut Type) {
            visit_mut::visit_type_mut(self, ty);
            if let Type::ImplTrait(written) = ty {
                let span = Span::call_site();
                let name = format_ident!("Impl{}_{}", self.place, self.unnamed.len(), span = span);
                let bounds = std::mem::take(&mut written.bounds);
                *ty = syn::parse_quote!(#name);
                self.unnamed.push(Unnamed { name, bounds });
            }
        }
    }
    let mut naming = Naming { place, unnamed: Vec::new() };
    let mut named = ty.clone();
    naming.visit_type_mut(&mut named);
    (named, naming.unnamed)
}

/// What a companion declares.
pub(crate) struct Declared {
    /// `<'a, T: Bound, const N: usize>`, or nothing.
    pub(crate) parameters: TokenStream,
    /// `where …`, or nothing.
    pub(crate) conditions: TokenStream,
}

impl Function {
    /// Whether it has type or const parameters, so that there are several instances of it.
    pub(crate) fn is_generic(&self) -> bool {
        has_instances(&self.signature.generics)
    }

    /// What a companion declares that takes these arguments.
    ///
    /// `types` are theirs. Of a function that is not generic only those lifetimes are declared that
    /// they name.
    pub(crate) fn declared<'a>(
        &self,
        arguments: impl Iterator<Item = &'a Argument>,
        types: &TokenStream,
    ) -> Declared {
        let generic = self.is_generic();
        let mut generics = self.signature.generics.clone();
        respan_lifetimes(&mut generics);
        let mut parameters: Vec<_> = generics.params.into_iter().collect();
        if !generic {
            parameters.retain(|parameter| match parameter {
                GenericParam::Lifetime(lifetime) => {
                    mentions(types.clone(), &lifetime.lifetime.ident.to_string())
                }
                _ => true,
            });
            for parameter in &mut parameters {
                if let GenericParam::Lifetime(lifetime) = parameter {
                    lifetime.bounds.clear();
                }
            }
        }
        let mut parameters: Vec<_> = parameters.iter().map(|one| quote!(#one)).collect();
        parameters.extend(arguments.flat_map(|argument| &argument.unnamed).map(|unnamed| {
            let Unnamed { name, bounds } = unnamed;
            quote!(#name: #bounds)
        }));
        let conditions = generics.where_clause.filter(|_| generic);
        let parameters = match &parameters[..] {
            [] => TokenStream::new(),
            parameters => quote!(<#(#parameters),*>),
        };
        Declared { parameters, conditions: quote!(#conditions) }
    }

    /// `T, N`: its type and const parameters.
    pub(crate) fn instance(&self) -> Vec<Ident> {
        instance_of(&self.signature.generics)
    }

    /// `::<T, N>`, or nothing.
    pub(crate) fn turbofish(&self) -> TokenStream {
        let instance = self.instance();
        if instance.is_empty() { TokenStream::new() } else { quote!(::<#(#instance),*>) }
    }
}

/// Whether there are type or const parameters.
pub(crate) fn has_instances(generics: &Generics) -> bool {
    generics.params.iter().any(|parameter| !matches!(parameter, GenericParam::Lifetime(_)))
}

/// The names of type and const parameters.
pub(crate) fn instance_of(generics: &Generics) -> Vec<Ident> {
    let names = generics.params.iter().filter_map(|parameter| match parameter {
        GenericParam::Type(parameter) => Some(&parameter.ident),
        GenericParam::Const(parameter) => Some(&parameter.ident),
        GenericParam::Lifetime(_) => None,
    });
    names.cloned().collect()
}

/// What makes an instance's name at run time.
pub(crate) fn instance_names(generics: &Generics, private: &TokenStream) -> TokenStream {
    let names = generics.params.iter().filter_map(|parameter| match parameter {
        GenericParam::Type(parameter) => {
            let name = &parameter.ident;
            Some(quote!(&#private::type_text::<#name>()))
        }
        GenericParam::Const(parameter) => {
            let name = &parameter.ident;
            Some(quote!(&::core::format_args!("{:?}", #name)))
        }
        GenericParam::Lifetime(_) => None,
    });
    quote!(&[#(#names),*])
}

fn respan_lifetimes(generics: &mut Generics) {
    for parameter in &mut generics.params {
        if let GenericParam::Lifetime(parameter) = parameter {
            parameter.lifetime.set_span(ours(parameter.lifetime.span()));
        }
    }
}
