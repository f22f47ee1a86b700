//! The place of an annotated function: resolved once, and again when caches change.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Once, OnceLock};

use arc_swap::ArcSwapOption;

use crate::cache::{Cache, Core, Plan, Watcher, named_or_broken, watch_registry};
use crate::key::{Key, Owner, Segments};
use crate::near::{Asks, Epoch, Near, Vouch};
use crate::observe::Counter;
use crate::record::Scope;

use super::spec::{Given, Spec};

/// One function: a constant where it is annotated, one made at run time where it is not.
pub struct Site {
    options: Options,
    /// Made at first use, so that the constant costs the compiler little.
    state: OnceLock<State>,
}

/// What becomes of a site when its function is called.
pub(super) struct State {
    resolved: ArcSwapOption<Function>,
    watched: Once,
    replaced: AtomicU64,
    near: OnceLock<Near>,
    pub(super) epoch: Epoch,
    /// Boxed, since it is large, and a site is a constant in every binary.
    pub(super) near_hits: Box<Counter>,
}

impl State {
    fn new() -> Self {
        Self {
            resolved: ArcSwapOption::const_empty(),
            watched: Once::new(),
            replaced: AtomicU64::new(0),
            near: OnceLock::new(),
            epoch: Epoch::new(),
            near_hits: Box::new(Counter::new()),
        }
    }
}

/// Where a function's options come from.
enum Options {
    Written { type_name: fn() -> &'static str, fingerprint: u64, given: &'static [Given] },
    Evaluated(fn() -> Spec),
    Given(Box<Spec>),
}

impl Options {
    fn spec(&self) -> Spec {
        match self {
            Self::Written { type_name, fingerprint, given } => {
                Spec::of(type_name(), *fingerprint, given)
            }
            Self::Evaluated(spec) => spec(),
            Self::Given(spec) => (**spec).clone(),
        }
    }
}

impl Site {
    /// The site of a function with options that are known to the compiler; see [`Spec::of`].
    #[must_use]
    pub const fn new(
        type_name: fn() -> &'static str,
        fingerprint: u64,
        given: &'static [Given],
    ) -> Self {
        let options = Options::Written { type_name, fingerprint, given };
        Self { options, state: OnceLock::new() }
    }

    /// The site of a function with these options, which are evaluated at first use.
    #[must_use]
    pub const fn evaluated(spec: fn() -> Spec) -> Self {
        Self { options: Options::Evaluated(spec), state: OnceLock::new() }
    }

    /// The site of a function with these options.
    pub(super) fn of(spec: Spec) -> Self {
        Self { options: Options::Given(Box::new(spec)), state: OnceLock::new() }
    }

    /// Whether these are its options.
    #[inline]
    pub(super) fn has_options(&self, spec: fn() -> Spec) -> bool {
        matches!(self.options, Options::Evaluated(own) if std::ptr::fn_addr_eq(own, spec))
    }

    /// The state of a function that has been called.
    pub(super) fn state(&'static self) -> &'static State {
        self.state.get_or_init(State::new)
    }

    /// The function with its cache as they are now.
    pub(super) fn function(&'static self) -> Arc<Function> {
        let state = self.state();
        if let Some(function) = state.resolved.load_full()
            && !function.core().stands_in
        {
            return function;
        }
        // Before the cache is looked up: who is told of a replacement after that has not missed one.
        state.watched.call_once(|| watch_registry(state));
        let replaced = state.replaced.load(Ordering::Acquire);
        let spec = self.options.spec();
        let cache = named_or_broken(spec.alias);
        let function = Arc::new(Function::new(&spec, &cache));
        let core = &function.plan.core;
        core.epochs.watch(function.scope.id(), &state.epoch);
        if spec.scoped {
            core.epochs.watch_others(&state.epoch);
        }
        core.watch_near_hits(&state.near_hits);
        if let Some(near) = state.near.get() {
            near.hold(function.near);
        }
        state.resolved.store(Some(Arc::clone(&function)));
        if state.replaced.load(Ordering::Acquire) != replaced {
            state.void(); // the next call finds the newer one, and none what this one has kept
        }
        function
    }

    /// The state, and the near cache in it, if there was ever anything to be put into it.
    #[inline]
    pub(super) fn near(&'static self) -> Option<(&'static State, &'static Near)> {
        let state = self.state.get()?;
        Some((state, state.near.get()?))
    }

    /// The near cache, made now if need be.
    pub(super) fn near_or_new(&'static self, capacity: usize) -> &'static Near {
        self.state().near.get_or_init(|| Near::new(capacity))
    }
}

impl State {
    /// The cache is found anew by the next call, and what was kept near goes.
    fn void(&self) {
        self.resolved.store(None);
        self.epoch.bump();
        // After what they hold is void: an entry that still comes would not be taken.
        if let Some(near) = self.near.get() {
            near.forget_voucher();
        }
    }
}

impl Watcher for State {
    fn reset(&self) {
        self.replaced.fetch_add(1, Ordering::AcqRel);
        self.void();
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let resolved = self.state.get().map(|state| state.resolved.load());
        f.debug_struct("Site").field("resolved", &resolved).finish_non_exhaustive()
    }
}

/// A function and the cache that keeps its answers.
pub(crate) struct Function {
    pub(crate) plan: Arc<Plan>,
    /// What invalidating all of it invalidates.
    pub(crate) scope: Scope,
    /// How many answers the near cache holds; zero is none.
    pub(super) near: usize,
    /// Whom a near hit must ask beside the system's clock, and what.
    voucher: Option<(Arc<dyn Vouch>, Asks)>,
    namespace: Box<str>,
    /// The namespace of all instances.
    whole: Box<str>,
    version: Option<u32>,
    /// What stands before a key in its stored form.
    stored_head: Box<str>,
}

impl Function {
    fn new(spec: &Spec, cache: &Cache) -> Self {
        let core = cache.core();
        let policy = spec.policy(&core.policy);
        let scope = core.scopes.whole(spec.namespace());
        let namespace = spec.instance_namespace();
        let has_near = spec.local || core.has_near();
        Self {
            near: if has_near { policy.near } else { 0 },
            voucher: core.near_asks().then(|| {
                let asks = if spec.local { Asks::Time } else { Asks::Trust };
                (Arc::clone(core) as Arc<dyn Vouch>, asks)
            }),
            plan: Arc::new(Plan {
                core: Arc::clone(core),
                policy,
                scopes: [core.scopes.everything().clone(), scope.clone()].into(),
                fingerprint: spec.fingerprint,
                codec: spec.codec.unwrap_or(core.codec),
            }),
            scope,
            namespace,
            whole: spec.namespace().into(),
            version: spec.version,
            stored_head: core.stored_head(spec.version).into(),
        }
    }

    /// Whom a near hit must ask, and what.
    pub(super) fn voucher(&self) -> Option<(&Arc<dyn Vouch>, Asks)> {
        self.voucher.as_ref().map(|(voucher, asks)| (voucher, *asks))
    }

    pub(super) fn key(&self, arguments: &dyn Segments) -> Key {
        let owner = Owner {
            whole: Some(self.whole.clone()),
            scopes: arguments.scopes(),
            version: self.version,
        };
        Key::owned(&self.namespace, arguments, owner)
    }

    /// The plan for a call with these scopes.
    pub(super) fn plan_of(&self, scopes: &[(u64, String)]) -> Arc<Plan> {
        if scopes.is_empty() {
            return Arc::clone(&self.plan);
        }
        let scopes = scopes.iter().map(|(bits, text)| self.argument_scope(*bits, text));
        Arc::new(self.plan.with_scopes(scopes))
    }

    /// What the calls have in common in which the arguments at these bits have this text.
    pub(super) fn argument_scope(&self, bits: u64, text: &str) -> Scope {
        self.core().scopes.arguments(&self.whole, bits, text)
    }

    /// The stored form of [`key`](Self::key), as text.
    pub(super) fn stored_text(&self, arguments: &dyn Segments) -> String {
        Key::text_of_parts(&self.stored_head, &self.namespace, arguments)
    }

    /// The text of the key whose stored form this is.
    pub(super) fn text_of<'a>(&self, key: &'a str) -> &'a str {
        key.strip_prefix(&*self.stored_head).unwrap_or(key)
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        &self.plan.core
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Function")
            .field("namespace", &self.namespace)
            .field("cache", self.core())
            .finish_non_exhaustive()
    }
}
