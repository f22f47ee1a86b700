//! `#[derive(KeyPart)]`: a struct or enum as a part of keys.
//!
//! Its text is its name and its fields, those with names sorted by them, so that their order in the
//! source means nothing. Its identity is a type of the same shape that holds the identities of the
//! fields, one parameter for each; of a type that contains itself, it is the text.

use std::ops::RangeFrom;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Fields, Member, Type};

use crate::function::{mentions, ours};
use crate::krate;
use crate::mistakes::Mistakes;
use crate::options::Options;

/// The impl, or what is wrong.
pub(crate) fn expand(input: &DeriveInput) -> TokenStream {
    let mut mistakes = Mistakes::new();
    let shape = Shape::read(input, &mut mistakes);
    if !mistakes.is_empty() {
        return mistakes.into_tokens();
    }
    let krate = krate::path(&Options::default());
    let private = quote!(#krate::__private);
    let place = &input.ident;
    let encode = shape.encode(&private);
    let types: Vec<_> = shape.fields().map(|field| &field.ty).collect();
    let conditions =
        types.iter().map(|ty| quote_spanned!(ours(ty.span())=> #ty: #private::KeyPart));
    let mut generics = input.generics.clone();
    let clause = generics.make_where_clause();
    let is_recursive = types.iter().any(|ty| mentions(quote!(#ty), &place.to_string()));
    let (identity, rest) = if is_recursive {
        (quote!(#private::TextIdentity), text_identity(&private))
    } else {
        clause
            .predicates
            .extend(conditions.map(|one| -> syn::WherePredicate { syn::parse_quote!(#one) }));
        let identities = types.iter().map(|ty| quote!(<#ty as #private::KeyPart>::Identity));
        (quote!(__KcIdentity<#(#identities),*>), shape.identity(&private))
    };
    let (parameters, arguments, conditions) = generics.split_for_impl();
    let own = (!is_recursive).then(|| shape.identity_type(&private));
    quote! {
        const _: () = {
            #own
            #[automatically_derived]
            impl #parameters #private::KeyPart for #place #arguments #conditions {
                type Identity = #identity;
                #encode
                #rest
            }
        };
    }
}

fn text_identity(private: &TokenStream) -> TokenStream {
    quote! {
        fn identity(&self) -> Self::Identity {
            #private::TextIdentity::of(self)
        }
        fn hash_identity<__KcH: ::core::hash::Hasher>(&self, __kc_state: &mut __KcH) {
            #private::KeyPart::hash_identity(&#private::TextIdentity::of(self), __kc_state);
        }
        fn is_identity(&self, __kc_identity: &Self::Identity) -> bool {
            #private::TextIdentity::of(self) == *__kc_identity
        }
    }
}

/// A struct, or an enum with its variants.
struct Shape {
    is_enum: bool,
    variants: Vec<Variant>,
}

#[derive(Clone)]
struct Variant {
    name: Ident,
    fields: Vec<Field>,
    /// Whether fields were left out.
    partial: bool,
}

#[derive(Clone)]
struct Field {
    member: Member,
    /// What it is called in keys, if it has a name.
    label: Option<String>,
    binding: Ident,
    /// What stands for its type in the identity.
    parameter: Ident,
    ty: Type,
}

impl Shape {
    fn read(input: &DeriveInput, mistakes: &mut Mistakes) -> Self {
        let mut count = 0..;
        let mut read =
            |name: &Ident, fields: &Fields| Variant::read(name, fields, &mut count, mistakes);
        let (is_enum, variants) = match &input.data {
            Data::Struct(data) => (false, vec![read(&input.ident, &data.fields)]),
            Data::Enum(data) => {
                let variants = data.variants.iter();
                (true, variants.map(|variant| read(&variant.ident, &variant.fields)).collect())
            }
            Data::Union(data) => {
                mistakes.at(
                    data.union_token,
                    "a union does not know which of its fields it has: implement `KeyPart` by hand",
                );
                (false, Vec::new())
            }
        };
        Self { is_enum, variants }
    }

    fn fields(&self) -> impl Iterator<Item = &Field> {
        self.variants.iter().flat_map(|variant| &variant.fields)
    }

    /// The shape of the identity, whose fields all have names of ours.
    fn of_identity(&self) -> Self {
        let mut variants = self.variants.clone();
        for variant in &mut variants {
            variant.partial = false;
            for field in &mut variant.fields {
                field.member = Member::Named(field.binding.clone());
            }
        }
        Self { is_enum: self.is_enum, variants }
    }

    /// `::Circle`, of an enum.
    fn path(&self, variant: &Variant) -> Option<TokenStream> {
        let name = &variant.name;
        self.is_enum.then(|| quote!(::#name))
    }

    /// `Self::Circle { radius: binding }`.
    fn pattern(&self, of: &TokenStream, variant: &Variant, prefix: &str) -> TokenStream {
        let fields = variant.fields.iter().map(|field| {
            let (member, binding) = (&field.member, format_ident!("{prefix}{}", field.binding));
            quote!(#member: #binding)
        });
        let path = self.path(variant);
        let rest = variant.partial.then(|| quote!(..));
        quote!(#of #path { #(#fields,)* #rest })
    }

    /// An arm that no value reaches, where there are no others.
    fn never(&self) -> Option<TokenStream> {
        self.variants.is_empty().then(|| quote!(_ => ::core::unreachable!(),))
    }

    /// `encode`.
    fn encode(&self, private: &TokenStream) -> TokenStream {
        let arms = self.variants.iter().map(|variant| {
            let pattern = self.pattern(&quote!(Self), variant, "");
            let name = variant.name.unraw().to_string();
            let mut fields: Vec<_> = variant.fields.iter().collect();
            fields.sort_by_key(|field| &field.label); // stable: those without stay in order
            let fields = fields.into_iter().map(|Field { label, binding, .. }| {
                let named = label.as_ref().map(|label| quote!(.named(#label, #binding)));
                let written = named.unwrap_or_else(|| quote!(.item(#binding)));
                quote!(__kc_fields #written;)
            });
            quote!(#pattern => __kc_out.composite(#name, |__kc_fields| {
                let _ = &__kc_fields;
                #(#fields)*
            }),)
        });
        let never = self.never();
        quote! {
            fn encode(&self, __kc_out: &mut #private::KeyEncoder<'_>) {
                match self { #(#arms)* #never }
            }
        }
    }

    /// `identity`, `hash_identity`, `is_identity`.
    fn identity(&self, private: &TokenStream) -> TokenStream {
        let part = quote!(#private::KeyPart);
        let identity = self.of_identity();
        let (mut make, mut hash, mut compare) = (Vec::new(), Vec::new(), Vec::new());
        for ((variant, other), number) in self.variants.iter().zip(&identity.variants).zip(0_u32..)
        {
            let mine = self.pattern(&quote!(Self), variant, "");
            let path = self.path(variant);
            let bindings: Vec<_> = variant.fields.iter().map(|field| &field.binding).collect();
            make.push(quote! {
                #mine => __KcIdentity #path { #(#bindings: #part::identity(#bindings),)* },
            });
            let number = self.is_enum.then(|| quote!(__kc_state.write_u32(#number);));
            hash.push(quote!(#mine => {
                #number
                #(#part::hash_identity(#bindings, __kc_state);)*
            }));
            let others = identity.pattern(&quote!(__KcIdentity), other, "__kc_other");
            let same = bindings.iter().map(|binding| {
                let other = format_ident!("__kc_other{}", binding);
                quote!(&& #part::is_identity(#binding, #other))
            });
            compare.push(quote!((#mine, #others) => true #(#same)*,));
        }
        if self.variants.len() != 1 {
            compare.push(quote!(_ => false,));
        }
        let never = self.never();
        quote! {
            #[inline]
            fn identity(&self) -> Self::Identity {
                match self { #(#make)* #never }
            }
            #[inline]
            fn hash_identity<__KcH: ::core::hash::Hasher>(&self, __kc_state: &mut __KcH) {
                let _ = &__kc_state;
                match self { #(#hash)* #never }
            }
            #[inline]
            fn is_identity(&self, __kc_identity: &Self::Identity) -> bool {
                match (self, __kc_identity) { #(#compare)* }
            }
        }
    }

    /// The type of identities, which is its own.
    fn identity_type(&self, private: &TokenStream) -> TokenStream {
        let identity = self.of_identity();
        let parameters: Vec<_> = self.fields().map(|field| &field.parameter).collect();
        let bodies = identity.variants.iter().map(|variant| {
            let fields = variant
                .fields
                .iter()
                .map(|Field { binding, parameter, .. }| quote!(#binding: #parameter));
            let name = &variant.name;
            if self.is_enum { quote!(#name { #(#fields),* },) } else { quote!(#(#fields),*) }
        });
        let kind = if self.is_enum { quote!(enum) } else { quote!(struct) };
        let conditions = quote! {
            where #(#parameters: #private::KeyPart<Identity = #parameters>
                + ::core::cmp::Eq + ::core::marker::Send + ::core::marker::Sync + 'static),*
        };
        let (encode, rest) = (identity.encode(private), identity.identity(private));
        let name = quote!(__KcIdentity<#(#parameters),*>);
        quote! {
            #[doc(hidden)]
            pub #kind #name { #(#bodies)* }

            #[automatically_derived]
            impl<#(#parameters),*> #private::KeyPart for #name #conditions {
                type Identity = Self;
                #encode
                #rest
            }
            #[automatically_derived]
            impl<#(#parameters),*> ::core::cmp::PartialEq for #name #conditions {
                fn eq(&self, __kc_other: &Self) -> bool {
                    #private::KeyPart::is_identity(self, __kc_other)
                }
            }
            #[automatically_derived]
            impl<#(#parameters),*> ::core::cmp::Eq for #name #conditions {}
        }
    }
}

impl Variant {
    fn read(
        name: &Ident,
        fields: &Fields,
        count: &mut RangeFrom<usize>,
        mistakes: &mut Mistakes,
    ) -> Self {
        let mut kept = Vec::new();
        for ((member, field), number) in fields.members().zip(fields).zip(count) {
            if is_skipped(&field.attrs, mistakes) {
                continue;
            }
            let label = field.ident.as_ref().map(|name| name.unraw().to_string());
            kept.push(Field {
                member,
                label,
                binding: format_ident!("__kc_f{number}", span = Span::call_site()),
                parameter: format_ident!("F{number}", span = Span::call_site()),
                ty: field.ty.clone(),
            });
        }
        Self { name: name.clone(), partial: kept.len() < fields.len(), fields: kept }
    }
}

/// Whether `#[key_part(skip)]` is among these.
fn is_skipped(attributes: &[Attribute], mistakes: &mut Mistakes) -> bool {
    let mut skipped = false;
    for attribute in attributes.iter().filter(|one| one.path().is_ident("key_part")) {
        let read = attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("skip") {
                skipped = true;
                return Ok(());
            }
            Err(meta.error("fields know one option: `#[key_part(skip)]`"))
        });
        if let Err(mistake) = read {
            mistakes.push(mistake);
        }
    }
    skipped
}
