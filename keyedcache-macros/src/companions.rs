//! Writes the companions: `key`, `peek`, `refresh`, `uncached`, `invalidate`, `invalidate_all`,
//! `put`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};

use crate::expand::{Expansion, plain_signature};
use crate::function::Argument;
use crate::generics::Declared;
use crate::returns::Returns;

/// A companion's own tokens, for the expansion and for the fallback.
pub(crate) struct Companion {
    /// Its docs.
    docs: &'static str,
    /// Its name, generics, and arguments, in parentheses.
    head: TokenStream,
    /// The type of what it answers.
    pub(crate) answer: Answer,
    /// `where …`, or nothing.
    conditions: TokenStream,
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
        /// What is known of its future besides; nothing where it is boxed, which costs the
        /// compiler less.
        bounds: Option<TokenStream>,
    },
}

impl Companion {
    /// The companion under its function's visibility.
    pub(crate) fn write(&self, expansion: &Expansion<'_>, fallback: bool) -> TokenStream {
        let Self { docs, head, conditions, body, .. } = self;
        let private = &expansion.private;
        let visibility = expansion.visibility();
        let (must_use, answer) = match &self.answer {
            Answer::Plain(answer) => (quote!(#[must_use]), answer.clone()),
            Answer::Request { output, .. } if fallback => {
                (TokenStream::new(), quote!(#private::Unmade<#output>))
            }
            Answer::Request { output, bounds: None } => {
                (TokenStream::new(), quote!(#private::Asked<#output>))
            }
            Answer::Request { output, bounds: Some(bounds) } => (
                TokenStream::new(),
                quote!(#private::Request<impl ::core::future::Future<Output = #output> #bounds>),
            ),
        };
        let body = if fallback { quote!(::core::unreachable!()) } else { body.clone() };
        quote! {
            #[doc = #docs]
            #must_use
            #[inline]
            #visibility fn #head -> #answer #conditions { #body }
        }
    }
}

/// What the companions that are about one call have in common.
struct OneCall {
    /// Their generics.
    declared: Declared,
    /// Their parameters.
    parameters: TokenStream,
}

impl OneCall {
    fn of(expansion: &Expansion<'_>) -> Self {
        let function = expansion.function;
        let parameters = expansion.key_arguments().map(Argument::plain_named);
        let parameters = quote!(#(#parameters,)*);
        let declared = function.declared(expansion.key_arguments(), &parameters);
        let this = expansion.borrowed_this();
        Self { declared, parameters: quote!(#this #parameters) }
    }

    /// A companion with these parameters, and more.
    fn companion(
        &self,
        expansion: &Expansion<'_>,
        (name, docs): (&str, &'static str),
        more: &TokenStream,
        answer: Answer,
        body: TokenStream,
    ) -> Companion {
        let name = expansion.home.name(name, Span::call_site());
        let Declared { parameters: generics, conditions } = &self.declared;
        let parameters = &self.parameters;
        Companion {
            docs,
            head: quote!(#name #generics (#parameters #more)),
            answer,
            conditions: conditions.clone(),
            body,
        }
    }
}

impl Expansion<'_> {
    /// `use<…>`: the types and constants of an instance, and no lifetimes.
    pub(crate) fn captured(&self) -> TokenStream {
        let types = self.home.instance().into_iter().chain(self.function.instance());
        let unnamed = self.key_arguments().flat_map(|argument| &argument.unnamed);
        let types = types.chain(unnamed.map(|unnamed| unnamed.name.clone()));
        quote!(use<#(#types),*>)
    }

    /// The companions' methods.
    pub(crate) fn companions(&self) -> TokenStream {
        let written = self.requests().into_iter().map(|companion| companion.write(self, false));
        let uncached = self.uncached();
        quote!(#(#written)* #uncached)
    }

    /// All companions but `uncached`.
    pub(crate) fn requests(&self) -> Vec<Companion> {
        let private = &self.private;
        let one = OneCall::of(self);
        let answer = self.function.answer();
        let (asking, call) = (self.asking_in_companion(), self.call_in_companion());
        let done = quote!(::core::result::Result<(), #private::Error>);
        let value = self.value_name();
        let none = TokenStream::new();
        vec![
            one.companion(
                self,
                ("key", "The key under which the answer to these arguments is cached."),
                &none,
                Answer::Plain(quote!(#private::Key)),
                quote!(#asking.key()),
            ),
            one.companion(
                self,
                ("peek", "What is cached for these arguments, without computing."),
                &none,
                Answer::Request {
                    output: quote!(::core::result::Result<#answer, #private::NotCachedError>),
                    bounds: None,
                },
                quote!(#call.peek()),
            ),
            self.refresh(),
            one.companion(
                self,
                ("invalidate", "Forgets the answer to these arguments, everywhere."),
                &none,
                Answer::Request { output: done.clone(), bounds: None },
                quote!(#call.invalidate()),
            ),
            self.invalidate_all(&done),
            one.companion(
                self,
                ("put", "Caches an answer to these arguments that was not computed here."),
                &quote!(#value: #answer),
                Answer::Request { output: done, bounds: None },
                quote!(#call.put(#value)),
            ),
        ]
    }

    /// Of all instances, where there are several.
    fn invalidate_all(&self, done: &TokenStream) -> Companion {
        let Self { private, home, .. } = self;
        let whole = home.path("__kc_whole");
        let name = home.name("invalidate_all", Span::call_site());
        Companion {
            docs: "Forgets the answers to all arguments, everywhere.",
            head: quote!(#name()),
            answer: Answer::Request { output: done.clone(), bounds: None },
            conditions: TokenStream::new(),
            body: quote!(#private::invalidate_all(#whole.site())),
        }
    }

    fn refresh(&self) -> Companion {
        let Self { home, function, .. } = self;
        let call = self.call_in_function();
        let generics = &function.signature.generics;
        let (lifetimes, conditions) = (&generics.params, &generics.where_clause);
        let generics = (!lifetimes.is_empty()).then(|| quote!(<#lifetimes>));
        let parameters = plain_signature(function).inputs;
        let computing = self.compute();
        let (refresh, computing) = match &function.returns {
            Returns::Answer => self.body(),
            Returns::Async => (quote!(refresh), computing),
            // What comes before the future is made is not to be done before it is polled.
            Returns::Future(_) | Returns::Boxed(_) => {
                (quote!(refresh), quote!(async move { #computing.await }))
            }
        };
        let name = home.name("refresh", Span::call_site());
        Companion {
            docs: "Computes now and replaces what is cached for these arguments.",
            head: quote!(#name #generics (#parameters)),
            answer: Answer::Request { output: function.answer(), bounds: Some(TokenStream::new()) },
            conditions: quote!(#conditions),
            body: quote! {
                #call.#refresh(#computing)
            },
        }
    }

    /// What refreshes a sync function: a method for so many arguments, and what it is given. The plain
    /// function and its arguments stand apart; of more than eight, in a closure.
    fn body(&self) -> (TokenStream, TokenStream) {
        let arguments: Vec<_> = self.arguments_of_body().collect();
        if arguments.len() > 8 {
            let computing = self.compute();
            return (quote!(refresh_0), quote!(move || #computing));
        }
        let refresh = format_ident!("refresh_{}", arguments.len());
        let (uncached, turbofish) = (self.home.path("uncached"), self.function.turbofish());
        (quote!(#refresh), quote!(#uncached #turbofish #(, #arguments)*))
    }

    /// What `put` calls the answer: `value`, if no argument is called so.
    fn value_name(&self) -> Ident {
        let taken = self.function.arguments.iter().any(|argument| argument.binding == "value");
        Ident::new(if taken { "__kc_value" } else { "value" }, Span::call_site())
    }
}
