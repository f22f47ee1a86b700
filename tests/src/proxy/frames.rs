//! Where one Redis command ends and the next one begins.

use bytes::{Bytes, BytesMut};

/// Bytes of which commands are made, as they come.
#[derive(Debug, Default)]
pub(super) struct Frames(BytesMut);

impl Frames {
    /// Adds what came.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// The next command, once all of it is there. What is no command, TLS for one, is taken as it came.
    pub(super) fn next(&mut self) -> Option<Bytes> {
        let length = length(&self.0)?;
        Some(self.0.split_to(length).freeze())
    }

    /// What is left of one that will never be whole.
    pub(super) fn rest(self) -> Bytes {
        self.0.freeze()
    }
}

/// Why there is no command.
enum Not {
    /// More has to come.
    Yet,
    /// It is something else.
    One,
}

/// How long the first command is, or what is none, if it is whole.
fn length(bytes: &[u8]) -> Option<usize> {
    match command(bytes) {
        Ok(end) if end <= bytes.len() => Some(end),
        Ok(_) | Err(Not::Yet) => None,
        Err(Not::One) => Some(bytes.len()),
    }
}

/// Where the command ends that begins here: an array of texts, each with its length before it.
fn command(bytes: &[u8]) -> Result<usize, Not> {
    let (words, mut end) = number(bytes, 0, b'*')?;
    for _ in 0..words {
        let (length, begin) = number(bytes, end, b'$')?;
        end = begin + length + 2;
    }
    Ok(end)
}

/// The number on the line of this kind that begins here, and where that line ends.
fn number(bytes: &[u8], begin: usize, kind: u8) -> Result<(usize, usize), Not> {
    let line = bytes.get(begin..).ok_or(Not::Yet)?;
    if *line.first().ok_or(Not::Yet)? != kind {
        return Err(Not::One);
    }
    let length = line.windows(2).position(|two| two == b"\r\n").ok_or(Not::Yet)?;
    let number = str::from_utf8(&line[1..length]).ok().and_then(|number| number.parse().ok());
    Ok((number.ok_or(Not::One)?, begin + length + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_found_however_they_are_cut() {
        let commands =
            ["*1\r\n$4\r\nPING\r\n", "*2\r\n$3\r\nGET\r\n$4\r\n*1\r\n\r\n", "*1\r\n$0\r\n\r\n"];
        let bytes = commands.concat().into_bytes();
        for size in 1..=bytes.len() {
            let mut frames = Frames::default();
            let mut found = Vec::new();
            for chunk in bytes.chunks(size) {
                frames.push(chunk);
                found.extend(std::iter::from_fn(|| frames.next()));
            }
            assert_eq!(found, commands, "in pieces of {size}");
        }
    }

    #[test]
    fn what_is_no_command_is_taken_as_it_came() {
        for bytes in ["\x16\x03\x01", "PING\r\n", "*x\r\n", "*1\r\n:1\r\n", "*-1\r\n$"] {
            let mut frames = Frames::default();
            frames.push(bytes.as_bytes());
            assert_eq!(frames.next().unwrap(), bytes);
        }
    }
}
