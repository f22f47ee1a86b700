//! A connection over which names are read and nothing else: what a general client does for each
//! request is most of what a hit would cost.
//!
//! - Whoever reads writes the command into a buffer that all share and waits for its turn; the *driver*,
//!   a task of the runtime that is to drive the connection, sends the buffer and hands the replies out,
//!   in the order of the commands. A reader that is given up leaves its turn in the line.
//! - A reader that is alone sends what it asks by itself, so that the driver need not run for that.
//! - The end of the driver, whatever ends it, ends the connection: who waits is told, and who comes
//!   later at once.
//! - Where the server [keeps the order](keeps_order), it tells when generations and eras change, and what
//!   is known of them is not asked for. What is still known when the reply has been taken was current when
//!   the server gave it: so every invalidation is seen that was acknowledged before the read began. What
//!   has changed meanwhile is asked for, at the cost of a second round trip, and at most one.
//! - Nothing is registered for but generations and eras: records and leases are read without that.
//! - Elsewhere nothing is known, and all is asked for.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::BytesMut;
use parking_lot::{Mutex, MutexGuard};
use redis::{ConnectionAddr, ConnectionInfo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};

use super::connect::field;
use super::greeting::{Greeting, keeps_order};
use super::known::Recalled;
use super::outlet::{Outlet, Stream};
use super::reply;
use super::turns::{Answer, Since, Texts, Turns};
use crate::runtime;

/// What drives a connection until it ends.
pub(super) type Driving = Pin<Box<dyn Future<Output = ()> + Send>>;

/// How many bytes are read at once, if as many are there.
const CHUNK: usize = 16 << 10;

/// One end of the connection: readers' end. Dropped, it ends the connection.
pub(super) struct Wire {
    line: Arc<Line>,
    /// How many may wait for a reply at once.
    most: usize,
}

struct Line {
    state: Mutex<State>,
    /// Locked by who sends, and by nobody who holds the state but a reader that is alone.
    outlet: Mutex<Outlet>,
    /// There is somebody to be watched again, or it is over.
    is_asked: Notify,
}

#[allow(clippy::struct_excessive_bools)] // as many independent questions
struct State {
    /// Commands that are not sent yet.
    out: Vec<u8>,
    turns: Turns,
    /// The driver, from when it has first waited for anything.
    driver: Option<Waker>,
    /// Whether it has nothing to send, and has to be woken for what is to be sent.
    is_idle: bool,
    /// Whether a reader could not send all that it has put into the outlet.
    has_left_some: bool,
    /// Whether somebody will look again who waits.
    is_watched: bool,
    is_over: bool,
}

impl Line {
    /// Tells whoever waits, and whoever comes later at once.
    fn end(&self) {
        let mut state = self.state.lock();
        state.is_over = true;
        state.wake();
        let turns = std::mem::replace(&mut state.turns, Turns::new(false));
        drop(state);
        drop(turns); // wakes whoever waits
        self.is_asked.notify_one();
    }
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
        S: Stream + AsyncRead + AsyncWrite + Unpin + Send,
    {
        let mut read = BytesMut::new();
        let mut greeting = Greeting { stream: &mut stream, read: &mut read };
        let server = greeting.log_in(info).await?;
        if field(&server, "run_id") != Some(run) {
            return Err("another server answers".to_owned());
        }
        let is_tracking = keeps_order(&server) && greeting.track().await?;
        let (wire, driver) = Self::with_driver(stream, read, most, is_tracking);
        let driving = Box::pin(async move {
            let because = driver.drive().await;
            tracing::debug!(target: "keyedcache", ?because, "a caller's connection has ended");
        });
        Ok((wire, driving))
    }

    /// Both ends of a connection over which so much has been received already.
    fn with_driver<S: Stream>(
        stream: S,
        read: BytesMut,
        most: usize,
        is_tracking: bool,
    ) -> (Self, Driver<S::Inlet>) {
        let state = State {
            out: Vec::new(),
            turns: Turns::new(is_tracking),
            driver: None,
            is_idle: false,
            has_left_some: false,
            is_watched: false,
            is_over: false,
        };
        let (inlet, half) = stream.split();
        let outlet = Outlet { half: Box::new(half), out: Vec::new(), sent: 0 };
        let line = Arc::new(Line {
            state: Mutex::new(state),
            outlet: Mutex::new(outlet),
            is_asked: Notify::new(),
        });
        let driver = Driver {
            line: Arc::clone(&line),
            inlet,
            out: Vec::new(),
            is_sending: false,
            read,
            has_let_others_go_first: false,
        };
        (Self { line, most }, driver)
    }

    /// What stands under each name, those of scopes after all others; `None` if the connection has ended,
    /// too much is asked over it already, or the server refuses.
    pub(super) async fn read(&self, names: &[String]) -> Option<Texts> {
        let mut again = None;
        loop {
            let (answer, recalled) = self.ask(names, again)?;
            let answer = answer.await.ok()?;
            let known = match recalled {
                Some(then) if answer.is_as_of(&then) => Some(then.texts),
                Some(_) => {
                    // What is known now is as good: it was current after the reply.
                    let Some(now) = self.line.state.lock().turns.recall(names) else {
                        again = Some(answer.came);
                        continue;
                    };
                    Some(now.texts)
                }
                None => None,
            };
            return answer.texts(names.len(), known);
        }
    }

    fn ask(
        &self,
        names: &[String],
        again: Option<Since>,
    ) -> Option<(oneshot::Receiver<Answer>, Option<Recalled>)> {
        let (told, answer) = oneshot::channel();
        let mut state = self.line.state.lock();
        if state.is_over || state.turns.len() >= self.most {
            return None;
        }
        let is_alone = state.is_idle && state.turns.len() == 0;
        let outlet = if is_alone { self.line.outlet.try_lock() } else { None };
        let State { out, turns, .. } = &mut *state;
        let recalled = turns.ask(out, names, again, told);
        let was_watched = std::mem::replace(&mut state.is_watched, true);
        if let Some(outlet) = outlet {
            self.send(state, outlet);
        } else {
            if std::mem::take(&mut state.is_idle) {
                state.wake();
            }
            drop(state);
        }
        if !was_watched {
            self.line.is_asked.notify_one();
        }
        Some((answer, recalled))
    }

    /// Sends what one has asked who is alone; what cannot be sent at once, the driver sends. Until it is
    /// replied to, nobody else is alone: so all is sent in the order of the turns.
    fn send(&self, mut state: MutexGuard<'_, State>, mut outlet: MutexGuard<'_, Outlet>) {
        std::mem::swap(&mut state.out, &mut outlet.out);
        drop(state);
        let is_sent = outlet.try_send();
        drop(outlet);
        if !is_sent {
            let mut state = self.line.state.lock();
            state.has_left_some = true;
            state.is_idle = false;
            state.wake();
        }
    }

    /// What ends the connection before a reader has waited for it for longer than `at_most`, having
    /// called `is_silent`: whatever has become of the runtime that is to drive it. A timer for each
    /// reader would be a good part of what a hit costs.
    pub(super) fn watch<F: FnOnce() + Send>(
        &self,
        at_most: Duration,
        is_silent: F,
    ) -> impl Future<Output = ()> + Send + use<F> {
        /// In how many looks that time passes.
        const LOOKS: u32 = 4;
        let line = Arc::clone(&self.line);
        async move {
            loop {
                let seen = {
                    let mut state = line.state.lock();
                    if state.is_over {
                        return;
                    }
                    let seen = state.turns.look();
                    state.is_watched = seen.is_some();
                    seen
                };
                match seen {
                    None => line.is_asked.notified().await,
                    Some(looks) if looks < LOOKS.into() => runtime::sleep(at_most / LOOKS).await,
                    Some(_) => break,
                }
            }
            is_silent();
            line.end();
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let mut state = self.line.state.lock();
        state.is_over = true;
        state.wake();
        drop(state);
        self.line.is_asked.notify_one();
    }
}

/// What is polled by the runtime that drives the connection.
pub(super) struct Driver<I> {
    line: Arc<Line>,
    inlet: I,
    /// On its way from the line to the outlet.
    out: Vec<u8>,
    /// Whether there may be something in the outlet.
    is_sending: bool,
    read: BytesMut,
    has_let_others_go_first: bool,
}

impl<I> Drop for Driver<I> {
    fn drop(&mut self) {
        self.line.end();
    }
}

impl<I: AsyncRead + Unpin> Driver<I> {
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
                    self.is_sending |= std::mem::take(&mut state.has_left_some);
                    if self.is_sending && is_sent.is_ready() {
                        continue; // a reader has left some just now
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
                    self.is_sending = true;
                    self.has_let_others_go_first = false;
                }
            }
        }
    }

    /// Ready when all that was taken is sent.
    fn poll_send(&mut self, context: &mut Context<'_>) -> io::Result<Poll<()>> {
        if !self.is_sending {
            return Ok(Poll::Ready(()));
        }
        let mut outlet = self.line.outlet.lock();
        outlet.out.append(&mut self.out);
        let sent = outlet.poll_send(context)?;
        self.is_sending = sent.is_pending();
        Ok(sent)
    }

    /// Hands out what has come; pending when nothing has.
    fn poll_receive(&mut self, context: &mut Context<'_>) -> io::Result<Poll<()>> {
        if fill(&mut self.inlet, &mut self.read, context)?.is_pending() {
            return Ok(Poll::Pending);
        }
        while let Some(reply) = reply::take(&mut self.read)? {
            let told = self.line.state.lock().turns.take(reply)?;
            if let Some((told, answer)) = told {
                // Who has given up has no use for it.
                let _ = told.send(answer);
            }
        }
        Ok(Poll::Ready(()))
    }
}

/// Reads on into the buffer. The end of the stream is an error.
pub(super) fn fill(
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

#[cfg(test)]
mod tests;
