//! Another process: started, spoken to in lines, stopped and killed.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child as Process, ChildStdin, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// A process that is killed when this is dropped.
#[derive(Debug)]
pub struct Child {
    process: Process,
    /// Gone once it has been told to end.
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Child {
    /// Starts a program with arguments.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn start<A: AsRef<OsStr>>(program: &str, arguments: &[A]) -> Self {
        let mut process = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{program} does not start: {error}"));
        let input = process.stdin.take().expect("its input is a pipe");
        let output = process.stdout.take().expect("its output is a pipe");
        Self { process, input: Some(input), output: BufReader::new(output) }
    }

    /// The next line that it prints; empty at its end.
    ///
    /// # Panics
    ///
    /// If it cannot be read.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        let read = self.output.read_line(&mut line);
        read.expect("its output can be read");
        line.trim_end().to_owned()
    }

    /// Waits for a line.
    ///
    /// # Panics
    ///
    /// If the next line is another one.
    pub fn expect(&mut self, line: &str) {
        assert_eq!(self.line(), line);
    }

    /// Gives it a line to read.
    ///
    /// # Panics
    ///
    /// If it has ended.
    pub fn say(&mut self, line: &str) {
        let input = self.input.as_mut().expect("it has not been told to end");
        writeln!(input, "{line}").expect("it is there to be told");
    }

    /// Stops it where it is.
    ///
    /// # Panics
    ///
    /// If it has ended.
    pub fn stop(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    ///
    /// # Panics
    ///
    /// If it has ended.
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.process.id()).expect("process ids are small");
        let id = Pid::from_raw(id).expect("no child is process zero");
        kill_process(id, signal).expect("it can be signalled");
    }

    /// Kills it at once, and returns when it is dead; what it wrote before can still be read.
    ///
    /// # Panics
    ///
    /// If it cannot be killed.
    pub fn kill(&mut self) {
        self.process.kill().expect("it can be killed");
        self.process.wait().expect("it can be waited for");
    }

    /// Closes its input, waits for its end, and says whether it went well.
    ///
    /// # Panics
    ///
    /// If it cannot be waited for.
    #[must_use]
    pub fn end(mut self) -> bool {
        self.input = None;
        let status = self.process.wait();
        status.expect("it can be waited for").success()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
