//! Writes that lost a merge.
//!
//! What people have acknowledged is kept in events.db, on this device only; conflicts themselves are a
//! projection. A write that lost to an equal value is none to anybody, and is left out everywhere.

use hzl_core::conflict::{Conflict, ConflictKind};
use hzl_core::ids::{EventId, TaskId};
use hzl_core::time::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, Row, ToSql, named_params};
use serde_json::json;

use super::count_column;
use crate::error::{OnConnection as _, Result};
use crate::projector::json_column;

/// A write that lost, and the title of its task, if there is such a task.
#[derive(Clone, PartialEq, Debug)]
pub struct StoredConflict {
    /// The conflict.
    pub conflict: Conflict,
    /// The task's title.
    pub title: Option<String>,
    /// Whether somebody on this device has seen it.
    pub is_acknowledged: bool,
}

/// The conflicts that were acknowledged on this device.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Acknowledged {
    /// A JSON array of the keys.
    keys: String,
}

/// Which conflicts are listed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ConflictFilter<'a> {
    /// Acknowledged ones as well.
    pub acknowledged: bool,
    /// Only those of events whose id begins like this.
    pub event_id: Option<&'a str>,
}

const ACKNOWLEDGED: &str = "
    select json_group_array(event_id || ' ' || kind || ' ' || field) from conflict_ack";

/// Loads what was acknowledged, from events.db.
///
/// # Errors
/// Whatever SQLite reports.
pub fn load_acknowledged(events: &Connection) -> Result<Acknowledged> {
    let context = "read acknowledged conflicts";
    let mut statement = events.prepare_cached(ACKNOWLEDGED).on(events, context)?;
    let keys = statement.query_row([], |row| row.get(0));
    Ok(Acknowledged {
        keys: keys.on(events, context)?,
    })
}

const ACKNOWLEDGE: &str = "
    insert into conflict_ack (event_id, kind, field, acked_at)
    values (:event_id, :kind, :field, :at)
    on conflict do nothing";

/// Acknowledges a conflict, in events.db; the caller holds the writer lock. `false`: it was before.
///
/// # Errors
/// Whatever SQLite reports.
pub fn acknowledge(log: &Connection, conflict: &Conflict, now: Timestamp) -> Result<bool> {
    let context = "acknowledge a conflict";
    let mut statement = log.prepare_cached(ACKNOWLEDGE).on(log, context)?;
    let added = statement.execute(named_params! {
        ":event_id": conflict.event_id.as_str(),
        ":kind": conflict.kind.name(),
        ":field": conflict.field,
        ":at": now.to_string(),
    });
    Ok(added.on(log, context)? > 0)
}

/// The condition that all readers share.
macro_rules! counts {
    () => {
        "(c.kind <> 'value' or c.losing_value is not c.winning_value)"
    };
}

/// Whether a conflict was acknowledged.
macro_rules! acknowledged {
    () => {
        "c.event_id || ' ' || c.kind || ' ' || c.field in (select value from json_each(:acked))"
    };
}

const COUNT_OPEN: &str = concat!(
    "select count(*) from p_conflicts c where ",
    counts!(),
    " and not ",
    acknowledged!()
);

/// Counts those that nobody has acknowledged.
///
/// # Errors
/// Whatever SQLite reports.
pub fn count_open(cache: &Connection, acknowledged: &Acknowledged) -> Result<u64> {
    let mut statement = cache
        .prepare_cached(COUNT_OPEN)
        .on(cache, "count conflicts")?;
    statement
        .query_row(named_params! { ":acked": acknowledged.keys }, |row| {
            count_column(row, 0)
        })
        .on(cache, "count conflicts")
}

const COUNT: &str = concat!("select count(*) from p_conflicts c where ", counts!());

/// Counts all of them: what a sync adds is the difference.
///
/// # Errors
/// Whatever SQLite reports.
pub fn count(cache: &Connection) -> Result<u64> {
    let mut statement = cache.prepare_cached(COUNT).on(cache, "count conflicts")?;
    statement
        .query_row([], |row| count_column(row, 0))
        .on(cache, "count conflicts")
}

const HAS_LOST: &str = concat!(
    "select exists (select 1 from p_conflicts c where c.event_id = :event_id and ",
    counts!(),
    ")"
);

/// Tells whether an event lost a merge.
///
/// # Errors
/// Whatever SQLite reports.
pub fn has_lost(cache: &Connection, event_id: &EventId) -> Result<bool> {
    let mut statement = cache
        .prepare_cached(HAS_LOST)
        .on(cache, "look for a conflict")?;
    statement
        .query_row(named_params! { ":event_id": event_id.as_str() }, |row| {
            row.get(0)
        })
        .on(cache, "look for a conflict")
}

const SELECTED: &str = concat!(
    " from p_conflicts c left join p_tasks t on t.task_id = c.task_id where ",
    counts!(),
    " and (:all or not ",
    acknowledged!(),
    ") and (:event_id is null or substr(c.event_id, 1, length(:event_id)) = upper(:event_id))"
);

/// Lists at most `limit` conflicts, the latest event first, and counts all that the filter selects.
///
/// # Errors
/// Whatever SQLite reports.
pub fn list(
    cache: &Connection,
    acknowledged: &Acknowledged,
    filter: ConflictFilter<'_>,
    limit: u32,
) -> Result<(Vec<StoredConflict>, u64)> {
    let context = "list conflicts";
    let page = format!(
        "select c.event_id, c.kind, c.field, c.task_id, c.winner_event_id, c.losing_value,
                c.winning_value, c.at, t.title, {}{SELECTED}
          order by c.event_id desc, c.kind, c.field limit :limit",
        acknowledged!()
    );
    let total = format!("select count(*){SELECTED}");
    let values: [(&str, &dyn ToSql); 3] = [
        (":acked", &acknowledged.keys),
        (":all", &filter.acknowledged),
        (":event_id", &filter.event_id),
    ];
    let mut statement = cache.prepare_cached(&total).on(cache, context)?;
    let total = statement
        .query_row(&values[..], |row| count_column(row, 0))
        .on(cache, context)?;
    let mut statement = cache.prepare_cached(&page).on(cache, context)?;
    let limit: (&str, &dyn ToSql) = (":limit", &limit);
    let found = statement
        .query_map(&[&values[..], &[limit]].concat()[..], stored_conflict)
        .on(cache, context)?
        .collect::<rusqlite::Result<_>>()
        .on(cache, context)?;
    Ok((found, total))
}

fn stored_conflict(row: &Row<'_>) -> rusqlite::Result<StoredConflict> {
    let kind: String = row.get(1)?;
    let kind: ConflictKind = serde_json::from_value(json!(kind))
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(1, Type::Text, error.into()))?;
    Ok(StoredConflict {
        conflict: Conflict {
            event_id: EventId::new(row.get::<_, String>(0)?),
            kind,
            field: row.get(2)?,
            task_id: row.get::<_, Option<String>>(3)?.map(TaskId::new),
            winner_event_id: row.get::<_, Option<String>>(4)?.map(EventId::new),
            losing_value: json_column(row, 5)?,
            winning_value: json_column(row, 6)?,
            at: row.get::<_, Option<i64>>(7)?.map(Timestamp::from_millis),
        },
        title: row.get(8)?,
        is_acknowledged: row.get(9)?,
    })
}
