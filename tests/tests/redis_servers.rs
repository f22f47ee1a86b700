//! The Redis servers that tests start: they are what was asked for, and none outlives its test.

use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use keyedcache_tests::child::{self, Child};
use keyedcache_tests::redis::{Options, Reply, Server};
use keyedcache_tests::watchdog::wait_until;

fn is_up(address: &str) -> bool {
    TcpStream::connect(address).is_ok()
}

#[test]
fn server_answers_and_is_gone_when_dropped() {
    let server = Server::start();
    let (address, folder) = (server.address(), server.folder().to_owned());
    assert_eq!(server.command(&["SET", "key", "value"]).text(), "OK");
    assert_eq!(server.command(&["GET", "key"]).text(), "value");
    assert_eq!(server.command(&["GET", "other"]), Reply::Nothing);
    assert!(is_up(&address));
    drop(server);
    assert!(!is_up(&address), "it listens still");
    assert!(!folder.exists(), "its folder is left behind");
}

#[test]
fn server_dies_with_a_test_that_is_killed() {
    if child::role().is_some() {
        let server = Server::start();
        child::say(&server.address());
        let _ = child::hear(); // until it is killed
        return;
    }
    let mut test = Child::in_role("server_dies_with_a_test_that_is_killed", "test", "null:");
    let address = test.hear().expect("the address of the server");
    assert!(is_up(&address));
    test.kill();
    wait_until("the end of the server", || !is_up(&address));
}

#[test]
fn server_lives_on_when_the_thread_that_started_it_ends() {
    let server = thread::spawn(Server::start).join().expect("it starts");
    server.command(&["PING"]);
}

#[test]
fn restarted_server_has_what_was_saved() {
    let server = Server::start();
    server.command(&["SET", "saved", "1"]);
    let snapshot = server.snapshot();
    server.command(&["SET", "later", "1"]);
    let address = server.address();
    server.kill();
    assert!(!is_up(&address), "it is not dead");
    server.restart();
    assert_eq!(server.address(), address);
    assert_eq!(server.command(&["EXISTS", "saved", "later"]).number(), 1);

    server.command(&["DEL", "saved"]);
    server.snapshot();
    server.restart_from(&snapshot);
    assert_eq!(server.command(&["GET", "saved"]).text(), "1");
    let other = Options::new().snapshot(snapshot).start();
    assert_eq!(other.command(&["GET", "saved"]).text(), "1");
}

#[test]
fn server_that_loads_says_so_until_it_is_ready() {
    let server = Options::new().slow_to_load(Duration::from_micros(300)).start();
    server.command(&["DEBUG", "POPULATE", "1000"]);
    server.snapshot();
    server.launch();
    wait_until("loading", || {
        let reply = server.try_command(&["GET", "key:1"]);
        reply
            .is_ok_and(|reply| matches!(reply, Reply::Error(error) if error.starts_with("LOADING")))
    });
    assert!(server.wait_ready());
    assert_eq!(server.command(&["DBSIZE"]).number(), 1000);
}

#[test]
fn calls_are_counted_by_command() {
    let server = Server::start();
    server.command(&["SET", "key", "value"]);
    server.reset_calls();
    server.command(&["GET", "key"]);
    server.command(&["EVAL", "redis.call('GET', 'key') redis.call('GET', 'key')", "0"]);
    server.command(&["CLIENT", "ID"]);
    let calls = server.calls();
    let only =
        ["get", "eval", "client|id", "config|resetstat"].map(|name| calls.get(name).copied());
    assert_eq!(only, [Some(3), Some(1), Some(1), Some(1)], "{calls:?}");
    assert_eq!(calls.len(), 4, "{calls:?}");
    server.reset_calls();
    assert_eq!(server.calls(), BTreeMap::from([("config|resetstat".into(), 1)]));
}

#[test]
fn only_who_has_the_password_may_use_it() {
    for options in [Options::new().password("secret"), Options::new().user("ada", "secret")] {
        let server = options.start();
        let name = if server.url().contains("ada") { "ada" } else { "" };
        assert_eq!(server.url(), format!("redis://{name}:secret@{}", server.address()));
        server.command(&["SET", "key", "value"]);
        assert!(cli(&server, &["--no-auth-warning", "GET", "key"]).starts_with("NOAUTH"));
        let who = if name.is_empty() { "default" } else { name };
        let login = ["--no-auth-warning", "--user", who, "--pass", "secret", "GET", "key"];
        assert_eq!(cli(&server, &login), "value\n");
    }
}

#[test]
fn tls_port_has_a_certificate_that_its_authority_vouches_for() {
    let server = Options::new().tls().start();
    assert_eq!(server.url(), format!("rediss://{}", server.address()));
    let authority = server.certificate();
    let authority = authority.to_str().expect("a path of text");
    assert_eq!(cli(&server, &["--tls", "--cacert", authority, "PING"]), "PONG\n");
    assert_eq!(
        cli(&server, &["--tls", "--cacert", authority, "-h", "localhost", "PING"]),
        "PONG\n"
    );
    let refused = cli(&server, &["--tls", "PING"]);
    assert!(!refused.contains("PONG"), "any certificate would do: {refused}");
}

#[test]
fn full_server_evicts_by_its_policy_or_refuses() {
    let overfilled = |policy| {
        let server = Options::new().max_memory("3mb", policy).start();
        let value = "x".repeat(10_000);
        let mut replies =
            (0..400).map(|key| server.try_command(&["SET", &key.to_string(), &value]));
        let refusal = replies.find(|reply| matches!(reply, Ok(Reply::Error(_))));
        (refusal, server.info("stats")["evicted_keys"] != "0")
    };
    let (refusal, evicted) = overfilled("noeviction");
    let refusal = format!("{refusal:?}");
    assert!(refusal.contains("OOM") && !evicted, "{refusal}");
    let (refusal, evicted) = overfilled("allkeys-lru");
    assert!(refusal.is_none() && evicted, "{refusal:?}");
}

#[test]
fn paused_and_frozen_servers_answer_later() {
    let server = Server::start();
    let took = |what: &dyn Fn()| {
        let began = Instant::now();
        what();
        began.elapsed()
    };
    server.pause(Duration::from_millis(200));
    let paused = took(&|| drop(server.command(&["PING"])));
    assert!(paused > Duration::from_millis(150), "it answered after {paused:?}");

    server.freeze();
    thread::scope(|scope| {
        let ping = scope.spawn(|| server.command(&["PING"]));
        let address = server.address();
        assert!(is_up(&address), "its port is open all the while");
        assert!(!ping.is_finished());
        server.thaw();
        assert_eq!(ping.join().expect("it answers").text(), "PONG");
    });

    server.send(&["DEBUG", "SLEEP", "0.2"]);
    let asleep = took(&|| drop(server.command(&["PING"])));
    assert!(asleep > Duration::from_millis(100), "it answered after {asleep:?}");
}

#[test]
fn port_that_another_takes_first_is_left_to_it() {
    let server = Server::start();
    server.kill();
    let _other = TcpListener::bind(server.address()).expect("it is free");
    server.launch();
    assert!(!server.wait_ready());
}

/// What `redis-cli` prints that speaks with its port.
fn cli(server: &Server, arguments: &[&str]) -> String {
    let port = server.port().to_string();
    let arguments = [&["-h", "127.0.0.1", "-p", &port], arguments].concat();
    let output = std::process::Command::new("redis-cli").args(arguments).output();
    let output = output.expect("it is installed with redis-server");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}
