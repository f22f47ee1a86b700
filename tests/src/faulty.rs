//! A store of which single operations can be made to fail, or never to answer.

use std::collections::HashMap;
use std::fmt;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use keyedcache::store::{Pending, Store};
use keyedcache::{Error, ErrorKind};

pub use crate::front::Operation;
use crate::front::{Front, Manner};

/// What an operation does in place of its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Fails, without having done anything.
    Fails,
    /// Never answers, without having done anything.
    Hangs,
    /// Does its work, and answers so much later.
    AnswersAfter(Duration),
}

/// A store in front of another one, whose operations work until they are told not to.
pub type Faulty = Front<Faults>;

/// What is wrong with the operations of a [`Faulty`] store.
#[derive(Default)]
pub struct Faults {
    faults: Mutex<HashMap<Operation, Fault>>,
    interruption: Mutex<Option<(Operation, Interruption)>>,
}

type Interruption = Box<dyn FnOnce() + Send>;

impl Faulty {
    /// In front of this store.
    #[must_use]
    pub fn new(inner: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self::of(inner, Faults::default()))
    }

    /// From now on these operations have this fault.
    pub fn break_down(&self, operations: &[Operation], fault: Fault) {
        let mut faults = self.manner.faults.lock().expect("no test panics with it");
        faults.extend(operations.iter().map(|operation| (*operation, fault)));
    }

    /// From now on all work.
    pub fn mend(&self) {
        self.manner.faults.lock().expect("no test panics with it").clear();
    }

    /// Does this once, right before the next such operation.
    pub fn interrupt(&self, operation: Operation, interruption: impl FnOnce() + Send + 'static) {
        let mut place = self.manner.interruption.lock().expect("no test panics with it");
        *place = Some((operation, Box::new(interruption)));
    }
}

impl Manner for Faults {
    fn perform<'a, T: Send + 'a>(
        &self,
        operation: Operation,
        work: impl FnOnce() -> Pending<'a, T>,
    ) -> Pending<'a, T> {
        let due = {
            let mut place = self.interruption.lock().expect("no test panics with it");
            place.take_if(|(awaited, _)| *awaited == operation)
        };
        if let Some((_, interruption)) = due {
            interruption();
        }
        let fault = self.faults.lock().expect("no test panics with it").get(&operation).copied();
        match fault {
            None => work(),
            Some(Fault::Hangs) => Box::pin(pending()),
            Some(Fault::AnswersAfter(delay)) => {
                let work = work();
                Box::pin(async move {
                    // On a thread of its own: the caller's runtime may end before.
                    let (over, delayed) = tokio::sync::oneshot::channel::<()>();
                    thread::spawn(move || {
                        thread::sleep(delay);
                        drop(over);
                    });
                    drop(delayed.await);
                    work.await
                })
            }
            Some(Fault::Fails) => Box::pin(async {
                Err(Error::new(ErrorKind::Unavailable, "serve", "the test broke it"))
            }),
        }
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults").field("faults", &self.faults).finish_non_exhaustive()
    }
}
