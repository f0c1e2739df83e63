//! The structure of cache.db.
//!
//! Not for folding events into it; that is the projector's. Invariants: the file holds nothing
//! that cannot be derived again; a valid database is never replaced under another process, its
//! tables are replaced in a transaction; only a file that is no database at all is moved aside.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;

use super::set_user_version;
use super::user_version;
use crate::error::Context as _;
use crate::error::Result;
use crate::transaction::WriteTransaction;

/// The version of the projections: raised with any change of their tables or of their meaning.
///
/// Any other number in the file, higher or lower, makes them be built anew. Never 0.
pub const PROJECTION_VERSION: i32 = 8;

const SCHEMA: &str = include_str!("cache.sql");

/// Tells whether the projections are of the version that this hzl reads and writes.
pub(crate) fn is_current(conn: &Connection) -> rusqlite::Result<bool> {
    Ok(user_version(conn)? == PROJECTION_VERSION)
}

/// Tells whether the file was ever a cache of ours, of whatever version.
pub(crate) fn is_stamped(conn: &Connection) -> rusqlite::Result<bool> {
    Ok(user_version(conn)? != 0)
}

/// Makes the projections empty and current, in one transaction.
///
/// The caller holds the writer lock of events.db. Tables of others in the file stay, except those
/// of HZL 3.2.0 when `scope` says so.
pub(crate) fn recreate(conn: &Connection, path: &Path, scope: Scope) -> Result<()> {
    let transaction = WriteTransaction::begin(conn)?;
    drop_tables(&transaction, scope).at(path, "drop the old projections")?;
    create(&transaction).at(path, "create the projections")?;
    transaction.commit_cache()
}

/// Creates the projections in an empty database, without a transaction of its own.
pub(crate) fn create(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch(SCHEMA)?;
    set_user_version(conn, PROJECTION_VERSION)
}

/// Empties a damaged database in place, by the one way SQLite has for that.
pub(crate) fn reset(conn: &Connection, path: &Path) -> Result<()> {
    let attached = conn.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 1);
    let attached = attached.at(path, "allow a vacuum")?;
    let emptied = conn
        .set_db_config(DbConfig::SQLITE_DBCONFIG_RESET_DATABASE, true)
        .and_then(|_| conn.execute_batch("vacuum"));
    let restored = conn
        .set_db_config(DbConfig::SQLITE_DBCONFIG_RESET_DATABASE, false)
        .and_then(|_| conn.set_limit(Limit::SQLITE_LIMIT_ATTACHED, attached));
    emptied
        .and(restored.map(drop))
        .at(path, "empty the damaged cache")
}

/// Which tables [`recreate`] drops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Ours, all named `p_*`.
    Projections,
    /// All: the cache is still that of HZL 3.2.0.
    Everything,
}

// Virtual tables first: they take their shadow tables along, which nobody may drop directly.
const TABLES: &str = "
    select type, name from pragma_table_list
     where schema = 'main' and type in ('virtual', 'view', 'table')
       and name not like 'sqlite\\_%' escape '\\'
       and (:everything or name like 'p\\_%' escape '\\')
     order by type desc, name";

fn drop_tables(conn: &Connection, scope: Scope) -> rusqlite::Result<()> {
    let everything = scope == Scope::Everything;
    let mut statement = conn.prepare(TABLES)?;
    let tables = statement
        .query_map(
            rusqlite::named_params! { ":everything": everything },
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?
        .collect::<rusqlite::Result<Vec<(String, String)>>>()?;
    for (kind, name) in tables {
        let kind = if kind == "view" { "view" } else { "table" };
        let name = name.replace('"', "\"\"");
        conn.execute_batch(&format!("drop {kind} \"{name}\""))?;
    }
    Ok(())
}
