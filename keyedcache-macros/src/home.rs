//! Where the companions of a function stand, and what they are called there: in a struct of the
//! function's name (`find::key`), or beside a method, after it (`Repo::find_key`).

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};
use syn::{Generics, Path, Type};

use crate::function::{Borrow, Function, borrows, mentions, ours};
use crate::generics;
use crate::options::Options;

/// Where the companions stand.
pub(crate) enum Home<'a> {
    /// Beside a free function, in a struct of this name.
    Struct(Ident),
    /// In an impl block, with this before their names.
    Block { block: &'a Block, prefix: Ident },
}

/// What is to be known of an impl block.
pub(crate) struct Block {
    pub(crate) generics: Generics,
    /// The trait it implements, if it does.
    pub(crate) of_trait: Option<Path>,
    pub(crate) self_type: Type,
    /// The associated types that are given in it.
    pub(crate) types: Vec<Ident>,
}

impl Block {
    /// Whether these tokens mean something only in this block: a static cannot hold them.
    pub(crate) fn needs(&self, tokens: &TokenStream) -> bool {
        !self.generics.params.is_empty()
            || borrows(&self.self_type) == Borrow::Lifetime
            || mentions(tokens.clone(), "Self")
    }
}

impl<'a> Home<'a> {
    /// The home of a function: in this block, or in a struct.
    pub(crate) fn of(options: &Options, function: &Function, block: Option<&'a Block>) -> Self {
        let mut name = match &options.companion {
            Some(given) => given.value.clone(),
            None => function.name().clone(),
        };
        name.set_span(ours(name.span()));
        match block {
            Some(block) => Self::Block { block, prefix: name },
            None => Self::Struct(name),
        }
    }

    /// The impl block, of a method.
    pub(crate) fn block(&self) -> Option<&'a Block> {
        match self {
            Self::Struct(_) => None,
            Self::Block { block, .. } => Some(block),
        }
    }

    /// What a companion is called here: `key`, or `find_key`.
    pub(crate) fn name(&self, companion: &str, place: Span) -> Ident {
        match (self, companion.strip_prefix("__kc_")) {
            (Self::Struct(_), _) => Ident::new(companion, place),
            (Self::Block { prefix, .. }, None) => {
                format_ident!("{prefix}_{companion}", span = place)
            }
            (Self::Block { prefix, .. }, Some(hidden)) => {
                format_ident!("__kc_{prefix}_{hidden}", span = place)
            }
        }
    }

    /// Its path from where it stands, and from the function: `find::key`, or `Self::find_key`.
    pub(crate) fn path(&self, companion: &str) -> TokenStream {
        let name = self.name(companion, Span::call_site());
        match self {
            Self::Struct(home) => quote!(#home::#name),
            Self::Block { .. } => quote!(Self::#name),
        }
    }

    /// The same as users write it in docs.
    pub(crate) fn shown(&self, companion: &str) -> String {
        match self {
            Self::Struct(home) => format!("{home}::{companion}"),
            Self::Block { .. } => {
                format!("Self::{}", self.name(companion, Span::call_site()))
            }
        }
    }

    /// The type and const parameters of the block.
    pub(crate) fn instance(&self) -> Vec<Ident> {
        self.block().map(|block| generics::instance_of(&block.generics)).unwrap_or_default()
    }
}
