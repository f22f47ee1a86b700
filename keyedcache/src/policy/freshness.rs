//! How a record stands at a moment: to be served, to be served while it is refreshed, or missing.
//!
//! - Every span is half open: a record fresh for 5 s is fresh at 4.999999 s and no longer at 5 s.
//! - A record only ever gets worse with time, and no later than its standing does: once missing, it
//!   stays missing.
//! - Nothing that has been invalidated hard is served, not even if computing fails.

use std::time::Duration;

use crate::clock::Moment;

/// How far in the future a record may have been created, as clocks of machines differ: it then
/// counts as created now.
///
/// The age of one from further ahead is anybody's guess, and taken as now it could be served for
/// far longer than its time. It is missing, unless it is fresh for ever and its age does not matter.
pub(crate) const FORGIVEN_SKEW: Duration = Duration::from_secs(5);

/// The times of a record, as its header tells them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Times {
    /// From when the others count.
    pub(crate) created: Moment,
    /// How long it is fresh; `None` is for ever.
    pub(crate) fresh_for: Option<Duration>,
    /// For how long after that it is served while one caller refreshes it.
    pub(crate) stale_for: Duration,
    /// For how long after it was fresh it is served if computing fails.
    pub(crate) stale_if_error: Duration,
    /// How long it took to compute.
    pub(crate) cost: Duration,
}

/// What the generations of a record's scopes say of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Standing {
    /// They are those it was stamped with.
    Current,
    /// A soft token differs.
    SoftlyInvalidated,
    /// A hard token differs, or is absent.
    Invalidated,
}

/// How a record is to be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Freshness {
    /// Serve it.
    Fresh,
    /// Serve it, and refresh it: its time is nearly over.
    Early,
    /// Serve it while one caller refreshes it.
    Stale,
    /// Do not serve it.
    Missing(MissingBecause),
}

/// Why a record is not served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum MissingBecause {
    /// Its time is over.
    Expired,
    /// A scope it belongs to has been invalidated.
    Invalidated,
}

/// What [`judge`] found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Judgement {
    /// How it is to be used.
    pub(crate) freshness: Freshness,
    /// Whether it may be served if computing fails. True of everything that is not missing.
    pub(crate) usable_on_error: bool,
}

/// Judges a record at a moment.
///
/// `head_start` is how long before the end of its freshness a refresh may begin: zero, or what
/// [`head_start`] told for this call.
pub(crate) fn judge(
    times: &Times,
    standing: Standing,
    now: Moment,
    head_start: Duration,
) -> Judgement {
    let unusable = |why| Judgement { freshness: Freshness::Missing(why), usable_on_error: false };
    if standing == Standing::Invalidated {
        return unusable(MissingBecause::Invalidated);
    }
    let Some(fresh_until) = fresh_until(times, now) else {
        return unusable(MissingBecause::Expired);
    };
    let is_within = |span: Duration| span > Duration::ZERO && now < fresh_until.plus(span);
    let is_young = now < fresh_until;
    let freshness = match standing {
        Standing::Current if is_young => {
            let is_due = fresh_until != Moment::NEVER && now.plus(head_start) >= fresh_until;
            if is_due { Freshness::Early } else { Freshness::Fresh }
        }
        _ if is_within(times.stale_for) => Freshness::Stale,
        _ if is_young => Freshness::Missing(MissingBecause::Invalidated),
        _ => Freshness::Missing(MissingBecause::Expired),
    };
    let is_served = !matches!(freshness, Freshness::Missing(_));
    Judgement { freshness, usable_on_error: is_served || is_within(times.stale_if_error) }
}

/// When a record stops being fresh; `None` if it comes from too far in the future to tell.
fn fresh_until(times: &Times, now: Moment) -> Option<Moment> {
    let Some(fresh_for) = times.fresh_for else {
        return Some(Moment::NEVER);
    };
    if times.created.since(now) > FORGIVEN_SKEW {
        return None;
    }
    Some(times.created.min(now).plus(fresh_for))
}

/// How long before its end a record that cost this much is refreshed already: `XFetch`, from
/// Vattani, Chierichetti and Lowenstein, "Optimal Probabilistic Cache Stampede Prevention" (VLDB
/// 2015). It is exponentially distributed around the cost of computing, which no other distribution
/// betters.
///
/// `draw` is a random number in (0, 1], drawn for this call.
pub(crate) fn head_start(cost: Duration, beta: f64, draw: f64) -> Duration {
    // No draw may be zero, whose logarithm is infinite, nor a gap NaN, be beta what it may.
    let gap = cost.as_secs_f64() * beta * -draw.clamp(f64::MIN_POSITIVE, 1.0).ln();
    if gap > 0.0 {
        Duration::try_from_secs_f64(gap).unwrap_or(Duration::MAX)
    } else {
        Duration::ZERO
    }
}

#[cfg(test)]
mod tests;
