//! One connection through a proxy, both ways, until it ends or is cut.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::time::Instant;

use super::Shared;
use super::frames::Frames;

/// What is on its way, and when it arrives.
type Sent = (Instant, Bytes);

/// Passes on what comes, until the server has closed it, one breaks off, or `cut` changes.
pub(super) async fn relay(
    mut client: TcpStream,
    shared: Arc<Shared>,
    mut cut: watch::Receiver<u64>,
) {
    let connected = tokio::select! {
        connected = TcpStream::connect(shared.to) => connected,
        _ = cut.changed() => return reset(&client),
    };
    let Ok(mut server) = connected else { return reset(&client) };
    for stream in [&client, &server] {
        stream.set_nodelay(true).expect("it is a TCP connection");
    }
    let lost = AtomicBool::new(false);
    let was_cut = tokio::select! {
        () = both_ways(&mut client, &mut server, &shared, &lost) => false,
        _ = cut.changed() => true,
    };
    if was_cut {
        reset(&server);
    }
    if was_cut || lost.into_inner() {
        reset(&client);
    }
}

/// Has it end without a last word when it is dropped.
fn reset(stream: &TcpStream) {
    stream.set_zero_linger().expect("it is a TCP connection");
}

async fn both_ways(
    client: &mut TcpStream,
    server: &mut TcpStream,
    shared: &Shared,
    lost: &AtomicBool,
) {
    let (from_client, mut to_client) = client.split();
    let (from_server, mut to_server) = server.split();
    let (asks, asked) = unbounded_channel();
    let (answers, answered) = unbounded_channel();
    let up = async {
        tokio::join!(
            commands(from_client, asks, shared, lost),
            arrive(asked, &mut to_server, shared)
        );
        let _ = to_server.shutdown().await; // it may be closed already
    };
    let down = async {
        tokio::join!(
            replies(from_server, answers, shared, lost),
            arrive(answered, &mut to_client, shared)
        );
    };
    tokio::pin!(down);
    tokio::select! {
        () = &mut down => {}
        // The server still answers what it was asked before the end.
        () = up => down.await,
    }
}

/// Reads commands until one comes whose reply is to be lost: that is the last.
async fn commands(
    mut from: ReadHalf<'_>,
    to: UnboundedSender<Sent>,
    shared: &Shared,
    lost: &AtomicBool,
) {
    let mut frames = Frames::default();
    let mut buffer = vec![0; 1 << 16];
    while let Some(bytes) = read(&mut from, &mut buffer, shared).await {
        shared.counts.bytes_up.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        frames.push(bytes);
        while let Some(command) = frames.next() {
            shared.counts.commands.fetch_add(1, Ordering::Relaxed);
            let loses = shared.loses(&command);
            if loses {
                lost.store(true, Ordering::SeqCst); // before the server can answer
            }
            let _ = to.send((Instant::now() + shared.delay(), command));
            if loses {
                // The server does all that came, answers, and then sees the end.
                return;
            }
        }
    }
    let _ = to.send((Instant::now() + shared.delay(), frames.rest()));
}

async fn replies(
    mut from: ReadHalf<'_>,
    to: UnboundedSender<Sent>,
    shared: &Shared,
    lost: &AtomicBool,
) {
    let mut buffer = vec![0; 1 << 16];
    while let Some(bytes) = read(&mut from, &mut buffer, shared).await {
        shared.counts.bytes_down.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        if !lost.load(Ordering::SeqCst) {
            let _ = to.send((Instant::now() + shared.delay(), Bytes::copy_from_slice(bytes)));
        }
    }
}

/// What comes next, unless that is the end; nothing comes while there is silence.
async fn read<'b>(
    from: &mut ReadHalf<'_>,
    buffer: &'b mut [u8],
    shared: &Shared,
) -> Option<&'b [u8]> {
    shared.no_silence().await;
    let read = from.read(buffer).await;
    shared.no_silence().await;
    match read {
        Ok(0) | Err(_) => None,
        Ok(length) => Some(&buffer[..length]),
    }
}

/// Writes what was sent when it is to arrive.
async fn arrive(mut sent: UnboundedReceiver<Sent>, to: &mut WriteHalf<'_>, shared: &Shared) {
    while let Some((at, bytes)) = sent.recv().await {
        if at.saturating_duration_since(Instant::now()) > Duration::ZERO {
            tokio::time::sleep_until(at).await;
        }
        shared.no_silence().await;
        if to.write_all(&bytes).await.is_err() {
            return;
        }
    }
}
