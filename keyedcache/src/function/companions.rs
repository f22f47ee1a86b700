//! What can be asked of a function besides its answer.

use std::future::Future;
use std::sync::Arc;

use crate::cache::{Call as CachedCall, Request, Value};
use crate::error::{Error, NotCachedError};
use crate::flight::LeadingBody;
use crate::key::{Key, KeyParts};
use crate::runtime::Place;
use crate::shape::Shape;
use crate::store::Severity;

use super::begun::decode;
use super::finish::{Finish, Lead};
use super::site::{Function, Site};

/// The key of a call.
pub fn key<A: KeyParts>(site: &'static Site, arguments: &A) -> Key {
    site.function().key(arguments)
}

/// Forgets every call of a function.
pub fn invalidate_all(
    site: &'static Site,
) -> Request<impl Future<Output = Result<(), Error>> + Send> {
    let function = site.function();
    Request::new(async move {
        let scope = std::slice::from_ref(&function.scope);
        function.core().invalidate(scope, Severity::Hard).await
    })
}

/// One call of one function: what its companions work on. Borrows nothing.
#[must_use]
pub struct Call<S: Shape> {
    site: &'static Site,
    function: Arc<Function>,
    shape: S,
    value: Value,
    finish: Finish<S>,
}

impl<S: Shape> Call<S> {
    /// The call with these arguments.
    pub fn new<A: KeyParts>(site: &'static Site, shape: S, arguments: &A) -> Self {
        let function = site.function();
        let key = function.key(arguments);
        let stored = function.stored_key(&key);
        let finish = Finish::new(site, Arc::clone(&function), shape, &stored, arguments);
        let value = Value { plan: Arc::clone(&function.plan), key, stored };
        Self { site, function, shape, value, finish }
    }
}
