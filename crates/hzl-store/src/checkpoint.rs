//! When the WAL goes back into the database.
//!
//! Connections neither checkpoint on their own nor on close (that costs a short process eight
//! fsyncs for each write), so this is the only place where it happens.
//!
//! Invariant: a WAL stays near [`LIMIT_BYTES`] as long as there is ever a moment without readers.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use crate::busy;
use crate::error::OnConnection as _;
use crate::error::Result;
use crate::paths::beside;

/// The size above which a WAL is written back.
///
/// Every process reads the WALs of the databases that it opens, frame by frame; every checkpoint is two syncs. A
/// write adds some 30 KiB to the log's and 70 to the cache's.
pub const LIMIT_BYTES: u64 = 256 * 1024;
/// The size above which a write leaves no WAL behind.
const BULK_BYTES: u64 = 1024 * 1024;
/// How long a write waits for readers then: they take milliseconds.
const PATIENCE: Duration = Duration::from_millis(250);

/// Writes the WAL of the log back if it has grown, unless somebody is in the way.
///
/// Before a commit and not after it, so that the WAL is not left empty: one with a frame in it tells readers that
/// nothing has happened since (see [`crate::tip`]).
pub(crate) fn before_write(conn: &Connection, path: &Path) {
    above(LIMIT_BYTES, conn, path);
}

/// Writes the WAL of the log back if it has grown much: the next commit may be far.
pub(crate) fn after_bulk(conn: &Connection, path: &Path) {
    above(BULK_BYTES, conn, path);
}

/// Writes the WAL of the database at `path` back if it has grown, unless somebody is in the way.
pub fn after_commit(conn: &Connection, path: &Path) {
    above(LIMIT_BYTES, conn, path);
}

/// Never fails: the commit before it is done, and the next one tries again. Hardly ever waits: only readers who come and
/// go without a gap make a WAL grow so far that it pays to wait for a gap.
fn above(limit: u64, conn: &Connection, path: &Path) {
    let size = fs::metadata(beside(path, "-wal")).map_or(0, |metadata| metadata.len());
    if size > limit {
        let patience = if has_just_doubled(size) {
            PATIENCE
        } else {
            Duration::ZERO
        };
        // Best effort, as said above; a full disk will be reported by the next write.
        drop(busy::within(patience, || truncate(conn)));
    }
}

/// Some writes out of the many between one doubling and the next: a reader who stays must not slow down all.
fn has_just_doubled(size: u64) -> bool {
    (size / BULK_BYTES).is_power_of_two() && size % BULK_BYTES < LIMIT_BYTES
}

/// Writes the WAL back, waiting for readers and writers as long as the connection waits.
///
/// For the end of a rebuild or of a large pull, which leave a WAL that every later process would
/// have to read. Returns whether all of it was written back.
///
/// # Errors
///
/// Whatever SQLite reports, except that readers were in the way.
pub fn now(conn: &Connection) -> Result<bool> {
    truncate(conn).on(conn, "write the WAL back")
}

/// Writes the WAL back after a change of structure, unless somebody is in the way.
///
/// What creating a store leaves in the WAL would be read by every command after it.
pub(crate) fn after_ddl(conn: &Connection) {
    // Best effort, as in `after_commit`.
    drop(busy::without_waiting(|| truncate(conn)));
}

fn truncate(conn: &Connection) -> rusqlite::Result<bool> {
    let sql = "pragma wal_checkpoint(truncate)";
    conn.query_row(sql, [], |row| Ok(row.get::<_, i64>(0)? == 0))
}
