//! One command for one slot, and what its reply means: done, or to be sent somewhere else, or later.

use redis::{Cmd, Pipeline, ServerError, ServerErrorKind, Value, cmd};

use super::map;
use crate::error::Error;
use crate::store::redis::address::Place;
use crate::store::redis::fault;
use crate::store::redis::script::Call;
use crate::store::redis::server::head;

/// How often one that is told that the cluster is down is sent again: for some dozen milliseconds,
/// since it may last for seconds.
const DOWNS: u32 = 5;

/// What is to be done.
#[derive(Debug)]
pub(super) enum What {
    /// Read these names, each with where it stands among all that are read.
    Read(Vec<(usize, String)>),
    /// Read the first bytes of what is under a name.
    Head { at: usize, name: String },
    /// Remove these.
    Unlink(Vec<(usize, String)>),
    /// Call a script, with where its reply stands; once a node did not know it, with its text.
    Call { at: usize, call: Call, by_text: bool },
}

/// What is to be done, and where.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) slot: u16,
    pub(super) what: What,
    /// The node to ask out of turn, where the slot is on its way to.
    pub(super) asking: Option<Place>,
    /// How often it was told that the cluster is down.
    downs: u32,
}

/// What becomes of a request after its reply.
pub(super) enum Next {
    /// Nothing more.
    Done(What, Result<Value, Error>),
    /// It is to be sent at once, perhaps in parts.
    Again(Vec<Request>),
    /// It is to be sent when it is known anew who serves what.
    Elsewhere(Request),
    /// It is to be sent a little later.
    Later(Vec<Request>),
}

impl Request {
    pub(super) fn new(slot: u16, what: What) -> Self {
        Self { slot, what, asking: None, downs: 0 }
    }

    /// Whether it may be sent again when its reply was lost.
    pub(super) fn is_repeatable(&self) -> bool {
        match &self.what {
            What::Read(_) | What::Head { .. } | What::Unlink(_) => true,
            What::Call { call, .. } => call.is_repeatable,
        }
    }

    /// Adds its commands; says how many replies come before its own.
    pub(super) fn add_to(&self, commands: &mut Pipeline) -> usize {
        if self.asking.is_some() {
            commands.cmd("ASKING");
        }
        commands.add_command(self.command());
        usize::from(self.asking.is_some())
    }

    fn command(&self) -> Cmd {
        let over = |name: &str, names: &[(usize, String)]| {
            let mut command = cmd(name);
            for (_, name) in names {
                command.arg(name);
            }
            command
        };
        match &self.what {
            What::Read(names) => over("MGET", names),
            What::Head { name, .. } => head(name),
            What::Unlink(names) => over("UNLINK", names),
            What::Call { call, by_text: false, .. } => call.by_digest(),
            What::Call { call, by_text: true, .. } => call.by_text(),
        }
    }

    /// What is to become of it, now that the node at this place has replied.
    pub(super) fn replied(
        mut self,
        operation: &'static str,
        store: &str,
        from: &Place,
        reply: Value,
    ) -> Next {
        let Value::ServerError(error) = reply else { return Next::Done(self.what, Ok(reply)) };
        let was_asking = self.asking.take();
        match (error.kind(), &mut self.what) {
            (Some(ServerErrorKind::NoScript), What::Call { by_text, .. }) if !*by_text => {
                *by_text = true;
                self.asking = was_asking;
                Next::Again(vec![self])
            }
            (_, What::Head { .. }) if error.code() == "WRONGTYPE" => {
                Next::Done(self.what, Ok(Value::Nil))
            }
            (Some(ServerErrorKind::Moved), _) => Next::Elsewhere(self),
            (Some(ServerErrorKind::Ask), _) => {
                let Some(to) = place_in(&error, from) else {
                    return self.refused(operation, store, &error);
                };
                Next::Again(self.in_parts(Some(&to)))
            }
            // Some of its names are here and some there.
            (Some(ServerErrorKind::TryAgain), _) => Next::Later(self.in_parts(None)),
            (Some(ServerErrorKind::ClusterDown), _) if self.downs < DOWNS => {
                self.downs += 1;
                Next::Elsewhere(self)
            }
            _ => self.refused(operation, store, &error),
        }
    }

    fn refused(self, operation: &'static str, store: &str, error: &ServerError) -> Next {
        Next::Done(self.what, Err(fault::refusal(operation, store, error)))
    }

    /// While a slot is moved its names are here and there, and each must be asked for alone. A script
    /// waits until all are on one side.
    fn in_parts(self, asking: Option<&Place>) -> Vec<Self> {
        let Self { slot, what, downs, .. } = self;
        let part = |what| Self { slot, what, asking: asking.cloned(), downs };
        match what {
            What::Read(names) => names.into_iter().map(|n| part(What::Read(vec![n]))).collect(),
            What::Unlink(names) => names.into_iter().map(|n| part(What::Unlink(vec![n]))).collect(),
            what @ (What::Head { .. } | What::Call { .. }) => vec![part(what)],
        }
    }
}

/// Where `ASK 1234 host:port` sends one.
fn place_in(error: &ServerError, from: &Place) -> Option<Place> {
    let (host, port) = error.details()?.split(' ').nth(1)?.rsplit_once(':')?;
    Some(map::place(host, port.parse().ok()?, from))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16) -> Place {
        Place::Tcp { host: "a".to_owned(), port }
    }

    fn read(names: &[&str]) -> Request {
        let names = names.iter().map(|name| (0, (*name).to_owned())).collect();
        Request::new(7, What::Read(names))
    }

    fn replied(request: Request, error: &str) -> Next {
        let reply = redis::parse_redis_value(format!("-{error}\r\n").as_bytes());
        request.replied("load", "redis", &at(1), reply.unwrap())
    }

    #[test]
    fn names_of_a_slot_that_moves_are_asked_for_one_by_one() {
        let Next::Again(parts) = replied(read(&["x", "y"]), "ASK 7 b:2") else { panic!() };
        let to = Place::Tcp { host: "b".to_owned(), port: 2 };
        assert!(parts.len() == 2 && parts.iter().all(|part| part.asking == Some(to.clone())));
        let Next::Later(parts) = replied(read(&["x", "y"]), "TRYAGAIN Multiple keys") else {
            panic!()
        };
        assert!(parts.len() == 2 && parts.iter().all(|part| part.asking.is_none()));
    }

    #[test]
    fn node_that_does_not_know_its_host_is_where_the_other_is() {
        let Next::Again(parts) = replied(read(&["x"]), "ASK 7 :2") else { panic!() };
        assert_eq!(parts[0].asking, Some(at(2)));
    }

    #[test]
    fn cluster_that_is_down_is_asked_a_few_times() {
        let mut request = read(&["x"]);
        for _ in 0..DOWNS {
            let Next::Elsewhere(again) = replied(request, "CLUSTERDOWN down") else { panic!() };
            request = again;
        }
        assert!(matches!(replied(request, "CLUSTERDOWN down"), Next::Done(_, Err(_))));
    }
}
