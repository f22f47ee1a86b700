//! Writes the options that are known by name only at run time: the `Spec` of a function.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::Expr;
use syn::ext::IdentExt;

use crate::duration::Period;
use crate::expand::Expansion;
use crate::function::Function;
use crate::generics::{Declared, instance_names};
use crate::home::Home;
use crate::options::{Codec, Given, Options, SingleFlight, Timeout};

/// The functions that give the site: of one instance, and of them all.
pub(crate) fn sites(expansion: &Expansion<'_>) -> TokenStream {
    let function = expansion.function;
    let one = site(expansion, "__kc_site", &spec(expansion));
    if !function.is_generic() {
        return one;
    }
    let whole = site(expansion, "__kc_whole", &scope(expansion));
    quote!(#one #whole)
}

/// A function that gives a site. A static knows neither `Self` nor parameters of types.
fn site(expansion: &Expansion<'_>, name: &str, spec: &TokenStream) -> TokenStream {
    let private = &expansion.private;
    let whole = name == "__kc_whole";
    let name = expansion.home.name(name, Span::call_site());
    let declared = expansion.function.declared(std::iter::empty(), &TokenStream::new());
    let generic = expansion.function.is_generic() && !whole;
    let Declared { parameters, conditions } = declared;
    let head = if generic { quote!(#name #parameters ()) } else { quote!(#name()) };
    let conditions = generic.then_some(conditions);
    let body = if generic || expansion.home.block().is_some_and(|block| block.needs(spec)) {
        quote! {
            static SITES: #private::Sites = #private::Sites::new();
            SITES.of(|| #spec)
        }
    } else {
        quote! {
            static SITE: #private::Site = #private::Site::new(|| #spec);
            &SITE
        }
    };
    quote! {
        #[doc(hidden)]
        fn #head -> &'static #private::Site #conditions { #body }
    }
}

/// What invalidating all of it needs to know.
fn scope(expansion: &Expansion<'_>) -> TokenStream {
    let Expansion { private, options, home, .. } = expansion;
    let named = match home {
        Home::Struct(name) => quote!(#private::Spec::of::<#name>()),
        Home::Block { block, prefix } => {
            let self_type = &block.self_type;
            let method = prefix.unraw().to_string();
            quote!(#private::Spec::of_method::<#self_type>(#method))
        }
    };
    let name = option(options.name.as_ref(), |name| quote!(.name(#name)));
    let cache = option(options.cache.as_ref(), |cache| quote!(.cache(#cache)));
    quote!(#named #name #cache)
}

/// The expression that makes the function's `Spec`.
fn spec(expansion: &Expansion<'_>) -> TokenStream {
    let Expansion { private, options, function, .. } = expansion;
    let mut calls = scope(expansion);
    if function.is_generic() {
        let names = instance_names(&function.signature.generics, private);
        calls.extend(quote!(.instance(#names)));
    }
    if let Some(Given { value, .. }) = &options.timeout {
        calls.extend(match value {
            Timeout::Never => quote!(.timeout(#private::Timeout::Never)),
            Timeout::After(period) => quote!(.timeout(#period)),
            Timeout::Of(_) => TokenStream::new(),
        });
    }
    calls.extend(periods(options));
    calls.extend(option(options.version.as_ref(), |version| quote!(.version(#version))));
    calls.extend(option(options.early.as_ref(), |beta| quote!(.early(#beta))));
    calls.extend(option(options.jitter.as_ref(), |fraction| quote!(.jitter(#fraction))));
    calls.extend(option(options.near.as_ref(), |entries| quote!(.near(#entries))));
    calls.extend(option(options.local.as_ref(), |()| quote!(.local())));
    calls.extend(option(options.scope.as_ref(), |_| quote!(.scoped())));
    calls.extend(option(options.codec.as_ref(), |codec| {
        let codec = match codec {
            Codec::MessagePack => quote!(MessagePack),
            Codec::Json => quote!(Json),
            Codec::Bincode => quote!(Bincode),
        };
        quote!(.codec(#private::Codec::#codec))
    }));
    calls.extend(option(options.single_flight.as_ref(), |who| {
        let who = match who {
            SingleFlight::Cluster => quote!(Cluster),
            SingleFlight::Process => quote!(Process),
            SingleFlight::Off => quote!(Off),
        };
        quote!(.single_flight(#private::SingleFlight::#who))
    }));
    if !options.refreshes_in_background() {
        calls.extend(quote!(.refresh_in_foreground()));
    }
    let fingerprint = fingerprint(options, function);
    quote!(#calls .fingerprint(#fingerprint))
}

fn periods(options: &Options) -> TokenStream {
    let period = |given: Option<&Given<Period>>| option(given, |period| quote!((#period)));
    let named = [
        (quote!(.stale), period(options.stale.as_ref())),
        (quote!(.stale_if_error), period(options.stale_if_error.as_ref())),
        (quote!(.timeout_err), period(options.timeout_err.as_ref())),
        (quote!(.timeout_none), period(options.timeout_none.as_ref())),
        (quote!(.wait), period(options.wait.as_ref())),
        (quote!(.soft_timeout), period(options.soft_timeout.as_ref())),
        (quote!(.hard_timeout), period(options.hard_timeout.as_ref())),
        (quote!(.lease), period(options.lease.as_ref())),
        (quote!(.lease_max), period(options.lease_max.as_ref())),
    ];
    named.into_iter().filter_map(|(name, value)| value.map(|value| quote!(#name #value))).collect()
}

fn option<T>(
    given: Option<&Given<T>>,
    write: impl FnOnce(&T) -> TokenStream,
) -> Option<TokenStream> {
    given.map(|given| write(&given.value))
}

/// What changes with the signature: the types of what makes the key, and that of the answer.
fn fingerprint(options: &Options, function: &Function) -> u64 {
    let answer = function.answer();
    let key = options.key.as_ref().map(|given| -> &Expr { &given.value });
    let types = function
        .arguments
        .iter()
        .filter(|argument| !argument.name.as_ref().is_some_and(|name| options.skips(name)))
        .map(crate::function::Argument::ty);
    fnv1a(&spaced(quote!(#key (#(#types),*) -> #answer)))
}

/// The text of tokens with one space between any two, however they were written.
fn spaced(tokens: TokenStream) -> String {
    let mut text = String::new();
    write_spaced(tokens, &mut text);
    text
}

fn write_spaced(tokens: TokenStream, text: &mut String) {
    for token in tokens {
        match token {
            proc_macro2::TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    proc_macro2::Delimiter::Parenthesis => ("( ", ") "),
                    proc_macro2::Delimiter::Brace => ("{ ", "} "),
                    proc_macro2::Delimiter::Bracket => ("[ ", "] "),
                    proc_macro2::Delimiter::None => ("", ""),
                };
                text.push_str(open);
                write_spaced(group.stream(), text);
                text.push_str(close);
            }
            token => {
                text.push_str(&token.to_string());
                text.push(' ');
            }
        }
    }
}

/// FNV-1a, 64 bits: the same for the same text on every platform and compiler.
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mistakes::Mistakes;

    fn of(options: &str, function: &str) -> u64 {
        let options = Options::parse(options.parse().expect("tokens"), &mut Mistakes::new());
        let function = Function::parse(function.parse().expect("tokens")).expect("a function");
        fingerprint(&options, &function)
    }

    #[test]
    fn the_hash_is_fnv1a() {
        assert_eq!(fnv1a(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a("foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn the_fingerprint_is_that_of_the_types_however_written() {
        let first = of("", "fn f(x: Vec<u8>, y: i32) -> Result<u8, E> {}");
        assert_eq!(first, of("", "pub fn g(a: Vec < u8 >, b:i32,)->Result<u8,E>{ 3 }"));
        assert_ne!(first, of("", "fn f(x: Vec<u8>, y: i64) -> Result<u8, E> {}"));
        assert_ne!(first, of("", "fn f(x: Vec<u8>, y: i32) -> Result<u16, E> {}"));
        assert_ne!(first, of("skip(y)", "fn f(x: Vec<u8>, y: i32) -> Result<u8, E> {}"));
    }

    #[test]
    fn the_fingerprint_changes_with_the_key() {
        let function = "fn f(x: u8) -> u8 {}";
        assert_ne!(of("", function), of("key = x / 10", function));
        assert_ne!(of("key = x / 100", function), of("key = x / 10", function));
    }
}
