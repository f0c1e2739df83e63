//! What was taken over from the cloud, as it stands here: for comparing it with what the cloud has.

use std::ops::Range;

use hzl_core::ids::{DeviceId, EventId};
use rusqlite::{Connection, Row, named_params};

use super::{CloudCursor, CloudRow};
use crate::error::{OnConnection as _, Result};
use crate::ledger::Ledger;
use crate::log;
use crate::state;

/// What the cloud has made of events.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Fate {
    /// A pull has brought them.
    pub confirmed: Vec<EventId>,
    /// They wait to be sent, or to come back.
    pub waiting: u64,
    /// The cloud refuses them.
    pub set_aside: u64,
}

impl Fate {
    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.confirmed.is_empty() && self.waiting == 0 && self.set_aside == 0
    }
}

impl Ledger {
    /// Lists settled rows above a sequence, for comparing with the cloud's.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn list_settled(&self, above: i64, limit: u32) -> Result<Vec<CloudCursor>> {
        let log = &self.files.events;
        let mut statement = log.prepare_cached(SETTLED).on(log, "list settled events")?;
        let rows = statement
            .query_map(named_params! { ":above": above, ":limit": limit }, |row| {
                Ok(CloudCursor {
                    seq: row.get(0)?,
                    event_id: row.get(1)?,
                    received_at: row.get(2)?,
                })
            })
            .on(log, "list settled events")?;
        rows.collect::<rusqlite::Result<_>>()
            .on(log, "list settled events")
    }

    /// Lists settled rows with their events, in sequence: above one sequence and up to another, the first
    /// ones of them.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn list_settled_rows(&self, above: i64, upto: i64, limit: u32) -> Result<Vec<CloudRow>> {
        let log = &self.files.events;
        let context = "list settled events";
        let mut statement = log.prepare_cached(SETTLED_ROWS).on(log, context)?;
        let rows = statement
            .query_map(
                named_params! { ":above": above, ":upto": upto, ":limit": limit },
                |row: &Row<'_>| {
                    let device: Option<String> = row.get(16)?;
                    Ok(CloudRow {
                        seq: row.get(14)?,
                        received_at: row.get::<_, Option<String>>(15)?.unwrap_or_default(),
                        device: device.map(DeviceId::new),
                        event: log::read_stored(row)?,
                    })
                },
            )
            .on(log, context)?;
        rows.collect::<rusqlite::Result<_>>().on(log, context)
    }

    /// Tells what the cloud has made of the events of this device in these rows of the log: above the
    /// start, up to and including the end.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn fate_of(&self, rows: Range<i64>) -> Result<Fate> {
        let log = &self.files.events;
        let context = "look for unconfirmed events";
        let device = state::device(log)?;
        let mut statement = log.prepare_cached(OWN_BETWEEN).on(log, context)?;
        let mut found = statement
            .query(named_params! {
                ":above": rows.start,
                ":upto": rows.end,
                ":device": device.as_str(),
            })
            .on(log, context)?;
        let mut fate = Fate::default();
        while let Some(row) = found.next().on(log, context)? {
            let (is_known, seq): (bool, Option<i64>) =
                (row.get(1).on(log, context)?, row.get(2).on(log, context)?);
            match (is_known, seq) {
                (false, _) => fate.waiting += 1,
                (true, None) => fate.set_aside += 1,
                (true, Some(_)) => {
                    let event_id: String = row.get(0).on(log, context)?;
                    fate.confirmed.push(EventId::new(event_id));
                }
            }
        }
        Ok(fate)
    }

    /// Tells whether a row of the cloud could not be taken over and was set aside.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn is_row_set_aside(&self, seq: i64) -> Result<bool> {
        is_row_set_aside(&self.files.events, seq)
    }
}

const SETTLED: &str = "
    select s.cloud_seq, e.event_id, s.received_at
      from event_sync s join events e on e.id = s.event_rowid
     where s.cloud_seq > :above
     order by s.cloud_seq limit :limit";

const SETTLED_ROWS: &str = "
    select e.id, e.event_id, e.task_id, e.type, e.data, e.schema_version, e.author, e.agent_id,
           e.session_id, e.correlation_id, e.causation_id, e.timestamp, e.basis_seq, e.epoch,
           s.cloud_seq, s.received_at, s.device_id
      from event_sync s join events e on e.id = s.event_rowid
     where s.cloud_seq > :above and s.cloud_seq <= :upto
     order by s.cloud_seq limit :limit";

const OWN_BETWEEN: &str = "
    select e.event_id, s.event_rowid is not null, s.cloud_seq
      from events e
      left join event_sync s on s.event_rowid = e.id
     where e.id > :above and e.id <= :upto and coalesce(s.device_id, :device) = :device
     order by e.id";

/// Rows of the cloud stand in the quarantine under their negative sequence.
const ROW_SET_ASIDE: &str = "
    select exists (select 1 from quarantine where event_rowid = -:seq)";

fn is_row_set_aside(log: &Connection, seq: i64) -> Result<bool> {
    let context = "look for a row set aside";
    let mut statement = log.prepare_cached(ROW_SET_ASIDE).on(log, context)?;
    statement
        .query_row(named_params! { ":seq": seq }, |row| row.get(0))
        .on(log, context)
}
