//! The little of the protocol that reading names needs, in its second version: commands, and replies
//! that are taken out of what has been received without being copied.

use std::io;
use std::ops::Range;

use bytes::{Bytes, BytesMut};

/// What a server replies.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// To `MGET`.
    Texts(Vec<Option<Bytes>>),
    Text(Option<Bytes>),
    /// A word or a number, of no interest.
    Done,
    /// An error, in the server's words.
    Refused(Bytes),
}

/// What one reply, or one element of it, is, and where.
enum Part {
    Array(usize),
    Text(Option<Range<usize>>),
    Done,
    Refused(Range<usize>),
}

/// Appends a command of so many words.
pub(super) fn command<'a>(out: &mut Vec<u8>, count: usize, words: impl Iterator<Item = &'a str>) {
    header(out, b'*', count);
    for word in words {
        header(out, b'$', word.len());
        out.extend_from_slice(word.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

fn header(out: &mut Vec<u8>, kind: u8, mut number: usize) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.push(kind);
    out.extend_from_slice(&digits[at..]);
    out.extend_from_slice(b"\r\n");
}

/// Takes the first reply out of what has been received, if it is there as a whole.
///
/// # Errors
///
/// If it makes no sense: nothing that follows does either.
pub(super) fn take(received: &mut BytesMut) -> io::Result<Option<Reply>> {
    let Some((first, mut end)) = part(received, 0)? else { return Ok(None) };
    let Part::Array(count) = first else {
        let reply = received.split_to(end).freeze();
        return Ok(Some(match first {
            Part::Text(text) => Reply::Text(text.map(|text| reply.slice(text))),
            Part::Refused(words) => Reply::Refused(reply.slice(words)),
            Part::Done | Part::Array(_) => Reply::Done,
        }));
    };
    let mut places = Vec::new();
    for _ in 0..count {
        let Some((part, next)) = part(received, end)? else { return Ok(None) };
        let Part::Text(place) = part else { return Err(io::ErrorKind::InvalidData.into()) };
        places.push(place);
        end = next;
    }
    let reply = received.split_to(end).freeze();
    let texts = places.into_iter().map(|place| place.map(|place| reply.slice(place)));
    Ok(Some(Reply::Texts(texts.collect())))
}

/// What begins here, and where it ends; of an array, where its first element begins.
fn part(bytes: &[u8], start: usize) -> io::Result<Option<(Part, usize)>> {
    /// No line that is of interest is longer.
    const LINE: usize = 4096;
    let Some((kind, rest)) = bytes.get(start..).and_then(<[u8]>::split_first) else {
        return Ok(None);
    };
    let Some(length) = rest.iter().take(LINE).position(|byte| *byte == b'\r') else {
        return if rest.len() < LINE { Ok(None) } else { Err(io::ErrorKind::InvalidData.into()) };
    };
    let line = start + 1..start + 1 + length;
    let end = line.end + 2;
    if end > bytes.len() {
        return Ok(None);
    }
    let number = || {
        let digits = std::str::from_utf8(&bytes[line.clone()]).ok();
        digits.and_then(|digits| digits.parse::<i64>().ok()).ok_or(io::ErrorKind::InvalidData)
    };
    Ok(Some(match kind {
        b'$' => match usize::try_from(number()?) {
            Ok(length) => {
                let text = end..end.checked_add(length).ok_or(io::ErrorKind::InvalidData)?;
                let end = text.end.saturating_add(2);
                if end > bytes.len() {
                    return Ok(None);
                }
                (Part::Text(Some(text)), end)
            }
            Err(_) => (Part::Text(None), end),
        },
        b'*' => (Part::Array(usize::try_from(number()?).unwrap_or_default()), end),
        b'+' | b':' => (Part::Done, end),
        b'-' => (Part::Refused(line), end),
        _ => return Err(io::ErrorKind::InvalidData.into()),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(bytes: &[u8]) -> io::Result<Option<Reply>> {
        take(&mut BytesMut::from(bytes))
    }

    fn text(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    #[test]
    fn command_is_written_word_by_word() {
        let mut out = Vec::new();
        command(&mut out, 3, ["MGET", "", "0123456789"].into_iter());
        assert_eq!(out, b"*3\r\n$4\r\nMGET\r\n$0\r\n\r\n$10\r\n0123456789\r\n");
    }

    #[test]
    fn replies_are_taken_one_after_another() {
        let mut received = BytesMut::from(
            &b"*3\r\n$1\r\nx\r\n$-1\r\n$0\r\n\r\n+OK\r\n$2\r\n\r\n\r\n:7\r\n-NOPERM no\r\n*0\r\n$9"
                [..],
        );
        let mut next = || take(&mut received).unwrap();
        assert_eq!(next(), Some(Reply::Texts(vec![Some(text("x")), None, Some(text(""))])));
        assert_eq!(next(), Some(Reply::Done));
        assert_eq!(next(), Some(Reply::Text(Some(text("\r\n")))));
        assert_eq!(next(), Some(Reply::Done));
        assert_eq!(next(), Some(Reply::Refused(Bytes::from_static(b"NOPERM no"))));
        assert_eq!(next(), Some(Reply::Texts(Vec::new())));
        assert_eq!(next(), None);
        assert_eq!(received, "$9");
    }

    #[test]
    fn what_has_come_in_part_is_left_until_it_is_there() {
        let whole = b"*2\r\n$1\r\nx\r\n$3\r\nabc\r\n";
        for length in 0..whole.len() {
            let mut received = BytesMut::from(&whole[..length]);
            assert_eq!(take(&mut received).unwrap(), None, "{length} bytes");
            received.extend_from_slice(&whole[length..]);
            let texts = Reply::Texts(vec![Some(text("x")), Some(text("abc"))]);
            assert_eq!(take(&mut received).unwrap(), Some(texts));
        }
    }

    #[test]
    fn nonsense_is_an_error() {
        for bytes in [&b"x"[..], b"$x\r\n", b"*1\r\n:1\r\n", b"*1\r\n*0\r\n", b"%1\r\n", b"\r\n"] {
            let more = [bytes, b"\r\n\r\n"].concat();
            assert!(taken(&more).is_err(), "{}", bytes.escape_ascii());
        }
        assert!(taken(&[b'+'; 5000]).is_err(), "a line without an end");
    }
}
