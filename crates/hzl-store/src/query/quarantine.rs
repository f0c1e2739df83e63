//! Events that were set aside, so that the rest could go on: which, why, and what it means for others.
//!
//! Reads events.db. The row ids of the quarantine say where an event comes from, see `replica::settle`: of
//! one that the cloud refuses, its own; of a row of the cloud, the negative sequence; of one that was sent under
//! another id, its own behind the smallest number there is.

use hzl_core::ids::{EventId, TaskId};
use rusqlite::{Connection, Row, named_params};

use super::count_column;
use crate::error::{OnConnection as _, Result};

/// An event that was set aside.
#[derive(Clone, PartialEq, Debug)]
pub struct Quarantined {
    /// Its id, as it was when it was set aside; may be empty in a row of the cloud.
    pub event_id: EventId,
    /// Its task, as far as it is known here.
    pub task_id: Option<TaskId>,
    /// Its type, as far as it is known here.
    pub kind: Option<String>,
    /// Why.
    pub reason: String,
    /// When, by this machine's clock.
    pub at: String,
    /// Which way it was going.
    pub way: Way,
}

/// Which way an event was going when it was set aside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Way {
    /// The cloud refuses it: it counts here and is nowhere else.
    Refused {
        /// Its row in the log here.
        rowid: i64,
        /// How many later events of its task wait because of it.
        held_back: u64,
    },
    /// The cloud has it, and it cannot be an event: it counts nowhere.
    Unreadable {
        /// Its sequence there.
        seq: i64,
    },
    /// The cloud had another event under its id: it was sent under a new one, and counts everywhere.
    Renamed {
        /// The id it has now.
        new_id: Option<EventId>,
    },
}

const COUNT: &str = "
    select count(*) from quarantine";

/// No sequence and no row id of a log is that large: what is below is a renamed event.
const RENAMED_BELOW: i64 = i64::MIN / 2;

const LIST: &str = "
    with found as (
      select q.event_rowid, q.event_id, q.reason, q.at,
             case when q.event_rowid < :renamed_below then q.event_rowid - :smallest
                  when q.event_rowid > 0 then q.event_rowid
             end as log_rowid
        from quarantine q
       order by q.at desc, q.event_rowid limit :limit)
    select f.event_rowid, f.event_id, f.reason, f.at, o.event_id,
           coalesce(o.task_id, n.task_id), coalesce(o.type, n.type),
           (select count(*) from events w
             where f.event_rowid > 0 and w.task_id = o.task_id and w.id > o.id
               and not exists (select 1 from event_sync s where s.event_rowid = w.id))
      from found f
      left join events o on o.id = f.log_rowid
      left join events n on f.log_rowid is null and n.event_id = f.event_id
     order by f.at desc, f.event_rowid";

/// Lists at most `limit` of the events that were set aside, the latest first, and counts all of them.
///
/// # Errors
/// Whatever SQLite reports.
pub fn list(events: &Connection, limit: u32) -> Result<(Vec<Quarantined>, u64)> {
    let context = "list quarantined events";
    let total = events
        .query_row(COUNT, [], |row| count_column(row, 0))
        .on(events, context)?;
    let mut statement = events.prepare_cached(LIST).on(events, context)?;
    let found = statement
        .query_map(
            named_params! {
                ":limit": limit,
                ":smallest": i64::MIN,
                ":renamed_below": RENAMED_BELOW,
            },
            read,
        )
        .on(events, context)?
        .collect::<rusqlite::Result<_>>()
        .on(events, context)?;
    Ok((found, total))
}

fn read(row: &Row<'_>) -> rusqlite::Result<Quarantined> {
    let rowid: i64 = row.get(0)?;
    let known_id: Option<String> = row.get(4)?;
    Ok(Quarantined {
        event_id: EventId::new(row.get::<_, String>(1)?),
        reason: row.get(2)?,
        at: row.get(3)?,
        task_id: row.get::<_, Option<String>>(5)?.map(TaskId::new),
        kind: row.get(6)?,
        way: match rowid {
            1.. => Way::Refused {
                rowid,
                held_back: count_column(row, 7)?,
            },
            RENAMED_BELOW..=0 => Way::Unreadable { seq: -rowid },
            _ => Way::Renamed {
                new_id: known_id.map(EventId::new),
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::events::plan;

    #[test]
    fn the_log_is_looked_into_by_seeks() {
        let plan = plan(LIST);
        for table in ["o", "n", "w", "s"] {
            assert!(plan.contains(&format!("SEARCH {table} ")), "{plan}");
            assert!(!plan.contains(&format!("SCAN {table}")), "{plan}");
        }
    }
}
