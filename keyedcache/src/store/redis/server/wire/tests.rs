//! Who is woken, who is told, and when the connection ends, whatever the server does.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;
use std::time::Instant;

use tokio::io::{DuplexStream, ReadHalf, WriteHalf, duplex, split};

use super::super::outlet::Half;
use super::*;

mod knowing;

impl Stream for DuplexStream {
    type Inlet = ReadHalf<Self>;
    type Half = WriteHalf<Self>;

    fn split(self) -> (Self::Inlet, Self::Half) {
        split(self)
    }
}

impl Half for WriteHalf<DuplexStream> {
    /// All is left to the driver.
    fn try_write(&self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

/// A stream of whose writer so many bytes are taken at once, and never more without its driver.
struct Eager(DuplexStream, usize);

struct EagerHalf(std::sync::Mutex<WriteHalf<DuplexStream>>, usize);

impl Stream for Eager {
    type Inlet = ReadHalf<DuplexStream>;
    type Half = EagerHalf;

    fn split(self) -> (Self::Inlet, Self::Half) {
        let (inlet, half) = split(self.0);
        (inlet, EagerHalf(std::sync::Mutex::new(half), self.1))
    }
}

impl Half for EagerHalf {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let at_once = &bytes[..self.1.min(bytes.len())];
        let mut context = Context::from_waker(Waker::noop());
        match Pin::new(&mut *self.0.lock().unwrap()).poll_write(&mut context, at_once) {
            Poll::Ready(written) => written,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl AsyncWrite for EagerHalf {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self.0.get_mut().unwrap()).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// What has come out at the other end.
fn come_out(server: &mut DuplexStream) -> String {
    let mut out = [0; 1000];
    let mut read = tokio::io::ReadBuf::new(&mut out);
    let _ = Pin::new(server).poll_read(&mut Context::from_waker(Waker::noop()), &mut read);
    String::from_utf8(read.filled().to_vec()).unwrap()
}

#[test]
fn reader_that_is_alone_sends_what_it_can_and_the_driver_the_rest_before_all_others() {
    const FIRST: &str = "*2\r\n$4\r\nMGET\r\n$1\r\na\r\n";
    const SECOND: &str = "*2\r\n$4\r\nMGET\r\n$1\r\nb\r\n";
    for at_once in [0, 1, 7, FIRST.len(), 1000] {
        let (stream, mut server) = duplex(1000);
        let stream = Eager(stream, at_once);
        let (wire, driver) = Wire::with_driver(stream, BytesMut::new(), 10, false);
        let count = Arc::<Count>::default();
        let waker = Waker::from(Arc::clone(&count));
        let mut context = Context::from_waker(&waker);
        let mut driving = pin!(driver.drive());
        assert!(driving.as_mut().poll(&mut context).is_pending());
        let asked = ["a", "b"].map(|name| [name.to_owned()]);
        let [mut first, mut second] = asked.each_ref().map(|names| Box::pin(wire.read(names)));
        let mut reader = Context::from_waker(Waker::noop());
        assert!(first.as_mut().poll(&mut reader).is_pending());
        let sent = at_once.min(FIRST.len());
        assert_eq!(come_out(&mut server), FIRST[..sent], "{at_once}");
        assert_eq!(count.take() == 0, sent == FIRST.len(), "woken for what is left: {at_once}");
        assert!(second.as_mut().poll(&mut reader).is_pending());
        assert_eq!(come_out(&mut server), "", "it is not alone");
        assert!(driving.as_mut().poll(&mut context).is_pending());
        assert!(driving.as_mut().poll(&mut context).is_pending());
        assert_eq!(come_out(&mut server), [&FIRST[sent..], SECOND].concat());
        let replies = b"*1\r\n$1\r\nA\r\n*1\r\n$1\r\nB\r\n";
        assert!(Pin::new(&mut server).poll_write(&mut reader, replies).is_ready());
        assert!(driving.as_mut().poll(&mut context).is_pending());
        for (reading, expected) in [(&mut first, "A"), (&mut second, "B")] {
            let Poll::Ready(texts) = reading.as_mut().poll(&mut reader) else { panic!("told") };
            assert_eq!(texts.unwrap(), [Some(bytes::Bytes::from_static(expected.as_bytes()))]);
        }
    }
}

/// A driver over a stream that takes so many bytes until they are read at the other end.
fn wire(room: usize) -> (Wire, Driver<ReadHalf<DuplexStream>>, DuplexStream) {
    let (stream, server) = duplex(room);
    let (wire, driver) = Wire::with_driver(stream, BytesMut::new(), 10, false);
    (wire, driver, server)
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Count {
    fn take(&self) -> usize {
        self.0.swap(0, Ordering::Relaxed)
    }
}

/// Asks for a name that is too long to be sent.
fn asking(wire: &Wire) -> impl Future<Output = Option<Texts>> {
    let names = ["k".repeat(100)];
    async move { wire.read(&names).await }
}

#[test]
fn driver_is_woken_once_for_what_is_to_be_sent() {
    let (wire, driver, _server) = wire(1000);
    let count = Arc::<Count>::default();
    let waker = Waker::from(Arc::clone(&count));
    let mut context = Context::from_waker(&waker);
    let mut driving = pin!(driver.drive());
    assert!(driving.as_mut().poll(&mut context).is_pending());
    let mut readers = [pin!(asking(&wire)), pin!(asking(&wire))];
    for reader in &mut readers {
        assert!(reader.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    assert_eq!(count.take(), 1);
}

#[test]
fn connection_ends_with_its_wire_even_while_the_server_takes_nothing() {
    let (wire, driver, _server) = wire(10);
    let count = Arc::<Count>::default();
    let waker = Waker::from(Arc::clone(&count));
    let mut context = Context::from_waker(&waker);
    let mut driving = pin!(driver.drive());
    {
        let mut reader = pin!(asking(&wire));
        assert!(reader.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert!(driving.as_mut().poll(&mut context).is_pending(), "most is not sent");
        count.take();
        let mut other = pin!(asking(&wire));
        assert!(other.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(count.take(), 0, "what is sent later wakes nobody now");
    }
    drop(wire);
    assert_eq!(count.take(), 1);
    assert!(driving.poll(&mut context).is_ready());
}

#[test]
fn end_of_the_driver_is_told_to_who_waits_and_to_who_comes() {
    let (wire, driver, _server) = wire(1000);
    let mut context = Context::from_waker(Waker::noop());
    let mut reader = pin!(asking(&wire));
    assert!(reader.as_mut().poll(&mut context).is_pending());
    drop(driver);
    assert!(matches!(reader.poll(&mut context), Poll::Ready(None)));
    assert!(matches!(pin!(asking(&wire)).poll(&mut context), Poll::Ready(None)));
}

#[test]
fn who_waits_too_long_is_told_though_nobody_drives_the_connection() {
    let (wire, _driver, _server) = wire(1000);
    let (at_most, start) = (Duration::from_millis(40), Instant::now());
    let silences = Arc::<Count>::default();
    let silent = Arc::clone(&silences);
    runtime::background().spawn(wire.watch(at_most, move || silent.wake()));
    let mut other = pin!(asking(&wire));
    assert!(other.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert_eq!(runtime::wait(asking(&wire)), None);
    assert_eq!(runtime::wait(other), None);
    assert!(start.elapsed() >= at_most / 2, "{:?}", start.elapsed());
    assert_eq!(silences.take(), 1);
}

#[test]
fn nobody_watches_what_has_ended() {
    let (wire, driver, _server) = wire(1000);
    let watch = || wire.watch(Duration::from_mins(1), || panic!("nobody waits"));
    let mut watching = pin!(watch());
    let mut context = Context::from_waker(Waker::noop());
    assert!(watching.as_mut().poll(&mut context).is_pending());
    drop(driver);
    assert!(watching.poll(&mut context).is_ready());
    assert!(pin!(watch()).poll(&mut context).is_ready());
}
