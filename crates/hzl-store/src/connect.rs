//! One connection to one database, set up the same way wherever it is made.
//!
//! Not for deciding what a file is or should become; see `open`. Invariants: every connection
//! waits with random naps, attaches nothing, distrusts the schema, and leaves checkpoints to
//! [`crate::checkpoint`]; every connection for writing is in WAL mode.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::MAIN_DB;
use rusqlite::OpenFlags;
use rusqlite::config::DbConfig;
use rusqlite::ffi;
use rusqlite::limits::Limit;

use crate::busy;
use crate::busy::Wait;
use crate::error::Context as _;
use crate::error::Error;
use crate::error::Result;
use crate::paths::beside;

/// What a commit promises.
#[derive(Clone, Copy)]
pub(crate) enum Durability {
    /// It survives a power cut.
    Full,
    /// It may be gone after a power cut, and nothing else is.
    Normal,
}

/// Connects for reading and writing, in WAL mode.
pub(crate) fn connect_to_write(
    path: &Path,
    durability: Durability,
    deadline: Duration,
) -> Result<Connection> {
    let conn = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE, deadline)?;
    // SQLite falls back to reading without saying so.
    if conn.is_readonly(MAIN_DB).at(path, "open the database")? {
        return Err(Error::ReadOnly {
            path: path.to_owned(),
            source: None,
        });
    }
    use_wal(&conn, deadline).at(path, "switch the database to WAL")?;
    let pragmas = match durability {
        Durability::Full => "pragma synchronous = full; pragma wal_autocheckpoint = 0",
        Durability::Normal => "pragma synchronous = normal; pragma wal_autocheckpoint = 0",
    };
    conn.execute_batch(pragmas)
        .and_then(|()| keep_pages(&conn))
        .at(path, "configure the database")?;
    harden(&conn).at(path, "configure the database")?;
    Ok(conn)
}

/// At most 64 MiB, taken as needed: with the usual 2 MiB a rebuild of 200,000 events wrote its pages to
/// the WAL and read them back so often that it took twice as long (measured).
const PAGES_KEPT: &str = "pragma cache_size = -65536";

/// Lets a connection keep what it has read: whoever reads all of a log comes by each page again and again.
pub(crate) fn keep_pages(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch(PAGES_KEPT)
}

/// The first switch to WAL needs the file for itself, and SQLite does not wait for that.
fn use_wal(conn: &Connection, deadline: Duration) -> rusqlite::Result<()> {
    let mut wait: Option<Wait> = None;
    loop {
        let mode: rusqlite::Result<String> =
            conn.query_row("pragma journal_mode = wal", [], |row| row.get(0));
        let busy = |error: &ffi::Error| error.extended_code & 0xff == ffi::SQLITE_BUSY;
        match mode {
            Err(error) if error.sqlite_error().is_some_and(busy) => {
                if !wait.get_or_insert_with(|| Wait::until(deadline)).nap() {
                    return Err(error);
                }
            }
            mode => return mode.map(drop),
        }
    }
}

/// Connects for reading. Where no `-shm` can be had, i.e. on a read-only file system, there are
/// two other ways, which both assume that nobody writes.
pub(crate) fn connect_to_read(path: &Path, deadline: Duration) -> Result<Connection> {
    let probe = |conn: Connection| {
        // The first read is what opens the WAL.
        conn.query_row("select count(*) from sqlite_master", [], |_| Ok(()))
            .at(path, "read the database")?;
        harden(&conn).at(path, "configure the database")?;
        Ok(conn)
    };
    let first = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY, deadline).and_then(probe);
    let Err(Error::Sqlite { .. } | Error::ReadOnly { .. }) = first else {
        return first;
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let has_wal = fs::metadata(beside(path, "-wal")).is_ok_and(|wal| wal.len() > 0);
    if !has_wal {
        return connect(&uri(path, "immutable=1"), flags, deadline).and_then(probe);
    }
    // An immutable database has no WAL, so its commits would be missing. With the file to itself,
    // SQLite keeps the index of the WAL in memory; locking fails on a read-only file, so none.
    let conn = connect(&uri(path, "vfs=unix-none"), flags, deadline)?;
    conn.execute_batch("pragma locking_mode = exclusive")
        .at(path, "configure the database")?;
    probe(conn)
}

/// Connects to the database in memory that this process knows under this absolute path.
pub(crate) fn connect_in_memory(path: &Path, deadline: Duration) -> Result<Connection> {
    let conn = connect_shared(path, deadline)?;
    harden(&conn).at(path, "configure the database")?;
    Ok(conn)
}

/// The same, without what protects the database from us.
pub(crate) fn connect_shared(path: &Path, deadline: Duration) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_URI;
    connect(&uri(path, "vfs=memdb"), flags, deadline)
}

/// Opens an empty database that only this process sees.
pub(crate) fn in_memory(deadline: Duration) -> rusqlite::Result<Connection> {
    let mut conn = Connection::open_in_memory()?;
    configure(&mut conn, deadline)?;
    harden(&conn)?;
    Ok(conn)
}

/// Connects, and does nothing yet that reads or changes the file.
pub(crate) fn connect(path: &Path, flags: OpenFlags, deadline: Duration) -> Result<Connection> {
    // The path is absolute, so it is never taken for a URI unless it is meant to be one.
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let mut conn = Connection::open_with_flags(path, flags).at(path, "open the database")?;
    configure(&mut conn, deadline).at(path, "configure the database")?;
    Ok(conn)
}

/// More than any row of ours; a title has 128 characters, a pulled page 1 MiB.
const LONGEST_VALUE_BYTES: i32 = 16 << 20;

const LIMITS: [(Limit, i32); 8] = [
    (Limit::SQLITE_LIMIT_LENGTH, LONGEST_VALUE_BYTES),
    (Limit::SQLITE_LIMIT_SQL_LENGTH, 256 << 10),
    (Limit::SQLITE_LIMIT_COLUMN, 200),
    (Limit::SQLITE_LIMIT_EXPR_DEPTH, 200),
    (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 50),
    (Limit::SQLITE_LIMIT_ATTACHED, 0),
    (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 10),
    (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
];

/// Enough for every statement of one command and of a fold.
const STATEMENTS_KEPT: usize = 160;

/// Sets what must hold before the first byte of the file is read.
fn configure(conn: &mut Connection, deadline: Duration) -> rusqlite::Result<()> {
    for (limit, value) in LIMITS {
        conn.set_limit(limit, value)?;
    }
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // Else a statement that is kept is prepared anew whenever another value is bound to it.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    busy::install(conn, deadline)?;
    conn.execute_batch("pragma cell_size_check = on")
}

/// Forbids what only an attacker or a mistake would do. After the switch to WAL, which counts.
fn harden(conn: &Connection) -> rusqlite::Result<()> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)
        .map(drop)
}

/// Returns an absolute path as a URI filename of SQLite.
fn uri(path: &Path, parameters: &str) -> PathBuf {
    let mut uri = String::from("file://");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                uri.push(char::from(*byte));
            }
            byte => write!(uri, "%{byte:02X}").expect("writing to a string cannot fail"),
        }
    }
    uri.push('?');
    uri.push_str(parameters);
    uri.into()
}
