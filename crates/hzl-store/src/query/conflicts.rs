//! Writes that lost a merge.

use hzl_core::time::Timestamp;
use rusqlite::{Connection, Row, named_params};
use serde_json::Value;

use super::count_column;
use crate::error::{OnConnection as _, Result};
use crate::projector::json_column;

/// A write that lost, and what stands instead.
#[derive(Clone, PartialEq, Debug)]
pub struct StoredConflict {
    /// The event that lost.
    pub event_id: String,
    /// Why: a name of [`hzl_core::conflict::ConflictKind`].
    pub kind: String,
    /// The field, or the depended-on task; empty where there is only one.
    pub field: String,
    /// The task; `None` for projects.
    pub task_id: Option<String>,
    /// The task's title, if there is such a task.
    pub title: Option<String>,
    /// The event that stands; `None` where no single event does.
    pub winner_event_id: Option<String>,
    /// What the loser wanted.
    pub losing_value: Value,
    /// What stands.
    pub winning_value: Value,
    /// The later arrival of the two; `None` while one has not arrived.
    pub at: Option<Timestamp>,
}

const COUNT: &str = "
    select count(*) from p_conflicts
     where kind <> 'value' or losing_value is not winning_value";

/// Counts them, without those that lost to an equal value.
///
/// # Errors
/// Whatever SQLite reports.
pub fn count(cache: &Connection) -> Result<u64> {
    let mut statement = cache.prepare_cached(COUNT).on(cache, "count conflicts")?;
    statement
        .query_row([], |row| count_column(row, 0))
        .on(cache, "count conflicts")
}

const LIST: &str = "
    select c.event_id, c.kind, c.field, c.task_id, t.title, c.winner_event_id,
           c.losing_value, c.winning_value, c.at
      from p_conflicts c left join p_tasks t on t.task_id = c.task_id
     where c.kind <> 'value' or c.losing_value is not c.winning_value
     order by c.event_id desc, c.kind, c.field limit :limit";

/// Lists those that [`count`] counts, the latest event first.
///
/// # Errors
/// Whatever SQLite reports.
pub fn list(cache: &Connection, limit: u32) -> Result<Vec<StoredConflict>> {
    let context = "list conflicts";
    let mut statement = cache.prepare_cached(LIST).on(cache, context)?;
    statement
        .query_map(named_params! { ":limit": limit }, conflict)
        .on(cache, context)?
        .collect::<rusqlite::Result<_>>()
        .on(cache, context)
}

fn conflict(row: &Row<'_>) -> rusqlite::Result<StoredConflict> {
    Ok(StoredConflict {
        event_id: row.get(0)?,
        kind: row.get(1)?,
        field: row.get(2)?,
        task_id: row.get(3)?,
        title: row.get(4)?,
        winner_event_id: row.get(5)?,
        losing_value: json_column(row, 6)?,
        winning_value: json_column(row, 7)?,
        at: row.get::<_, Option<i64>>(8)?.map(Timestamp::from_millis),
    })
}
