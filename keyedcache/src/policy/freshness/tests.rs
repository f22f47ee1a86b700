use proptest::prelude::*;

use super::{FORGIVEN_SKEW, Freshness, Judgement, MissingBecause, Standing, Times, head_start};
use crate::clock::Moment;
use std::time::Duration;

/// Judges as a call does whose `early` is `beta`, and which drew `draw`.
fn judge(
    times: &Times,
    standing: Standing,
    now: Moment,
    beta: Option<f64>,
    draw: f64,
) -> Judgement {
    let head_start = beta.map_or(Duration::ZERO, |beta| head_start(times.cost, beta, draw));
    super::judge(times, standing, now, head_start)
}

const SECOND: Duration = Duration::from_secs(1);
const CREATED: Moment = Moment::from_micros(1_000_000_000_000);

/// Fresh for 100 s, stale for 20 s, usable on errors for 50 s; took 2 s to compute.
const TIMES: Times = Times {
    created: CREATED,
    fresh_for: Some(Duration::from_secs(100)),
    stale_for: Duration::from_secs(20),
    stale_if_error: Duration::from_secs(50),
    cost: Duration::from_secs(2),
};

const EXPIRED: Freshness = Freshness::Missing(MissingBecause::Expired);
const INVALIDATED: Freshness = Freshness::Missing(MissingBecause::Invalidated);

/// `seconds` after the record was created, to the microsecond.
fn at(seconds: f64) -> Moment {
    if seconds < 0.0 {
        CREATED.minus(Duration::from_secs_f64(-seconds))
    } else {
        CREATED.plus(Duration::from_secs_f64(seconds))
    }
}

fn judged(times: &Times, standing: Standing, now: Moment) -> (Freshness, bool) {
    let Judgement { freshness, usable_on_error } = judge(times, standing, now, None, 0.5);
    (freshness, usable_on_error)
}

#[test]
fn a_record_is_fresh_then_stale_then_missing() {
    for (seconds, expected) in [
        (0.0, (Freshness::Fresh, true)),
        (99.999_999, (Freshness::Fresh, true)),
        (100.0, (Freshness::Stale, true)),
        (119.999_999, (Freshness::Stale, true)),
        (120.0, (EXPIRED, true)),
        (149.999_999, (EXPIRED, true)),
        (150.0, (EXPIRED, false)),
    ] {
        assert_eq!(judged(&TIMES, Standing::Current, at(seconds)), expected, "{seconds}");
    }
}

#[test]
fn a_softly_invalidated_record_is_stale_to_the_end_of_its_stale_time() {
    for (seconds, expected) in [
        (0.0, (Freshness::Stale, true)),
        (119.999_999, (Freshness::Stale, true)),
        (120.0, (EXPIRED, true)),
        (150.0, (EXPIRED, false)),
    ] {
        assert_eq!(judged(&TIMES, Standing::SoftlyInvalidated, at(seconds)), expected, "{seconds}");
    }
}

#[test]
fn a_softly_invalidated_record_without_stale_time_is_missing() {
    let times = Times { stale_for: Duration::ZERO, ..TIMES };
    for (seconds, expected) in
        [(0.0, (INVALIDATED, true)), (100.0, (EXPIRED, true)), (150.0, (EXPIRED, false))]
    {
        assert_eq!(judged(&times, Standing::SoftlyInvalidated, at(seconds)), expected, "{seconds}");
    }
    let bare = Times { stale_if_error: Duration::ZERO, ..times };
    assert_eq!(judged(&bare, Standing::SoftlyInvalidated, at(0.0)), (INVALIDATED, false));
}

#[test]
fn an_invalidated_record_is_missing_even_if_computing_fails() {
    let forever = Times { fresh_for: None, ..TIMES };
    for times in [TIMES, forever] {
        for seconds in [-1.0, 0.0, 99.0, 101.0, 121.0, 1_000.0] {
            let judged = judged(&times, Standing::Invalidated, at(seconds));
            assert_eq!(judged, (INVALIDATED, false), "{seconds}");
        }
    }
}

#[test]
fn a_record_without_end_is_fresh_whatever_its_age() {
    let times = Times { fresh_for: None, ..TIMES };
    for now in [Moment::from_micros(0), CREATED, at(1e9), Moment::from_micros(u64::MAX - 1)] {
        let Judgement { freshness, .. } = judge(&times, Standing::Current, now, Some(1e9), 1e-9);
        assert_eq!(freshness, Freshness::Fresh, "{now:?}");
        assert_eq!(judged(&times, Standing::SoftlyInvalidated, now), (Freshness::Stale, true));
    }
}

#[test]
fn a_record_that_is_fresh_for_no_time_never_is() {
    let times = Times { fresh_for: Some(Duration::ZERO), ..TIMES };
    assert_eq!(judged(&times, Standing::Current, CREATED), (Freshness::Stale, true));
    let times = Times { stale_for: Duration::ZERO, stale_if_error: Duration::ZERO, ..times };
    assert_eq!(judged(&times, Standing::Current, CREATED), (EXPIRED, false));
}

#[test]
fn a_record_from_a_little_ahead_counts_as_created_now() {
    let brief = Times { fresh_for: Some(SECOND), ..TIMES };
    assert_eq!(judged(&brief, Standing::Current, at(-5.0)), (Freshness::Fresh, true));
    assert_eq!(judged(&brief, Standing::Current, at(-5.000_001)), (EXPIRED, false));
}

#[test]
fn a_record_is_refreshed_early_when_its_cost_and_the_draw_reach_its_end() {
    // -2 s * ln(e^-5) = 10 s before the end, with beta 1.
    let e_to_minus_5 = (-5.0_f64).exp();
    for (seconds, beta, draw, expected) in [
        (89.9, Some(1.0), e_to_minus_5, Freshness::Fresh),
        (90.1, Some(1.0), e_to_minus_5, Freshness::Early),
        (90.1, None, e_to_minus_5, Freshness::Fresh),
        (79.9, Some(2.0), e_to_minus_5, Freshness::Fresh),
        (80.1, Some(2.0), e_to_minus_5, Freshness::Early),
        (90.1, Some(0.0), e_to_minus_5, Freshness::Fresh),
        (99.999_999, Some(1.0), 1.0, Freshness::Fresh),
        (100.0, Some(1.0), e_to_minus_5, Freshness::Stale),
    ] {
        let Judgement { freshness, usable_on_error } =
            judge(&TIMES, Standing::Current, at(seconds), beta, draw);
        assert_eq!((freshness, usable_on_error), (expected, true), "{seconds} {beta:?} {draw}");
    }
}

#[test]
fn a_softly_invalidated_record_is_never_merely_early() {
    let judged = judge(&TIMES, Standing::SoftlyInvalidated, at(99.0), Some(9.0), 1e-9);
    assert_eq!(judged.freshness, Freshness::Stale);
}

fn spans() -> impl Strategy<Value = Duration> {
    prop_oneof![
        Just(Duration::ZERO),
        Just(Duration::MAX),
        (0..200_000_000_u64).prop_map(Duration::from_micros),
    ]
}

fn any_times() -> impl Strategy<Value = Times> {
    (prop::option::of(spans()), spans(), spans(), spans()).prop_map(
        |(fresh_for, stale_for, stale_if_error, cost)| Times {
            created: CREATED,
            fresh_for,
            stale_for,
            stale_if_error,
            cost,
        },
    )
}

fn standings() -> impl Strategy<Value = Standing> {
    prop_oneof![
        Just(Standing::Current),
        Just(Standing::SoftlyInvalidated),
        Just(Standing::Invalidated)
    ]
}

/// From before the record, within the forgiven skew, to after the spans above.
fn moments() -> impl Strategy<Value = Moment> {
    (0..700_000_000_u64)
        .prop_map(|micros| CREATED.minus(FORGIVEN_SKEW).plus(Duration::from_micros(micros)))
}

fn worth(freshness: Freshness) -> u8 {
    match freshness {
        Freshness::Fresh => 3,
        Freshness::Early => 2,
        Freshness::Stale => 1,
        Freshness::Missing(_) => 0,
    }
}

proptest! {
    #[test]
    fn a_record_only_gets_worse_with_time(
        times in any_times(), standing in standings(), one in moments(), other in moments(),
        early in prop::option::of(0.0..10.0), draw in f64::MIN_POSITIVE..=1.0,
    ) {
        let sooner = judge(&times, standing, one.min(other), early, draw);
        let later = judge(&times, standing, one.max(other), early, draw);
        prop_assert!(worth(later.freshness) <= worth(sooner.freshness));
        prop_assert!(later.usable_on_error <= sooner.usable_on_error);
    }

    #[test]
    fn a_record_only_gets_worse_by_invalidation(times in any_times(), now in moments()) {
        let [current, soft, hard] =
            [Standing::Current, Standing::SoftlyInvalidated, Standing::Invalidated]
                .map(|standing| judge(&times, standing, now, None, 0.5));
        prop_assert!(worth(soft.freshness) <= worth(current.freshness));
        prop_assert!(soft.usable_on_error <= current.usable_on_error);
        prop_assert_eq!(hard.freshness, INVALIDATED);
        prop_assert!(!hard.usable_on_error);
    }

    #[test]
    fn early_refreshes_touch_only_fresh_records(
        times in any_times(), standing in standings(), now in moments(),
        beta in any::<f64>(), draw in any::<f64>(),
    ) {
        let plain = judge(&times, standing, now, None, draw);
        let early = judge(&times, standing, now, Some(beta), draw);
        prop_assert_eq!(plain.usable_on_error, early.usable_on_error);
        let is_same = plain.freshness == early.freshness;
        prop_assert!(is_same || (plain.freshness, early.freshness) == (Freshness::Fresh, Freshness::Early));
    }

    #[test]
    fn what_is_served_is_usable_when_computing_fails(
        times in any_times(), standing in standings(), now in moments(),
    ) {
        let judged = judge(&times, standing, now, None, 0.5);
        prop_assert!(worth(judged.freshness) == 0 || judged.usable_on_error);
    }
}
