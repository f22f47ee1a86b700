//! `#[cached]` on an impl block: its methods that bear the attribute too are cached.
//!
//! Only here are `Self`, the trait and the block's generics known. Each method stays where it is and
//! asks the cache; its companions go into an inherent impl block of their own. Everything else in
//! the block is kept as tokens, half typed or not.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::discouraged::Speculative;
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Attribute, Error, Generics, Ident, Meta, Path, Token, Type, braced};

use crate::check;
use crate::expand::{Expansion, without_expectations};
use crate::fallback;
use crate::function::Function;
use crate::home::Block;
use crate::mistakes::Mistakes;
use crate::options::Options;

/// Whether the item is an impl block.
pub(crate) fn is_one(item: TokenStream) -> bool {
    let peek = |input: ParseStream<'_>| {
        input.call(Attribute::parse_outer)?;
        input.parse::<Option<Token![unsafe]>>()?;
        let is_one = input.peek(Token![impl]);
        input.parse::<TokenStream>()?;
        Ok(is_one)
    };
    peek.parse2(item).unwrap_or(false)
}

/// The impl block, and those of the companions.
pub(crate) fn expand(options: &Options, item: &TokenStream, mut mistakes: Mistakes) -> TokenStream {
    if let Some(name) = options.first_but_crate() {
        mistakes.at(name, "options go on the methods; only `crate = path` goes on the impl block");
    }
    let mut written = match Written::parse.parse2(item.clone()) {
        Ok(written) => written,
        Err(mistake) => {
            mistakes.push(mistake);
            return fallback::unread(item, mistakes);
        }
    };
    let mut beside = TokenStream::new();
    let mut cached = 0;
    for item in &mut written.items {
        let Item::Function(function) = item else { continue };
        let Some(attribute) = take_cached(&mut function.attributes) else { continue };
        cached += 1;
        let (asking, companions) =
            written.block.method(options, attribute, function, &mut mistakes);
        beside.extend(companions);
        *item = Item::Other(asking);
    }
    if cached == 0 {
        mistakes.push(Error::new(
            written.impl_token.span,
            "no method in this block is cached: put `#[cached]` on each that is to be, too",
        ));
    }
    let mistakes = mistakes.into_tokens();
    quote!(#mistakes #written #beside)
}

impl Block {
    /// The method, and what stands beside it.
    fn method(
        &self,
        outer: &Options,
        attribute: Attribute,
        function: &mut Function,
        mistakes: &mut Mistakes,
    ) -> (TokenStream, TokenStream) {
        let mut found = Mistakes::new();
        let given = match attribute.meta {
            Meta::List(list) => list.tokens,
            _ => TokenStream::new(),
        };
        let mut options = Options::parse(given, &mut found);
        options.krate = options.krate.or_else(|| outer.krate.clone());
        if self.of_trait.is_some() {
            self.qualify(function);
        }
        check::check(&options, function, Some(self), &mut found);
        let expansion = Expansion::new(&options, function, Some(self));
        let both = if found.is_empty() {
            (expansion.asking(), self.beside(&expansion, &expansion.beside()))
        } else {
            let Function { attributes, visibility, signature, body, .. } = &*function;
            let attributes = attributes.iter().map(without_expectations);
            let plain = quote!(#(#attributes)* #visibility #signature #body);
            (plain, self.beside(&expansion, &expansion.unmade()))
        };
        mistakes.append(found);
        both
    }

    /// An inherent impl block with these companions.
    fn beside(&self, expansion: &Expansion<'_>, companions: &TokenStream) -> TokenStream {
        let Self { generics, self_type, .. } = self;
        let (parameters, _, conditions) = generics.split_for_impl();
        let lints = expansion.lints();
        let configured =
            expansion.function.attributes.iter().filter(|one| one.path().is_ident("cfg"));
        quote! {
            #(#configured)*
            #lints
            impl #parameters #self_type #conditions {
                #companions
            }
        }
    }

    /// Says of the trait's own types whose they are, since companions stand in no impl of it.
    fn qualify(&self, function: &mut Function) {
        let Some(of_trait) = &self.of_trait else { return };
        let qualified = |name: &Ident| quote!(<Self as #of_trait>::#name);
        function.rewrite(&|tokens| qualify(tokens, &self.types, &qualified));
    }
}

/// `Self::Name` becomes what `qualified` says, for these names.
fn qualify(
    tokens: TokenStream,
    names: &[Ident],
    qualified: &dyn Fn(&Ident) -> TokenStream,
) -> TokenStream {
    let tokens: Vec<_> = tokens.into_iter().collect();
    let mut out = TokenStream::new();
    let mut rest = &tokens[..];
    while let [first, more @ ..] = rest {
        if let [TokenTree::Ident(this), TokenTree::Punct(a), TokenTree::Punct(b), name, more @ ..] =
            rest
            && this == "Self"
            && (a.as_char(), b.as_char()) == (':', ':')
            && let TokenTree::Ident(name) = name
            && names.contains(name)
        {
            out.extend(qualified(name));
            rest = more;
            continue;
        }
        match first {
            TokenTree::Group(group) => {
                let inner = qualify(group.stream(), names, qualified);
                let mut inner = proc_macro2::Group::new(group.delimiter(), inner);
                inner.set_span(group.span());
                out.extend([TokenTree::Group(inner)]);
            }
            token => out.extend([token.clone()]),
        }
        rest = more;
    }
    out
}

/// An impl block as it was written.
struct Written {
    attributes: Vec<Attribute>,
    unsafety: Option<Token![unsafe]>,
    impl_token: Token![impl],
    for_token: Option<Token![for]>,
    block: Block,
    inner: Vec<Attribute>,
    items: Vec<Item>,
}

/// What stands in it.
enum Item {
    Function(Box<Function>),
    Other(TokenStream),
}

impl Parse for Written {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let unsafety = input.parse()?;
        let impl_token = input.parse()?;
        let mut generics: Generics =
            if input.peek(Token![<]) { input.parse()? } else { Generics::default() };
        let first: Type = input.parse()?;
        let for_token: Option<Token![for]> = input.parse()?;
        let (of_trait, self_type) = match for_token {
            Some(_) => (Some(as_path(first)?), input.parse()?),
            None => (None, first),
        };
        generics.where_clause = input.parse()?;
        let content;
        braced!(content in input);
        let inner = content.call(Attribute::parse_inner)?;
        let mut items = Vec::new();
        while !content.is_empty() {
            items.push(content.parse()?);
        }
        let types = items.iter().filter_map(Item::type_name).collect();
        let block = Block { generics, of_trait, self_type, types };
        Ok(Self { attributes, unsafety, impl_token, for_token, block, inner, items })
    }
}

fn as_path(written: Type) -> syn::Result<Path> {
    match written {
        Type::Path(path) if path.qself.is_none() => Ok(path.path),
        other => Err(Error::new_spanned(other, "expected a trait")),
    }
}

impl Parse for Item {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let ahead = input.fork();
        if let Ok(function) = ahead.parse::<Function>() {
            input.advance_to(&ahead);
            return Ok(Self::Function(Box::new(function)));
        }
        let mut tokens = TokenStream::new();
        let attributes = input.call(Attribute::parse_outer)?;
        tokens.extend(attributes.iter().map(ToTokens::to_token_stream));
        let until_semicolon = input.peek(Token![const]) || input.peek(Token![type]);
        while !input.is_empty() {
            let token: TokenTree = input.parse()?;
            let ends = match &token {
                TokenTree::Punct(punct) => punct.as_char() == ';',
                TokenTree::Group(group) => {
                    !until_semicolon && group.delimiter() == proc_macro2::Delimiter::Brace
                }
                _ => false,
            };
            tokens.extend([token]);
            if ends {
                break;
            }
        }
        Ok(Self::Other(tokens))
    }
}

impl Item {
    /// The name of an associated type.
    fn type_name(&self) -> Option<Ident> {
        let Self::Other(tokens) = self else { return None };
        let mut tokens = tokens
            .clone()
            .into_iter()
            .skip_while(|token| !matches!(token, TokenTree::Ident(word) if word == "type"));
        tokens.next()?;
        match tokens.next()? {
            TokenTree::Ident(name) => Some(name),
            _ => None,
        }
    }
}

impl ToTokens for Item {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Self::Other(other) => tokens.extend(other.clone()),
            Self::Function(function) => {
                let Function { attributes, visibility, signature, body, .. } = &**function;
                tokens.extend(quote!(#(#attributes)* #visibility #signature #body));
            }
        }
    }
}

impl ToTokens for Written {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self { attributes, unsafety, impl_token, for_token, block, inner, items } = self;
        let Block { generics, of_trait, self_type, .. } = block;
        let conditions = &generics.where_clause;
        tokens.extend(quote! {
            #(#attributes)*
            #unsafety #impl_token #generics #of_trait #for_token #self_type #conditions {
                #(#inner)*
                #(#items)*
            }
        });
    }
}

/// Takes `#[cached]` off a method, if it is there.
fn take_cached(attributes: &mut Vec<Attribute>) -> Option<Attribute> {
    let is_cached = |attribute: &Attribute| {
        attribute.path().segments.last().is_some_and(|last| last.ident == "cached")
    };
    attributes.iter().position(is_cached).map(|place| attributes.remove(place))
}
