//! The end of a [wire](super::wire) that is written to, by its driver or by a reader that is alone.

use std::io;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, tcp};
#[cfg(unix)]
use tokio::net::{UnixStream, unix};

/// What has two ends.
pub(super) trait Stream: 'static {
    /// The end that is read from.
    type Inlet: AsyncRead + Unpin + Send + 'static;
    type Half: Half + 'static;

    fn split(self) -> (Self::Inlet, Self::Half);
}

/// The end that is written to.
pub(super) trait Half: AsyncWrite + Unpin + Send {
    /// Writes so many of these bytes as can be written at once, on behalf of whoever calls.
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize>;
}

impl Stream for TcpStream {
    type Inlet = tcp::OwnedReadHalf;
    type Half = tcp::OwnedWriteHalf;

    fn split(self) -> (Self::Inlet, Self::Half) {
        self.into_split()
    }
}

impl Half for tcp::OwnedWriteHalf {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        Self::try_write(self, bytes)
    }
}

#[cfg(unix)]
impl Stream for UnixStream {
    type Inlet = unix::OwnedReadHalf;
    type Half = unix::OwnedWriteHalf;

    fn split(self) -> (Self::Inlet, Self::Half) {
        self.into_split()
    }
}

#[cfg(unix)]
impl Half for unix::OwnedWriteHalf {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        Self::try_write(self, bytes)
    }
}

/// That end, and what is on its way there.
pub(super) struct Outlet {
    pub(super) half: Box<dyn Half>,
    pub(super) out: Vec<u8>,
    /// So much of it is sent.
    pub(super) sent: usize,
}

impl Outlet {
    /// Sends what can be sent at once; whether that was all. An error is left for
    /// [`poll_send`](Self::poll_send) to find.
    pub(super) fn try_send(&mut self) -> bool {
        self.sent += self.half.try_write(&self.out[self.sent..]).unwrap_or_default();
        self.is_sent()
    }

    /// Ready when all is sent.
    pub(super) fn poll_send(&mut self, context: &mut Context<'_>) -> io::Result<Poll<()>> {
        while !self.is_sent() {
            let Self { half, out, sent } = self;
            match std::pin::Pin::new(half).poll_write(context, &out[*sent..])? {
                Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(count) => *sent += count,
                Poll::Pending => return Ok(Poll::Pending),
            }
        }
        Ok(Poll::Ready(()))
    }

    fn is_sent(&mut self) -> bool {
        let is_sent = self.sent == self.out.len();
        if is_sent {
            self.out.clear();
            self.sent = 0;
        }
        is_sent
    }
}
