//! As much of the Redis protocol as a test needs to command a server.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::watchdog::PATIENCE;

/// What a server replied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// There is no such thing.
    Nothing,
    /// A status, or a value.
    Text(Vec<u8>),
    /// A number.
    Number(i64),
    /// Several.
    List(Vec<Reply>),
    /// A refusal: `WRONGTYPE Operation against …`.
    Error(String),
}

impl Reply {
    /// A text, as one; a number as its digits.
    ///
    /// # Panics
    ///
    /// If it is neither.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) => String::from_utf8_lossy(text).into_owned(),
            Self::Number(number) => number.to_string(),
            other => panic!("not a text: {other:?}"),
        }
    }

    /// A number, or a text that is one.
    ///
    /// # Panics
    ///
    /// If it is neither.
    #[must_use]
    pub fn number(&self) -> i64 {
        self.text().parse().unwrap_or_else(|_| panic!("not a number: {self:?}"))
    }

    /// A list.
    ///
    /// # Panics
    ///
    /// If it is none.
    #[must_use]
    pub fn list(&self) -> &[Self] {
        match self {
            Self::List(list) => list,
            other => panic!("not a list: {other:?}"),
        }
    }
}

/// A connection to a server.
pub(super) struct Connection(BufReader<UnixStream>);

impl Connection {
    /// One through this socket.
    pub(super) fn open(socket: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Sends a command, and waits for the reply to it.
    pub(super) fn command(&mut self, words: &[&[u8]]) -> io::Result<Reply> {
        self.send(words)?;
        read(&mut self.0)
    }

    /// Sends a command.
    pub(super) fn send(&mut self, words: &[&[u8]]) -> io::Result<()> {
        let mut request = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            write!(request, "${}\r\n", word.len())?;
            request.extend_from_slice(word);
            request.extend_from_slice(b"\r\n");
        }
        self.0.get_mut().write_all(&request)
    }
}

fn read(input: &mut impl BufRead) -> io::Result<Reply> {
    let mut line = String::new();
    input.read_line(&mut line)?;
    let Some(line) = line.strip_suffix("\r\n") else {
        return Err(io::ErrorKind::UnexpectedEof.into());
    };
    let strange = || io::Error::other(format!("not a reply: {line:?}"));
    let (kind, rest) = line.split_at_checked(1).ok_or_else(strange)?;
    let number = || rest.parse::<i64>().map_err(|_| strange());
    Ok(match kind {
        "+" => Reply::Text(rest.into()),
        "-" => Reply::Error(rest.into()),
        ":" => Reply::Number(number()?),
        "$" => match usize::try_from(number()?) {
            Ok(length) => {
                let mut text = vec![0; length + 2];
                input.read_exact(&mut text)?;
                text.truncate(length);
                Reply::Text(text)
            }
            Err(_) => Reply::Nothing,
        },
        "*" => match number()? {
            length @ 0.. => {
                Reply::List((0..length).map(|_| read(input)).collect::<Result<_, _>>()?)
            }
            _ => Reply::Nothing,
        },
        _ => return Err(strange()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_reply_is_read() {
        let replies = b"*6\r\n+OK\r\n-ERR no\r\n:-3\r\n$4\r\na\r\nb\r\n$-1\r\n*1\r\n:7\r\n";
        let reply = read(&mut &replies[..]).unwrap();
        let text = |text: &str| Reply::Text(text.into());
        assert_eq!(reply.list()[..2], [text("OK"), Reply::Error("ERR no".into())]);
        assert_eq!(reply.list()[2..4], [Reply::Number(-3), text("a\r\nb")]);
        assert_eq!(reply.list()[4..], [Reply::Nothing, Reply::List(vec![Reply::Number(7)])]);
    }

    #[test]
    fn reply_that_was_cut_off_is_an_error() {
        for reply in ["", "+OK", "$4\r\nab", "*2\r\n:1\r\n"] {
            read(&mut reply.as_bytes()).unwrap_err();
        }
    }
}
