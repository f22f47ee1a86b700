//! The proxy that tests put in front of a server: as bad a network as it is told to be, no worse.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use keyedcache_tests::proxy::Proxy;
use keyedcache_tests::redis::Server;
use keyedcache_tests::watchdog::wait_until;

/// What is to come has come after this, and what is not to come has not.
const WHILE: Duration = Duration::from_millis(100);

struct Client(TcpStream);

impl Client {
    fn new(proxy: &Proxy) -> io::Result<Self> {
        let stream = TcpStream::connect(proxy.address())?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        Ok(Self(stream))
    }

    fn send(&mut self, words: &[&str]) -> io::Result<()> {
        let mut command = format!("*{}\r\n", words.len());
        for word in words {
            write!(command, "${}\r\n{word}\r\n", word.len()).expect("it is a string");
        }
        self.0.write_all(command.as_bytes())
    }

    fn hear(&mut self, reply: &str) -> io::Result<()> {
        let mut heard = vec![0; reply.len()];
        self.0.read_exact(&mut heard)?;
        assert_eq!(String::from_utf8_lossy(&heard), reply);
        Ok(())
    }

    fn ping(&mut self) -> io::Result<()> {
        self.send(&["PING"])?;
        self.hear("+PONG\r\n")
    }
}

#[track_caller]
fn assert_cut(result: io::Result<()>) {
    let kind = result.expect_err("it was cut").kind();
    assert!([ErrorKind::ConnectionReset, ErrorKind::BrokenPipe].contains(&kind), "{kind}");
}

#[test]
fn everything_passes_and_is_counted() {
    let server = Server::start();
    let proxy = Proxy::to(&server.address());
    let value = "x".repeat(1 << 20);
    let mut client = Client::new(&proxy).expect("it listens");
    client.send(&["SET", "key", &value]).expect("it takes it");
    client.hear("+OK\r\n").expect("it answers");
    client.send(&["GET", "key"]).expect("it takes it");
    client.hear(&format!("$1048576\r\n{value}\r\n")).expect("it answers");
    let traffic = proxy.traffic();
    assert_eq!((traffic.connections, traffic.commands, traffic.lost), (1, 2, 0));
    assert_eq!(traffic.bytes_up, (value.len() + 34 + 22) as u64);
    assert_eq!(traffic.bytes_down, (value.len() + 5 + 10 + 2) as u64);
}

#[test]
fn end_of_either_side_reaches_the_other() {
    let server = Server::start();
    let proxy = Proxy::to(&server.address());
    let mut client = Client::new(&proxy).expect("it listens");
    client.send(&["QUIT"]).expect("it takes it");
    client.hear("+OK\r\n").expect("it answers");
    assert_eq!(client.0.read(&mut [0]).expect("the end"), 0);

    let mut client = Client::new(&proxy).expect("it listens");
    client.ping().expect("it answers");
    server.kill();
    assert_eq!(client.0.read(&mut [0]).expect("the end"), 0);
    let mut client = Client::new(&proxy).expect("it listens");
    assert_cut(client.hear("never"));
}

#[test]
fn cut_resets_every_connection_and_new_ones_pass() {
    let server = Server::start();
    let proxy = Proxy::to(&server.address());
    let mut clients = [(); 3].map(|()| Client::new(&proxy).expect("it listens"));
    for client in &mut clients {
        client.ping().expect("it answers");
    }
    proxy.cut();
    for client in &mut clients {
        assert_cut(client.hear("never"));
    }
    wait_until("nobody but who asks", || server.info("clients")["connected_clients"] == "1");
    Client::new(&proxy).expect("it listens").ping().expect("it answers");
}

#[test]
fn refused_until_it_passes_again() {
    let server = Server::start();
    let proxy = Proxy::to(&server.address());
    let mut client = Client::new(&proxy).expect("it listens");
    client.ping().expect("it answers");
    proxy.refuse();
    assert_cut(client.ping());
    let refused = Client::new(&proxy).err().map(|error| error.kind());
    assert_eq!(refused, Some(ErrorKind::ConnectionRefused));
    proxy.pass();
    Client::new(&proxy).expect("it listens").ping().expect("it answers");
}

#[test]
fn silence_closes_nothing_and_what_it_held_up_comes_later() {
    let server = Server::start();
    let proxy = Proxy::to(&server.address());
    let mut client = Client::new(&proxy).expect("it listens");
    client.ping().expect("it answers");
    proxy.silence();
    let mut late = Client::new(&proxy).expect("the kernel makes the connection");
    late.send(&["PING"]).expect("the kernel takes it");
    client.send(&["SET", "key", "value"]).expect("the kernel takes it");
    client.0.set_read_timeout(Some(WHILE)).expect("it can be");
    assert_eq!(client.hear("never").expect_err("silence").kind(), ErrorKind::WouldBlock);
    assert_eq!(server.command(&["EXISTS", "key"]).number(), 0);
    // Not even its end is heard of.
    server.kill();
    assert_eq!(client.hear("never").expect_err("silence").kind(), ErrorKind::WouldBlock);
    server.restart();
    proxy.pass();
    assert_eq!(client.0.read(&mut [0]).expect("the end"), 0);

    let mut client = Client::new(&proxy).expect("it listens");
    client.ping().expect("it answers");
    proxy.silence();
    client.send(&["SET", "key", "value"]).expect("the kernel takes it");
    proxy.pass();
    client.hear("+OK\r\n").expect("it comes later");
}

#[test]
fn delay_is_added_both_ways_and_commands_do_not_wait_for_each_other() {
    let server = Server::start();
    let proxy = Proxy::to(&server.address());
    let mut client = Client::new(&proxy).expect("it listens");
    client.ping().expect("it answers");
    proxy.delay(WHILE);
    let began = Instant::now();
    for _ in 0..20 {
        client.send(&["PING"]).expect("it takes it");
        // So that they are not read as one.
        std::thread::sleep(Duration::from_millis(1));
    }
    (0..20).for_each(|_| client.hear("+PONG\r\n").expect("it answers"));
    let took = began.elapsed();
    assert!(2 * WHILE <= took && took < 10 * WHILE, "{took:?}");
}

#[test]
fn command_whose_reply_is_lost_is_done_once_and_its_connection_cut() {
    let server = Server::start();
    let proxy = Proxy::to(&server.address());
    let mut client = Client::new(&proxy).expect("it listens");
    proxy.lose_replies(1, "precious");
    client.ping().expect("others are answered");
    client.send(&["INCR", "precious"]).expect("it takes it");
    let _ = client.send(&["INCR", "later"]); // if it is cut by then, so much the better
    assert_cut(client.hear("never"));
    proxy.wait_lost(1);
    assert_eq!(server.command(&["GET", "precious"]).text(), "1");
    assert_eq!(server.command(&["EXISTS", "later"]).number(), 0, "it was sent all the same");

    let mut client = Client::new(&proxy).expect("it listens");
    client.send(&["INCR", "precious"]).expect("it takes it");
    client.hear(":2\r\n").expect("only one is lost");

    proxy.lose_replies(2, "");
    for _ in 0..2 {
        let mut client = Client::new(&proxy).expect("it listens");
        client.send(&["INCR", "any"]).expect("it takes it");
        assert_cut(client.hear("never"));
    }
    Client::new(&proxy).expect("it listens").ping().expect("it answers");
    assert_eq!((proxy.traffic().lost, server.command(&["GET", "any"]).text()), (3, "2".into()));
}

#[tokio::test]
async fn everything_can_be_done_from_within_a_runtime() {
    let server = Server::start();
    let proxy = Proxy::to(&server.address());
    proxy.refuse();
    proxy.pass();
    proxy.cut();
    drop(proxy);
}
