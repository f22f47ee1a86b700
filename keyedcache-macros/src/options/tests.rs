//! What options are read as, and what is said of those that cannot be read.

use std::time::Duration;

use super::*;

fn read(text: &str) -> (Options, Vec<String>) {
    let mut mistakes = Mistakes::new();
    let options = Options::parse(text.parse().expect("tokens"), &mut mistakes);
    (options, mistakes.messages())
}

fn good(text: &str) -> Options {
    let (options, messages) = read(text);
    assert_eq!(messages, [""; 0], "{text}");
    options
}

fn bad(text: &str) -> Vec<String> {
    read(text).1
}

fn literal(given: Option<Given<Period>>) -> Option<Duration> {
    match given?.value {
        Period::Literal(duration) => Some(duration),
        Period::Computed(_) => None,
    }
}

#[test]
fn nothing_is_a_good_attribute() {
    assert!(good("").timeout.is_none());
}

#[test]
fn every_option_is_read() {
    let options = good(
        "timeout = 60, stale = \"5m\", stale_if_error = \"1h 30m\", refresh = \"foreground\", \
         early = 2, jitter = 0.1, timeout_err = 5, timeout_none = \"500ms\", \
         cache_if = |answer| answer.a, key = (x, y / 10), skip(a, b), name = \"n\", version = 3, \
         cache = \"c\", local, near = 10_000, single_flight = \"off\", wait = 1, \
         soft_timeout = 1, hard_timeout = \"2s\", lease = 2, \
         companion = Name, crate = ::other::kc,",
    );
    assert!(matches!(
        options.timeout,
        Some(Given { value: Timeout::After(Period::Literal(time)), .. })
            if time == Duration::from_mins(1)
    ));
    assert_eq!(literal(options.stale), Some(Duration::from_mins(5)));
    assert_eq!(literal(options.stale_if_error), Some(Duration::from_mins(90)));
    assert_eq!(options.refresh.map(|r| r.value), Some(Refresh::Foreground));
    assert_eq!(options.early.map(|early| early.value.to_bits()), Some(2.0_f64.to_bits()));
    assert_eq!(options.jitter.map(|jitter| jitter.value.to_bits()), Some(0.1_f64.to_bits()));
    assert_eq!(literal(options.timeout_err), Some(Duration::from_secs(5)));
    assert_eq!(literal(options.timeout_none), Some(Duration::from_millis(500)));
    assert!(matches!(options.cache_if, Some(Given { value: Expr::Closure(_), .. })));
    assert!(matches!(options.key, Some(Given { value: Expr::Tuple(_), .. })));
    assert_eq!(options.skip.map(|skip| skip.value.len()), Some(2));
    assert_eq!(options.name.map(|name| name.value.value()).as_deref(), Some("n"));
    assert_eq!(options.version.map(|version| version.value), Some(3));
    assert_eq!(options.cache.map(|cache| cache.value.value()).as_deref(), Some("c"));
    assert!(options.local.is_some());
    assert_eq!(options.near.map(|near| near.value), Some(10_000));
    assert_eq!(options.single_flight.map(|who| who.value), Some(SingleFlight::Off));
    assert_eq!(literal(options.wait), Some(Duration::from_secs(1)));
    assert_eq!(literal(options.lease), Some(Duration::from_secs(2)));
    assert_eq!(options.companion.map(|name| name.value.to_string()).as_deref(), Some("Name"));
    assert!(options.krate.is_some());
}

#[test]
fn a_timeout_is_seconds_text_never_or_any_expression() {
    let timeout = |text| good(text).timeout.expect(text).value;
    assert!(matches!(timeout("timeout = Never"), Timeout::Never));
    for text in ["timeout = HOUR", "timeout = Duration::from_secs(3)", "timeout = 2 * hour()"] {
        assert!(matches!(timeout(text), Timeout::After(Period::Computed(_))), "{text}");
    }
}

#[test]
fn early_alone_has_a_beta_of_one() {
    let early = good("early, local").early.expect("early").value;
    assert_eq!(early.to_bits(), 1.0_f64.to_bits());
}

#[test]
fn names_of_other_crates_are_understood() {
    assert!(bad("ttl = 60")[0].starts_with("unknown option `ttl`; did you mean `timeout`?\n"));
    for (theirs, ours) in [
        ("size", "near"),
        ("max_size", "near"),
        ("ttl_millis", "timeout"),
        ("result_fallback", "stale_if_error"),
        ("cache_err", "timeout_err"),
    ] {
        let message = &bad(&format!("{theirs} = 60"))[0];
        assert!(message.contains(&format!("did you mean `{ours}`?")), "{message}");
    }
    assert!(bad("tiemout = 60")[0].contains("did you mean `timeout`?"));
    let far = &bad("colour = 60")[0];
    assert!(far.starts_with("unknown option `colour`\noptions are `timeout`, "), "{far}");
    assert!(far.ends_with(" and `crate`"), "{far}");
}

#[test]
fn every_mistake_is_reported() {
    let messages =
        bad("ttl = 60, stale = \"5x\", stale_if_error = , near = -3, local = true, skip, \
         refresh = \"never\", early = \"x\", cache = \"\", timeout = 5, timeout = 6");
    let expected = [
        "unknown option `ttl`",
        "\"x\" is no unit",
        "`stale_if_error` needs a value: `stale_if_error = \"1h\"`",
        "write a whole number",
        "`local` takes no value",
        "`skip` takes arguments' names",
        "write \"background\" or \"foreground\"",
        "write a number",
        "this name is empty",
        "`timeout` is given twice",
    ];
    assert_eq!(messages.len(), expected.len(), "{messages:#?}");
    for (message, expected) in messages.iter().zip(expected) {
        assert!(message.contains(expected), "{message}: {expected}");
    }
}

#[test]
fn what_follows_a_mistake_is_still_read() {
    let (options, messages) = read("timeout = \"oops\" oops, near = 3");
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert!(options.timeout.is_none());
    assert_eq!(options.near.map(|near| near.value), Some(3));
}

#[test]
fn a_missing_comma_is_said() {
    assert_eq!(bad("local near = 3"), ["`local` takes no value: write `local`"]);
    assert_eq!(bad("timeout = 3 near = 3"), ["expected a comma before the next option"]);
}
