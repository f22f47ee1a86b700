//! Where `keyedcache` is, seen from the crate that is being compiled.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

use crate::options::Options;

/// The path to the crate: as the option says, else as `Cargo.toml` names it.
///
/// Within the crate itself (its examples and doc tests) it goes by its own name. A manifest that
/// cannot be read is not worth an error: the name is nearly always right.
pub(crate) fn path(options: &Options) -> TokenStream {
    if let Some(given) = &options.krate {
        let path = &given.value;
        return quote!(#path);
    }
    let name = match crate_name("keyedcache") {
        Ok(FoundCrate::Name(name)) => name,
        Ok(FoundCrate::Itself) | Err(_) => "keyedcache".to_owned(),
    };
    let name = Ident::new(&name, Span::call_site());
    quote!(::#name)
}
