//! The options of one annotated function, as its attribute gives them.

use std::fmt;
use std::time::Duration;

use crate::codec::Codec;
use crate::policy::{IntoTimeout, Policy, SingleFlight, Timeout};
use crate::record::Fingerprint;

/// One option, as an attribute gives it: data where all of it is known to the compiler, so that nothing
/// is compiled or run for it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Given {
    /// The namespace, in place of the function's path.
    Name(&'static str),
    /// The name of a method, which stands behind its type's path.
    Method(&'static str),
    /// The alias of the cache that keeps the answers.
    Cache(&'static str),
    /// The version in the keys, in place of the cache's.
    Version(u32),
    /// Keeps the answers in this process, unserialized.
    Local,
    /// How long answers are fresh.
    Timeout(Timeout),
    /// The same in whole seconds: most functions say no more, and this costs the compiler least.
    Seconds(u64),
    /// How long, after they are fresh, answers are served while one caller refreshes them.
    Stale(Duration),
    /// How long, after they are fresh, answers are served when computing fails.
    StaleIfError(Duration),
    /// The beta of early refresh.
    Early(f64),
    /// The largest part of the timeout that is taken off at random.
    Jitter(f64),
    /// How long cached errors are fresh; without it they are not cached.
    TimeoutErr(Timeout),
    /// How long a `None` is fresh; without it as long as any other answer.
    TimeoutNone(Timeout),
    /// Stale answers are refreshed away from their callers; without it one caller refreshes while it
    /// waits, and all others are served the stale answer.
    RefreshInBackground,
    /// Among whom a missing answer is computed once.
    SingleFlight(SingleFlight),
    /// How long a call waits for others.
    Wait(Duration),
    /// How long a call waits for a new answer where it has an older one.
    SoftTimeout(Duration),
    /// How long a call waits for an answer.
    HardTimeout(Duration),
    /// How long a lease stands without being renewed.
    Lease(Duration),
    /// How long a lease is renewed.
    LeaseMax(Duration),
    /// What answers are encoded by.
    Codec(Codec),
    /// Calls can be forgotten by some of their arguments.
    Scoped,
    /// How many answers the near cache holds; zero is none.
    Near(usize),
}

impl Given {
    /// How long answers are fresh, computed.
    pub fn timeout(timeout: impl IntoTimeout) -> Self {
        Self::Timeout(timeout.into_timeout())
    }

    /// How long cached errors are fresh, computed.
    pub fn timeout_err(timeout: impl IntoTimeout) -> Self {
        Self::TimeoutErr(timeout.into_timeout())
    }

    /// How long a `None` is fresh, computed.
    pub fn timeout_none(timeout: impl IntoTimeout) -> Self {
        Self::TimeoutNone(timeout.into_timeout())
    }
}

/// The options of one annotated function; what is not given is its cache's.
#[derive(Clone, Debug)]
#[must_use]
pub struct Spec {
    namespace: String,
    instance: String,
    pub(super) alias: &'static str,
    pub(super) version: Option<u32>,
    pub(super) fingerprint: Fingerprint,
    pub(super) local: bool,
    pub(super) codec: Option<Codec>,
    pub(super) scoped: bool,
    given: Box<[Given]>,
}

impl Spec {
    /// These options, of a function that stands under the type of this name: unless it is given
    /// another, its namespace is that name as the compiler prints it, with dots: `shop.prices.find`.
    ///
    /// `module_path!()` would be the same for two functions nested in two others. The fingerprint
    /// tells this signature from another one's records.
    pub fn of(type_name: &str, fingerprint: u64, given: &[Given]) -> Self {
        let mut spec = Self {
            namespace: dotted(type_name),
            instance: String::new(),
            alias: crate::cache::DEFAULT_ALIAS,
            version: None,
            fingerprint: Fingerprint::from_bits(fingerprint),
            local: false,
            codec: None,
            scoped: false,
            given: given.into(),
        };
        for given in given {
            match *given {
                Given::Name(name) => name.clone_into(&mut spec.namespace),
                Given::Method(method) => spec.namespace = format!("{}.{method}", spec.namespace),
                Given::Cache(alias) => spec.alias = alias,
                Given::Version(version) => spec.version = Some(version),
                Given::Local => spec.local = true,
                Given::Codec(codec) => spec.codec = Some(codec),
                Given::Scoped => spec.scoped = true,
                _ => {} // of the policy
            }
        }
        spec
    }

    /// The types and constants of which a generic function is an instance. Its answers are kept
    /// apart from those of other instances; forgetting the function forgets them all.
    pub fn instance(mut self, generics: &[&dyn fmt::Display]) -> Self {
        let generics: Vec<_> = generics.iter().map(ToString::to_string).collect();
        self.instance = format!("/{}|", generics.join("+"));
        self
    }

    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The namespace of this instance's keys.
    pub(super) fn instance_namespace(&self) -> Box<str> {
        format!("{}{}", self.namespace, self.instance).into()
    }

    /// The cache's policy with what was given here.
    pub(super) fn policy(&self, defaults: &Policy) -> Policy {
        let mut policy = Policy { refresh_in_foreground: true, ..defaults.clone() };
        for given in &self.given {
            match *given {
                Given::Timeout(timeout) => policy.timeout = timeout,
                Given::Seconds(seconds) => policy.timeout = Duration::from_secs(seconds).into(),
                Given::Stale(stale) => policy.stale = stale,
                Given::StaleIfError(stale) => policy.stale_if_error = stale,
                Given::Early(beta) => policy.early = (beta > 0.0).then_some(beta),
                Given::Jitter(fraction) => policy.jitter = fraction,
                Given::TimeoutErr(timeout) => policy.timeout_err = Some(timeout),
                Given::TimeoutNone(timeout) => policy.timeout_none = Some(timeout),
                Given::RefreshInBackground => policy.refresh_in_foreground = false,
                Given::SingleFlight(among) => policy.single_flight = among,
                Given::Wait(wait) => policy.wait = wait,
                Given::SoftTimeout(limit) => policy.soft_timeout = Some(limit),
                Given::HardTimeout(limit) => policy.hard_timeout = Some(limit),
                Given::Lease(lease) => policy.lease = lease,
                Given::LeaseMax(lease) => policy.lease_max = lease,
                Given::Near(entries) => policy.near = entries,
                _ => {} // not of the policy
            }
        }
        policy
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
