//! Whether the two files are sound. Looks only; repairs nothing.

use std::path::Path;

use rusqlite::Connection;

use crate::catch_up;
use crate::digest::StateSum;
use crate::error::{OnConnection as _, Result};
use crate::log;
use crate::open::{Access, Files, OpenOptions};
use crate::paths::StorePaths;
use crate::projector::state_sum;
use crate::schema::Version;
use crate::schema::cache::PROJECTION_VERSION;
use crate::schema::events::SUPPORTED;
use crate::state::SyncState;

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

/// Whether stored projections are what the log says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Agreement {
    /// They are.
    Same(StateSum),
    /// They are not.
    Different {
        /// Of what is stored.
        stored: StateSum,
        /// Of what the log says.
        folded: StateSum,
    },
    /// Others wrote all the time, so that the two could not be compared.
    Unknown,
}

/// How often a comparison is tried while others write.
const ATTEMPTS: usize = 3;

/// Folds the whole log in memory and compares the outcome with what is stored, which is left as it is.
///
/// # Errors
/// As [`Files::open`].
pub fn compare_projections(events: &Path, cache: &Path) -> Result<Agreement> {
    let paths = StorePaths {
        events: events.to_owned(),
        cache: cache.to_owned(),
    };
    // Only a new store would need a name, and nothing is created.
    let mut no_name = String::new;
    for _ in 0..ATTEMPTS {
        let options = OpenOptions::new(&mut no_name, 0);
        let mut files = Files::open(&paths, Access::ReadOnly, options)?;
        let before = (
            log::find_end(&files.events)?,
            SyncState::load(&files.events)?,
        );
        let is_current = catch_up::is_current(&files.events, &files.cache)?;
        let stored = state_sum(&files.cache)?;
        files.use_private_cache()?;
        catch_up::rebuild(&files.events, &files.cache)?;
        let folded = state_sum(&files.cache)?;
        let after = (
            log::find_end(&files.events)?,
            SyncState::load(&files.events)?,
        );
        if !is_current || after != before {
            continue;
        }
        return Ok(if stored == folded {
            Agreement::Same(stored)
        } else {
            Agreement::Different { stored, folded }
        });
    }
    Ok(Agreement::Unknown)
}
