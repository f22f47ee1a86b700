//! What the processes say to each other: one line each, words apart by tabs.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What a process is told to do.
pub(crate) enum Request {
    /// Call the function on so many threads.
    Ask { threads: usize },
    /// Look what is cached, without computing.
    Peek,
    /// Forget what the function answered.
    Forget,
}

/// What a process says.
pub(crate) enum Report {
    /// A thread has begun to run the function.
    Computing { thread: usize },
    /// The call of a thread has returned.
    Answered { thread: usize, took: Duration, answer: String },
    /// There is a cached answer.
    Cached { answer: String },
    /// There is none.
    Missing { reason: String },
    /// The deletion is acknowledged.
    Forgotten,
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ask { threads } => write!(f, "ask\t{threads}"),
            Self::Peek => f.write_str("peek"),
            Self::Forget => f.write_str("forget"),
        }
    }
}

impl FromStr for Request {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let request = match *line.split('\t').collect::<Vec<_>>() {
            ["ask", threads] => threads.parse().ok().map(|threads| Self::Ask { threads }),
            ["peek"] => Some(Self::Peek),
            ["forget"] => Some(Self::Forget),
            _ => None,
        };
        request.ok_or_else(|| format!("not a request: {line}"))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Computing { thread } => write!(f, "computing\t{thread}"),
            Self::Answered { thread, took, answer } => {
                write!(f, "answered\t{thread}\t{}\t{answer}", took.as_micros())
            }
            Self::Cached { answer } => write!(f, "cached\t{answer}"),
            Self::Missing { reason } => write!(f, "missing\t{reason}"),
            Self::Forgotten => f.write_str("forgotten"),
        }
    }
}

impl FromStr for Report {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let parsed = || {
            Some(match *line.split('\t').collect::<Vec<_>>() {
                ["computing", thread] => Self::Computing { thread: thread.parse().ok()? },
                ["answered", thread, micros, answer] => Self::Answered {
                    thread: thread.parse().ok()?,
                    took: Duration::from_micros(micros.parse().ok()?),
                    answer: answer.to_owned(),
                },
                ["cached", answer] => Self::Cached { answer: answer.to_owned() },
                ["missing", reason] => Self::Missing { reason: reason.to_owned() },
                ["forgotten"] => Self::Forgotten,
                _ => return None,
            })
        };
        parsed().ok_or_else(|| format!("not a report: {line}"))
    }
}
