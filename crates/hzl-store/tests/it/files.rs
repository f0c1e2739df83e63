//! What the tests of the file layer share.

use std::path::Path;
use std::time::Duration;

use hzl_store::Access;
use hzl_store::Files;
use hzl_store::OpenOptions;
use hzl_store::Result;
use hzl_store::StorePaths;
use hzl_store::ledger::Ledger;
use rusqlite::Connection;
use tempfile::TempDir;

pub(crate) const NOW_MS: i64 = 1_772_000_000_000;

pub(crate) fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

pub(crate) fn paths(directory: &Path) -> StorePaths {
    StorePaths {
        events: directory.join("events.db"),
        cache: directory.join("cache.db"),
    }
}

/// A new ledger with its inbox.
pub(crate) fn fresh() -> (TempDir, Ledger) {
    let home = hzl_testkit::fast_directory();
    let mut ledger = Ledger::open(&paths(home.path()), Access::ReadWrite).unwrap();
    ledger.ensure_inbox().unwrap();
    (home, ledger)
}

/// Opens with ids that count up: `01ID…0`, `01ID…1`.
pub(crate) fn open(paths: &StorePaths, access: Access) -> Result<Files> {
    open_within(paths, access, Duration::from_secs(30))
}

pub(crate) fn open_within(paths: &StorePaths, access: Access, deadline: Duration) -> Result<Files> {
    let mut next = 0;
    let mut new_id = || {
        next += 1;
        format!("01ID{:022}", next - 1)
    };
    Files::open(
        paths,
        access,
        OpenOptions {
            deadline,
            ..OpenOptions::new(&mut new_id, NOW_MS)
        },
    )
}

pub(crate) fn text(conn: &Connection, sql: &str) -> String {
    conn.query_row(sql, [], |row| row.get::<_, rusqlite::types::Value>(0))
        .map(|value| match value {
            rusqlite::types::Value::Null => "null".to_owned(),
            rusqlite::types::Value::Integer(number) => number.to_string(),
            rusqlite::types::Value::Real(number) => number.to_string(),
            rusqlite::types::Value::Text(text) => text,
            rusqlite::types::Value::Blob(blob) => format!("{blob:?}"),
        })
        .unwrap()
}

/// Everything in a database that has a name of its own.
pub(crate) const TABLES: &str = "
    select group_concat(name) from (select name from sqlite_master
     where name not like 'sqlite%' order by name)";

pub(crate) fn a_new_cache() -> Connection {
    let directory = directory();
    open(&paths(directory.path()), Access::ReadWrite)
        .unwrap()
        .cache
}

pub(crate) fn append(conn: &Connection, event_id: &str) {
    let sql = "insert into events (event_id, task_id, type, data) values (?, 't', 'x', '{}')";
    conn.execute(sql, [event_id]).unwrap();
}
