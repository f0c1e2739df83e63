//! Write transactions: begun with the lock in hand, ended so that the answer is the truth.
//!
//! Not for retrying or for deciding what to write. Invariants: a write transaction is IMMEDIATE
//! from its first statement (a deferred one that turns into a write fails on a foreign commit,
//! without waiting); a commit of the log that was reported as failed never takes effect later.

use std::ops::Deref;
use std::path::Path;

use hzl_core::planted::{Bug, is_planted};
use rusqlite::Connection;
use rusqlite::ffi;

use crate::error::Error;
use crate::error::OnConnection as _;
use crate::error::Result;
use crate::interrupt;
use crate::interrupt::Point;
use crate::vetted;

/// A transaction that holds the writer lock of one database; dropping it rolls it back.
#[derive(Debug)]
pub struct WriteTransaction<'conn> {
    conn: &'conn Connection,
}

impl<'conn> WriteTransaction<'conn> {
    /// Takes the writer lock, waiting for it as long as the connection waits.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] when the deadline passed, [`Error::ReadOnly`] on a read-only connection.
    pub fn begin(conn: &'conn Connection) -> Result<Self> {
        interrupt::pass(Point::Begin)
            .and_then(|()| conn.execute_batch("begin immediate"))
            .on(conn, "lock the database for writing")?;
        Ok(Self { conn })
    }

    /// Commits a transaction on events.db. When this returns, its events are on the disk.
    ///
    /// `event_id` is the first event appended, for the one error that cannot say what happened.
    ///
    /// # Errors
    ///
    /// [`Error::CommitUnknown`] if the commit failed and could not be undone for good. After any
    /// other error nothing was written.
    pub fn commit_log(self, event_id: Option<&str>) -> Result<()> {
        let conn = self.conn;
        vetted::sync_wal_name(self.path())?;
        let committed = interrupt::pass(Point::CommitLog)
            .and_then(|()| conn.execute_batch("commit"))
            .and_then(|()| interrupt::pass(Point::LogCommitted));
        let Err(source) = committed else {
            return Ok(());
        };
        if is_planted(Bug::FailedCommitIgnored) {
            return Ok(());
        }
        if is_planted(Bug::CommitReportedAsFailed) {
            drop(conn.execute_batch("commit"));
        }
        drop(self);
        Err(failed_commit(
            conn,
            source,
            "commit to the event log",
            event_id,
        ))
    }

    /// Commits a transaction on cache.db.
    ///
    /// # Errors
    ///
    /// Whatever SQLite reports. The projections may then be behind, or as they should be; both
    /// are found out by their cursor.
    pub fn commit_cache(self) -> Result<()> {
        vetted::sync_wal_name(self.path())?;
        interrupt::pass(Point::CommitCache)
            .and_then(|()| self.conn.execute_batch("commit"))
            .and_then(|()| interrupt::pass(Point::CacheCommitted))
            .on(self.conn, "commit to the cache")
    }

    /// Ends the transaction without a trace.
    ///
    /// # Errors
    ///
    /// Whatever SQLite reports; dropping the transaction ignores it, as then something else
    /// failed before.
    pub fn roll_back(self) -> Result<()> {
        self.conn
            .execute_batch("rollback")
            .on(self.conn, "roll back")
    }

    pub(crate) fn path(&self) -> &'conn Path {
        Path::new(self.conn.path().unwrap_or_default())
    }
}

impl Deref for WriteTransaction<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.conn
    }
}

impl Drop for WriteTransaction<'_> {
    fn drop(&mut self) {
        if !self.conn.is_autocommit() {
            // Best effort: SQLite has often rolled back by itself, and the caller is already
            // reporting what went wrong. Closing the connection rolls back as well.
            drop(self.conn.execute_batch("rollback"));
        }
    }
}

/// Sees to it that a commit of the log that has failed never takes effect, and says so; or says that it may have.
pub(crate) fn failed_commit(
    conn: &Connection,
    source: rusqlite::Error,
    context: &'static str,
    event_id: Option<&str>,
) -> Error {
    if bury(conn).is_ok() || never_reached_the_log(&source) {
        let path = Path::new(conn.path().unwrap_or_default());
        return Error::from_sqlite(context, path, source);
    }
    Error::CommitUnknown {
        event_id: event_id.map(str::to_owned),
        source,
    }
}

const BURY: &str = "
    begin immediate;
    insert into sync_state (key, value) values ('aborted', 1)
      on conflict (key) do update set value = value + 1;
    commit";

/// Overwrites what a failed commit left in the WAL.
///
/// The frames may be complete there, although the commit failed at the fsync that followed; the
/// next process to open the log would take them for committed. A small transaction that does
/// succeed is written over them. Measured with EIO injected at the first fsync: without this the
/// events came back, with it they stayed away, 3 of 3 each.
fn bury(conn: &Connection) -> rusqlite::Result<()> {
    let buried = conn.execute_batch(BURY);
    if buried.is_err() && !conn.is_autocommit() {
        conn.execute_batch("rollback")?;
    }
    buried
}

/// Tells whether a commit failed before its last frame, the one that makes it valid, was written.
fn never_reached_the_log(error: &rusqlite::Error) -> bool {
    let full = |code: &ffi::Error| code.extended_code & 0xff == ffi::SQLITE_FULL;
    error.sqlite_error().is_some_and(full)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> Connection {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(
            "create table sync_state (key text primary key, value text) without rowid;
             create table parents (id integer primary key);
             create table children (
               parent integer references parents (id) deferrable initially deferred);",
        )
        .unwrap();
        conn
    }

    fn count(conn: &Connection, table: &str) -> i64 {
        let sql = format!("select count(*) from {table}");
        conn.query_row(&sql, [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn a_dropped_transaction_leaves_nothing() {
        let conn = log();
        let transaction = WriteTransaction::begin(&conn).unwrap();
        transaction
            .execute_batch("insert into parents values (1)")
            .unwrap();
        drop(transaction);
        assert!(conn.is_autocommit());
        assert_eq!(count(&conn, "parents"), 0);
    }

    #[test]
    fn a_failed_commit_is_undone_and_buried_under_a_committed_row() {
        let conn = log();
        for failures in 1..=2 {
            let transaction = WriteTransaction::begin(&conn).unwrap();
            transaction
                .execute_batch("insert into children values (7)")
                .unwrap();
            let error = transaction.commit_log(Some("01EVENT")).unwrap_err();
            assert!(matches!(error, Error::Sqlite { .. }), "{error:?}");
            assert_eq!(count(&conn, "children"), 0);
            let sql = "select value from sync_state where key = 'aborted'";
            let aborted: String = conn.query_row(sql, [], |row| row.get(0)).unwrap();
            assert_eq!(aborted, failures.to_string());
        }
    }

    #[test]
    fn a_failed_commit_that_cannot_be_buried_names_the_event() {
        let conn = log();
        conn.execute_batch("drop table sync_state").unwrap();
        let transaction = WriteTransaction::begin(&conn).unwrap();
        transaction
            .execute_batch("insert into children values (7)")
            .unwrap();
        let error = transaction.commit_log(Some("01EVENT")).unwrap_err();
        assert!(matches!(error, Error::CommitUnknown { .. }), "{error:?}");
        assert!(
            error.to_string().ends_with("look for event 01EVENT"),
            "{error}"
        );
        assert!(conn.is_autocommit());
    }
}
