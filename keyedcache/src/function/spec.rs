//! The options of one annotated function, as its attribute gives them.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use crate::codec::Codec;
use crate::policy::{IntoTimeout, Policy, SingleFlight, Timeout};
use crate::record::Fingerprint;

/// The options of one annotated function; what is not given is its cache's.
#[derive(Clone, Debug)]
#[must_use]
pub struct Spec {
    pub(super) namespace: Cow<'static, str>,
    instance: String,
    pub(super) alias: &'static str,
    pub(super) version: Option<u32>,
    pub(super) fingerprint: Fingerprint,
    pub(super) local: bool,
    timeout: Option<Timeout>,
    stale: Option<Duration>,
    stale_if_error: Option<Duration>,
    early: Option<f64>,
    jitter: Option<f64>,
    timeout_err: Option<Timeout>,
    timeout_none: Option<Timeout>,
    refresh_in_foreground: bool,
    single_flight: Option<SingleFlight>,
    wait: Option<Duration>,
    soft_timeout: Option<Duration>,
    hard_timeout: Option<Duration>,
    lease: Option<Duration>,
    lease_max: Option<Duration>,
    pub(super) codec: Option<Codec>,
    pub(super) scoped: bool,
    near: Option<usize>,
}

impl Spec {
    /// No options yet; the namespace is the path of this type, as the compiler prints it, with
    /// dots: `shop.prices.find`.
    ///
    /// `module_path!()` would be the same for two functions nested in two others.
    pub fn of<C: ?Sized>() -> Self {
        Self::named(type_text::<C>())
    }

    /// No options yet; the namespace is the path of this type, and the name of its method behind it.
    pub fn of_method<C: ?Sized>(method: &str) -> Self {
        Self::named(format!("{}.{method}", type_text::<C>()))
    }

    /// No options yet, under this namespace.
    pub fn named(namespace: impl Into<Cow<'static, str>>) -> Self {
        Self {
            namespace: namespace.into(),
            instance: String::new(),
            alias: crate::cache::DEFAULT_ALIAS,
            version: None,
            fingerprint: Fingerprint::default(),
            local: false,
            timeout: None,
            stale: None,
            stale_if_error: None,
            early: None,
            jitter: None,
            timeout_err: None,
            timeout_none: None,
            refresh_in_foreground: false,
            single_flight: None,
            wait: None,
            soft_timeout: None,
            hard_timeout: None,
            lease: None,
            lease_max: None,
            codec: None,
            scoped: false,
            near: None,
        }
    }

    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The namespace, in place of the function's path.
    pub fn name(mut self, name: &'static str) -> Self {
        self.namespace = name.into();
        self
    }

    /// The types and constants of which a generic function is an instance. Its answers are kept
    /// apart from those of other instances; forgetting the function forgets them all.
    pub fn instance(mut self, generics: &[&dyn fmt::Display]) -> Self {
        let generics: Vec<_> = generics.iter().map(ToString::to_string).collect();
        self.instance = format!("/{}|", generics.join("+"));
        self
    }

    /// The namespace of this instance's keys.
    pub(super) fn instance_namespace(&self) -> Box<str> {
        format!("{}{}", self.namespace, self.instance).into()
    }

    /// The alias of the cache that keeps the answers.
    pub fn cache(mut self, alias: &'static str) -> Self {
        self.alias = alias;
        self
    }

    /// The version in the keys, in place of the cache's.
    pub fn version(mut self, version: u32) -> Self {
        self.version = Some(version);
        self
    }

    /// What tells this signature from another one's records.
    pub fn fingerprint(mut self, fingerprint: u64) -> Self {
        self.fingerprint = Fingerprint::from_bits(fingerprint);
        self
    }

    /// Keeps the answers in this process, unserialized.
    pub fn local(mut self) -> Self {
        self.local = true;
        self
    }

    /// How long answers are fresh.
    pub fn timeout(mut self, timeout: impl IntoTimeout) -> Self {
        self.timeout = Some(timeout.into_timeout());
        self
    }

    /// How long cached errors are fresh; without it they are not cached.
    pub fn timeout_err(mut self, timeout: impl IntoTimeout) -> Self {
        self.timeout_err = Some(timeout.into_timeout());
        self
    }

    /// How long a `None` is fresh; without it as long as any other answer.
    pub fn timeout_none(mut self, timeout: impl IntoTimeout) -> Self {
        self.timeout_none = Some(timeout.into_timeout());
        self
    }

    /// Calls can be forgotten by some of their arguments.
    pub fn scoped(mut self) -> Self {
        self.scoped = true;
        self
    }

    /// One caller refreshes while it waits, and all others are served the stale answer.
    pub fn refresh_in_foreground(mut self) -> Self {
        self.refresh_in_foreground = true;
        self
    }

    /// The cache's policy with what was given here.
    pub(super) fn policy(&self, defaults: &Policy) -> Policy {
        let given = self;
        Policy {
            timeout: given.timeout.unwrap_or(defaults.timeout),
            stale: given.stale.unwrap_or(defaults.stale),
            stale_if_error: given.stale_if_error.unwrap_or(defaults.stale_if_error),
            early: given.early.or(defaults.early),
            jitter: given.jitter.unwrap_or(defaults.jitter),
            timeout_err: given.timeout_err.or(defaults.timeout_err),
            timeout_none: given.timeout_none.or(defaults.timeout_none),
            refresh_in_foreground: given.refresh_in_foreground,
            single_flight: given.single_flight.unwrap_or(defaults.single_flight),
            wait: given.wait.unwrap_or(defaults.wait),
            soft_timeout: given.soft_timeout.or(defaults.soft_timeout),
            hard_timeout: given.hard_timeout.or(defaults.hard_timeout),
            lease: given.lease.unwrap_or(defaults.lease),
            lease_max: given.lease_max.unwrap_or(defaults.lease_max),
            near: given.near.unwrap_or(defaults.near),
        }
    }
}

/// The name of a type as it stands in keys, where `<`, `>`, `,` and `::` would be escaped:
/// `shop.Repo/u8+u16|`.
#[must_use]
pub fn type_text<T: ?Sized>() -> String {
    dotted(std::any::type_name::<T>())
}

/// Not generic, so that it is compiled once and not for each function.
fn dotted(name: &str) -> String {
    // Lifetimes are all the same here, and not every compiler prints them.
    let name = name.replace("'_, ", "").replace("<'_>", "").replace("'_ ", "");
    name.replace("::", ".").replace(", ", "+").replace('<', "/").replace('>', "|")
}

macro_rules! options {
    ($($(#[$doc:meta])* $name:ident: $type:ty;)*) => {
        impl Spec {$(
            $(#[$doc])*
            pub fn $name(mut self, $name: $type) -> Self {
                self.$name = Some($name);
                self
            }
        )*}
    };
}

options! {
    /// How long, after they are fresh, answers are served while one caller refreshes them.
    stale: Duration;
    /// How long, after they are fresh, answers are served when computing fails.
    stale_if_error: Duration;
    /// The beta of early refresh.
    early: f64;
    /// The largest part of the timeout that is taken off at random.
    jitter: f64;
    /// Among whom a missing answer is computed once.
    single_flight: SingleFlight;
    /// How long a call waits for others.
    wait: Duration;
    /// How long a call waits for a new answer where it has an older one.
    soft_timeout: Duration;
    /// How long a call waits for an answer.
    hard_timeout: Duration;
    /// How long a lease stands without being renewed.
    lease: Duration;
    /// How long a lease is renewed.
    lease_max: Duration;
    /// What answers are encoded by.
    codec: Codec;
    /// How many answers the near cache holds; zero is none.
    near: usize;
}
