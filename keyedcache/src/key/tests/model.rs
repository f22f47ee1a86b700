//! A model of parts: values made of arbitrary bytes, what they canonically are, and a reader of
//! canonical text that gets that back. Text that can be read back is injective.

use std::hash::Hasher;

use crate::key::{KeyEncoder, KeyPart};

/// What a part is, when how it was passed does not count.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Canonical {
    Scalar(Vec<u8>),
    Tuple(Vec<Canonical>),
    Sequence(Vec<Canonical>),
    /// Sorted.
    Set(Vec<Canonical>),
    /// Sorted.
    Map(Vec<(Canonical, Canonical)>),
    Composite(Vec<u8>, Vec<(Option<Vec<u8>>, Canonical)>),
}

/// A part, by which encoder calls it writes itself.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Bytes(Vec<u8>),
    Integer(i64),
    Float(f64),
    Optional(Option<Box<Value>>),
    Tuple(Vec<Value>),
    Sequence(Vec<Value>),
    Set(Vec<Value>),
    Map(Vec<(Value, Value)>),
    Composite(String, Vec<(Option<String>, Value)>),
    /// Writes any number of parts where one is due.
    Loose(Vec<Value>),
}

impl KeyPart for Value {
    crate::key::part::text_identity!();

    fn encode(&self, out: &mut KeyEncoder<'_>) {
        match self {
            Self::Text(text) => text.encode(out),
            Self::Bytes(bytes) => out.lossless(bytes),
            Self::Integer(number) => number.encode(out),
            Self::Float(number) => number.encode(out),
            Self::Optional(value) => value.encode(out),
            Self::Tuple(items) => out.tuple(|fields| {
                for item in items {
                    fields.item(item);
                }
            }),
            Self::Sequence(items) => items.encode(out),
            Self::Set(items) => out.set(items),
            Self::Map(entries) => out.map(entries.iter().map(|(key, value)| (key, value))),
            Self::Composite(name, fields) => out.composite(name, |out| {
                for (name, field) in fields {
                    match name {
                        Some(name) => out.named(name, field),
                        None => out.item(field),
                    }
                }
            }),
            Self::Loose(items) => items.iter().for_each(|item| item.encode(out)),
        }
    }
}

impl Value {
    pub(super) fn canonical(&self) -> Canonical {
        let all = |items: &[Self]| items.iter().map(Self::canonical).collect::<Vec<_>>();
        match self {
            Self::Text(text) => Canonical::Scalar(text.clone().into_bytes()),
            Self::Bytes(bytes) => Canonical::Scalar(bytes.clone()),
            Self::Integer(number) => Canonical::Scalar(number.to_string().into_bytes()),
            Self::Float(number) => Canonical::Scalar(float_text(*number).into_bytes()),
            Self::Optional(None) => Canonical::Composite(b"None".to_vec(), vec![]),
            Self::Optional(Some(value)) => {
                Canonical::Composite(b"Some".to_vec(), vec![(None, value.canonical())])
            }
            Self::Tuple(items) => Canonical::Tuple(all(items)),
            Self::Sequence(items) => Canonical::Sequence(all(items)),
            Self::Set(items) => {
                let mut items = all(items);
                items.sort();
                Canonical::Set(items)
            }
            Self::Map(entries) => {
                let canonical = |(key, value): &(Self, Self)| (key.canonical(), value.canonical());
                let mut entries = entries.iter().map(canonical).collect::<Vec<_>>();
                entries.sort();
                Canonical::Map(entries)
            }
            Self::Composite(name, fields) => {
                let field = |(name, value): &(Option<String>, Self)| {
                    (name.clone().map(String::into_bytes), value.canonical())
                };
                let fields = fields.iter().map(field).collect();
                Canonical::Composite(name.clone().into_bytes(), fields)
            }
            Self::Loose(items) => {
                // Loose parts within loose parts write side by side.
                let mut flat = Vec::new();
                flatten(items, &mut flat);
                if flat.len() == 1 { flat.remove(0) } else { Canonical::Tuple(flat) }
            }
        }
    }
}

fn flatten(items: &[Value], flat: &mut Vec<Canonical>) {
    for item in items {
        match item {
            Value::Loose(items) => flatten(items, flat),
            other => flat.push(other.canonical()),
        }
    }
}

/// `Debug` of floats has our form in this compiler; the golden tests hold it for those to come.
fn float_text(number: f64) -> String {
    if number == 0.0 {
        return "0.0".into();
    }
    let text = format!("{number:?}");
    let plain = (1e-5..1e-4).contains(&number.abs());
    if plain { format!("{number}") } else { text }
}

/// Makes values of bytes: every byte is a choice, and when there are none left the choice is 0.
pub(super) struct Choices<'a>(pub(super) &'a [u8]);

impl Choices<'_> {
    pub(super) fn next(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        usize::from(self.next()) % limit
    }

    pub(super) fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(4)).map(|_| item(self)).collect()
    }

    /// Text of what escapes and punctuation are made of; sometimes long.
    pub(super) fn text(&mut self) -> String {
        const PIECES: [&str; 40] = [
            "", "a", "b", "1", "-", ".", ":", "::", "%", "%3A", "%%", "~", "(", ")", "<", ">", ",",
            "=", "()", "<>", "set", "map", "set<", "None", "Some", "None()", "Some(1)", "0", "A",
            "3", " ", "\n", "*", "\\", "é", "\u{85}", "\u{200b}", "1.0", "e", "\0",
        ];
        let mut text: String =
            (0..self.below(5)).map(|_| PIECES[self.below(PIECES.len())]).collect();
        match self.next() {
            250.. => text = format!("{text}{}", "x".repeat(190 + self.below(20))),
            246..250 => text = text.repeat(60),
            // Looks as if it had been cut.
            242..246 => text = format!("{text}~{}", blake3::hash(text.as_bytes()).to_hex()),
            _ => {}
        }
        text
    }

    pub(super) fn value(&mut self, depth: u8) -> Value {
        let kinds = if depth == 0 { 6 } else { 14 };
        let inner = depth.saturating_sub(1);
        match self.below(kinds) {
            0..=2 => Value::Text(self.text()),
            3 => Value::Integer(self.next().cast_signed().into()),
            4 => Value::Float(self.float()),
            5 => Value::Bytes(self.list(|choices| {
                *b"a:%~\xc3\xa9\xc2\x85\xff\0".get(choices.below(10)).expect("ten bytes")
            })),
            6 => Value::Optional(None),
            7 => Value::Optional(Some(Box::new(self.value(inner)))),
            8 => Value::Tuple(self.list(|choices| choices.value(inner))),
            9 => Value::Sequence(self.list(|choices| choices.value(inner))),
            10 => Value::Set(self.list(|choices| choices.value(inner))),
            11 => Value::Map(self.list(|choices| (choices.value(inner), choices.value(inner)))),
            12 => Value::Composite(
                self.text(),
                self.list(|choices| {
                    let name = (choices.below(2) == 1).then(|| choices.text());
                    (name, choices.value(inner))
                }),
            ),
            _ => Value::Loose(self.list(|choices| choices.value(inner))),
        }
    }

    pub(super) fn float(&mut self) -> f64 {
        const SPECIAL: [f64; 8] =
            [0.0, -0.0, 1.0, f64::NAN, f64::INFINITY, 0.1, 1e16, f64::MIN_POSITIVE];
        match self.below(3) {
            0 => SPECIAL[self.below(8)],
            1 => f64::from(self.next()) / 8.0,
            _ => f64::from_bits(u64::from_be_bytes([0; 8].map(|_: u8| self.next()))),
        }
    }
}

/// Reads an unbounded text back.
pub(super) fn read(text: &str) -> Option<Vec<Canonical>> {
    let mut reader = Reader(text.as_bytes());
    let mut parts = vec![reader.part()?];
    while !reader.0.is_empty() {
        reader.take(b"::")?;
        parts.push(reader.part()?);
    }
    Some(parts)
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take(&mut self, expected: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(())
    }

    fn part(&mut self) -> Option<Canonical> {
        if self.take(b"(").is_some() {
            return self.until(b")", Self::part).map(Canonical::Tuple);
        }
        if self.take(b"<").is_some() {
            return self.until(b">", Self::part).map(Canonical::Sequence);
        }
        if self.take(b"set<").is_some() {
            let mut items = self.until(b">", Self::part)?;
            items.sort();
            return Some(Canonical::Set(items));
        }
        if self.take(b"map<").is_some() {
            let mut entries = self.until(b">", |reader| {
                let key = reader.part()?;
                reader.take(b"=")?;
                Some((key, reader.part()?))
            })?;
            entries.sort();
            return Some(Canonical::Map(entries));
        }
        let scalar = self.scalar()?;
        if self.take(b"(").is_some() {
            let fields = self.until(b")", Self::field)?;
            return Some(Canonical::Composite(scalar, fields));
        }
        Some(Canonical::Scalar(scalar))
    }

    fn field(&mut self) -> Option<(Option<Vec<u8>>, Canonical)> {
        let part = self.part()?;
        if self.take(b"=").is_none() {
            return Some((None, part));
        }
        let Canonical::Scalar(name) = part else {
            return None;
        };
        Some((Some(name), self.part()?))
    }

    /// Items with commas between them, and the end.
    fn until<T>(
        &mut self,
        end: &[u8],
        mut item: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        let mut items = Vec::new();
        while self.take(end).is_none() {
            if !items.is_empty() {
                self.take(b",")?;
            }
            items.push(item(self)?);
        }
        Some(items)
    }

    /// Unescaped; `None` if there is nothing at all.
    fn scalar(&mut self) -> Option<Vec<u8>> {
        if self.take(b"~").is_some() {
            return Some(Vec::new());
        }
        let mut bytes = Vec::new();
        while let [first, rest @ ..] = self.0 {
            match first {
                b'%' => {
                    let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
                    bytes.push(u8::from_str_radix(digits, 16).ok()?);
                    self.0 = &rest[2..];
                }
                b'(' | b')' | b'<' | b'>' | b',' | b'=' | b':' | b'~' => break,
                plain => {
                    bytes.push(*plain);
                    self.0 = rest;
                }
            }
        }
        (!bytes.is_empty()).then_some(bytes)
    }
}

/// Records what is hashed, call by call: a hasher may tell the same bytes in other calls apart.
#[derive(Default, Debug, PartialEq, Eq)]
pub(super) struct Recorder(Vec<Vec<u8>>);

impl Recorder {
    /// All calls run together: a hasher need not tell them apart.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.0.concat()
    }
}

impl Hasher for Recorder {
    fn write(&mut self, bytes: &[u8]) {
        self.0.push(bytes.to_vec());
    }

    fn finish(&self) -> u64 {
        unreachable!("records, and does not hash")
    }
}
