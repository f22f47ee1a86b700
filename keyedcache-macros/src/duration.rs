//! Durations as they are written in options: `60`, `"1h 30m"`, or an expression.

use std::time::Duration;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream};
use syn::{Error, Expr, ExprLit, Lit};

/// Units with their length in nanoseconds, in the order in which messages list them.
const UNITS: [(&[&str], u128); 7] = [
    (&["ns"], 1),
    (&["us", "µs"], 1_000),
    (&["ms"], 1_000_000),
    (&["s", "sec", "second", "seconds"], 1_000_000_000),
    (&["m", "min", "minute", "minutes"], 60_000_000_000),
    (&["h", "hour", "hours"], 3_600_000_000_000),
    (&["d", "day", "days"], 86_400_000_000_000),
];

/// A duration in an option.
pub(crate) enum Period {
    /// Known now.
    Literal(Duration),
    /// An expression of type `Duration`, known when the program runs.
    Computed(Box<Expr>),
}

impl Period {
    pub(crate) fn is_zero(&self) -> bool {
        matches!(self, Self::Literal(duration) if duration.is_zero())
    }

    /// Whether both are known now, and this is not the longer one.
    pub(crate) fn is_no_longer_than(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Literal(this), Self::Literal(other)) if this <= other)
    }

    /// The duration that this expression is.
    pub(crate) fn from_expr(expr: Expr) -> syn::Result<Self> {
        let literal = match &expr {
            Expr::Lit(ExprLit { lit, .. }) => lit,
            Expr::Unary(unary) if matches!(unary.op, syn::UnOp::Neg(_)) => {
                return Err(Error::new_spanned(
                    expr,
                    "a duration cannot be negative; write one as \"5m\"",
                ));
            }
            _ => return Ok(Self::Computed(Box::new(expr))),
        };
        match literal {
            Lit::Int(seconds) if matches!(seconds.suffix(), "" | "u64") => {
                Ok(Self::Literal(Duration::from_secs(seconds.base10_parse()?)))
            }
            Lit::Str(text) => {
                parse(&text.value()).map(Self::Literal).map_err(|why| Error::new_spanned(text, why))
            }
            Lit::Float(_) => Err(Error::new_spanned(
                literal,
                "a number is whole seconds; write a part of one as text: \"1500ms\"",
            )),
            _ => Err(Error::new_spanned(
                literal,
                "write seconds (`60`), text (`\"5m\"`), or an expression of type `Duration`",
            )),
        }
    }
}

impl Parse for Period {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        Self::from_expr(input.parse()?)
    }
}

impl ToTokens for Period {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(match self {
            Self::Literal(duration) => {
                let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
                quote!(::core::time::Duration::new(#seconds, #nanos))
            }
            Self::Computed(expr) => quote!(#expr),
        });
    }
}

/// Reads `1h 30m`: numbers with units, any number of them, added up.
fn parse(text: &str) -> Result<Duration, String> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err("a duration is missing here, such as \"5m\" or \"1h 30m\"".to_owned());
    }
    if text.contains('.') && text.contains(|c: char| c.is_ascii_digit()) {
        return Err(format!("\"{text}\" is not a duration; write whole numbers: \"1500ms\""));
    }
    let mut nanos: u128 = 0;
    while !rest.is_empty() {
        let (number, after) = split_while(rest, |c| c.is_ascii_digit() || c == '_');
        let (unit, after) = split_while(after.trim_start(), char::is_alphabetic);
        rest = after.trim_start();
        nanos = Some(nanos)
            .zip(period(number, unit, text)?)
            .and_then(|(sum, more)| sum.checked_add(more))
            .ok_or_else(|| format!("\"{text}\" is too long a duration"))?;
        if !rest.is_empty() && !rest.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(not_a_duration(text));
        }
    }
    let (seconds, nanos) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    match (u64::try_from(seconds), u32::try_from(nanos)) {
        (Ok(seconds), Ok(nanos)) => Ok(Duration::new(seconds, nanos)),
        _ => Err(format!("\"{text}\" is too long a duration")),
    }
}

/// The nanoseconds of one number with its unit; `None` if they are too many.
fn period(number: &str, unit: &str, text: &str) -> Result<Option<u128>, String> {
    let digits = number.replace('_', "");
    if digits.is_empty() {
        return Err(not_a_duration(text));
    }
    let known = UNITS.iter().find(|(names, _)| names.contains(&unit));
    let Some((_, length)) = known else {
        let names = UNITS.map(|(names, _)| names[0]).join(", ");
        return Err(match unit {
            "" => format!("\"{text}\" needs a unit behind {number}: {names}"),
            _ => format!("\"{unit}\" is no unit of time; units are {names}"),
        });
    };
    Ok(digits.parse::<u128>().ok().and_then(|number| number.checked_mul(*length)))
}

fn not_a_duration(text: &str) -> String {
    format!("\"{text}\" is not a duration; write one as \"5m\" or \"1h 30m\"")
}

fn split_while(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_units_are_added_up() {
        for (text, millis) in [
            ("5m", 300_000),
            ("1h 30m", 5_400_000),
            ("1h30m", 5_400_000),
            (" 1500 ms ", 1_500),
            ("1_000ms", 1_000),
            ("2 days 3 hours", 183_600_000),
            ("0s", 0),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(parse("3us 5ns"), Ok(Duration::from_nanos(3_005)));
    }

    #[test]
    fn what_is_wrong_with_a_duration_is_said() {
        let wrong = |text| parse(text).expect_err(text);
        assert_eq!(wrong("5x"), "\"x\" is no unit of time; units are ns, us, ms, s, m, h, d");
        assert_eq!(wrong("5"), "\"5\" needs a unit behind 5: ns, us, ms, s, m, h, d");
        assert!(wrong("").contains("missing"));
        for text in ["m", "-5m", "5m!", "1.5h", "soon", "_s", "5m, 3s"] {
            assert!(wrong(text).contains('"'), "{text}");
        }
        for text in ["1.5s", "0.5", "1h 1.5m", ".5s"] {
            assert!(wrong(text).contains("whole numbers: \"1500ms\""), "{text}");
        }
        for text in ["99999999999999999999999999999999999999999d", "99999999999999999999d"] {
            assert!(wrong(text).contains("too long"), "{text}");
        }
    }
}
