//! The processes, as the one that directs them sees them.

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use crate::show::Bar;
use crate::talk::{Report, Request};

/// The argument that makes this program one of the processes.
pub(crate) const CHILD: &str = "process";

/// The processes, numbered from 1, and what they say. Dropping it ends them.
pub(crate) struct Team {
    processes: Vec<Child>,
    reports: Receiver<Heard>,
}

/// A report, and who said it.
pub(crate) struct Heard {
    pub(crate) process: usize,
    pub(crate) report: Report,
}

impl Team {
    /// Starts so many processes that share the disk store in `folder`.
    pub(crate) fn start(count: usize, folder: &Path) -> io::Result<Self> {
        let (sender, reports) = mpsc::channel();
        let mut team = Self { processes: Vec::new(), reports };
        for number in 1..=count {
            let mut process = Command::new(env::current_exe()?)
                .arg(CHILD)
                .env("KEYEDCACHE_URL", format!("disk:{}", folder.display()))
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()?;
            let output = process.stdout.take().expect("its output is piped");
            team.processes.push(process);
            let sender = sender.clone();
            thread::spawn(move || pass_on(number, BufReader::new(output), &sender));
        }
        Ok(team)
    }

    /// The numbers of the processes.
    pub(crate) fn numbers(&self) -> RangeInclusive<usize> {
        1..=self.processes.len()
    }

    /// Tells a process what to do.
    pub(crate) fn tell(&mut self, process: usize, request: &Request) -> io::Result<()> {
        let input = self.processes[process - 1].stdin.as_mut().expect("its input is piped");
        writeln!(input, "{request}")?;
        input.flush()
    }

    /// Kills a process as the kernel does, without a last word.
    pub(crate) fn kill(&mut self, process: usize) -> io::Result<()> {
        self.processes[process - 1].kill()
    }

    /// Hears reports until one is `enough`; says whether one was, before `patience` was over.
    ///
    /// The bar runs from the first run of the function that is heard of.
    pub(crate) fn hear(
        &self,
        bar: &mut Bar,
        patience: Duration,
        mut enough: impl FnMut(Heard) -> bool,
    ) -> bool {
        /// How often the bar moves.
        const TICK: Duration = Duration::from_millis(40);

        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.reports.recv_timeout(TICK.min(left)) {
                Ok(heard) => {
                    if matches!(heard.report, Report::Computing { .. }) {
                        bar.start();
                    }
                    if enough(heard) {
                        return true;
                    }
                }
                Err(_) if left.is_zero() => return false,
                Err(_) => bar.draw(),
            }
        }
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        for process in &mut self.processes {
            // It may have ended by itself; then there is nothing to kill, only to collect.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn pass_on(process: usize, output: impl BufRead, reports: &Sender<Heard>) {
    for report in output.lines().map_while(Result::ok).filter_map(|line| line.parse().ok()) {
        if reports.send(Heard { process, report }).is_err() {
            return;
        }
    }
}
