//! Advisory locks between processes: the queue of writers, and the one running sync.
//!
//! Not for correctness of the data: that rests on SQLite's own lock alone. These locks are the
//! kernel's (`flock`), so they end with the process that holds them, however it ends.

use std::fs::File;
use std::fs::TryLockError;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::busy::Wait;
use crate::error::Context as _;
use crate::error::Result;
use crate::vetted;

/// A place at the head of the writers of one store.
///
/// Random naps alone are fair on average, but with 64 writers one in a hundred waited for
/// seconds; queueing in the kernel halves that tail (measured).
#[derive(Debug)]
pub struct WriteQueue {
    _held: Option<File>,
}

impl WriteQueue {
    /// The queue of a store that no other process can reach.
    pub(crate) const fn empty() -> Self {
        Self { _held: None }
    }

    /// Waits for its turn, at most `within`; then, or if there can be no lock file, it goes ahead
    /// without one.
    #[must_use = "dropping it lets the next writer go"]
    pub fn join(path: &Path, within: Duration) -> Self {
        let Ok(file) = vetted::lock_file(path) else {
            return Self { _held: None };
        };
        match file.try_lock() {
            Ok(()) => Self { _held: Some(file) },
            Err(TryLockError::WouldBlock) => Self {
                _held: queue(file, within),
            },
            Err(TryLockError::Error(_)) => Self { _held: None },
        }
    }
}

/// Blocks in the kernel's queue, from which only a thread can be left behind.
fn queue(file: File, within: Duration) -> Option<File> {
    let (sender, receiver) = mpsc::channel();
    let waiting = move || {
        if file.lock().is_ok() {
            // Nobody listens any more: the file comes back, is closed, and the lock is free.
            drop(sender.send(file));
        }
    };
    thread::Builder::new()
        .name("write-queue".into())
        .spawn(waiting)
        .ok()?;
    receiver.recv_timeout(within).ok()
}

/// The right to be the one sync of a store.
#[derive(Debug)]
pub struct SyncLock {
    _held: File,
}

/// Whether some process holds a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// A sync is running.
    Held,
    /// No sync is running.
    Free,
}

impl SyncLock {
    /// Takes the lock, trying for at most `within`; `None` if another process has it.
    ///
    /// Try for some milliseconds even if not being first would be fine: a [`SyncLock::probe`] of
    /// somebody else is in the way for a moment.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Io`] and [`crate::Error::Unsafe`] if there can be no lock file.
    pub fn try_acquire(path: &Path, within: Duration) -> Result<Option<Self>> {
        let file = vetted::lock_file(path)?;
        let mut wait = Wait::until(within);
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(Self { _held: file })),
                Err(TryLockError::WouldBlock) if wait.nap() => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error).at(path, "lock"),
            }
        }
    }

    /// Tells whether a sync is running, without being taken for one.
    ///
    /// It shares the lock for an instant, so probes do not see one another. If the file cannot be
    /// looked at, nobody is known to hold it.
    #[must_use]
    pub fn probe(path: &Path) -> Probe {
        let Some(file) = vetted::existing_lock_file(path) else {
            return Probe::Free;
        };
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Probe::Held,
            Ok(()) | Err(TryLockError::Error(_)) => Probe::Free,
        }
    }
}
