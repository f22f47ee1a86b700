//! A connection over which names are read and nothing else: what a general client does for each
//! request is most of what a hit would cost.
//!
//! - Whoever reads writes the command into a buffer that all share and waits for its turn; the *driver*,
//!   a task of the runtime that is to drive the connection, sends the buffer and hands the replies out,
//!   in the order of the commands. A reader that is given up leaves its turn in the line.
//! - The end of the driver, whatever ends it, ends the connection: who waits is told, and who comes
//!   later at once.
//! - It speaks the second version of the protocol, in which nothing is pushed.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::iter::once;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use redis::{ConnectionAddr, ConnectionInfo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::connect::field;
use super::reply::{self, Reply};
use crate::store::redis::fault;

/// What drives a connection until it ends.
pub(super) type Driving = Pin<Box<dyn Future<Output = ()> + Send>>;

/// How many bytes are read at once, if as many are there.
const CHUNK: usize = 16 << 10;

/// What stands under each of several names.
pub(super) type Texts = Vec<Option<Bytes>>;

/// One end of the connection: readers' end. Dropped, it ends the connection.
pub(super) struct Wire {
    line: Arc<Line>,
    /// How many may wait for a reply at once.
    most: usize,
}

#[derive(Default)]
struct Line {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Commands that are not sent yet.
    out: Vec<u8>,
    /// Who waits for a reply, in the order of the commands.
    turns: VecDeque<oneshot::Sender<Reply>>,
    /// The driver, from when it has first waited for anything.
    driver: Option<Waker>,
    /// Whether it has nothing to send, and has to be woken for what is to be sent.
    is_idle: bool,
    is_over: bool,
}

impl State {
    /// The driver is to be woken when nobody is left to send anything, and if it is idle, when there is
    /// something to send.
    fn wait(&mut self, driver: &Waker, is_idle: bool) {
        match &mut self.driver {
            Some(before) => before.clone_from(driver),
            None => self.driver = Some(driver.clone()),
        }
        self.is_idle = is_idle;
    }

    fn wake(&self) {
        if let Some(driver) = &self.driver {
            driver.wake_by_ref();
        }
    }
}

impl Wire {
    /// Whether it can lead there at all.
    pub(super) fn reaches(place: &ConnectionAddr) -> bool {
        matches!(place, ConnectionAddr::Tcp(..))
            || (cfg!(unix) && matches!(place, ConnectionAddr::Unix(_)))
    }

    /// Connects to this server, with what drives the connection: by the runtime in which this is
    /// polled, since it is that which the socket belongs to. At most so many requests are under way at
    /// once.
    ///
    /// # Errors
    ///
    /// If it is not this run of the server that answers, and lets this user in; where it does not
    /// [reach](Self::reaches).
    pub(super) async fn connect(
        info: &ConnectionInfo,
        run: &str,
        most: usize,
    ) -> Result<(Self, Driving), String> {
        let words = |error: io::Error| error.to_string();
        match info.addr() {
            ConnectionAddr::Tcp(host, port) => {
                let stream = TcpStream::connect((host.as_str(), *port)).await.map_err(words)?;
                stream.set_nodelay(true).map_err(words)?;
                Self::over(stream, info, run, most).await
            }
            #[cfg(unix)]
            ConnectionAddr::Unix(path) => {
                let stream = tokio::net::UnixStream::connect(path).await.map_err(words)?;
                Self::over(stream, info, run, most).await
            }
            _ => Err("it is reached by other means than TCP".to_owned()),
        }
    }

    async fn over<S>(
        mut stream: S,
        info: &ConnectionInfo,
        run: &str,
        most: usize,
    ) -> Result<(Self, Driving), String>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut read = BytesMut::new();
        let server = greet(&mut stream, &mut read, info).await?;
        if field(&server, "run_id") != Some(run) {
            return Err("another server answers".to_owned());
        }
        let (wire, driver) = Self::with_driver(stream, read, most);
        let driving = Box::pin(async move {
            let because = driver.drive().await;
            tracing::debug!(target: "keyedcache", ?because, "a caller's connection has ended");
        });
        Ok((wire, driving))
    }

    /// Both ends of a connection over which so much has been received already.
    fn with_driver<S>(stream: S, read: BytesMut, most: usize) -> (Self, Driver<S>) {
        let line = Arc::<Line>::default();
        let driver = Driver {
            line: Arc::clone(&line),
            stream,
            out: Vec::new(),
            sent: 0,
            read,
            has_let_others_go_first: false,
        };
        (Self { line, most }, driver)
    }

    /// What stands under each name; `None` if the connection has ended, too much is asked over it
    /// already, or the server refuses.
    pub(super) async fn read(&self, names: &[String]) -> Option<Texts> {
        let (turn, reply) = oneshot::channel();
        {
            let mut state = self.line.state.lock();
            if state.is_over || state.turns.len() >= self.most {
                return None;
            }
            reply::command(
                &mut state.out,
                names.len() + 1,
                once("MGET").chain(names.iter().map(String::as_str)),
            );
            state.turns.push_back(turn);
            if std::mem::take(&mut state.is_idle) {
                state.wake();
            }
        }
        match reply.await.ok()? {
            Reply::Texts(texts) if texts.len() == names.len() => Some(texts),
            _ => None,
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let mut state = self.line.state.lock();
        state.is_over = true;
        state.wake();
    }
}

/// What is polled by the runtime that drives the connection.
pub(super) struct Driver<S> {
    line: Arc<Line>,
    stream: S,
    out: Vec<u8>,
    sent: usize,
    read: BytesMut,
    has_let_others_go_first: bool,
}

impl<S> Drop for Driver<S> {
    fn drop(&mut self) {
        let mut state = self.line.state.lock();
        state.is_over = true;
        let turns = std::mem::take(&mut state.turns);
        drop(state);
        drop(turns); // wakes whoever waits
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// Until the connection ends.
    pub(super) async fn drive(mut self) -> io::Result<()> {
        poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let is_sent = self.poll_send(context)?;
            match self.poll_receive(context)? {
                Poll::Ready(()) => {}
                Poll::Pending => {
                    let mut state = self.line.state.lock();
                    if state.is_over {
                        return Poll::Ready(Ok(()));
                    }
                    if is_sent.is_pending() || state.out.is_empty() {
                        state.wait(context.waker(), is_sent.is_ready());
                        return Poll::Pending;
                    }
                    // Those who are about to ask do so in the same breath.
                    if state.turns.len() > 1 && !self.has_let_others_go_first {
                        drop(state);
                        self.has_let_others_go_first = true;
                        context.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    std::mem::swap(&mut state.out, &mut self.out);
                    self.has_let_others_go_first = false;
                }
            }
        }
    }

    /// Ready when all that was taken is sent.
    fn poll_send(&mut self, context: &mut Context<'_>) -> io::Result<Poll<()>> {
        while self.sent < self.out.len() {
            match Pin::new(&mut self.stream).poll_write(context, &self.out[self.sent..])? {
                Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(count) => self.sent += count,
                Poll::Pending => return Ok(Poll::Pending),
            }
        }
        self.out.clear();
        self.sent = 0;
        Ok(Poll::Ready(()))
    }

    /// Hands out what has come; pending when nothing has.
    fn poll_receive(&mut self, context: &mut Context<'_>) -> io::Result<Poll<()>> {
        if fill(&mut self.stream, &mut self.read, context)?.is_pending() {
            return Ok(Poll::Pending);
        }
        while let Some(reply) = reply::take(&mut self.read)? {
            let turn = self.line.state.lock().turns.pop_front();
            let turn = turn.ok_or(io::ErrorKind::InvalidData)?;
            // Who has given up has no use for it.
            let _ = turn.send(reply);
        }
        Ok(Poll::Ready(()))
    }
}

/// Reads on into the buffer. The end of the stream is an error.
fn fill(
    stream: &mut (impl AsyncRead + Unpin),
    read: &mut BytesMut,
    context: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    if read.capacity() - read.len() < CHUNK / 4 {
        read.reserve(CHUNK);
    }
    pin!(stream.read_buf(read)).poll(context).map(|read| match read? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    })
}

/// Logs in; what the server says of itself.
async fn greet(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    read: &mut BytesMut,
    info: &ConnectionInfo,
) -> Result<String, String> {
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
    let mut out = Vec::new();
    for words in &commands {
        reply::command(&mut out, words.len(), words.iter().copied());
    }
    stream.write_all(&out).await.map_err(|error| error.to_string())?;
    let mut server = None;
    for _ in commands {
        let reply = loop {
            if let Some(reply) = reply::take(read).map_err(|error| error.to_string())? {
                break reply;
            }
            let filled = poll_fn(|context| fill(stream, read, context));
            filled.await.map_err(|error| error.to_string())?;
        };
        match reply {
            Reply::Refused(words) => return Err(fault::line(&words)),
            Reply::Text(text) => server = text,
            Reply::Done | Reply::Texts(_) => {}
        }
    }
    Ok(String::from_utf8_lossy(&server.unwrap_or_default()).into_owned())
}

#[cfg(test)]
mod tests;
