//! What a test and its actors say to each other: a word of JSON each.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::SharedInstant;

/// How the cache is used by a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Surface {
    /// A sync function under `#[cached]`, called on threads.
    Sync,
    /// An async one, called in tasks of a multi-thread runtime.
    Async,
    /// `cache_get_or_set(..).compute(..).wait()`, on threads.
    ValueWaited,
    /// `cache_get_or_set(..).compute(..).await`, in tasks.
    ValueAwaited,
}

impl Surface {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Sync, Self::Async, Self::ValueWaited, Self::ValueAwaited];

    /// Whose keys it uses.
    #[must_use]
    pub const fn family(self) -> Family {
        match self {
            Self::Sync => Family::Sync,
            Self::Async => Family::Async,
            Self::ValueWaited | Self::ValueAwaited => Family::Values,
        }
    }

    /// What it asks for under this key.
    #[must_use]
    pub const fn subject(self, key: u64) -> Subject {
        Subject { family: self.family(), key }
    }

    /// Whether its callers are tasks, not threads.
    #[must_use]
    pub const fn is_async(self) -> bool {
        matches!(self, Self::Async | Self::ValueAwaited)
    }
}

/// What shares keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Family {
    /// The sync function.
    Sync,
    /// The async function.
    Async,
    /// Values under `("page", key, "part")`.
    Values,
}

/// What a question is about, and what a truth is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Subject {
    /// Whose key.
    pub family: Family,
    /// The one argument.
    pub key: u64,
}

/// What is invalidated as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// One call, or one value.
    Key(Subject),
    /// All calls of the sync function.
    SyncFunction,
    /// All calls of the async function.
    AsyncFunction,
    /// All values under `("page", key)`.
    Prefix(u64),
    /// Everything.
    Cache,
}

impl Scope {
    /// Whether a subject belongs to it.
    #[must_use]
    pub fn covers(self, subject: Subject) -> bool {
        match self {
            Self::Key(key) => key == subject,
            Self::SyncFunction => subject.family == Family::Sync,
            Self::AsyncFunction => subject.family == Family::Async,
            Self::Prefix(key) => subject == Subject { family: Family::Values, key },
            Self::Cache => true,
        }
    }
}

/// What a body does before it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Work {
    /// It takes so long.
    Takes(Duration),
    /// It goes on until [`Request::Release`], for longer than [`PATIENCE`](crate::watchdog::PATIENCE).
    Held,
}

/// What a body answers: where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// What it is about.
    pub subject: Subject,
    /// The truth when the body began.
    pub truth: u64,
    /// The execution that made it; no two of a test have one number.
    pub execution: u64,
}

/// Some callers of one process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Callers {
    /// How they call.
    pub surface: Surface,
    /// Each of these is called,
    pub keys: Vec<u64>,
    /// by so many callers,
    pub each: usize,
    /// and the one that computes does this.
    pub work: Work,
}

/// Callers that ask the same few questions over and over, and judge the answers.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Soak {
    /// What the dice are seeded with.
    pub seed: u64,
    /// Keys from zero to below this are asked for.
    pub keys: u64,
    /// How many callers of each [`Surface`].
    pub each: usize,
}

/// What an actor is told to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Request {
    /// Make callers, and have them stand at the gate of this number: [`Report::Ready`].
    Call {
        /// The gate.
        gate: u64,
        /// The callers.
        callers: Callers,
    },
    /// Let them go at this instant: [`Report::Called`] when all have their answers.
    Open {
        /// The gate.
        gate: u64,
        /// When.
        at: SharedInstant,
    },
    /// Let a held body answer.
    Release {
        /// The one.
        execution: u64,
    },
    /// See what is cached, without computing: [`Report::Peeked`].
    Peek(Subject),
    /// Change the truth about a scope, then invalidate it: [`Report::Invalidated`].
    Invalidate {
        /// What.
        scope: Scope,
        /// How long after the acknowledgement callers may not have heard of it.
        push_delay: Duration,
    },
    /// Write something: [`Report::Wrote`].
    Write,
    /// Tell the counters: [`Report::Counted`].
    Count,
    /// Start soaking.
    Soak(Soak),
    /// Stop soaking: [`Report::Soaked`].
    Halt,
}

/// What an actor says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Report {
    /// The callers of a gate are there.
    Ready {
        /// The gate.
        gate: u64,
    },
    /// A body has begun.
    Began {
        /// Its number.
        execution: u64,
        /// What it is about.
        subject: Subject,
        /// When.
        at: SharedInstant,
    },
    /// A body is about to answer.
    Ended {
        /// Its number.
        execution: u64,
        /// When.
        at: SharedInstant,
    },
    /// All callers of a gate have their answers.
    Called {
        /// The gate.
        gate: u64,
        /// Theirs.
        calls: Vec<Call>,
    },
    /// What is cached.
    Peeked(Option<Answer>),
    /// The invalidation is acknowledged.
    Invalidated {
        /// When it was sent.
        sent: SharedInstant,
        /// When it was acknowledged.
        acknowledged: SharedInstant,
    },
    /// It is written, or not.
    Wrote(bool),
    /// The counters.
    Counted(Counted),
    /// What soaking found.
    Soaked(Findings),
    /// Something that must not go wrong went wrong.
    Failed(String),
}

/// What a cache has counted in one process.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Counted {
    /// Saves that the store refused.
    pub refused: u64,
    /// Times it waited for a computation of another process.
    pub waited: u64,
    /// Answers from the near caches.
    pub near_hits: u64,
    /// Operations of the store that failed.
    pub store_errors: u64,
}

/// One call, as its caller saw it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Call {
    /// What it got.
    pub answer: Answer,
    /// When it asked.
    pub began: SharedInstant,
    /// When it had the answer.
    pub ended: SharedInstant,
}

/// What the callers of one actor found while they soaked.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Findings {
    /// How many answers were judged.
    pub answers: u64,
    /// How long the longest call took.
    pub longest: Duration,
    /// Answers that had been invalidated before they were asked for; some of them.
    pub violations: Vec<Violation>,
}

/// An answer that must not have been given.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Violation {
    /// Who asked.
    pub surface: Surface,
    /// By peeking, not calling.
    pub peeked: bool,
    /// The truth that was acknowledged before the question.
    pub acknowledged: u64,
    /// What was got: an older one.
    pub call: Call,
}
