//! Writes the expansion: the function, which asks the cache, and its companions.
//!
//! As little as possible, since it is compiled for every function: what can be done in `__private`
//! is done there. Names of ours begin with `__kc_`; paths are absolute, so that nothing a user names
//! `Result`, `Some` or `core` gets in the way.
//!
//! The function begins, runs `uncached`, and finishes, in its own frame, so that recursion costs two
//! frames a level and not ten. Futures are boxed as what they are, never as `dyn Future`: whether
//! they are `Send` must be found out, not promised.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::spanned::Spanned;
use syn::{Attribute, FnArg, Meta, ReturnType, Signature};

use crate::function::{Argument, Function, ours};
use crate::options::Options;
use crate::refresh::{Owned, owned};
use crate::{krate, spec};

/// What an expansion is written from.
pub(crate) struct Expansion<'a> {
    pub(crate) options: &'a Options,
    pub(crate) function: &'a Function,
    /// The path to what expansions may name.
    pub(crate) private: TokenStream,
    /// The companions' struct.
    pub(crate) companion: Ident,
}

/// The expansion of a function with which nothing is wrong.
pub(crate) fn expand(options: &Options, function: &Function) -> TokenStream {
    let expansion = Expansion::new(options, function);
    let asking = expansion.asking();
    let companion = expansion.companion();
    let hidden = expansion.hidden();
    let companions = expansion.companions();
    let lints = expansion.lints();
    let name = &expansion.companion;
    quote! {
        #asking
        #companion
        #lints
        impl #name {
            #hidden
            #companions
        }
    }
}

impl<'a> Expansion<'a> {
    pub(crate) fn new(options: &'a Options, function: &'a Function) -> Self {
        let krate = krate::path(options);
        let mut companion = match &options.companion {
            Some(given) => given.value.clone(),
            None => function.name().clone(),
        };
        companion.set_span(ours(companion.span()));
        Self { private: quote!(#krate::__private), options, function, companion }
    }

    /// The function under its own name.
    fn asking(&self) -> TokenStream {
        let function = self.function;
        let visibility = &function.visibility;
        let attributes = function.attributes.iter().map(without_expectations);
        let docs = self.docs();
        let mut signature = plain_signature(function);
        let mut block = self.ask();
        if function.is_async() && self.options.refreshes_in_background() {
            let answer = function.answer();
            signature.asyncness = None;
            signature.output = syn::parse_quote! {
                -> impl ::core::future::Future<Output = #answer> + ::core::marker::Send
            };
            block = quote!(async move { #block });
        }
        quote! {
            #(#attributes)*
            #docs
            #visibility #signature { #block }
        }
    }

    /// Asks the cache, and computes if it says so.
    fn ask(&self) -> TokenStream {
        let Self { private, companion, .. } = self;
        let key_arguments = self.key_arguments().map(|argument| &argument.binding);
        let arguments: Vec<_> = self.function.arguments.iter().map(|arg| &arg.binding).collect();
        let asked = quote! {
            #companion::__kc_site(),
            #companion::__kc_shape(),
            &#companion::__kc_arguments(#(&#key_arguments),*)
        };
        let stale = self.stale();
        if self.function.is_async() {
            quote! {
                let __kc_begun = #private::begin(#asked).await;
                match __kc_begun {
                    #private::Begun::Answer(__kc_answer) => __kc_answer,
                    #stale
                    #private::Begun::Alone(__kc_alone) => {
                        let __kc_answer =
                            ::std::boxed::Box::pin(#companion::uncached(#(#arguments),*)).await;
                        __kc_alone.finish(__kc_answer)
                    }
                    #private::Begun::Lead(__kc_lead) => {
                        __kc_lead
                            .lead(::std::boxed::Box::pin(#companion::uncached(#(#arguments),*)))
                            .await
                    }
                }
            }
        } else {
            quote! {
                let __kc_begun = #private::begin_wait(#asked);
                match __kc_begun {
                    #private::Begun::Answer(__kc_answer) => __kc_answer,
                    #stale
                    #private::Begun::Alone(__kc_alone) => {
                        let __kc_answer = #companion::uncached(#(#arguments),*);
                        __kc_alone.finish(__kc_answer)
                    }
                    #private::Begun::Lead(__kc_lead) => {
                        let __kc_leading = __kc_lead.enter();
                        let __kc_answer = #companion::uncached(#(#arguments),*);
                        __kc_leading.finish(__kc_answer)
                    }
                }
            }
        }
    }

    /// What is done with a stale answer: it is returned, and refreshed if options say so.
    fn stale(&self) -> TokenStream {
        let Self { private, companion, .. } = self;
        if !self.options.refreshes_in_background() {
            return quote!(#private::Begun::Stale(__kc_answer, _) => __kc_answer,);
        }
        let Owned { copies, arguments } = owned(self.function, private);
        let computing = quote!(#companion::uncached(#(#arguments),*));
        let start = if self.function.is_async() {
            quote!(__kc_refresh.spawn(async move { #computing.await });)
        } else {
            quote!(__kc_refresh.spawn_blocking(move || #computing);)
        };
        quote! {
            #private::Begun::Stale(__kc_answer, __kc_refresh) => {
                #copies
                #start
                __kc_answer
            }
        }
    }

    /// The struct that the companions stand under.
    pub(crate) fn companion(&self) -> TokenStream {
        let (visibility, name) = (&self.function.visibility, &self.companion);
        let docs = format!("The companions of [`{0}`](fn@{0}).", self.function.name());
        quote! {
            #[doc = #docs]
            #[doc(hidden)]
            #visibility struct #name {}
        }
    }

    /// What the function and its companions share.
    fn hidden(&self) -> TokenStream {
        let Self { private, companion, .. } = self;
        let spec = spec::spec(self.options, self.function, companion, private);
        let shape = self.shape();
        let arguments = self.arguments();
        quote! {
            #[doc(hidden)]
            fn __kc_site() -> &'static #private::Site {
                static SITE: #private::Site = #private::Site::new(|| #spec);
                &SITE
            }
            #shape
            #arguments
        }
    }

    /// Finds out what of the answer is stored; the one place that demands something of its type.
    fn shape(&self) -> TokenStream {
        let Self { private, options, function, .. } = self;
        let answer = function.answer();
        let place = ours(function.answer_span());
        let mut form = quote!((&&&&&#private::Probe::<#answer>::new()).form());
        if let Some(given) = &options.timeout_err {
            let with_errors = Ident::new("with_errors", ours(given.name.span()));
            form = quote!((&&#private::Fit(#form)).#with_errors());
        }
        if let Some(given) = &options.timeout_none {
            let telling_nones = Ident::new("telling_nones", ours(given.name.span()));
            form = quote!(#private::Fit(#form).#telling_nones());
        }
        let fit = if options.local.is_some() { "local" } else { "shared" };
        let fit = Ident::new(fit, place);
        let mut shape = quote!((&&#private::Fit(#form)).#fit());
        if let Some(given) = &options.cache_if {
            let condition = &given.value;
            shape = quote!(#private::cache_if(#shape, #condition));
        }
        quote! {
            #[doc(hidden)]
            fn __kc_shape() -> impl #private::Shape<Answer = #answer> {
                use #private::{
                    Anything as _, FitToFail as _, FitToKeep as _, FitToShare as _,
                    OptionAndSharedErrors as _, OptionInResult as _, SharedErrors as _,
                    UnfitToFail as _, UnfitToKeep as _, UnfitToShare as _, Variant as _,
                };
                #shape
            }
        }
    }
}

/// The signature with arguments that are all plain names.
pub(crate) fn plain_signature(function: &Function) -> Signature {
    let mut signature = function.signature.clone();
    signature.inputs = function
        .arguments
        .iter()
        .map(|argument| -> FnArg {
            let plain = argument.plain();
            syn::parse_quote!(#plain)
        })
        .collect();
    signature
}

impl Expansion<'_> {
    /// The function as it was written, under the name `uncached`.
    pub(crate) fn uncached(&self) -> TokenStream {
        let function = self.function;
        let mut signature = function.signature.clone();
        signature.ident = format_ident!("uncached", span = ours(signature.ident.span()));
        if let ReturnType::Type(arrow, _) = &mut signature.output {
            arrow.spans = arrow.spans.map(ours);
        }
        let visibility = &function.visibility;
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
        let name = &self.companion;
        let list = |arguments: &mut dyn Iterator<Item = &Argument>| {
            let names: Vec<_> = arguments.map(Argument::shown).collect();
            names.join(", ")
        };
        let key = list(&mut self.key_arguments());
        let all = list(&mut self.function.arguments.iter());
        let put = if key.is_empty() { "value".to_owned() } else { format!("{key}, value") };
        let docs = format!(
            "\n# Companions\n\n\
             This function is cached. `{name}::…` of it are requests, but for the first two: \
             `.await` them in async code, `.wait()` in sync code.\n\n\
             - `{name}::key({key})`: the key of a call\n\
             - `{name}::uncached({all})`: the plain function\n\
             - `{name}::peek({key})`: what is cached, without computing\n\
             - `{name}::refresh({all})`: computes now and replaces what is cached\n\
             - `{name}::invalidate({key})`: forgets a call, everywhere\n\
             - `{name}::invalidate_all()`: forgets every call, everywhere\n\
             - `{name}::put({put})`: caches an answer that was not computed here\n"
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
