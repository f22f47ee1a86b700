//! What heartbeats vouch for: that every push so far has come.
//!
//! - Trust counts from when the heartbeat was *sent* that was answered: what the server pushed before
//!   it answered came before the answer.
//! - Of several servers all must have answered. One that has just come has not.
//! - A process that was stopped, or a machine that was suspended, wakes without trust: one of two
//!   clocks has gone on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::clocks::ServerClock;
use crate::clock::{Moment, Ticks};

/// What the servers of one store tell by their signs of life.
#[derive(Debug, Default)]
pub(super) struct Heartbeats {
    pub(super) trust: Trust,
    pub(super) clock: ServerClock,
}

impl Heartbeats {
    /// When the server that has been silent for longest last answered.
    pub(super) fn answered(&self) -> Instant {
        self.trust.answered()
    }
}

/// One server among those of a store; dropped, it is none of them any more.
#[derive(Debug)]
pub(super) struct Heart {
    all: Arc<Heartbeats>,
    id: u64,
}

impl Heart {
    /// One more server, that nothing is known of yet: until it has answered, there is no trust.
    pub(super) fn new(all: &Arc<Heartbeats>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        all.trust.admit(id);
        Self { all: Arc::clone(all), id }
    }

    /// Pushes of this connection count from now on, once it is vouched for.
    pub(super) fn begin(&self, connection: u64) {
        self.all.trust.begin(self.id, connection);
    }

    /// What this connection has pushed is complete as of `sent`.
    pub(super) fn vouch(&self, connection: u64, sent: Ticks, near_trust: Duration) {
        self.all.trust.vouch(self.id, connection, sent, near_trust);
    }

    /// Nothing is trusted, if it was this connection that was; says whether it was.
    pub(super) fn end(&self, connection: u64) -> bool {
        self.all.trust.end(self.id, connection)
    }

    /// The server said that it was `time` halfway between these two.
    pub(super) fn tell_time(&self, time: Moment, asked: Duration, answered: Duration) {
        self.all.clock.set(self.id, time, asked, answered);
    }
}

impl Drop for Heart {
    fn drop(&mut self) {
        self.all.trust.dismiss(self.id);
        self.all.clock.dismiss(self.id);
    }
}

/// Until when pushes are trusted; read at each near hit.
#[derive(Debug, Default)]
pub(super) struct Trust {
    steady_until: AtomicU64,
    wall_from: AtomicU64,
    wall_until: AtomicU64,
    servers: Mutex<Vec<Vouched>>,
}

/// What is vouched for by one server.
#[derive(Debug)]
struct Vouched {
    id: u64,
    /// The connection whose pushes are trusted; 0 is none.
    connection: u64,
    window: Option<Window>,
    /// When it has last answered, over whichever connection; first, when it became known.
    answered: Instant,
}

/// When trust holds, by both clocks.
#[derive(Clone, Copy, Debug)]
struct Window {
    steady_until: u64,
    wall_from: u64,
    wall_until: u64,
}

impl Window {
    fn and(self, other: Self) -> Self {
        Self {
            steady_until: self.steady_until.min(other.steady_until),
            wall_from: self.wall_from.max(other.wall_from),
            wall_until: self.wall_until.min(other.wall_until),
        }
    }
}

impl Trust {
    fn admit(&self, id: u64) {
        let mut servers = self.servers.lock();
        servers.push(Vouched { id, connection: 0, window: None, answered: Instant::now() });
        self.sum_up(&servers);
    }

    fn dismiss(&self, id: u64) {
        let mut servers = self.servers.lock();
        servers.retain(|server| server.id != id);
        self.sum_up(&servers);
    }

    fn begin(&self, id: u64, connection: u64) {
        let mut servers = self.servers.lock();
        if let Some(server) = servers.iter_mut().find(|server| server.id == id) {
            (server.connection, server.window) = (connection, None);
        }
        self.sum_up(&servers);
    }

    fn vouch(&self, id: u64, connection: u64, sent: Ticks, near_trust: Duration) {
        let lasting = u64::try_from(near_trust.as_micros()).unwrap_or(u64::MAX);
        let mut servers = self.servers.lock();
        let is_it = |server: &&mut Vouched| server.id == id && server.connection == connection;
        let Some(server) = servers.iter_mut().find(is_it) else { return };
        server.answered = Instant::now();
        server.window = Some(Window {
            steady_until: sent.steady.saturating_add(lasting),
            wall_from: sent.wall.as_micros(),
            wall_until: sent.wall.as_micros().saturating_add(lasting),
        });
        self.sum_up(&servers);
    }

    fn end(&self, id: u64, connection: u64) -> bool {
        let mut servers = self.servers.lock();
        let is_it = |server: &&mut Vouched| server.id == id && server.connection == connection;
        let Some(server) = servers.iter_mut().find(is_it) else { return false };
        (server.connection, server.window) = (0, None);
        self.sum_up(&servers);
        true
    }

    fn answered(&self) -> Instant {
        let servers = self.servers.lock();
        servers.iter().map(|server| server.answered).min().unwrap_or_else(Instant::now)
    }

    /// Trust holds where that of all servers does, and nowhere if there are none.
    fn sum_up(&self, servers: &[Vouched]) {
        let all: Option<Vec<_>> = servers.iter().map(|server| server.window).collect();
        match all.and_then(|windows| windows.into_iter().reduce(Window::and)) {
            Some(window) => {
                self.wall_from.store(window.wall_from, Ordering::Release);
                self.wall_until.store(window.wall_until, Ordering::Release);
                self.steady_until.store(window.steady_until, Ordering::Release);
            }
            None => self.steady_until.store(0, Ordering::Release),
        }
    }

    /// Whether it holds now, by the system's clock of this moment and the other.
    #[inline]
    pub(super) fn holds_at(&self, wall: Moment) -> bool {
        let now = Ticks::at(wall);
        let wall = wall.as_micros();
        now.steady < self.steady_until.load(Ordering::Acquire)
            && wall >= self.wall_from.load(Ordering::Acquire)
            && wall < self.wall_until.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    const NEAR_TRUST: Duration = Duration::from_secs(100);
    const LONGER: u64 = 200_000_000;

    fn servers<const N: usize>() -> (Arc<Heartbeats>, [Heart; N]) {
        let all = Arc::default();
        let hearts = std::array::from_fn(|_| Heart::new(&all));
        (all, hearts)
    }

    impl Heart {
        /// As if it had been then that it last answered.
        pub(in crate::store::redis) fn answered_at(&self, then: Instant) {
            let mut servers = self.all.trust.servers.lock();
            let server = servers.iter_mut().find(|server| server.id == self.id);
            server.expect("it is one of them").answered = then;
        }
    }

    impl Trust {
        fn holds(&self) -> bool {
            self.holds_at(Clock::system().coarse_now())
        }
    }

    #[test]
    fn only_the_current_connection_is_vouched_for() {
        let (all, [heart]) = servers();
        let now = Ticks::now();
        heart.vouch(1, now, NEAR_TRUST);
        assert!(!all.trust.holds());
        heart.begin(1);
        assert!(!all.trust.holds(), "a new connection has been asked nothing yet");
        heart.vouch(2, now, NEAR_TRUST);
        assert!(!all.trust.holds());
        heart.vouch(1, now, NEAR_TRUST);
        assert!(all.trust.holds());
        assert!(!heart.end(2) && all.trust.holds());
        assert!(heart.end(1) && !all.trust.holds());
        heart.vouch(1, now, NEAR_TRUST);
        assert!(!all.trust.holds(), "a heartbeat answered late revives nothing");
    }

    #[test]
    fn servers_have_answered_when_the_one_did_that_is_silent_for_longest() {
        let (all, [first, second]) = servers();
        let known = Instant::now();
        for heart in [&first, &second] {
            heart.begin(1);
            assert!(all.answered() <= known, "one has only become known");
            heart.vouch(1, Ticks::now(), NEAR_TRUST);
        }
        let answered = all.answered();
        assert!(answered >= known);
        first.end(1);
        first.begin(2);
        second.vouch(1, Ticks::now(), NEAR_TRUST);
        assert_eq!(all.answered(), answered, "a lost connection is no answer, nor is a new one");
        drop(first);
        assert!(all.answered() > answered);
    }

    #[test]
    fn trust_ends_by_either_clock_and_by_one_set_back() {
        let Ticks { steady, wall } = Ticks::now();
        for (steady, wall, holds) in [
            (steady, wall, true),
            (steady - LONGER, wall, false),
            (steady, wall.minus(2 * NEAR_TRUST), false),
            (steady, wall.plus(2 * NEAR_TRUST), false),
        ] {
            let (all, [heart]) = servers();
            heart.begin(1);
            heart.vouch(1, Ticks { steady, wall }, NEAR_TRUST);
            assert_eq!(all.trust.holds(), holds, "{steady} {wall:?}");
        }
    }

    #[test]
    fn of_several_servers_all_must_be_trusted() {
        let (all, [first, second]) = servers();
        let now = Ticks::now();
        first.begin(1);
        first.vouch(1, now, NEAR_TRUST);
        assert!(!all.trust.holds(), "nothing is known of the second");
        second.begin(1);
        second.vouch(1, now, NEAR_TRUST);
        assert!(all.trust.holds());
        let third = Heart::new(&all);
        assert!(!all.trust.holds(), "nothing is known of the third");
        drop(third);
        assert!(all.trust.holds());
        let old = Ticks { steady: now.steady - LONGER, wall: now.wall };
        second.vouch(1, old, NEAR_TRUST);
        assert!(!all.trust.holds(), "the second has not answered for long");
        drop(second);
        assert!(all.trust.holds());
        drop(first);
        assert!(!all.trust.holds(), "nobody vouches");
    }
}
