//! What is said over a [wire](super::wire) before anything is read: who reads, and in which version of
//! the protocol.

use std::future::poll_fn;

use bytes::BytesMut;
use redis::ConnectionInfo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::connect::field;
use super::reply::{self, Reply};
use super::wire::fill;
use crate::store::redis::fault;

/// A connection that nobody reads over yet.
pub(super) struct Greeting<'a, S> {
    pub(super) stream: &'a mut S,
    /// What has been received and is no part of what was answered so far.
    pub(super) read: &'a mut BytesMut,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Greeting<'_, S> {
    /// Logs in; what the server says of itself.
    pub(super) async fn log_in(&mut self, info: &ConnectionInfo) -> Result<String, String> {
        let login = info.redis_settings();
        let database = login.db().to_string();
        let mut commands: Vec<Vec<&str>> = Vec::new();
        if let Some(password) = login.password() {
            commands.push(["AUTH"].into_iter().chain(login.username()).chain([password]).collect());
        }
        if login.db() != 0 {
            commands.push(vec!["SELECT", &database]);
        }
        commands.push(vec!["CLIENT", "SETNAME", "keyedcache"]);
        commands.push(vec!["INFO", "server"]);
        self.send(&commands).await?;
        let mut server = None;
        for _ in commands {
            match self.reply().await? {
                Reply::Refused(words) => return Err(fault::line(&words)),
                Reply::Text(text) => server = text,
                _ => {}
            }
        }
        Ok(String::from_utf8_lossy(&server.unwrap_or_default()).into_owned())
    }

    /// Asks to be told of changes to what is read after `CLIENT CACHING YES`, and of nothing else;
    /// whether that is so now. Where it is not, nothing is lost by having asked.
    pub(super) async fn track(&mut self) -> Result<bool, String> {
        // Told of its own changes too (no NOLOOP): what is evicted, or goes from the table of who has
        // read what, while this connection's command is handled counts as its own.
        let commands = [vec!["HELLO", "3"], vec!["CLIENT", "TRACKING", "ON", "OPTIN"]];
        self.send(&commands).await?;
        let replies = [self.reply().await?, self.reply().await?];
        Ok(!replies.iter().any(|reply| matches!(reply, Reply::Refused(_))))
    }

    async fn send(&mut self, commands: &[Vec<&str>]) -> Result<(), String> {
        let mut out = Vec::new();
        for words in commands {
            reply::command(&mut out, words.len(), words.iter().copied());
        }
        self.stream.write_all(&out).await.map_err(|error| error.to_string())
    }

    async fn reply(&mut self) -> Result<Reply, String> {
        loop {
            if let Some(reply) = reply::take(self.read).map_err(|error| error.to_string())? {
                return Ok(reply);
            }
            let filled = poll_fn(|context| fill(self.stream, self.read, context));
            filled.await.map_err(|error| error.to_string())?;
        }
    }
}

/// Whether a server that says this of itself writes what has changed into the connection of whoever has
/// read it before it handles anything else, as Redis and Valkey do, which run one command at a time.
/// What others promise, who speak the same protocol, is not known.
pub(super) fn keeps_order(server: &str) -> bool {
    let executable = field(server, "executable").unwrap_or_default();
    let file = executable.rsplit('/').next().unwrap_or_default();
    matches!(file, "redis-server" | "valkey-server") && field(server, "dragonfly_version").is_none()
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use redis::IntoConnectionInfo;
    use tokio::io::duplex;

    use super::*;

    /// What becomes of a greeting that is answered so.
    fn answered<T>(
        answer: &[u8],
        greet: impl for<'a> AsyncFnOnce(Greeting<'a, tokio::io::DuplexStream>) -> T,
    ) -> T {
        let (mut stream, mut server) = duplex(1000);
        let mut read = BytesMut::new();
        let mut greeting = pin!(greet(Greeting { stream: &mut stream, read: &mut read }));
        let mut context = Context::from_waker(Waker::noop());
        assert!(greeting.as_mut().poll(&mut context).is_pending());
        assert!(pin!(server.write_all(answer)).poll(&mut context).is_ready());
        let Poll::Ready(outcome) = greeting.poll(&mut context) else { panic!("it is answered") };
        outcome
    }

    /// As a server does that knows `AUTH` by another name only.
    #[test]
    fn refusal_is_told_without_the_password_that_was_sent() {
        let info = "redis://:sesame@localhost".into_connection_info().unwrap();
        let refusal = b"-ERR unknown command 'AUTH', with args beginning with: 'sesame' \r\n";
        let said = answered(refusal, async |mut greeting| greeting.log_in(&info).await);
        assert_eq!(said.unwrap_err(), "ERR unknown command 'AUTH'");
    }

    #[test]
    fn refused_tracking_is_no_error() {
        let asked = |answer: &[u8]| answered(answer, async |mut greeting| greeting.track().await);
        assert!(asked(b"%1\r\n$5\r\nproto\r\n:3\r\n+OK\r\n").unwrap());
        assert!(!asked(b"-NOPROTO unsupported\r\n-ERR no\r\n").unwrap());
        assert!(!asked(b"%1\r\n$5\r\nproto\r\n:3\r\n-NOPERM no\r\n").unwrap());
        assert!(asked(b"x\r\n").is_err());
    }

    #[test]
    fn order_is_relied_on_where_it_is_known_to_be_kept() {
        for executable in ["/usr/bin/redis-server", "redis-server", "/opt/valkey/valkey-server"] {
            assert!(keeps_order(&format!("redis_version:7.0.15\r\nexecutable:{executable}\r\n")));
        }
        for server in [
            "redis_version:7.0.15\r\n",
            "executable:/usr/bin/keydb-server\r\n",
            "executable:/usr/bin/redis-server-proxy\r\n",
            "dragonfly_version:df-v1\r\nexecutable:/usr/bin/redis-server\r\n",
        ] {
            assert!(!keeps_order(server), "{server}");
        }
    }
}
