//! The marker file: says that a folder is a store of this crate, and how it was left.
//!
//! Lines of `name value`, padded to a fixed size so that each writing is one `pwrite` in place: the
//! lock that is held on the file stays, and a process killed at any moment leaves the old text or
//! the new. Only the machine's own crash can tear it, and then it is as good as an unclean mark.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

/// What the file is called.
pub(super) const FILE_NAME: &str = "keyedcache.meta";

/// The version of all that `layout.rs`, `tail.rs`, `turn.rs` and this file say.
pub(super) const FORMAT: u32 = 4;

const TITLE: &str = "keyedcache disk store";
const LEN: usize = 512;

/// How the folder was left by the last who had it open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// Somebody has it open, or was killed: whole, as long as the machine has not stopped.
    Open,
    /// Closed, with everything on the disk.
    Clean,
    /// Damage has been found.
    Damaged,
}

/// The text of the file, understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Marker {
    /// Which start of the machine wrote it.
    pub(super) boot: String,
    /// The PID namespace of those who have it open.
    pub(super) pid_namespace: String,
    /// How many bytes it is to keep at most.
    pub(super) size_limit: u64,
    /// How many bytes its map has, the same for all that have it open.
    pub(super) map_size: u64,
    pub(super) state: State,
}

/// What stands in a marker file.
#[derive(Debug)]
pub(super) enum Found {
    Marker(Marker),
    /// New, or torn by the crash of the machine.
    Nothing,
    /// Written by a version whose format this one does not know.
    Format(String),
    /// Not this crate's.
    Foreign,
}

impl Marker {
    pub(super) fn read(file: &File) -> io::Result<Found> {
        let mut bytes = [0; LEN];
        let mut length = 0;
        while length < LEN {
            match file.read_at(&mut bytes[length..], length as u64)? {
                0 => break,
                more => length += more,
            }
        }
        if bytes.iter().all(|byte| *byte == 0) {
            return Ok(Found::Nothing);
        }
        Ok(match std::str::from_utf8(&bytes[..length]) {
            Ok(text) => Self::parse(text),
            Err(_) => Found::Foreign,
        })
    }

    fn parse(text: &str) -> Found {
        let Some(body) = text.strip_prefix(TITLE) else {
            return Found::Foreign;
        };
        let value = |name: &str| {
            let mut lines = body.lines().filter_map(|line| line.split_once(' '));
            lines.find_map(|(found, value)| (found == name).then(|| value.trim().to_owned()))
        };
        match value("format") {
            Some(format) if format != FORMAT.to_string() => return Found::Format(format),
            _ => {}
        }
        let state = match value("state").as_deref() {
            Some("open") => State::Open,
            Some("clean") => State::Clean,
            _ => State::Damaged,
        };
        let number = |name| value(name).and_then(|value| value.parse().ok()).unwrap_or(0);
        Found::Marker(Self {
            boot: value("boot").unwrap_or_default(),
            pid_namespace: value("pid-namespace").unwrap_or_default(),
            size_limit: number("size-limit"),
            map_size: number("map-size"),
            state,
        })
    }

    /// Writes it, and has it on the disk when it returns: what says that the folder is open must
    /// not come after what is then written into it.
    pub(super) fn write(&self, file: &File) -> io::Result<()> {
        let state = match self.state {
            State::Open => "open",
            State::Clean => "clean",
            State::Damaged => "damaged",
        };
        let mut text = format!(
            "{TITLE}\nformat {FORMAT}\nboot {}\npid-namespace {}\nsize-limit {}\nmap-size {}\n\
             state {state}\n",
            self.boot, self.pid_namespace, self.size_limit, self.map_size
        );
        while text.len() < LEN {
            text.push('\n');
        }
        file.write_all_at(text.as_bytes(), 0)?;
        file.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reread(bytes: &[u8]) -> Found {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(bytes, 0).unwrap();
        Marker::read(&file).unwrap()
    }

    #[test]
    fn a_marker_reads_back_as_written() {
        let marker = Marker {
            boot: "b".into(),
            pid_namespace: "pid:[4026531836]".into(),
            size_limit: 7,
            map_size: 9,
            state: State::Clean,
        };
        let file = tempfile::tempfile().unwrap();
        marker.write(&file).unwrap();
        assert!(matches!(Marker::read(&file).unwrap(), Found::Marker(found) if found == marker));
    }

    #[test]
    fn what_is_not_a_marker_of_this_format_is_told_apart() {
        assert!(matches!(reread(b""), Found::Nothing));
        assert!(matches!(reread(&[0; LEN]), Found::Nothing));
        assert!(matches!(reread(b"shopping list"), Found::Foreign));
        assert!(matches!(reread(&[0xff; 9]), Found::Foreign));
        let newer = b"keyedcache disk store\nformat 12\n";
        assert!(matches!(reread(newer), Found::Format(format) if format == "12"));
    }
}
