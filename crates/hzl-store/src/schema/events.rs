//! The structure of events.db: creation, and the way from each older format to the current one.
//!
//! Not for what the rows mean. Invariants: no event is rewritten by an upgrade; an upgrade either
//! happens as a whole or not at all; HZL 3.2.0 can still read and add events afterwards.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::named_params;
use rusqlite::types::Value;

use super::Version;
use super::columns;
use super::has_table;
use super::old_cache::Carried;
use crate::error::Context as _;
use crate::error::Error;
use crate::error::Result;
use crate::open::Birth;
use crate::sum;
use crate::transaction::WriteTransaction;

/// The format this hzl writes.
pub const SUPPORTED: Version = Version::new(1, 1);

/// The trigger that keeps rows from being changed, for whoever had to drop it for a moment.
pub(crate) const NO_UPDATE: &str = "
    create trigger events_no_update before update on events
    begin
      select raise(abort, 'events are append-only: an event cannot be changed');
    end";

/// The trigger that keeps rows from being deleted, likewise.
pub(crate) const NO_DELETE: &str = "
    create trigger events_no_delete before delete on events
    begin
      select raise(abort, 'events are append-only: an event cannot be deleted');
    end";

/// The trigger that HZL 3.2.0 does not know how to drop, likewise.
pub(crate) const NO_DELETE_BY_OTHERS: &str = "
    create trigger hzl_no_delete before delete on events
    begin
      select raise(abort, 'this ledger is written by a newer hzl: prune with that one');
    end";

type Upgrade = fn(&Connection) -> rusqlite::Result<()>;

/// Every format there has been, with the step that leads to it from the one before.
const UPGRADES: &[(Version, Upgrade)] =
    &[(Version::new(1, 0), to_1_0), (Version::new(1, 1), to_1_1)];

const V1: &str = include_str!("events_v1.sql");
const V1_1: &str = include_str!("events_v1_1.sql");

/// Tells whether the log needs [`upgrade`], and refuses one that is too new.
///
/// # Errors
///
/// [`Error::NewerFormat`] for a higher major version, [`Error::NotADatabase`] and
/// [`Error::Corrupt`] for files that are no log.
pub(crate) fn is_current(conn: &Connection, path: &Path) -> Result<bool> {
    let found = Version::of(conn).at(path, "read the version of the event log")?;
    if found.major() > SUPPORTED.major() {
        return Err(Error::NewerFormat {
            path: path.to_owned(),
            found,
            supported: SUPPORTED,
        });
    }
    Ok(found >= SUPPORTED)
}

/// Brings a log that is new, or of an older format, to the current one.
///
/// `carried` reads what must come over from the cache of HZL 3.2.0; it is called only if this is
/// such a store and nobody else was faster.
pub(crate) fn upgrade(
    transaction: WriteTransaction<'_>,
    birth: &mut Birth<'_>,
    carried: impl FnOnce() -> Result<Carried>,
) -> Result<()> {
    let path = transaction.path();
    if is_current(&transaction, path)? {
        return transaction.roll_back();
    }
    let found = Version::of(&transaction).at(path, "read the version of the event log")?;
    refuse_foreign(&transaction, path, found)?;
    for (version, step) in UPGRADES {
        if *version > found {
            step(&transaction).at(path, "upgrade the event log")?;
        }
    }
    if found == Version::NONE {
        let carried = carried()?;
        carried
            .store(&transaction)
            .at(path, "take over the queue of the older hzl")?;
        identify(&transaction, birth, carried.device_id).at(path, "name the new ledger")?;
    }
    SUPPORTED
        .stamp(&transaction)
        .at(path, "stamp the event log")?;
    transaction.commit_log(None)
}

/// Tells whether the file holds an event log of any format, as opposed to nothing.
pub(crate) fn exist(conn: &Connection) -> rusqlite::Result<bool> {
    has_table(conn, "events")
}

/// Copies the tables of HZL 3.2.0 from `log` into the empty database `copy`.
pub(crate) fn copy_old(log: &Connection, copy: &Connection) -> rusqlite::Result<()> {
    let snapshot = log.unchecked_transaction()?;
    let transaction = copy.unchecked_transaction()?;
    for table in ["events", "hzl_global_meta"] {
        if !has_table(log, table)? {
            continue;
        }
        let ddl: String = log.query_row(TABLE_DDL, named_params! { ":name": table }, |row| {
            row.get(0)
        })?;
        copy.execute_batch(&ddl)?;
        let mut rows = log.prepare(&format!("select * from {table} order by rowid"))?;
        let width = rows.column_count();
        let places = vec!["?"; width].join(", ");
        let mut insert = copy.prepare(&format!("insert into {table} values ({places})"))?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            for column in 0..width {
                insert.raw_bind_parameter(column + 1, row.get::<_, Value>(column)?)?;
            }
            insert.raw_execute()?;
        }
    }
    snapshot.finish()?;
    transaction.commit()
}

const TABLE_DDL: &str = "
    select sql from sqlite_master where type = 'table' and name = :name";

const OTHER_TABLE: &str = "
    select type || ' ' || name from sqlite_master
     where type in ('table', 'view') and name not like 'sqlite\\_%' escape '\\'
       and name not in ('hzl_global_meta', 'schema_migrations')
     order by name limit 1";

const NEEDED: [&str; 6] = ["id", "event_id", "task_id", "type", "data", "timestamp"];

/// Refuses a database that belongs to another program: nothing of ours may be created in it.
fn refuse_foreign(conn: &Connection, path: &Path, found: Version) -> Result<()> {
    let refuse = |reason| {
        Err(Error::NotALog {
            path: path.to_owned(),
            reason,
        })
    };
    if found != Version::NONE && found.major() < 1 {
        return refuse(format!("its user_version is {}", found.minor()));
    }
    if exist(conn).at(path, "read the tables of the event log")? {
        let present = columns(conn, "events").at(path, "read the columns of the event log")?;
        return match NEEDED
            .iter()
            .find(|name| !present.iter().any(|other| other == *name))
        {
            Some(name) => refuse(format!("its table events has no column {name}")),
            None => Ok(()),
        };
    }
    let other = conn.query_row(OTHER_TABLE, [], |row| row.get(0));
    match other {
        Ok(name) => refuse(format!("it holds the {}", String::as_str(&name))),
        Err(rusqlite::Error::QueryReturnedNoRows) => Ok(()),
        Err(error) => Err(error).at(path, "read the tables of the event log"),
    }
}

/// Columns that some log before 1.0 lacks, in the order of the table.
const ADDED: [(&str, &str); 8] = [
    ("schema_version", "integer not null default 1"),
    ("author", "text"),
    ("agent_id", "text"),
    ("session_id", "text"),
    ("correlation_id", "text"),
    ("causation_id", "text"),
    ("basis_seq", "integer"),
    ("epoch", "integer"),
];

fn to_1_0(conn: &Connection) -> rusqlite::Result<()> {
    if exist(conn)? {
        let present = columns(conn, "events")?;
        for (name, kind) in ADDED {
            if !present.iter().any(|other| other == name) {
                conn.execute_batch(&format!("alter table events add column {name} {kind}"))?;
            }
        }
    }
    conn.execute_batch(V1)
}

fn to_1_1(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch(V1_1)?;
    sum::fill(conn).map(drop)
}

const NAME_LEDGER: &str = "
    insert into hzl_global_meta (key, value) values (:key, :value) on conflict (key) do nothing";

const NAME_DEVICE: &str = "
    insert into sync_state (key, value) values ('device_id', :value)";

/// Names a new ledger and its first device.
pub(crate) fn identify(
    conn: &Connection,
    birth: &mut Birth<'_>,
    device_id: Option<String>,
) -> rusqlite::Result<()> {
    let instance_id = (birth.new_id)();
    let created_at_ms = birth.now_ms.to_string();
    let mut name = conn.prepare(NAME_LEDGER)?;
    name.execute(named_params! { ":key": "hzl_instance_id", ":value": instance_id })?;
    name.execute(named_params! { ":key": "created_at_ms", ":value": created_at_ms })?;
    let device_id = device_id.unwrap_or_else(|| (birth.new_id)());
    conn.execute(NAME_DEVICE, named_params! { ":value": device_id })?;
    Ok(())
}

/// How SQLite would run a statement on an empty log, for tests: one line for each step.
#[cfg(test)]
pub(crate) fn plan(sql: &str) -> String {
    let log = Connection::open_in_memory().unwrap();
    log.execute_batch(V1).unwrap();
    let mut statement = log.prepare(&format!("explain query plan {sql}")).unwrap();
    let lines = statement.raw_query().mapped(|row| row.get::<_, String>(3));
    lines.map(|line| line.unwrap() + "\n").collect()
}
