//! The thread that starts all children.
//!
//! To Linux a thread is the parent, and a child that asked for it is killed when that thread ends.
//! This one ends with the process, so a child lives on when the thread that wanted it is gone.

use std::io;
use std::process::{Child, Command};
use std::sync::LazyLock;
use std::sync::mpsc::{self, Sender};
use std::thread;

struct Order {
    command: Command,
    started: Sender<io::Result<Child>>,
}

static PARENT: LazyLock<Sender<Order>> = LazyLock::new(|| {
    let (orders, ordered) = mpsc::channel::<Order>();
    thread::spawn(move || {
        for Order { mut command, started } in ordered {
            let _ = started.send(command.spawn()); // whoever ordered it waits for it
        }
    });
    orders
});

/// Starts a child of this process.
pub(super) fn spawn(command: Command) -> io::Result<Child> {
    let (started, child) = mpsc::channel();
    PARENT.send(Order { command, started }).expect("the thread lives as long as the process");
    child.recv().expect("it answers each order")
}
