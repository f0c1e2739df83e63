//! Where a process may die or a disk may be full, for the simulator.
//!
//! Everything a store does to its files happens in transactions, so a kill matters only at their edges:
//! those are the points here. Armed for one thread, by nobody but the simulator; elsewhere a point
//! costs one look at a thread-local.

use std::cell::Cell;

use rusqlite::ffi;

/// An edge of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Point {
    /// A write transaction begins, on either database.
    Begin,
    /// events.db is about to commit.
    CommitLog,
    /// events.db has committed, and nobody has been told.
    LogCommitted,
    /// cache.db is about to commit.
    CommitCache,
    /// cache.db has committed.
    CacheCommitted,
}

/// What happens at a point.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interrupt {
    /// The process ends: unwinding with [`Died`] as payload.
    Die,
    /// The disk is full: the transaction fails. Nothing happens where one has just committed.
    Fail,
}

/// The payload of the unwinding that stands for the end of a process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Died;

thread_local! {
    static ARMED: Cell<Option<(u32, Interrupt)>> = const { Cell::new(None) };
}

/// Makes an interrupt happen on this thread after so many more points, or none; returns what was still
/// to come.
pub fn arm(interrupt: Option<(u32, Interrupt)>) -> Option<(u32, Interrupt)> {
    ARMED.replace(interrupt)
}

/// Passes a point.
///
/// # Errors
/// `SQLITE_FULL`, if that is what is to happen here.
pub(crate) fn pass(point: Point) -> rusqlite::Result<()> {
    let Some((points, interrupt)) = ARMED.get() else {
        return Ok(());
    };
    if points > 0 {
        ARMED.set(Some((points - 1, interrupt)));
        return Ok(());
    }
    ARMED.set(None);
    match (interrupt, point) {
        (Interrupt::Die, _) => std::panic::resume_unwind(Box::new(Died)),
        (Interrupt::Fail, Point::LogCommitted | Point::CacheCommitted) => Ok(()),
        (Interrupt::Fail, Point::Begin | Point::CommitLog | Point::CommitCache) => Err(
            rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_FULL), None),
        ),
    }
}
