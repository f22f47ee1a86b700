//! Writes the expansion: the function, which asks the cache, and its companions.
//!
//! As little as possible, since it is compiled for every function: what can be done in `__private`
//! is done there. Names of ours begin with `__kc_`; paths are absolute, so that nothing a user names
//! `Result`, `Some` or `core` gets in the way.
//!
//! The function begins, runs `uncached`, and finishes, in its own frame, so that recursion costs two
//! frames a level and not ten. Futures are boxed as what they are, never as `dyn Future`: whether
//! they are `Send` must be found out, not promised.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, FnArg, Meta, ReturnType, Signature};

use crate::function::{Argument, Function, ours};
use crate::home::{Block, Home};
use crate::krate;
use crate::options::{Given, Options, Timeout};
use crate::refresh::{Owned, owned};
use crate::returns::Returns;

/// What an expansion is written from.
pub(crate) struct Expansion<'a> {
    pub(crate) options: &'a Options,
    pub(crate) function: &'a Function,
    /// The path to what expansions may name.
    pub(crate) private: TokenStream,
    /// Where the companions stand.
    pub(crate) home: Home<'a>,
}

/// The expansion of a free function with which nothing is wrong.
pub(crate) fn expand(options: &Options, function: &Function) -> TokenStream {
    let expansion = Expansion::new(options, function, None);
    let asking = expansion.asking();
    let companions = expansion.in_struct(&expansion.beside());
    quote!(#asking #companions)
}

impl<'a> Expansion<'a> {
    pub(crate) fn new(
        options: &'a Options,
        function: &'a Function,
        block: Option<&'a Block>,
    ) -> Self {
        let krate = krate::path(options);
        let home = Home::of(options, function, block);
        Self { private: quote!(#krate::__private), options, function, home }
    }

    /// The function under its own name.
    pub(crate) fn asking(&self) -> TokenStream {
        let function = self.function;
        let visibility = &function.visibility;
        let attributes = function.attributes.iter().map(without_expectations);
        let docs = self.docs();
        let mut signature = plain_signature(function);
        let mut block = self.ask();
        match &function.returns {
            Returns::Async if self.options.computes_away() => {
                let answer = function.answer();
                signature.asyncness = None;
                signature.output = syn::parse_quote! {
                    -> impl ::core::future::Future<Output = #answer> + ::core::marker::Send
                };
                block = quote!(async move { #block });
            }
            Returns::Future(_) => block = quote!(async move { #block }),
            Returns::Boxed(_) => block = quote!(::std::boxed::Box::pin(async move { #block })),
            Returns::Async | Returns::Answer => {}
        }
        quote! {
            #(#attributes)*
            #docs
            #visibility #signature { #block }
        }
    }

    /// Asks the cache, and computes if it says so.
    fn ask(&self) -> TokenStream {
        let private = &self.private;
        let (begun, uncached) = (self.begun(), self.compute());
        let computed = if self.function.is_async() {
            quote!(__kc_computing.run(::std::boxed::Box::pin(#uncached)).await)
        } else {
            quote!(__kc_computing.finish(#uncached))
        };
        // An early return needs no flags for what is moved on one way only.
        quote! {
            let __kc_computing = match #begun {
                #private::Begun::Answer(__kc_answer) => return __kc_answer,
                #private::Begun::Compute(__kc_computing) => __kc_computing,
            };
            #computed
        }
    }

    /// What the caller is to do; what is computed away from it has gone its way already.
    fn begun(&self) -> TokenStream {
        let private = &self.private;
        let asked = self.asking_in_function();
        let is_async = self.function.is_async();
        // What is at hand is taken before there is anything to await: a future costs a tenth of it.
        let at_hand = quote! {
            let __kc_asking = #asked;
            if let ::core::option::Option::Some(__kc_answer) = __kc_asking.at_hand() {
                return __kc_answer;
            }
        };
        if !self.options.computes_away() {
            return if is_async {
                quote!({ #at_hand #private::begin(__kc_asking).await })
            } else {
                quote!(#private::begin_wait(#asked))
            };
        }
        let keeping = if self.options.limits_time() { "KeepToGoOn" } else { "KeepForRefresh" };
        let keeping = Ident::new(keeping, Span::call_site());
        let Owned { copies, arguments } = owned(self.function, &quote!(#private::#keeping));
        let computing = self.compute_with(arguments.into_iter());
        let wait = quote!(let __kc_begun = #private::begin_away_wait(#asked););
        let (begin, run) = if is_async {
            (
                quote!(#at_hand let __kc_begun = #private::begin_away(__kc_asking).await;),
                quote!(run(::std::boxed::Box::pin(async move { #computing.await })).await),
            )
        } else if self.options.limits_time() {
            (wait, quote!(run_blocking(move || #computing)))
        } else {
            (wait, quote!(refresh_blocking(move || #computing)))
        };
        quote! {
            {
                #begin
                match __kc_begun {
                    ::core::result::Result::Ok(__kc_begun) => __kc_begun,
                    ::core::result::Result::Err(__kc_away) => {
                        #copies
                        return __kc_away.#run;
                    }
                }
            }
        }
    }

    /// The call of the plain function with the arguments as they came.
    pub(crate) fn compute(&self) -> TokenStream {
        self.compute_with(self.arguments_of_body())
    }

    /// The arguments as they came.
    pub(crate) fn arguments_of_body(&self) -> impl Iterator<Item = TokenStream> {
        let this = self.function.receiver().map(|receiver| {
            let this = &receiver.self_token;
            quote!(#this)
        });
        let arguments = self.function.arguments.iter().map(|argument| {
            let binding = &argument.binding;
            quote!(#binding)
        });
        this.into_iter().chain(arguments)
    }

    /// The call of the plain function with these arguments.
    fn compute_with(&self, arguments: impl Iterator<Item = TokenStream>) -> TokenStream {
        let (uncached, turbofish) = (self.home.path("uncached"), self.function.turbofish());
        quote!(#uncached #turbofish (#(#arguments),*))
    }

    /// The struct that the companions of a free function stand under, with these in it.
    pub(crate) fn in_struct(&self, companions: &TokenStream) -> TokenStream {
        let Home::Struct(name) = &self.home else { return TokenStream::new() };
        let visibility = &self.function.visibility;
        let docs = format!("The companions of [`{0}`](fn@{0}).", self.function.name());
        let lints = self.lints();
        quote! {
            #[doc = #docs]
            #[doc(hidden)]
            #visibility struct #name {}

            #lints
            impl #name {
                #companions
            }
        }
    }

    /// Everything that stands beside the function.
    pub(crate) fn beside(&self) -> TokenStream {
        let (hidden, companions) = (self.hidden(), self.companions());
        quote!(#hidden #companions)
    }

    /// What the function and its companions share.
    fn hidden(&self) -> TokenStream {
        let (sites, call) = (self.sites(), self.call());
        quote!(#sites #call)
    }

    /// Finds out what of the answer is stored; the one place that demands something of its type.
    pub(crate) fn shape(&self) -> TokenStream {
        let Self { private, options, function, .. } = self;
        let answer = function.answer();
        let place = ours(function.answer_span());
        let mut form = quote!((&&&&#private::Probe::<#answer>::new().kind()).form());
        if let Some(given) = &options.timeout_err {
            let with_errors = Ident::new("with_errors", ours(given.name.span()));
            form = quote!(#form.#with_errors());
        }
        if let Some(given) = &options.timeout_none {
            let telling_nones = Ident::new("telling_nones", ours(given.name.span()));
            form = quote!(#form.#telling_nones());
        }
        let fit = if options.local.is_some() { "local" } else { "shared" };
        let fit = Ident::new(fit, place);
        let mut shape = quote!(#form.#fit());
        if let Some(Given { value: Timeout::Of(closure), .. }) = &options.timeout {
            shape = quote!(#private::timeout_by(#shape, #closure));
        }
        if let Some(given) = &options.cache_if {
            let condition = &given.value;
            shape = quote!(#private::cache_if(#shape, #condition));
        }
        if let Some(given) = &options.hard_timeout {
            let timed_out = quote_spanned! { ours(given.name.span()) =>
                <#answer as #private::TimesOut>::timed_out as fn(_) -> _
            };
            shape = quote!(#private::timing_out(#shape, #timed_out));
        }
        shape
    }

    /// The traits by which that is found out.
    pub(crate) fn probing(&self) -> TokenStream {
        let fit = if self.options.local.is_some() { "UnfitToKeep" } else { "UnfitToShare" };
        let fit = Ident::new(fit, Span::call_site());
        let failing = self.options.timeout_err.is_some().then(|| quote!(, UnfitToFail as _));
        quote!(Anything as _, HasForm as _, #fit as _ #failing)
    }
}

/// The signature with arguments that are all plain names.
pub(crate) fn plain_signature(function: &Function) -> Signature {
    let mut signature = function.signature.clone();
    let receiver = signature.receiver().cloned().map(|mut receiver| {
        receiver.mutability = None;
        FnArg::Receiver(receiver)
    });
    let arguments = function.arguments.iter().map(|argument| FnArg::Typed(argument.plain()));
    signature.inputs = receiver.into_iter().chain(arguments).collect();
    signature
}

impl Expansion<'_> {
    /// The function as it was written, under the name `uncached`.
    pub(crate) fn uncached(&self) -> TokenStream {
        let function = self.function;
        let mut signature = function.signature.clone();
        signature.ident = self.home.name("uncached", ours(signature.ident.span()));
        if let ReturnType::Type(arrow, _) = &mut signature.output {
            arrow.spans = arrow.spans.map(ours);
        }
        let visibility = self.visibility();
        let kept = function.attributes.iter().filter(|attribute| {
            attribute.path().is_ident("doc") || attribute.path().is_ident("must_use")
        });
        let body = &function.body;
        quote! {
            /// The plain function: computes, and knows of no cache.
            ///
            #(#kept)*
            #visibility #signature #body
        }
    }

    /// Who sees the companions: whoever sees the function. What a trait's method is seen by is not
    /// known here; its companions are seen in the crate.
    pub(crate) fn visibility(&self) -> TokenStream {
        let visibility = &self.function.visibility;
        let of_trait = self.home.block().is_some_and(|block| block.of_trait.is_some());
        if of_trait { quote!(pub(crate)) } else { quote!(#visibility) }
    }

    /// The lint levels of the companions: the function's. `put` has one argument more, which may be
    /// one too many.
    pub(crate) fn lints(&self) -> TokenStream {
        let attributes = self.function.attributes.iter();
        let lints = attributes.filter(|attribute| is_lint(attribute)).map(without_expectations);
        let many = self.function.arguments.len() >= 7;
        let many = many.then(|| quote!(#[allow(clippy::too_many_arguments)]));
        quote!(#many #(#lints)*)
    }

    /// What is added to the function's docs.
    fn docs(&self) -> TokenStream {
        let list = |this: bool, arguments: &mut dyn Iterator<Item = &Argument>| {
            let this = this.then(|| "self".to_owned());
            let names: Vec<_> = this.into_iter().chain(arguments.map(Argument::shown)).collect();
            names.join(", ")
        };
        let key = list(self.key_has_self(), &mut self.key_arguments());
        let all = list(self.function.receiver().is_some(), &mut self.function.arguments.iter());
        let put = if key.is_empty() { "value".to_owned() } else { format!("{key}, value") };
        let line = |name: &str, arguments: &str, what: &str| {
            format!("- `{}({arguments})`: {what}\n", self.home.shown(name))
        };
        let companions = [
            line("key", &key, "the key of a call"),
            line("uncached", &all, "the plain function"),
            line("peek", &key, "what is cached, without computing"),
            line("refresh", &all, "computes now and replaces what is cached"),
            line("invalidate", &key, "forgets a call, everywhere"),
            line("invalidate_all", "", "forgets every call, everywhere"),
            line("put", &put, "caches an answer that was not computed here"),
        ];
        let docs = format!(
            "\n# Companions\n\n\
             This function is cached. All but the first two of these are requests: `.await` them \
             in async code, `.wait()` in sync code.\n\n{}",
            companions.concat()
        );
        quote!(#[doc = #docs])
    }
}

impl Argument {
    /// What docs call it.
    fn shown(&self) -> String {
        self.name.as_ref().map_or_else(|| "_".to_owned(), ToString::to_string)
    }
}

fn is_lint(attribute: &Attribute) -> bool {
    ["allow", "warn", "deny", "forbid", "expect"]
        .iter()
        .any(|level| attribute.path().is_ident(level))
}

/// `#[expect(lint)]` becomes `#[allow(lint)]`: it stands twice now, and what it expects once.
pub(crate) fn without_expectations(attribute: &Attribute) -> Attribute {
    let mut attribute = attribute.clone();
    if attribute.path().is_ident("expect")
        && let Meta::List(list) = &mut attribute.meta
    {
        list.path = Ident::new("allow", list.path.span()).into();
    }
    attribute
}

#[cfg(test)]
mod tests;
