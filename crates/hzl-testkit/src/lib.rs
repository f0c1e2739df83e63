//! Helpers for tests: hermetic homes for the binary, real libSQL servers, misbehaving servers.
//!
//! Never a dependency of shipped code. Everything here panics with an explanation instead of
//! returning errors, and nothing is ever skipped: a test that needs a server either gets the real
//! one or fails. Whatever is started ends with its value, and also when the test process is killed.

pub mod counted;
pub mod dns;
pub mod fuzz;
pub mod home;
mod listener;
pub mod made_up;
pub mod port;
pub mod proxy;
pub mod random;
pub mod relay;
pub mod schemas;
pub mod servers;
pub mod strace;
pub mod stub;
pub mod tls;
mod tools;
pub mod words;

use std::thread;
use std::time::Duration;
use std::time::Instant;

use tempfile::TempDir;

/// How often [`wait_until`] looks again.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Waits until `condition` holds, looking every 20 ms, at least once.
///
/// For conditions that another process brings about; nothing else in a test should wait.
///
/// # Panics
///
/// When the condition does not hold within `limit`, naming `what` was waited for.
#[track_caller]
pub fn wait_until(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !condition() {
        assert!(
            Instant::now() < deadline,
            "waited {limit:?} in vain until {what}"
        );
        thread::sleep(POLL_INTERVAL);
    }
}

/// Makes a directory of its own, in memory where the system has such a place: an fsync costs nothing there.
///
/// # Panics
///
/// When there is no place for temporary files.
#[must_use]
pub fn fast_directory() -> TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .expect("there is a place for temporary files")
}

/// Returns how long this thread has worked so far: unlike the time on the wall, that does not depend on what else
/// the machine does.
#[must_use]
pub fn time_worked() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("it is not negative")
}

/// Reads from `/proc/PID/status` how much memory a process has ever had at once, in kB.
#[must_use]
pub fn peak_kb(status: &str) -> Option<u64> {
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_ends_as_soon_as_the_condition_holds() {
        let mut looks = 0;
        wait_until(Duration::from_secs(10), "the third look", || {
            looks += 1;
            looks == 3
        });
        assert_eq!(looks, 3);
    }

    #[test]
    #[should_panic(expected = "in vain until pigs fly")]
    fn waiting_in_vain_says_for_what() {
        wait_until(Duration::ZERO, "pigs fly", || false);
    }
}
