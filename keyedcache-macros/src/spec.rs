//! Writes the sites of a function, and the options in them: data, unless the program has to compute
//! one of them.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::Expr;
use syn::ext::IdentExt;

use crate::duration::Period;
use crate::expand::Expansion;
use crate::function::{Function, ours};
use crate::generics::{Declared, instance_names};
use crate::home::Home;
use crate::options::{Codec, Given, Options, SingleFlight, Timeout};

impl Expansion<'_> {
    /// What holds the sites: of them all, and of one instance where there are several.
    pub(crate) fn sites(&self) -> TokenStream {
        if !self.function.is_generic() {
            return self.whole(&self.given());
        }
        let whole = self.whole(&self.place());
        let name = self.home.name("__kc_site", Span::call_site());
        let declared = self.function.declared(std::iter::empty(), &TokenStream::new());
        let Declared { parameters, conditions } = declared;
        let private = &self.private;
        let names = instance_names(&self.function.signature.generics, private);
        let found = self.found(&self.given(), &quote!(.instance(#names)));
        quote! {
            #whole
            #[doc(hidden)]
            fn #name #parameters () -> &'static #private::Site #conditions { #found }
        }
    }

    /// The site of one instance.
    pub(crate) fn site(&self) -> TokenStream {
        if self.function.is_generic() {
            let (site, turbofish) = (self.home.path("__kc_site"), self.function.turbofish());
            return quote!(#site #turbofish ());
        }
        let whole = self.home.path("__kc_whole");
        if self.is_found(&self.given()) { quote!((#whole.site)()) } else { quote!(#whole.site) }
    }

    /// The constant that says of all instances what forgetting them must know.
    fn whole(&self, given: &[TokenStream]) -> TokenStream {
        let private = &self.private;
        let visibility = self.visibility();
        let name = self.home.name("__kc_whole", Span::call_site());
        let scopes = self.declared_scopes();
        let (of, site) = if self.is_found(given) {
            let found = self.found(given, &TokenStream::new());
            (quote!(fn() -> &'static #private::Site), quote!(|| { #found }))
        } else {
            let site = self.constant(given);
            let site = quote!({ static SITE: #private::Site = #site; &SITE });
            (quote!(&'static #private::Site), site)
        };
        quote! {
            #[doc(hidden)]
            #visibility const #name: #private::Whole<#of> = #private::Whole { site: #site, #scopes };
        }
    }

    /// Whether the site can only be found at run time: a static knows neither `Self` nor parameters
    /// of types.
    fn is_found(&self, given: &[TokenStream]) -> bool {
        let type_name = self.type_name();
        self.home.block().is_some_and(|block| block.needs(&quote!(#type_name #(#given)*)))
    }

    /// Finds the site at run time.
    fn found(&self, given: &[TokenStream], instance: &TokenStream) -> TokenStream {
        let (private, spec) = (&self.private, self.spec(given));
        quote! {
            static SITES: #private::Sites = #private::Sites::new();
            SITES.of(|| #spec #instance)
        }
    }

    /// The site as a constant.
    fn constant(&self, given: &[TokenStream]) -> TokenStream {
        let private = &self.private;
        if is_computed(self.options) {
            let spec = self.spec(given);
            return quote!(#private::Site::evaluated(|| #spec));
        }
        let (type_name, fingerprint) = (self.type_name(), fingerprint(self.options, self.function));
        quote!(#private::Site::new(::core::any::type_name::<#type_name>, #fingerprint, &[#(#given),*]))
    }

    /// The expression that makes the function's `Spec`.
    fn spec(&self, given: &[TokenStream]) -> TokenStream {
        let private = &self.private;
        let (type_name, fingerprint) = (self.type_name(), fingerprint(self.options, self.function));
        quote! {
            #private::Spec::of(::core::any::type_name::<#type_name>(), #fingerprint, &[#(#given),*])
        }
    }

    /// The type after which the function is named.
    fn type_name(&self) -> TokenStream {
        match &self.home {
            Home::Struct(name) => quote!(#name),
            Home::Block { block, .. } => {
                let self_type = &block.self_type;
                quote!(#self_type)
            }
        }
    }

    /// What says where its answers are.
    fn place(&self) -> Vec<TokenStream> {
        let Self { private, options, home, .. } = self;
        let mut given = Vec::new();
        if let Home::Block { prefix, .. } = home {
            let method = prefix.unraw().to_string();
            given.push(quote!(#private::Given::Method(#method)));
        }
        given.extend(option(options.name.as_ref(), |name| quote!(#private::Given::Name(#name))));
        given.extend(option(options.cache.as_ref(), |to| quote!(#private::Given::Cache(#to))));
        given
    }

    /// All options.
    fn given(&self) -> Vec<TokenStream> {
        let Self { private, options, .. } = self;
        let mut all = self.place();
        let mut give = |given: Option<TokenStream>| {
            all.extend(given.map(|given| quote!(#private::Given::#given)));
        };
        give(options.timeout.as_ref().and_then(|given| match &given.value {
            Timeout::Never => Some(quote!(Timeout(#private::Timeout::Never))),
            Timeout::After(Period::Computed(period)) => Some(quote!(timeout(#period))),
            Timeout::After(Period::Literal(period)) if period.subsec_nanos() == 0 => {
                let seconds = period.as_secs();
                Some(quote!(Seconds(#seconds)))
            }
            Timeout::After(period) => Some(quote!(Timeout(#private::Timeout::After(#period)))),
            Timeout::Of(_) => None,
        }));
        give(option(options.timeout_err.as_ref(), |period| match period {
            Period::Computed(period) => quote!(timeout_err(#period)),
            Period::Literal(_) => quote!(TimeoutErr(#private::Timeout::After(#period))),
        }));
        give(option(options.timeout_none.as_ref(), |period| match period {
            Period::Computed(period) => quote!(timeout_none(#period)),
            Period::Literal(_) => quote!(TimeoutNone(#private::Timeout::After(#period))),
        }));
        give(option(options.stale.as_ref(), |period| quote!(Stale(#period))));
        give(option(options.stale_if_error.as_ref(), |period| quote!(StaleIfError(#period))));
        give(option(options.wait.as_ref(), |period| quote!(Wait(#period))));
        give(option(options.soft_timeout.as_ref(), |period| quote!(SoftTimeout(#period))));
        give(option(options.hard_timeout.as_ref(), |period| quote!(HardTimeout(#period))));
        give(option(options.lease.as_ref(), |period| quote!(Lease(#period))));
        give(option(options.lease_max.as_ref(), |period| quote!(LeaseMax(#period))));
        give(option(options.version.as_ref(), |version| quote!(Version(#version))));
        give(option(options.early.as_ref(), |beta| quote!(Early(#beta))));
        give(option(options.jitter.as_ref(), |fraction| quote!(Jitter(#fraction))));
        give(option(options.near.as_ref(), |entries| quote!(Near(#entries))));
        give(option(options.local.as_ref(), |()| quote!(Local)));
        give(option(options.scope.as_ref(), |_| quote!(Scoped)));
        give(options.codec.as_ref().map(|given| {
            // Two of them are there only with their features, and missed at the option's name.
            let codec = match given.value {
                Codec::MessagePack => "CODEC_MSGPACK",
                Codec::Json => "CODEC_JSON",
                Codec::Bincode => "CODEC_BINCODE",
            };
            let codec = Ident::new(codec, ours(given.name.span()));
            quote!(Codec(#private::#codec))
        }));
        give(option(options.single_flight.as_ref(), |who| match who {
            SingleFlight::Cluster => quote!(SingleFlight(#private::SingleFlight::Cluster)),
            SingleFlight::Process => quote!(SingleFlight(#private::SingleFlight::Process)),
            SingleFlight::Off => quote!(SingleFlight(#private::SingleFlight::Off)),
        }));
        give(options.refreshes_in_background().then(|| quote!(RefreshInBackground)));
        all
    }
}

/// Whether the program has to compute an option.
fn is_computed(options: &Options) -> bool {
    let timeout = options.timeout.as_ref().and_then(|given| match &given.value {
        Timeout::After(period) => Some(period),
        Timeout::Never | Timeout::Of(_) => None,
    });
    let others = [
        &options.stale,
        &options.stale_if_error,
        &options.timeout_err,
        &options.timeout_none,
        &options.wait,
        &options.soft_timeout,
        &options.hard_timeout,
        &options.lease,
        &options.lease_max,
    ];
    let mut others = others.into_iter().flatten().map(|given| &given.value).chain(timeout);
    others.any(|period| matches!(period, Period::Computed(_)))
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
