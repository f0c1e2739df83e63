//! When to sync, and how much at a time: pure arithmetic on times and failures.

/// What is known about past attempts; times are milliseconds of the local clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct History {
    /// The last success.
    pub last_sync_at_ms: Option<i64>,
    /// The last attempt.
    pub last_attempt_at_ms: Option<i64>,
    /// The last attempt failed in a way that only a change of configuration cures.
    pub is_rejected: bool,
}

/// Settings of `db.sync`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    /// A read starts a sync when the last one is older than this.
    pub stale_after_ms: i64,
    /// Reads start syncs at least this far apart.
    pub min_interval_ms: i64,
}

/// After a rejection (token, address, certificate) this long is waited, whatever happens.
pub const REJECTED_INTERVAL_MS: i64 = 5 * 60_000;

/// Tells whether a command that wrote something should start a sync.
pub fn due_after_write(history: History, now_ms: i64) -> bool {
    !history.is_rejected || age(history.last_attempt_at_ms, now_ms) >= REJECTED_INTERVAL_MS
}

/// Tells whether a command that only read should start a sync.
pub fn due_after_read(history: History, pending: bool, pace: Pace, now_ms: i64) -> bool {
    let stale = age(history.last_sync_at_ms, now_ms) >= pace.stale_after_ms;
    let rested = age(history.last_attempt_at_ms, now_ms) >= pace.min_interval_ms;
    due_after_write(history, now_ms) && (pending || (stale && rested))
}

/// How old a time is; a time in the future, or none, is infinitely old: clocks jump.
fn age(at_ms: Option<i64>, now_ms: i64) -> i64 {
    match at_ms {
        Some(at_ms) if at_ms <= now_ms => now_ms - at_ms,
        _ => i64::MAX,
    }
}

/// The longest wait between attempts.
pub const MAX_BACKOFF_MS: u64 = 5 * 60_000;

/// How long to wait after so many failures in a row: full jitter up to 1 s, 2 s, 4 s, … `cap_ms`.
/// `random` is uniform.
pub fn backoff_ms(failures: u32, cap_ms: u64, random: u64) -> u64 {
    let ceiling = 1_000_u64
        .checked_shl(failures.saturating_sub(1).min(20))
        .unwrap_or(u64::MAX);
    let ceiling = ceiling.min(cap_ms).max(1);
    random % ceiling
}

/// The largest step of a sync: so many rows are pulled, and so many events pushed, by one request.
pub const MAX_STEP_ROWS: u32 = 1_000;
/// A full step is quick if one twice as large surely fits into the shortest time limit, 2 s.
const QUICK_MS: i64 = 500;
/// So many quick ones in a row, and steps grow: on a line that breaks above some size this bounds how
/// often it breaks.
const QUICK_STEPS: u32 = 4;

/// How much one request moves: less after one that did not get through, more again when it goes well.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    rows: u32,
    quick: u32,
}

impl Step {
    /// A step of so many rows; 0: as many as may be.
    pub fn of(rows: u32) -> Self {
        let rows = match rows {
            0 => MAX_STEP_ROWS,
            rows => rows.min(MAX_STEP_ROWS),
        };
        Self { rows, quick: 0 }
    }

    /// The number of rows, at least 1.
    pub fn rows(self) -> u32 {
        self.rows
    }

    /// After a request that took too long, or whose connection broke. A quarter, as each try may cost a
    /// whole time limit.
    #[must_use]
    pub fn smaller(self) -> Self {
        Self::of((self.rows / 4).max(1))
    }

    /// After a full step that took so long.
    #[must_use]
    pub fn after(self, took_ms: i64) -> Self {
        let quick = match took_ms {
            0..QUICK_MS => self.quick + 1,
            _ => 0,
        };
        if quick < QUICK_STEPS {
            Self { quick, ..self }
        } else {
            Self::of(self.rows * 2)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace {
        stale_after_ms: 60_000,
        min_interval_ms: 15_000,
    };

    #[test]
    fn reads_start_a_sync_when_data_is_stale_or_events_wait() {
        let at = |sync, attempt| History {
            last_sync_at_ms: sync,
            last_attempt_at_ms: attempt,
            is_rejected: false,
        };
        assert!(due_after_read(at(None, None), false, PACE, 1_000));
        assert!(!due_after_read(
            at(Some(1_000), Some(1_000)),
            false,
            PACE,
            50_000
        ));
        assert!(due_after_read(
            at(Some(1_000), Some(1_000)),
            true,
            PACE,
            50_000
        ));
        assert!(due_after_read(
            at(Some(1_000), Some(1_000)),
            false,
            PACE,
            61_000
        ));
        assert!(!due_after_read(
            at(Some(1_000), Some(55_000)),
            false,
            PACE,
            61_000
        ));
        assert!(
            due_after_read(at(Some(99_000), Some(99_000)), false, PACE, 61_000),
            "clock went back"
        );
    }

    #[test]
    fn a_rejection_is_not_retried_at_every_write() {
        let rejected = History {
            last_attempt_at_ms: Some(0),
            is_rejected: true,
            ..Default::default()
        };
        assert!(!due_after_write(rejected, 1_000));
        assert!(!due_after_read(rejected, true, PACE, 1_000));
        assert!(due_after_write(rejected, REJECTED_INTERVAL_MS));
    }

    #[test]
    fn waits_grow_and_stay_bounded() {
        assert!(backoff_ms(1, MAX_BACKOFF_MS, u64::MAX - 1) < 1_000);
        for failures in 0..100 {
            assert!(backoff_ms(failures, 5_000, u64::MAX / 3) < 5_000);
        }
        assert_eq!(backoff_ms(4, MAX_BACKOFF_MS, 7_999), 7_999);
    }

    #[test]
    fn steps_shrink_fast_and_grow_slowly_within_bounds() {
        let mut step = Step::of(0);
        let mut sizes = vec![];
        for _ in 0..6 {
            step = step.smaller();
            sizes.push(step.rows());
        }
        assert_eq!(sizes, [250, 62, 15, 3, 1, 1]);
        for _ in 0..3 {
            step = step.after(0);
        }
        assert_eq!(step.after(500).after(0).rows(), 1, "a slow one in between");
        assert_eq!(step.after(-1).after(0).rows(), 1, "the clock went back");
        assert_eq!(step.after(499).rows(), 2);
        for _ in 0..100 {
            step = step.after(10);
        }
        assert_eq!(step.rows(), MAX_STEP_ROWS);
        assert_eq!(Step::of(u32::MAX).rows(), MAX_STEP_ROWS);
    }
}
