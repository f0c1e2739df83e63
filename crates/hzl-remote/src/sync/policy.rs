//! When to sync: pure arithmetic on times and failures.

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
}
