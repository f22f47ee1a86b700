//! What is wrong with an attribute that could be read: functions that cannot be cached, and options
//! that contradict the function or each other.

use syn::{Error, Receiver, ReceiverKind, Safety, Type, visit};

use crate::duration::Period;
use crate::function::{Borrow, Function, borrows, mentions};
use crate::home::Block;
use crate::mistakes::Mistakes;
use crate::options::{Codec, Given, Options, Refresh, SingleFlight, Timeout};
use crate::refresh;
use crate::suggest::{list, nearest};

/// Types that every program has in scope, so that no companion can have their name.
const PRIMITIVES: [&str; 19] = [
    "bool", "char", "str", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64",
    "i128", "isize", "f16", "f32", "f64", "f128",
];

/// Finds everything that is wrong.
pub(crate) fn check(
    options: &Options,
    function: &Function,
    block: Option<&Block>,
    mistakes: &mut Mistakes,
) {
    check_kind(function, block, mistakes);
    check_arguments(options, function, mistakes);
    check_answer(options, function, mistakes);
    if block.is_none() {
        check_companion(options, function, mistakes);
    }
    check_times(options, mistakes);
    check_numbers(options, mistakes);
    check_pairs(options, mistakes);
    crate::scope::check(options, function, mistakes);
    check_limits(options, mistakes);
    if options.limits_time() {
        let why = "a computation that may outlast its call cannot keep what this borrows; pass it by \
                   value, or leave `soft_timeout` and `hard_timeout` out";
        refresh::check(function, why, mistakes);
    } else if options.refreshes_in_background() {
        let why = "a refresh in the background cannot keep what this borrows; let one caller refresh \
                   while it waits: `refresh = \"foreground\"`";
        refresh::check(function, why, mistakes);
    }
}

fn check_kind(function: &Function, block: Option<&Block>, mistakes: &mut Mistakes) {
    let signature = &function.signature;
    match (signature.receiver(), block) {
        (Some(receiver), None) => mistakes.at(
            receiver,
            "put `#[cached]` on the impl block too: only there are the type and its generics known",
        ),
        (Some(receiver), Some(_)) if is_mutable(receiver) => mistakes.at(
            receiver,
            "a method that changes `self` cannot be cached: what it changes would not be changed \
             when its answer comes from the cache; take `&self`, and cache that",
        ),
        (None, None) if mentions(quote::quote!(#signature), "Self") => mistakes.at(
            &signature.ident,
            "`Self` is known only in an impl block: put `#[cached]` on the impl block too",
        ),
        _ => {}
    }
    if let Some(constness) = &signature.constness {
        mistakes.at(
            constness,
            "a const fn cannot be cached: a cache is not known at compile time; leave `const` out",
        );
    }
    if let Safety::Unsafe(unsafety) = &signature.safety {
        mistakes.at(
            unsafety,
            "an unsafe fn cannot be cached: its companions would call it, and cannot vouch for it; \
             cache a safe function around it",
        );
    }
    if let Some(abi) = &signature.abi {
        mistakes.at(abi, "an extern fn cannot be cached; cache a Rust function that calls it");
    }
    if let Some(variadic) = &signature.variadic {
        mistakes.at(
            variadic,
            "a variadic function cannot be cached: its arguments have no types; cache a function \
             that calls it",
        );
    }
}

fn is_mutable(receiver: &Receiver) -> bool {
    match &receiver.kind {
        ReceiverKind::Reference(_, _, mutability) => mutability.is_some(),
        ReceiverKind::Typed(_, ty) => mentions(quote::quote!(#ty), "mut"),
        _ => false,
    }
}

fn check_arguments(options: &Options, function: &Function, mistakes: &mut Mistakes) {
    for argument in &function.arguments {
        let ty = argument.ty();
        if let Some(cfg) = argument.written.attrs.iter().find(|attr| attr.path().is_ident("cfg")) {
            mistakes.at(cfg, "an argument under `#[cfg]` cannot be cached by; write two functions");
        }
        let in_key = options.key.is_none()
            && !argument.name.as_ref().is_some_and(|name| options.skips(name));
        if let Type::Reference(reference) = ty
            && reference.mutability.is_some()
            && in_key
        {
            let name = argument.name.as_ref().map_or_else(|| "name".into(), ToString::to_string);
            mistakes.at(
                ty,
                format!(
                    "an argument that the function changes cannot be part of the key; leave it \
                     out: `skip({name})`"
                ),
            );
        }
    }
    check_skipped(options, function, mistakes);
}

fn check_skipped(options: &Options, function: &Function, mistakes: &mut Mistakes) {
    let Some(skip) = &options.skip else { return };
    let this = function.receiver().map(|_| "self".to_owned());
    let others = function.arguments.iter().filter_map(|argument| argument.name.as_ref());
    let names: Vec<String> = this.into_iter().chain(others.map(ToString::to_string)).collect();
    for (place, skipped) in skip.value.iter().enumerate() {
        if skip.value[..place].contains(skipped) {
            mistakes.at(skipped, format!("`{skipped}` is skipped twice; leave one out"));
        }
        let written = skipped.to_string();
        if names.contains(&written) {
            continue;
        }
        let known = || names.iter().map(String::as_str);
        let help = match nearest(&written, known()) {
            Some(meant) => format!("; did you mean `{meant}`?"),
            None if names.is_empty() => {
                "; the function has none with a name: leave it out".to_owned()
            }
            None => format!("; its arguments are {}", list(known())),
        };
        mistakes.at(skipped, format!("no argument is named `{skipped}`{help}"));
    }
}

fn check_answer(options: &Options, function: &Function, mistakes: &mut Mistakes) {
    let Some(answer) = function.written_answer() else { return };
    if let Type::Never(_) = answer {
        mistakes.at(
            answer,
            "a function that never returns has no answer to cache; leave the attribute out",
        );
        return;
    }
    if is_impl_trait(answer) {
        mistakes.at(
            answer,
            "an answer of type `impl Trait` has no name by which it could be read back; name the type",
        );
        return;
    }
    match borrows(answer) {
        Borrow::Nothing => {}
        Borrow::Static if options.local.is_some() => {}
        Borrow::Static => mistakes.at(
            answer,
            "an answer that borrows cannot be read back from a store: answer an owned value \
             (`String` for `&str`), or keep it in this process with `local`",
        ),
        Borrow::Lifetime => mistakes.at(
            answer,
            "an answer that borrows would outlive what it borrows from: answer an owned value \
             (`String` for `&str`, `Vec<T>` for `&[T]`), or an `Arc`",
        ),
    }
}

/// Whether the companions would stand under the name of a primitive type.
pub(crate) fn has_primitive_name(options: &Options, function: &Function) -> bool {
    let name = options.companion.as_ref().map_or(function.name(), |given| &given.value);
    PRIMITIVES.iter().any(|primitive| name == primitive)
}

fn check_companion(options: &Options, function: &Function, mistakes: &mut Mistakes) {
    let name = options.companion.as_ref().map_or(function.name(), |given| &given.value);
    if has_primitive_name(options, function) {
        mistakes.at(
            name,
            format!(
                "`{name}` is a type already, so its companions cannot stand under this name; give \
                 them another: `companion = Name`"
            ),
        );
    }
}

fn check_times(options: &Options, mistakes: &mut Mistakes) {
    let zero = |given: &Option<Given<Period>>| {
        given.as_ref().filter(|given| given.value.is_zero()).map(|given| given.name.clone())
    };
    if let Some(Given { name, value: Timeout::After(period) }) = &options.timeout
        && period.is_zero()
    {
        mistakes.at(
            name,
            "a timeout of zero stores nothing; give a longer one, or leave the attribute out",
        );
    }
    // `stale` and `stale_if_error` of zero are none, where the cache has some.
    if let Some(name) = zero(&options.timeout_err) {
        mistakes.at(&name, "`timeout_err` of zero is the same as none; leave it out");
    }
    if let Some(name) = zero(&options.timeout_none) {
        mistakes.at(
            &name,
            "`timeout_none` of zero stores nothing; write `cache_if = |answer| answer.is_some()`",
        );
    }
    if let Some(name) = zero(&options.wait) {
        mistakes.at(&name, "to wait for nobody, write `single_flight = \"off\"`");
    }
    for option in [&options.lease, &options.lease_max] {
        if let Some(name) = zero(option) {
            mistakes.at(
                &name,
                "a lease of zero is over before it is granted; give a longer one, or leave it out",
            );
        }
    }
}

/// How long a call waits for its own computation.
fn check_limits(options: &Options, mistakes: &mut Mistakes) {
    for option in [&options.soft_timeout, &options.hard_timeout] {
        let Some(Given { name, value }) = option else { continue };
        if value.is_zero() {
            mistakes.at(
                name,
                format!(
                    "`{name}` of zero would not wait for any answer; give a longer one, or leave it \
                     out"
                ),
            );
        }
        if options.refresh.as_ref().is_some_and(|refresh| refresh.value == Refresh::Foreground) {
            mistakes.at(
                name,
                format!(
                    "with `{name}` the computation goes on in the background; leave \
                     `refresh = \"foreground\"` out"
                ),
            );
        }
    }
    let Some(Given { name, value: soft }) = &options.soft_timeout else { return };
    if options.stale.is_none() && options.stale_if_error.is_none() {
        mistakes.at(
            name,
            "`soft_timeout` is for when an older answer is at hand: say how old it may be with \
             `stale` or `stale_if_error`; where there is none, `hard_timeout` bounds the wait",
        );
    }
    if let Some(Given { name, value: hard }) = &options.hard_timeout
        && hard.is_no_longer_than(soft)
    {
        mistakes.at(
            name,
            "`hard_timeout` must be longer than `soft_timeout`: an older answer is served after \
             whichever ends first",
        );
    }
}

fn check_numbers(options: &Options, mistakes: &mut Mistakes) {
    if let Some(Given { name, value }) = &options.jitter
        && !(*value >= 0.0 && *value < 1.0)
    {
        mistakes.at(
            name,
            "`jitter` is a fraction of the timeout, from 0, which is none, and below 1: \
             `jitter = 0.1`",
        );
    }
    if let Some(Given { name, value }) = &options.early
        && !(*value >= 0.0 && value.is_finite())
    {
        mistakes.at(
            name,
            "`early` is a factor: 1.0 is the usual one, more is earlier, and 0 is not at all",
        );
    }
}

/// Options that exclude each other.
fn check_pairs(options: &Options, mistakes: &mut Mistakes) {
    let mut refuse = |name: Option<&syn::Ident>, wrong: bool, message: &str| {
        if let Some(name) = name.filter(|_| wrong) {
            mistakes.push(Error::new(name.span(), message));
        }
    };
    let never = matches!(&options.timeout, Some(Given { value: Timeout::Never, .. }));
    let local = options.local.is_some();
    let who = options.single_flight.as_ref().map(|given| given.value);

    refuse(
        name(options.skip.as_ref()),
        options.key.is_some(),
        "`skip` says nothing beside `key`, which alone makes the key; leave one of them out",
    );
    refuse(
        name(options.refresh.as_ref()),
        !options.refreshes(),
        "`refresh` says how `stale` or `early` refreshes; give one of them",
    );
    for option in
        [name(options.stale.as_ref()), name(options.early.as_ref()), name(options.jitter.as_ref())]
    {
        refuse(
            option,
            never,
            "an answer with `timeout = Never` never gets old; leave it out, or give a time",
        );
    }
    refuse(
        name(options.near.as_ref()),
        local && options.near.as_ref().is_some_and(|near| near.value == 0),
        "`local` keeps answers in the near cache only, so it must have entries; give a number above 0, \
         or leave `near` out",
    );
    refuse(
        name(options.codec.as_ref()),
        options.codec.as_ref().is_some_and(|codec| codec.value == Codec::Bincode)
            && options.version.is_none(),
        "bincode cannot notice that a struct has changed: give a `version`, and change it then",
    );
    for option in [
        name(options.version.as_ref()),
        name(options.lease.as_ref()),
        name(options.lease_max.as_ref()),
        name(options.codec.as_ref()),
    ] {
        refuse(
            option,
            local,
            "this is for stores, and with `local` nothing reaches one; leave it out, or `local`",
        );
    }
    for option in [
        name(options.stale.as_ref()),
        name(options.stale_if_error.as_ref()),
        name(options.early.as_ref()),
    ] {
        refuse(
            option,
            local,
            "what is `local` is gone when its time is over, and nothing older is kept; \
             leave `local` out, or give a longer `timeout`",
        );
    }
    refuse(
        name(options.single_flight.as_ref()),
        local && who == Some(SingleFlight::Cluster),
        "other processes cannot wait for what is `local`; leave it out, or write \"process\"",
    );
    refuse(
        name(options.wait.as_ref()),
        who == Some(SingleFlight::Off),
        "with `single_flight = \"off\"` nobody waits; leave one of them out",
    );
}

fn name<T>(option: Option<&Given<T>>) -> Option<&syn::Ident> {
    option.map(|given| &given.name)
}

/// Whether the answer has no type that could be written elsewhere: `impl Trait`, `!`, or one that
/// borrows from the arguments.
pub(crate) fn is_unnamed(answer: &Type) -> bool {
    is_impl_trait(answer) || matches!(answer, Type::Never(_)) || borrows(answer) == Borrow::Lifetime
}

fn is_impl_trait(ty: &Type) -> bool {
    struct Search(bool);
    impl<'ast> visit::Visit<'ast> for Search {
        fn visit_type_impl_trait(&mut self, _: &'ast syn::TypeImplTrait) {
            self.0 = true;
        }
    }
    let mut search = Search(false);
    visit::Visit::visit_type(&mut search, ty);
    search.0
}
