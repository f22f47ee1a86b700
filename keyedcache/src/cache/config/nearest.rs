//! The known word that somebody who wrote another one may have meant.

/// The nearest of `known` to `written`, if it is near enough to be worth a question.
///
/// Case and the difference between `-` and `_` do not count; otherwise a third of the letters may
/// differ.
pub(super) fn nearest(
    written: &str,
    known: impl Iterator<Item = &'static str>,
) -> Option<&'static str> {
    let written: Vec<u8> = written.bytes().take(64).map(folded).collect();
    known
        .map(|word| {
            let letters: Vec<u8> = word.bytes().map(folded).collect();
            (distance(&written, &letters), word)
        })
        .filter(|(distance, word)| *distance <= (word.len() / 3).max(1))
        .min()
        .map(|(_, word)| word)
}

fn folded(byte: u8) -> u8 {
    if byte == b'-' { b'_' } else { byte.to_ascii_lowercase() }
}

/// How many letters must be added, dropped, changed, or swapped with their neighbour (the "optimal
/// string alignment" distance).
fn distance(from: &[u8], to: &[u8]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=to.len()).collect();
    for (row, &a) in from.iter().enumerate() {
        let mut line = vec![row + 1];
        for (column, &b) in to.iter().enumerate() {
            let changed = above[column] + usize::from(a != b);
            let mut least = changed.min(above[column + 1] + 1).min(line[column] + 1);
            if row > 0 && column > 0 && a == to[column - 1] && b == from[row - 1] {
                least = least.min(before[column - 1] + 1);
            }
            line.push(least);
        }
        before = std::mem::replace(&mut above, line);
    }
    above[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_finger_are_understood_and_other_words_are_not() {
        let known = || ["timeout", "stale", "size_limit", "near", "wait"].into_iter();
        for (written, meant) in [
            ("timout", Some("timeout")),
            ("tiemout", Some("timeout")),
            ("Size-Limit", Some("size_limit")),
            ("sizelimit", Some("size_limit")),
            ("naer", Some("near")),
            ("password", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, known()), meant, "{written}");
        }
    }
}
