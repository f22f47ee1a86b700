//! The Redis store against the conformance suite, on one server.
//!
//! Each case has a database of its own on a server of its own process, which several handles share.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use keyedcache::store::{RedisStore, Store};
use keyedcache_conformance::Harness;
use tempfile::TempDir;

struct Redis {
    server: Child,
    url: String,
    port: u16,
    _folder: TempDir,
}

impl Redis {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the server");
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a free port")
            .port();
        let server = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--save", "", "--appendonly", "no"])
            .arg("--dir")
            .arg(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        Self { server, url: format!("redis://127.0.0.1:{port}"), port, _folder: folder }
    }

    fn open(&self) -> Arc<dyn Store> {
        let store = RedisStore::builder(&self.url)
            // Many of these run at once on few processors.
            .timeout(Duration::from_secs(20))
            .connect_timeout(Duration::from_secs(10))
            .near_trust(Duration::from_secs(20))
            .build()
            .expect("the URL is right");
        let start = Instant::now();
        while !store.trusted() {
            assert!(start.elapsed() < Duration::from_secs(20), "no connection: {store:?}");
            thread::sleep(Duration::from_millis(2));
        }
        Arc::new(store)
    }

    fn cli(&self, command: &[&str]) -> String {
        let output = Command::new("redis-cli")
            .args(["-p", &self.port.to_string()])
            .args(command)
            .output()
            .expect("redis-cli is installed");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Harness for Redis {
    fn store(&self) -> Arc<dyn Store> {
        self.open()
    }

    fn again(&self) -> Option<Arc<dyn Store>> {
        Some(self.open())
    }

    fn advance(&self, by: Duration) {
        thread::sleep(by);
    }

    fn pushes_travel(&self) -> bool {
        true
    }

    fn plant_foreign(&self) -> Option<Box<dyn FnOnce() -> bool + '_>> {
        self.cli(&["SET", "foreign", "mine"]);
        self.cli(&["RPUSH", "conformance-list", "mine"]);
        self.cli(&["HSET", "{conformance-hash}:lease", "field", "mine"]);
        Some(Box::new(|| {
            self.cli(&["GET", "foreign"]) == "mine"
                && self.cli(&["LINDEX", "conformance-list", "0"]) == "mine"
                && self.cli(&["HGET", "{conformance-hash}:lease", "field"]) == "mine"
        }))
    }
}

mod one_server {
    use super::Redis;

    keyedcache_conformance::suite!(Redis::start());
}
