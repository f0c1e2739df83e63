//! Two databases, as hzl has: a log that is durable, and a cache that follows it.

use std::fs;
use std::path::Path;
use std::process;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::params;

/// Above this size of a WAL, it is written back after a commit.
const WAL_BYTES: u64 = 256 * 1024;
/// So many tasks are there; each insert is about one of them.
const TASKS: u64 = 1000;
const DATA: &str = r#"{"from":"ready","to":"in_progress","lease_until":"2026-03-01T11:00:00.000Z","note":"as long as most events are, which is some three hundred bytes with all that belongs to one; the rest of it is the ids, the author and the time"}"#;

fn connect(path: &Path) -> Connection {
    let connection = Connection::open(path).expect("the database opens");
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        .expect("the connection can be told");
    connection
}

pub(crate) fn init(directory: &Path) {
    drop(fs::remove_dir_all(directory));
    fs::create_dir_all(directory).expect("a directory can be made");
    let events = Connection::open(directory.join("events.db")).expect("a database");
    events
        .execute_batch(
            "pragma journal_mode = wal;
             create table events (id integer primary key, event_id text not null unique,
               task_id text not null, type text not null, data text not null check (json_valid(data)),
               author text, timestamp text not null);
             create index events_task on events (task_id, id);",
        )
        .expect("tables can be made");
    let mut cache = Connection::open(directory.join("cache.db")).expect("a database");
    cache
        .execute_batch(
            "pragma journal_mode = wal;
             create table tasks (id integer primary key, task_id text not null unique, title text not null,
               status text not null, updated_at text not null);
             create index tasks_status on tasks (status, task_id);",
        )
        .expect("tables can be made");
    let transaction = cache.transaction().expect("a transaction");
    for n in 0..TASKS {
        let values = params![format!("task-{n}"), format!("Title {n}"), "ready", "2026"];
        transaction
            .execute(
                "insert into tasks (task_id, title, status, updated_at) values (?, ?, ?, ?)",
                values,
            )
            .expect("a row");
    }
    transaction.commit().expect("a commit");
    drop(cache);
    drop(events);
    insert(directory);
}

pub(crate) fn open(directory: &Path, names: &[&str]) {
    for name in names {
        let connection = connect(&directory.join(name));
        let sql = match *name {
            "events.db" => "select max(id) from events",
            _ => "select id from tasks where task_id = 'task-7'",
        };
        let row: i64 = connection
            .query_row(sql, [], |row| row.get(0))
            .expect("a row");
        assert!(row > 0);
    }
}

pub(crate) fn insert(directory: &Path) {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("it is past 1970");
    let n = now.subsec_micros();
    let (event, task) = (
        format!("{:024}", now.as_nanos()),
        format!("task-{}", u64::from(n) % TASKS),
    );
    let time = now.as_secs().to_string();
    let log = connect(&directory.join("events.db"));
    log.execute_batch("pragma synchronous = full; begin immediate")
        .expect("a transaction");
    log.execute(
        "insert into events (event_id, task_id, type, data, author, timestamp) values (?, ?, ?, ?, ?, ?)",
        params![event, task, "status_changed", DATA, "agent", time],
    )
    .expect("an event");
    log.execute_batch("commit").expect("a commit");
    let cache = connect(&directory.join("cache.db"));
    cache
        .execute_batch("pragma synchronous = normal")
        .expect("a setting");
    cache
        .execute(
            "update tasks set status = ?, updated_at = ? where task_id = ?",
            params![process::id().to_string(), time, task],
        )
        .expect("a row");
    for (connection, name) in [(&log, "events.db-wal"), (&cache, "cache.db-wal")] {
        if fs::metadata(directory.join(name)).is_ok_and(|wal| wal.len() > WAL_BYTES) {
            connection
                .query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))
                .expect("nobody is in the way");
        }
    }
}
