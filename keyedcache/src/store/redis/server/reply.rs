//! The little of the protocol that reading names needs, in its second and third version: commands, and
//! replies that are taken out of what has been received without being copied.

use std::io;
use std::ops::Range;

use bytes::{Bytes, BytesMut};

/// How deep what is of no interest may be nested.
const DEEPEST: usize = 8;

/// What a server replies, or pushes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// To `MGET`.
    Texts(Vec<Option<Bytes>>),
    Text(Option<Bytes>),
    /// A word, a number or a map, of no interest.
    Done,
    /// An error, in the server's words.
    Refused(Bytes),
    /// No reply: what has changed, as client tracking tells it. Other pushes tell of no names.
    Changed(Changed),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Changed {
    Names(Vec<Bytes>),
    Everything,
}

/// Why nothing is taken.
enum Not {
    /// More has to come.
    Whole,
    /// Nothing that follows makes any.
    Sense,
}

/// Where a text is, if there is one.
type Place = Option<Range<usize>>;

/// Where the names are of what has changed; `None`: everything has.
type Names = Option<Vec<Range<usize>>>;

/// What one reply, or one element of it, is, and where.
enum Part {
    Array(usize),
    Push(usize),
    /// What has so many elements and is of no interest.
    Other(usize),
    Text(Place),
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

/// Takes the first reply, or push, out of what has been received, if it is there as a whole.
///
/// # Errors
///
/// If it makes no sense: nothing that follows does either.
pub(super) fn take(received: &mut BytesMut) -> io::Result<Option<Reply>> {
    match take_first(received) {
        Ok(reply) => Ok(Some(reply)),
        Err(Not::Whole) => Ok(None),
        Err(Not::Sense) => Err(io::ErrorKind::InvalidData.into()),
    }
}

fn take_first(received: &mut BytesMut) -> Result<Reply, Not> {
    let (first, start) = part(received, 0)?;
    Ok(match first {
        Part::Array(count) => {
            let (places, end) = texts(received, start, count)?;
            let reply = received.split_to(end).freeze();
            let text = |place: Option<Range<usize>>| place.map(|place| reply.slice(place));
            Reply::Texts(places.into_iter().map(text).collect())
        }
        Part::Push(count) => {
            let (places, end) = pushed(received, start, count)?;
            let push = received.split_to(end).freeze();
            Reply::Changed(match places {
                Some(places) => {
                    Changed::Names(places.into_iter().map(|place| push.slice(place)).collect())
                }
                None => Changed::Everything,
            })
        }
        Part::Other(count) => {
            let end = skip(received, start, count, 0)?;
            drop(received.split_to(end));
            Reply::Done
        }
        Part::Text(text) => {
            let reply = received.split_to(start).freeze();
            Reply::Text(text.map(|text| reply.slice(text)))
        }
        Part::Refused(words) => Reply::Refused(received.split_to(start).freeze().slice(words)),
        Part::Done => {
            drop(received.split_to(start));
            Reply::Done
        }
    })
}

/// Where so many texts are that begin here, and where they end.
fn texts(bytes: &[u8], start: usize, count: usize) -> Result<(Vec<Place>, usize), Not> {
    // No more than are there: each takes three bytes at least.
    let (mut places, mut end) = (Vec::with_capacity(count.min(bytes.len() / 3)), start);
    for _ in 0..count {
        let (Part::Text(place), next) = part(bytes, end)? else { return Err(Not::Sense) };
        places.push(place);
        end = next;
    }
    Ok((places, end))
}

/// What this push of so many elements says to have changed, which is nothing if it is about something
/// else, and where it ends.
fn pushed(bytes: &[u8], start: usize, count: usize) -> Result<(Names, usize), Not> {
    let (Part::Text(Some(kind)), next) = part(bytes, start)? else { return Err(Not::Sense) };
    if bytes[kind] != *b"invalidate" {
        return Ok((Some(Vec::new()), skip(bytes, start, count, 0)?));
    }
    match (count, part(bytes, next)?) {
        (2, (Part::Text(None), end)) => Ok((None, end)),
        (2, (Part::Array(count), next)) => {
            let (names, end) = texts(bytes, next, count)?;
            let names: Option<Vec<_>> = names.into_iter().collect();
            Ok((Some(names.ok_or(Not::Sense)?), end))
        }
        _ => Err(Not::Sense),
    }
}

/// Where these elements end, whatever they are.
fn skip(bytes: &[u8], start: usize, count: usize, depth: usize) -> Result<usize, Not> {
    if depth > DEEPEST {
        return Err(Not::Sense);
    }
    let mut end = start;
    for _ in 0..count {
        let (element, next) = part(bytes, end)?;
        end = match element {
            Part::Array(count) | Part::Other(count) => skip(bytes, next, count, depth + 1)?,
            Part::Text(_) | Part::Refused(_) | Part::Done => next,
            Part::Push(_) => return Err(Not::Sense),
        };
    }
    Ok(end)
}

/// What begins here, and where it ends; of what has elements, where the first begins.
fn part(bytes: &[u8], start: usize) -> Result<(Part, usize), Not> {
    /// No line that is of interest is longer.
    const LINE: usize = 4096;
    /// What a verbatim text begins with: `txt:`.
    const FORMAT: usize = 4;
    let (kind, rest) = bytes.get(start..).and_then(<[u8]>::split_first).ok_or(Not::Whole)?;
    let length = rest.iter().take(LINE).position(|byte| *byte == b'\r');
    let whole = if rest.len() < LINE { Not::Whole } else { Not::Sense };
    let line = start + 1..start + 1 + length.ok_or(whole)?;
    let end = line.end + 2;
    if end > bytes.len() {
        return Err(Not::Whole);
    }
    // A negative one is that of nothing.
    let count = || {
        let digits = std::str::from_utf8(&bytes[line.clone()]).map_err(|_| Not::Sense)?;
        let number = digits.parse::<i64>().map_err(|_| Not::Sense)?;
        Ok(usize::try_from(number).ok())
    };
    let text = || {
        let Some(length) = count()? else { return Ok((None, end)) };
        let text = end..end.checked_add(length).ok_or(Not::Sense)?;
        let end = text.end.saturating_add(2);
        if end > bytes.len() { Err(Not::Whole) } else { Ok((Some(text), end)) }
    };
    Ok(match kind {
        b'$' => {
            let (text, end) = text()?;
            (Part::Text(text), end)
        }
        b'=' => {
            let (Some(text), end) = text()? else { return Err(Not::Sense) };
            if text.len() < FORMAT {
                return Err(Not::Sense);
            }
            (Part::Text(Some(text.start + FORMAT..text.end)), end)
        }
        b'!' => {
            let (Some(words), end) = text()? else { return Err(Not::Sense) };
            (Part::Refused(words), end)
        }
        b'*' => (count()?.map_or(Part::Text(None), Part::Array), end),
        b'>' => (Part::Push(count()?.ok_or(Not::Sense)?), end),
        b'~' => (Part::Other(count()?.ok_or(Not::Sense)?), end),
        b'%' => {
            let pairs = count()?.and_then(|pairs| pairs.checked_mul(2));
            (Part::Other(pairs.ok_or(Not::Sense)?), end)
        }
        b'_' => (Part::Text(None), end),
        b'+' | b':' | b'#' | b',' | b'(' => (Part::Done, end),
        b'-' => (Part::Refused(line), end),
        _ => return Err(Not::Sense),
    })
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
        assert_eq!(next(), Some(Reply::Refused(text("NOPERM no"))));
        assert_eq!(next(), Some(Reply::Texts(Vec::new())));
        assert_eq!(next(), None);
        assert_eq!(received, "$9");
    }

    #[test]
    fn replies_of_the_third_version_are_taken_too() {
        let mut received = BytesMut::from(
            &b"*2\r\n_\r\n$1\r\nx\r\n=8\r\ntxt:some\r\n!5\r\nERR x\r\n_\r\n\
               %2\r\n$1\r\na\r\n*2\r\n%1\r\n+b\r\n#t\r\n~1\r\n,1.5\r\n$1\r\nb\r\n(12\r\n+OK\r\n"[..],
        );
        let mut next = || take(&mut received).unwrap();
        assert_eq!(next(), Some(Reply::Texts(vec![None, Some(text("x"))])));
        assert_eq!(next(), Some(Reply::Text(Some(text("some")))));
        assert_eq!(next(), Some(Reply::Refused(text("ERR x"))));
        assert_eq!(next(), Some(Reply::Text(None)));
        assert_eq!(next(), Some(Reply::Done), "a map, with all that is in it");
        assert_eq!(next(), Some(Reply::Done));
        assert_eq!(next(), None);
        assert_eq!(received, "");
    }

    #[test]
    fn pushes_are_told_from_replies() {
        let mut received = BytesMut::from(
            &b">2\r\n$10\r\ninvalidate\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n\
               >2\r\n$10\r\ninvalidate\r\n_\r\n>2\r\n$10\r\ninvalidate\r\n*-1\r\n\
               >3\r\n$7\r\nmessage\r\n$1\r\nc\r\n*1\r\n:1\r\n+OK\r\n"[..],
        );
        let mut next = || take(&mut received).unwrap();
        let names = |names| Some(Reply::Changed(Changed::Names(names)));
        assert_eq!(next(), names(vec![text("a"), text("b")]));
        assert_eq!(next(), Some(Reply::Changed(Changed::Everything)));
        assert_eq!(next(), Some(Reply::Changed(Changed::Everything)));
        assert_eq!(next(), names(Vec::new()), "of something else");
        assert_eq!(next(), Some(Reply::Done));
    }

    #[test]
    fn what_has_come_in_part_is_left_until_it_is_there() {
        let texts = || Reply::Texts(vec![Some(text("x")), Some(text("abc"))]);
        let wholes: [(&[u8], Reply); 4] = [
            (b"*2\r\n$1\r\nx\r\n$3\r\nabc\r\n", texts()),
            (
                b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\na\r\n",
                Reply::Changed(Changed::Names(vec![text("a")])),
            ),
            (b"%1\r\n$1\r\na\r\n*2\r\n_\r\n=5\r\ntxt:b\r\n", Reply::Done),
            (b"!3\r\nERR\r\n", Reply::Refused(text("ERR"))),
        ];
        for (whole, reply) in wholes {
            for length in 0..whole.len() {
                let mut received = BytesMut::from(&whole[..length]);
                assert_eq!(take(&mut received).unwrap(), None, "{length} bytes");
                assert_eq!(received, whole[..length]);
                received.extend_from_slice(&whole[length..]);
                assert_eq!(take(&mut received).unwrap().as_ref(), Some(&reply));
                assert_eq!(received, "");
            }
        }
    }

    #[test]
    fn nonsense_is_an_error() {
        for bytes in [
            &b"x"[..],
            b"$x\r\n",
            b"*1\r\n:1\r\n",
            b"*1\r\n*0\r\n",
            b"%1\r\n",
            b"%-1\r\n",
            b"%9223372036854775807\r\n",
            b"=-1\r\n",
            b"=3\r\ntxt\r\n",
            b">2\r\n_\r\n",
            b">2\r\n+invalidate\r\n",
            b">2\r\n$10\r\ninvalidate\r\n:1\r\n",
            b">2\r\n$10\r\ninvalidate\r\n*1\r\n_\r\n",
            b">3\r\n$10\r\ninvalidate\r\n_\r\n",
            b"\r\n",
        ] {
            let more = [bytes, b"\r\n\r\n"].concat();
            assert!(taken(&more).is_err(), "{}", bytes.escape_ascii());
        }
        assert!(taken(&[b'+'; 5000]).is_err(), "a line without an end");
        assert!(taken(&b"%1\r\n+a\r\n+b\r\n".repeat(100)).is_ok());
        assert!(taken(&b"~1\r\n".repeat(100_000)).is_err(), "what is nested without an end");
    }
}
