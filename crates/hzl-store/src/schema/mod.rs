//! The tables of both databases, and how older files become current.
//!
//! A file says its version in `user_version`, so that opening a current one runs no DDL. Whatever
//! changes a structure does it in one transaction, while holding the writer lock of events.db,
//! and looks again after taking it: any number of processes may start at once.

use std::fmt;

use rusqlite::Connection;

pub mod cache;
pub mod events;

pub(crate) mod old_cache;

/// A two-part version: an hzl refuses a file of a higher major version than it knows, and goes on
/// with a higher minor one.
///
/// Stored in `user_version` as `major * 1000 + minor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(i32);

impl Version {
    /// What a file says that has never been stamped: new, or written by HZL 3.2.0.
    pub const NONE: Self = Self(0);

    /// Returns version `major.minor`; minor is 0–999.
    #[must_use]
    pub const fn new(major: i32, minor: i32) -> Self {
        Self(major * 1000 + minor)
    }

    /// Returns the part that older binaries refuse when it grows.
    #[must_use]
    pub const fn major(self) -> i32 {
        self.0.div_euclid(1000)
    }

    /// Returns the part that older binaries may ignore.
    #[must_use]
    pub const fn minor(self) -> i32 {
        self.0.rem_euclid(1000)
    }

    pub(crate) fn of(conn: &Connection) -> rusqlite::Result<Self> {
        user_version(conn).map(Self)
    }

    fn stamp(self, conn: &Connection) -> rusqlite::Result<()> {
        set_user_version(conn, self.0)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major(), self.minor())
    }
}

fn user_version(conn: &Connection) -> rusqlite::Result<i32> {
    conn.query_row("pragma user_version", [], |row| row.get(0))
}

fn set_user_version(conn: &Connection, version: i32) -> rusqlite::Result<()> {
    // A pragma takes no bound values.
    conn.execute_batch(&format!("pragma user_version = {version}"))
}

const HAS_TABLE: &str = "
    select exists (select 1 from sqlite_master where type = 'table' and name = :name)";

fn has_table(conn: &Connection, name: &str) -> rusqlite::Result<bool> {
    conn.query_row(
        HAS_TABLE,
        rusqlite::named_params! { ":name": name },
        |row| row.get(0),
    )
}

const COLUMNS: &str = "select name from pragma_table_info(:table) order by cid";

fn columns(conn: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = conn.prepare(COLUMNS)?;
    let names = statement.query_map(rusqlite::named_params! { ":table": table }, |row| {
        row.get(0)
    });
    names?.collect()
}
