//! Whether the two files are sound. Looks only; repairs nothing.

use rusqlite::Connection;

use crate::error::{OnConnection as _, Result};
use crate::schema::Version;
use crate::schema::cache::PROJECTION_VERSION;
use crate::schema::events::SUPPORTED;

/// How many findings are listed of one file.
const FINDINGS: usize = 10;

/// Lists the damage SQLite finds in a database file; empty: none.
///
/// # Errors
/// Whatever SQLite reports, [`crate::Error::Corrupt`] included.
pub fn list_damage(conn: &Connection) -> Result<Vec<String>> {
    let context = "check the database";
    let sql = format!("pragma integrity_check({FINDINGS})");
    let mut statement = conn.prepare(&sql).on(conn, context)?;
    let findings = statement
        .query_map([], |row| row.get::<_, String>(0))
        .on(conn, context)?
        .collect::<rusqlite::Result<Vec<_>>>()
        .on(conn, context)?;
    Ok(findings
        .into_iter()
        .filter(|finding| finding != "ok")
        .collect())
}

/// The versions of the two files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Versions {
    /// Of the log.
    pub events: Version,
    /// That this hzl writes.
    pub events_supported: Version,
    /// Of the projections.
    pub projections: i32,
    /// That this hzl reads and writes.
    pub projections_supported: i32,
}

impl Versions {
    /// Tells whether both files are what this hzl writes, the log or newer.
    pub fn are_current(&self) -> bool {
        self.events >= self.events_supported && self.projections == self.projections_supported
    }
}

/// Reads the versions.
///
/// # Errors
/// Whatever SQLite reports.
pub fn versions(events: &Connection, cache: &Connection) -> Result<Versions> {
    let context = "read the version of the database";
    Ok(Versions {
        events: Version::of(events).on(events, context)?,
        events_supported: SUPPORTED,
        projections: cache
            .query_row("pragma user_version", [], |row| row.get(0))
            .on(cache, context)?,
        projections_supported: PROJECTION_VERSION,
    })
}
