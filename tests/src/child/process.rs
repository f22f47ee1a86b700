//! A child process as the operating system has it: its input, its signals, its end.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use super::{MARK, parent};
use crate::watchdog::wait_until;

/// A process that is killed and collected, stopped or not, when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    /// Gone once it has been told to end.
    input: Option<ChildStdin>,
}

impl Process {
    /// Starts it, with an ear that is given each word, and `None` at the end of its output.
    ///
    /// A cache has it only from `environment`.
    pub(crate) fn start<'a>(
        mut command: Command,
        environment: impl IntoIterator<Item = (&'a str, &'a str)>,
        ear: impl FnMut(Option<String>) + Send + 'static,
    ) -> Self {
        command
            .env_remove("KEYEDCACHE_URL")
            .env_remove("KEYEDCACHE_CONFIG")
            .envs(environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let program = format!("{command:?}");
        let spawned = parent::spawn(command);
        let mut child = spawned.unwrap_or_else(|error| panic!("{program} fails: {error}"));
        let input = child.stdin.take();
        let output = child.stdout.take().expect("it is piped");
        thread::spawn(move || listen(output, ear));
        Self { child, input }
    }

    /// Starts a program that knows nothing of tests, and dies with this one all the same.
    pub(crate) fn foreign(program: &str, arguments: &[&OsStr]) -> Self {
        let mut command = if cfg!(target_os = "linux") {
            let mut command = Command::new("setpriv"); // of util-linux, which every Linux has
            command.args(["--pdeathsig", "KILL", "--", program]);
            command
        } else {
            Command::new(program)
        };
        command.args(arguments);
        Self::start(command, [], |_| ())
    }

    /// Says a word to it.
    pub(crate) fn say(&mut self, word: &str) {
        let input = self.input.as_mut().expect("it has not been told to end");
        writeln!(input, "{word}").and_then(|()| input.flush()).expect("it is there to be told");
    }

    /// Stops it where it is, and returns when it has stopped.
    pub(crate) fn stop(&mut self) {
        self.signal(Signal::STOP);
        // Its end is left to be waited for by `child`.
        let stopped = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let status = waitid(WaitId::Pid(self.id()), stopped).expect("it is our child");
        assert!(status.is_some_and(|status| status.stopped()), "it ended before it could stop");
    }

    /// Lets it go on.
    pub(crate) fn go_on(&mut self) {
        self.signal(Signal::CONT);
    }

    /// Kills it as the kernel does, without a last word, and returns when it is dead.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it is our child");
    }

    /// Whether it has ended, by itself or killed.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_some()
    }

    /// Closes its input, and waits for its end.
    pub(crate) fn end(mut self) -> ExitStatus {
        self.input = None;
        let mut ended = None;
        wait_until("the end of a process", || {
            ended = self.child.try_wait().expect("it is our child");
            ended.is_some()
        });
        ended.expect("it was waited for")
    }

    fn signal(&mut self, signal: Signal) {
        // The id of a process that has been collected may be another's.
        let ended = self.child.try_wait().expect("it is our child");
        assert!(ended.is_none(), "it has ended: {ended:?}");
        kill_process(self.id(), signal).expect("it is our child");
    }

    fn id(&self) -> Pid {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        id.expect("a child has a process id")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to kill, only to collect.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listen(output: impl Read, mut ear: impl FnMut(Option<String>)) {
    let mut output = BufReader::new(output);
    let mut line = String::new();
    while output.read_line(&mut line).is_ok_and(|read| read > 0) {
        // A line that its death cut off was not said.
        let word = line.strip_prefix(MARK).and_then(|line| line.strip_suffix('\n'));
        if let Some(word) = word {
            ear(Some(word.to_owned()));
        }
        line.clear();
    }
    ear(None);
}
