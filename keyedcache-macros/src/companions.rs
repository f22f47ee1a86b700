//! Writes the companions: `key`, `peek`, `refresh`, `uncached`, `invalidate`, `invalidate_all`,
//! `put`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

use crate::expand::Expansion;

/// A companion's own tokens, for the expansion and for the fallback.
pub(crate) struct Companion {
    /// Its docs.
    docs: &'static str,
    /// Its name, lifetimes, and arguments, in parentheses.
    head: TokenStream,
    /// The type of what it answers.
    pub(crate) answer: Answer,
    /// What it does.
    body: TokenStream,
}

/// What a companion answers.
pub(crate) enum Answer {
    /// This type.
    Plain(TokenStream),
    /// A request with this output.
    Request {
        /// What awaiting it gives.
        output: TokenStream,
        /// What is known of its future besides.
        bounds: TokenStream,
    },
}

impl Companion {
    /// The companion under this visibility.
    pub(crate) fn write(&self, expansion: &Expansion<'_>, fallback: bool) -> TokenStream {
        let Self { docs, head, body, .. } = self;
        let private = &expansion.private;
        let visibility = &expansion.function.visibility;
        let (must_use, answer) = match &self.answer {
            Answer::Plain(answer) => (quote!(#[must_use]), answer.clone()),
            Answer::Request { output, .. } if fallback => {
                (TokenStream::new(), quote!(#private::Unmade<#output>))
            }
            Answer::Request { output, bounds } => (
                TokenStream::new(),
                quote!(#private::Request<impl ::core::future::Future<Output = #output> #bounds>),
            ),
        };
        let body = if fallback { quote!(::core::unreachable!()) } else { body.clone() };
        quote! {
            #[doc = #docs]
            #must_use
            #visibility fn #head -> #answer { #body }
        }
    }
}

impl Expansion<'_> {
    /// The companions' methods.
    pub(crate) fn companions(&self) -> TokenStream {
        let written = self.requests().into_iter().map(|companion| companion.write(self, false));
        let uncached = self.uncached();
        quote!(#(#written)* #uncached)
    }

    /// All companions but `uncached`.
    pub(crate) fn requests(&self) -> Vec<Companion> {
        let Self { private, companion, .. } = self;
        let (head, names) = self.head();
        let answer = self.function.answer();
        let arguments = quote!(&#companion::__kc_arguments(#(&#names),*));
        let call = quote! {
            #private::Call::new(#companion::__kc_site(), #companion::__kc_shape(), #arguments)
        };
        let done = quote!(::core::result::Result<(), #private::Error>);
        let sendable = quote!(+ ::core::marker::Send + use<>);
        let value = self.value_name();
        vec![
            Companion {
                docs: "The key under which the answer to these arguments is cached.",
                head: head("key", TokenStream::new()),
                answer: Answer::Plain(quote!(#private::Key)),
                body: quote!(#private::key(#companion::__kc_site(), #arguments)),
            },
            Companion {
                docs: "What is cached for these arguments, without computing.",
                head: head("peek", TokenStream::new()),
                answer: Answer::Request {
                    output: quote!(::core::result::Result<#answer, #private::NotCachedError>),
                    bounds: sendable.clone(),
                },
                body: quote!(#call.peek()),
            },
            self.refresh(&call),
            Companion {
                docs: "Forgets the answer to these arguments, everywhere.",
                head: head("invalidate", TokenStream::new()),
                answer: Answer::Request { output: done.clone(), bounds: sendable.clone() },
                body: quote!(#call.invalidate()),
            },
            Companion {
                docs: "Forgets the answers to all arguments, everywhere.",
                head: quote!(invalidate_all()),
                answer: Answer::Request { output: done.clone(), bounds: sendable },
                body: quote!(#private::invalidate_all(#companion::__kc_site())),
            },
            Companion {
                docs: "Caches an answer to these arguments that was not computed here.",
                head: head("put", quote!(#value: #answer)),
                answer: Answer::Request { output: done, bounds: quote!(+ use<>) },
                body: quote!(#call.put(#value)),
            },
        ]
    }

    fn refresh(&self, call: &TokenStream) -> Companion {
        let function = self.function;
        let companion = &self.companion;
        let generics = &function.signature.generics;
        let parameters = function.arguments.iter().map(crate::function::Argument::plain);
        let names = function.arguments.iter().map(|argument| &argument.binding);
        let awaited = function.is_async().then(|| quote!(.await));
        Companion {
            docs: "Computes now and replaces what is cached for these arguments.",
            head: quote!(refresh #generics (#(#parameters),*)),
            answer: Answer::Request { output: function.answer(), bounds: TokenStream::new() },
            body: quote! {
                let __kc_call = #call;
                __kc_call.refresh(async move { #companion::uncached(#(#names),*) #awaited })
            },
        }
    }

    /// What writes the heads of the companions that take the key's arguments, and their names.
    fn head(&self) -> (impl Fn(&str, TokenStream) -> TokenStream, Vec<&Ident>) {
        let names = self.key_arguments().map(|argument| &argument.binding).collect();
        let parameters = self.key_arguments().map(crate::function::Argument::plain);
        let parameters = quote!(#(#parameters,)*);
        let lifetimes = self.function.lifetimes_in(&parameters);
        let head = move |name: &str, more: TokenStream| {
            let name = Ident::new(name, Span::call_site());
            quote!(#name #lifetimes (#parameters #more))
        };
        (head, names)
    }

    /// What `put` calls the answer: `value`, if no argument is called so.
    fn value_name(&self) -> Ident {
        let taken = self.function.arguments.iter().any(|argument| argument.binding == "value");
        Ident::new(if taken { "__kc_value" } else { "value" }, Span::call_site())
    }
}
