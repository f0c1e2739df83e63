//! What the files of a store hold, read without the program under test: events, and whether they are sound.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use hzl_store::StorePaths;
use hzl_store::query::compare;
use hzl_store::query::compare::Compared;
use hzl_testkit::home::Home;
use rusqlite::Connection;
use rusqlite::config::DbConfig;

/// An event as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// Its id.
    pub(crate) id: String,
    /// The event its command began with.
    pub(crate) cause: String,
    /// Its type.
    pub(crate) kind: String,
    /// Every column that says what happened.
    pub(crate) content: String,
}

/// The log of a store, and what commits with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Log {
    /// All events in the order of their rows.
    pub(crate) events: Vec<Event>,
    /// How many rows there are in each of the tables beside them that commands write.
    pub(crate) beside: BTreeMap<&'static str, i64>,
}

const BESIDE: [&str; 3] = ["conflict_ack", "hook_outbox", "workflow_ops"];

const EVENTS: &str = "
    select event_id, coalesce(causation_id, event_id), type,
           json_array(event_id, task_id, type, data, author, agent_id, session_id,
                      correlation_id, causation_id, timestamp)
      from events
     order by id";

impl Log {
    /// Reads the log of this store. A store that does not exist, or has no tables yet, is empty.
    pub(crate) fn read(directory: &Path) -> Self {
        let file = directory.join("events.db");
        if !file.exists() {
            return Self::default();
        }
        let conn = open(&file);
        let tables = "select count(*) from sqlite_master where name = 'workflow_ops'";
        if number(&conn, tables) == 0 {
            return Self::default();
        }
        let mut statement = conn.prepare(EVENTS).expect("the log has its columns");
        let rows = statement.query_map([], |row| {
            Ok(Event {
                id: row.get(0)?,
                cause: row.get(1)?,
                kind: row.get(2)?,
                content: row.get(3)?,
            })
        });
        let events = rows.expect("the log can be read");
        Self {
            events: events.map(|event| event.expect("a row")).collect(),
            beside: BESIDE
                .map(|table| {
                    (
                        table,
                        number(&conn, &format!("select count(*) from {table}")),
                    )
                })
                .into(),
        }
    }
}

/// Returns the directory of a home's store.
pub(crate) fn directory(home: &Home) -> PathBuf {
    home.data().join("hzl")
}

/// Says what is wrong with the files of a store: SQLite's own check of both, and the projections, row by row,
/// against ones that are derived anew from the log.
pub(crate) fn find_fault(directory: &Path) -> Result<(), String> {
    for file in ["events.db", "cache.db"] {
        let conn = open(&directory.join(file));
        let checked: Result<String, _> =
            conn.query_row("pragma integrity_check", [], |row| row.get(0));
        if checked != Ok("ok".to_owned()) {
            return Err(format!("{file} is damaged: {checked:?}"));
        }
    }
    let paths = StorePaths {
        events: directory.join("events.db"),
        cache: directory.join("cache.db"),
    };
    match compare::compare(&paths) {
        Ok(Compared::Same { .. }) => Ok(()),
        other => Err(format!("projections are not what the log says: {other:?}")),
    }
}

/// Removes the projections.
pub(crate) fn delete_cache(directory: &Path) {
    for file in ["cache.db", "cache.db-wal", "cache.db-shm"] {
        let path = directory.join(file);
        assert!(!path.exists() || fs::remove_file(path).is_ok());
    }
}

/// Connects in a way that leaves everything as it lies.
pub(crate) fn open(file: &Path) -> Connection {
    let conn = Connection::open(file).expect("the file opens");
    let left = conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    left.expect("a connection can be configured");
    conn
}

fn number(conn: &Connection, sql: &str) -> i64 {
    conn.query_row(sql, [], |row| row.get(0))
        .unwrap_or_else(|error| panic!("{sql}: {error}"))
}
