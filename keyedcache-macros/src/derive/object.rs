//! `#[derive(CachedObject)]`: a struct that is stored and read back by its id.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::meta::ParseNestedMeta;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Expr, LitInt, LitStr, Member, Type};

use crate::duration::Period;
use crate::function::ours;
use crate::krate;
use crate::mistakes::Mistakes;
use crate::options::Options;

/// What is said of the struct.
#[derive(Default)]
struct Given {
    timeout: Option<TokenStream>,
    cache: Option<LitStr>,
    name: Option<LitStr>,
    version: Option<LitInt>,
}

/// A field that is part of the id.
struct KeyField {
    member: Member,
    ty: Type,
}

/// The impl, or what is wrong.
pub(crate) fn expand(input: &DeriveInput) -> TokenStream {
    let mut mistakes = Mistakes::new();
    let krate = krate::path(&Options::default());
    let private = quote!(#krate::__private);
    let given = Given::read(input, &private, &mut mistakes);
    let fields = key_fields(input, &mut mistakes);
    if !mistakes.is_empty() {
        return mistakes.into_tokens();
    }
    let name = &input.ident;
    let spec = given.spec(&private);
    let (id, parts, own) = id(&fields, &private);
    let mut generics = input.generics.clone();
    let clause = generics.make_where_clause();
    if !input.generics.params.is_empty() {
        clause.predicates.push(syn::parse_quote!(Self: #private::ObjectValue));
    }
    // Also where they are known to hold: what does not is told once, and here.
    for KeyField { ty, .. } in &fields {
        let part = quote_spanned!(ours(ty.span())=> #ty: #private::KeyPart);
        clause.predicates.push(syn::parse_quote!(#part));
    }
    let (parameters, arguments, conditions) = generics.split_for_impl();
    let checked = input.generics.params.is_empty().then(|| {
        let checked = quote_spanned!(ours(name.span())=> #private::is_object_value::<#name>());
        quote!(const _: () = #checked;)
    });
    quote! {
        #checked
        #[automatically_derived]
        impl #parameters #private::CachedObject for #name #arguments #conditions {
            type Id = #id;

            fn __kc_spec() -> #private::ObjectSpec { #spec }
            fn __kc_key(__kc_namespace: &str, __kc_id: &Self::Id) -> #private::Key {
                #private::Key::of_parts(__kc_namespace, &#parts)
            }
            fn __kc_own_key(&self, __kc_namespace: &str) -> #private::Key {
                #private::Key::of_parts(__kc_namespace, &#own)
            }
        }
    }
}

impl Given {
    fn read(input: &DeriveInput, private: &TokenStream, mistakes: &mut Mistakes) -> Self {
        let mut given = Self::default();
        for attribute in input.attrs.iter().filter(|one| one.path().is_ident("cached_object")) {
            let read = attribute.parse_nested_meta(|meta| given.read_one(&meta, private));
            if let Err(mistake) = read {
                mistakes.push(mistake);
            }
        }
        given
    }

    fn read_one(&mut self, meta: &ParseNestedMeta<'_>, private: &TokenStream) -> syn::Result<()> {
        if meta.path.is_ident("timeout") {
            let timeout: Expr = meta.value()?.parse()?;
            self.timeout = Some(match &timeout {
                Expr::Path(path) if path.path.is_ident("Never") => quote!(#private::Timeout::Never),
                _ => {
                    let period = Period::from_expr(timeout)?;
                    quote!(#private::IntoTimeout::into_timeout(#period))
                }
            });
        } else if meta.path.is_ident("cache") {
            self.cache = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("name") {
            self.name = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("version") {
            self.version = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("key") {
            return Err(meta.error("`key` goes on the fields that are the id"));
        } else {
            return Err(meta.error(
                "unknown option; options are `timeout`, `cache`, `name` and `version`, and \
                 `#[cached_object(key)]` on fields",
            ));
        }
        Ok(())
    }

    fn spec(&self, private: &TokenStream) -> TokenStream {
        let timeout = self.timeout.iter();
        let (cache, name, version) = (self.cache.iter(), self.name.iter(), self.version.iter());
        quote! {
            #private::ObjectSpec::of::<Self>()
                #(.timeout(#timeout))* #(.cache(#cache))* #(.name(#name))* #(.version(#version))*
        }
    }
}

/// The fields under `#[cached_object(key)]`.
fn key_fields(input: &DeriveInput, mistakes: &mut Mistakes) -> Vec<KeyField> {
    let Data::Struct(data) = &input.data else {
        mistakes.at(&input.ident, "`CachedObject` is for structs: they have fields to be known by");
        return Vec::new();
    };
    let mut found = Vec::new();
    for (member, field) in data.fields.members().zip(&data.fields) {
        for attribute in field.attrs.iter().filter(|one| one.path().is_ident("cached_object")) {
            let read = attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("key") {
                    found.push(KeyField { member: member.clone(), ty: field.ty.clone() });
                    return Ok(());
                }
                Err(meta.error("fields know one option: `#[cached_object(key)]`"))
            });
            if let Err(mistake) = read {
                mistakes.push(mistake);
            }
        }
    }
    if found.is_empty() && mistakes.is_empty() {
        mistakes.at(
            &input.ident,
            "say by which field it is known: `#[cached_object(key)]` on one or more fields",
        );
    }
    found
}

/// The type of the id, and the parts of the key from one and from the object itself.
fn id(fields: &[KeyField], private: &TokenStream) -> (TokenStream, TokenStream, TokenStream) {
    let own = fields
        .iter()
        .rev()
        .fold(quote!(()), |rest, KeyField { member, .. }| quote!((&self.#member, #rest)));
    if let [KeyField { ty, .. }] = fields {
        let ty = unowned(ty, private);
        return (ty, quote!((__kc_id, ())), own);
    }
    let types = fields.iter().map(|field| &field.ty);
    let places = (0..fields.len()).map(syn::Index::from);
    let places: Vec<_> = places.collect();
    let parts =
        places.iter().rev().fold(quote!(()), |rest, place| quote!((&__kc_id.#place, #rest)));
    (quote!((#(#types),*)), parts, own)
}

/// `str` for `String`: an id may be given as either.
fn unowned(ty: &Type, private: &TokenStream) -> TokenStream {
    let is_string = matches!(ty, Type::Path(path) if path.path.is_ident("String")
        || path.path.segments.last().is_some_and(|last| last.ident == Ident::new("String", last.ident.span())));
    let place = ours(ty.span());
    if is_string { quote_spanned!(place=> #private::Text) } else { quote!(#ty) }
}
