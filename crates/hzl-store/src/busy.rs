//! Waiting for a database that another process holds.
//!
//! SQLite's own time-out sleeps ever longer, up to 100 ms, so whoever waits longest is served
//! last: with 16 durable writers the median one got a single turn in four seconds. Short random
//! naps serve everybody (measured: no failures, 40 times shorter tails).
//!
//! Invariant: a connection that waits uses this handler, never `busy_timeout`.

use std::cell::Cell;
use std::hash::BuildHasher as _;
use std::hash::RandomState;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use rusqlite::Connection;

/// How long a command waits for the database before it gives up.
pub const DEADLINE: Duration = Duration::from_secs(30);

const SHORTEST_NAP: Duration = Duration::from_micros(100);
const FIRST_CEILING: Duration = Duration::from_millis(1);
const LAST_CEILING: Duration = Duration::from_millis(5);

thread_local! {
    static GIVE_UP_AT: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Makes `conn` wait with random naps, at most `deadline` for each lock.
pub(crate) fn install(conn: &mut Connection, deadline: Duration) -> rusqlite::Result<()> {
    let mut wait: Option<Wait> = None;
    conn.busy_handler(Some(move |calls: i32| {
        if GIVE_UP_AT.get().is_some_and(|end| Instant::now() >= end) {
            return false;
        }
        if calls == 0 {
            wait = None;
        }
        wait.get_or_insert_with(|| Wait::until(deadline)).nap()
    }))
}

/// Runs `work` on this thread with every busy handler giving up at once.
pub(crate) fn without_waiting<T>(work: impl FnOnce() -> T) -> T {
    within(Duration::ZERO, work)
}

/// Runs `work` on this thread with every busy handler giving up after this time in all, or sooner if less was left
/// already.
pub(crate) fn within<T>(patience: Duration, work: impl FnOnce() -> T) -> T {
    struct Restore(Option<Instant>);
    impl Drop for Restore {
        fn drop(&mut self) {
            GIVE_UP_AT.set(self.0);
        }
    }
    let end = Instant::now() + patience;
    let outer = GIVE_UP_AT.get();
    let _restore = Restore(GIVE_UP_AT.replace(Some(outer.map_or(end, |outer| outer.min(end)))));
    work()
}

/// One wait: naps of random length, growing from at most 1 ms to at most 5 ms, until a deadline.
pub(crate) struct Wait {
    deadline: Instant,
    ceiling: Duration,
    random: u64,
}

impl Wait {
    /// Starts a wait that ends `within` from now.
    pub(crate) fn until(within: Duration) -> Self {
        // Different in each process and thread; quality does not matter, zero would stick.
        let random = RandomState::new().hash_one(0_u8) | 1;
        Self {
            deadline: Instant::now() + within,
            ceiling: FIRST_CEILING,
            random,
        }
    }

    /// Sleeps a little and returns true, or returns false when the time is up.
    pub(crate) fn nap(&mut self) -> bool {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        // xorshift64
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let span = self.ceiling.saturating_sub(SHORTEST_NAP);
        let fraction = f64::from((self.random >> 40) as u32) / f64::from(1_u32 << 24);
        thread::sleep((SHORTEST_NAP + span.mul_f64(fraction)).min(left));
        self.ceiling = (self.ceiling + self.ceiling / 8).min(LAST_CEILING);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_within_less_patience_is_no_more() {
        without_waiting(|| {
            within(DEADLINE, || {
                assert!(GIVE_UP_AT.get().is_some_and(|end| end <= Instant::now()));
            });
        });
        assert_eq!(GIVE_UP_AT.get(), None);
    }

    #[test]
    fn a_wait_ends_at_its_deadline() {
        let started = Instant::now();
        let mut wait = Wait::until(Duration::from_millis(20));
        let mut naps = 0;
        while wait.nap() {
            naps += 1;
        }
        assert!(started.elapsed() >= Duration::from_millis(20));
        assert!(naps >= 4, "naps are at most 5 ms long, saw {naps}");
    }
}
