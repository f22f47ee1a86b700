//! What is seen: aligned rows, in colour and with a progress bar where a person looks on.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::SLOW;

/// The standard output. Colours and the bar are for terminals, and colours only without `NO_COLOR`.
#[derive(Clone, Copy)]
pub(crate) struct Screen {
    terminal: bool,
    colour: bool,
}

/// What a word in a row means.
#[derive(Clone, Copy)]
pub(crate) enum Tone {
    Work,
    Wait,
    Good,
    Bad,
}

impl Tone {
    /// The parameters of its terminal sequence.
    const fn code(self) -> &'static str {
        match self {
            Self::Work => "33",
            Self::Wait => "36",
            Self::Good => "32",
            Self::Bad => "31",
        }
    }
}

impl Screen {
    pub(crate) fn new() -> Self {
        let terminal = io::stdout().is_terminal();
        let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { terminal, colour: terminal && !unwanted }
    }

    pub(crate) fn heading(self, text: &str) {
        println!("{}", self.paint("1", text));
    }

    pub(crate) fn act(self, number: usize, text: &str) {
        println!("\n{} {text}", self.paint("1", &format!("{number}.")));
    }

    pub(crate) fn row(self, process: usize, tone: Tone, what: &str, details: &str) {
        let what = self.paint(tone.code(), &format!("{what:<10}"));
        println!("   process {process}   {what}   {details}");
    }

    pub(crate) fn kept(self, promise: &str) {
        println!("   {} {promise}", self.paint(Tone::Good.code(), "✓"));
    }

    pub(crate) fn broken(self, what: &str) {
        println!("   {} promise broken: {what}", self.paint(Tone::Bad.code(), "✗"));
    }

    /// A bar for one run of the function; it does not show before it is started.
    pub(crate) fn bar(self) -> Bar {
        Bar { screen: self, started: None }
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// How far a run of the function has come. Dropping it clears it away.
pub(crate) struct Bar {
    screen: Screen,
    started: Option<Instant>,
}

impl Bar {
    /// Starts it, unless it runs.
    pub(crate) fn start(&mut self) {
        self.started.get_or_insert_with(Instant::now);
    }

    pub(crate) fn draw(&self) {
        const WIDTH: usize = 32;
        let Some(started) = self.started.filter(|_| self.screen.terminal) else {
            return;
        };
        let elapsed = started.elapsed();
        let step = SLOW.as_millis() / WIDTH as u128;
        let full =
            usize::try_from(elapsed.as_millis() / step).map_or(WIDTH, |full| full.min(WIDTH));
        let (full, empty) = ("█".repeat(full), "░".repeat(WIDTH - full));
        let seconds = elapsed.as_secs_f64();
        print!("\r   {}{empty} {seconds:.1} s", self.screen.paint(Tone::Work.code(), &full));
        flush();
    }

    /// Takes it off the screen; it can be started again.
    pub(crate) fn clear(&mut self) {
        if self.started.take().is_some() && self.screen.terminal {
            print!("\r\x1b[2K");
            flush();
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.clear();
    }
}

fn flush() {
    // A bar that does not show is no reason to stop.
    let _ = io::stdout().flush();
}

/// A duration as people say it: three digits and a unit.
pub(crate) fn human(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    match duration.as_micros() {
        0..1_000 => format!("{:.0} µs", seconds * 1e6),
        1_000..999_500 => format!("{:.0} ms", seconds * 1e3),
        _ => format!("{seconds:.2} s"),
    }
}
