//! Children of tests: none outlives the test that started it.

use std::fs::File;

use keyedcache_tests::child::{self, Child};
use keyedcache_tests::watchdog::{PATIENCE, within};

const LOCKED: &str = "KEYEDCACHE_TESTS_LOCKED";

fn locked() -> File {
    let path = std::env::var_os(LOCKED).expect("the test says which file");
    let file = File::open(path).expect("the test made it");
    file.lock().expect("files can be locked here");
    file
}

#[test]
fn stopped_child_dies_with_a_test_that_is_killed() {
    let test = "stopped_child_dies_with_a_test_that_is_killed";
    let start = |role, path: &str| Child::in_role_with(test, role, &[(LOCKED, path)]);
    match child::role().as_deref() {
        Some("test") => {
            let path = std::env::var(LOCKED).expect("the test says which file");
            let mut holder = start("holder", &path);
            holder.expect("locked");
            holder.stop();
            child::say("stopped");
            let _ = child::hear(); // until it is killed
        }
        Some(_) => {
            let _file = locked();
            child::say("locked");
            let _ = child::hear(); // until it is stopped
        }
        None => {
            let file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
            let path = file.path().to_str().expect("a path of text");
            let mut killed = start("test", path);
            killed.expect("stopped");
            file.as_file().try_lock().expect_err("it is locked");
            killed.kill();
            let file = file.into_file();
            within(PATIENCE, move || file.lock().expect("files can be locked here"));
        }
    }
}

#[test]
fn child_is_killed_when_the_test_panics() {
    let test = "child_is_killed_when_the_test_panics";
    if child::role().is_some() {
        let _file = locked();
        child::say("locked");
        let _ = child::hear(); // never: it is stopped
        return;
    }
    let file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
    let path = file.path().to_str().expect("a path of text").to_owned();
    std::panic::catch_unwind(move || {
        let mut child = Child::in_role_with(test, "holder", &[(LOCKED, &path)]);
        child.expect("locked");
        child.stop();
        panic!("the test fails");
    })
    .expect_err("it panics");
    file.as_file().try_lock().expect("whoever held it is dead");
}
