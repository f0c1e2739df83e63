//! What is worth keeping of a cache.db written by HZL 3.2.0.
//!
//! Its projections are not: they are derived again. But its queue of hooks, the results of its
//! workflows and the name of the device lived there, and nowhere else. They move to events.db,
//! once, in the transaction that upgrades it; later the file is copied and emptied.

use std::ffi::OsStr;
use std::fs;
use std::fs::File;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use rusqlite::Connection;
use rusqlite::OptionalExtension as _;
use rusqlite::limits::Limit;
use rusqlite::named_params;
use rusqlite::params_from_iter;
use rusqlite::types::Value;

use super::Version;
use super::columns;
use super::has_table;
use crate::error::Context as _;
use crate::error::Error;
use crate::error::OnConnection as _;
use crate::error::Result;
use crate::paths::beside;
use crate::vetted;

/// Tells whether the database is a cache of HZL 3.2.0 that we have not taken over yet.
pub(crate) fn is_old(conn: &Connection) -> rusqlite::Result<bool> {
    Ok(Version::of(conn)? == Version::NONE
        && (has_table(conn, "tasks_current")? || has_table(conn, "hzl_local_meta")?))
}

/// What moves from the cache of HZL 3.2.0 into the log's file.
#[derive(Debug, Default)]
pub(crate) struct Carried {
    pub(crate) device_id: Option<String>,
    copy_name: Option<String>,
    tables: Vec<Table>,
}

#[derive(Debug)]
struct Table {
    name: &'static str,
    columns: Vec<String>,
    rows: Vec<Vec<Value>>,
}

const DEVICE: &str = "
    select value from hzl_local_meta where key = 'device_id' and typeof(value) = 'text'";

impl Carried {
    /// Reads it, in one snapshot, from the cache at `path`.
    pub(crate) fn read(conn: &Connection, path: &Path) -> rusqlite::Result<Self> {
        let snapshot = conn.unchecked_transaction()?;
        let copy = free_name(&path.with_extension("v5.bak"), ".");
        let copy_name = copy.file_name().and_then(OsStr::to_str).map(str::to_owned);
        let mut carried = Self {
            copy_name,
            ..Self::default()
        };
        if has_table(conn, "hzl_local_meta")? {
            carried.device_id = conn.query_row(DEVICE, [], |row| row.get(0)).optional()?;
        }
        for name in ["hook_outbox", "workflow_ops"] {
            if has_table(conn, name)? {
                carried.tables.push(Table::read(conn, name)?);
            }
        }
        snapshot.finish()?;
        Ok(carried)
    }

    /// Stores the rows under the columns that both sides have. Rows that are there already, or
    /// that no program could have written, are left out.
    pub(crate) fn store(&self, conn: &Connection) -> rusqlite::Result<()> {
        if let Some(name) = &self.copy_name {
            conn.execute(SET_COPY_NAME, named_params! { ":name": name })?;
        }
        self.tables.iter().try_for_each(|table| table.store(conn))
    }
}

impl Table {
    fn read(conn: &Connection, name: &'static str) -> rusqlite::Result<Self> {
        let columns = columns(conn, name)?;
        let mut statement = conn.prepare(&format!("select * from {name} order by rowid"))?;
        let width = statement.column_count();
        let rows = statement
            .query_map([], |row| (0..width).map(|column| row.get(column)).collect())?
            .collect::<rusqlite::Result<_>>()?;
        Ok(Self {
            name,
            columns,
            rows,
        })
    }

    fn store(&self, conn: &Connection) -> rusqlite::Result<()> {
        let known = columns(conn, self.name)?;
        for row in &self.rows {
            // Without the nulls, so that a column which may not be null here gets its default.
            let (names, values): (Vec<_>, Vec<_>) = self
                .columns
                .iter()
                .zip(row)
                .filter(|(name, value)| known.contains(name) && **value != Value::Null)
                .unzip();
            let names = names.iter().map(|name| name.as_str()).collect::<Vec<_>>();
            let places = vec!["?"; names.len()];
            let (table, names, places) = (self.name, names.join(", "), places.join(", "));
            let sql = format!("insert or ignore into {table} ({names}) values ({places})");
            conn.prepare_cached(&sql)?
                .execute(params_from_iter(values))?;
        }
        Ok(())
    }
}

const SET_COPY_NAME: &str = "
    insert into sync_state (key, value) values ('old_cache_copy', :name)";

const COPY_NAME: &str = "select value from sync_state where key = 'old_cache_copy'";

const FORGET_COPY_NAME: &str = "delete from sync_state where key = 'old_cache_copy'";

/// Copies the cache to `cache.v5.bak`, or to the first free `cache.v5.bak.N`, and returns where.
///
/// The name was chosen when the log was upgraded, so that attempts which fail later, on a full
/// disk say, do not leave one copy each.
///
/// A copy, and not a rename: whoever has the file open, an HZL 3.2.0 above all, would go on
/// writing to `-wal` and `-shm` under names that by then belong to another database.
/// The caller holds the writer lock of `log`.
pub(crate) fn back_up(conn: &Connection, path: &Path, log: &Connection) -> Result<PathBuf> {
    let chosen: Option<String> = log
        .query_row(COPY_NAME, [], |row| row.get(0))
        .optional()
        .on(log, "look up the name for a copy of the old cache")?;
    let backup = match chosen {
        Some(name) => path.with_file_name(name),
        None => free_name(&path.with_extension("v5.bak"), "."),
    };
    let partial = beside(&backup, ".partial");
    match fs::remove_file(&partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(error).at(&partial, "remove an unfinished copy of the old cache");
        }
        Ok(()) | Err(_) => vetted::create_private(&partial).at(&partial, "copy the old cache")?,
    }
    let Some(target) = partial.to_str() else {
        let source = io::Error::new(io::ErrorKind::InvalidFilename, "it is not valid UTF-8");
        return Err(Error::Io {
            context: "copy the old cache",
            path: partial,
            source,
        });
    };
    // Vacuuming attaches the copy for the moment.
    let limit = Limit::SQLITE_LIMIT_ATTACHED;
    let attached = conn
        .set_limit(limit, 1)
        .at(path, "allow a copy of the old cache")?;
    let copied = conn.execute("vacuum into ?", [target]);
    let restored = conn.set_limit(limit, attached);
    copied.and(restored).at(path, "copy the old cache")?;
    fs::rename(&partial, &backup).at(&backup, "copy the old cache")?;
    // What follows deletes the original, so the name of the copy must last.
    let directory = backup.parent().unwrap_or(Path::new("/"));
    File::open(directory)
        .and_then(|open| open.sync_all())
        .at(directory, "flush the directory")?;
    Ok(backup)
}

/// Notes that the old cache has been replaced: the next one gets a name of its own.
pub(crate) fn forget_copy_name(log: &Connection) -> rusqlite::Result<()> {
    log.execute(FORGET_COPY_NAME, []).map(drop)
}

/// Returns `path`, or else the first of `path` + `separator` + 2, 3, … that does not exist.
pub(crate) fn free_name(path: &Path, separator: &str) -> PathBuf {
    let numbered = (2_u32..).map(|number| beside(path, &format!("{separator}{number}")));
    std::iter::once(path.to_owned())
        .chain(numbered)
        .find(|candidate| fs::symlink_metadata(candidate).is_err())
        .expect("there are fewer files than numbers")
}
