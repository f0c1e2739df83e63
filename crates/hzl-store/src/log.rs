//! The event log: append, and read events at their place in this device's order.
//!
//! Not for judging events; they were judged before they came here. Rows are never changed. The order
//! is: settled events by cloud sequence, rows that a rewind made tail again, then the rest of the tail
//! by row id (hzl-core, `order`).

use std::ops::ControlFlow;

use hzl_core::event::{Event, PROJECT_TASK_ID, Payload, PlacedEvent, SCHEMA_VERSION};
use hzl_core::ids::{DeviceId, EventId, TaskId};
use hzl_core::limits;
use hzl_core::order::Position;
use hzl_core::time::Timestamp;
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Row, named_params, params};

use crate::error::{OnConnection as _, Result};
use crate::sum;

/// The last row of the log.
#[derive(Clone, PartialEq, Debug)]
pub struct LogEnd {
    /// Local row id.
    pub rowid: i64,
    /// The event there.
    pub event_id: EventId,
    /// Its timestamp.
    pub timestamp: Timestamp,
}

/// An event as it is stored, for showing, exporting and sending: its data is the text that was written.
#[derive(Clone, PartialEq, Debug)]
pub struct StoredEvent {
    /// Local row id.
    pub rowid: i64,
    /// Identity across all devices.
    pub event_id: EventId,
    /// The task, or [`PROJECT_TASK_ID`].
    pub task_id: String,
    /// The type.
    pub kind: String,
    /// The payload as JSON text.
    pub data: String,
    /// The payload's version.
    pub schema_version: u32,
    /// Who did it.
    pub author: Option<String>,
    /// From which machine or session.
    pub agent_id: Option<String>,
    /// Session.
    pub session_id: Option<String>,
    /// Correlation.
    pub correlation_id: Option<String>,
    /// First event of the command.
    pub causation_id: Option<String>,
    /// As written.
    pub timestamp: String,
    /// The writer's pull cursor.
    pub basis_seq: Option<i64>,
    /// The writer's epoch; none for events of HZL 3.2.0.
    pub epoch: Option<u32>,
}

impl StoredEvent {
    /// Tells whether this is the same event, whatever rows the two stand in.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        let StoredEvent {
            rowid: _,
            event_id,
            task_id,
            kind,
            data,
            schema_version,
            author,
            agent_id,
            session_id,
            correlation_id,
            causation_id,
            timestamp,
            basis_seq,
            epoch,
        } = self;
        *event_id == other.event_id
            && *task_id == other.task_id
            && *kind == other.kind
            && *data == other.data
            && *schema_version == other.schema_version
            && *author == other.author
            && *agent_id == other.agent_id
            && *session_id == other.session_id
            && *correlation_id == other.correlation_id
            && *causation_id == other.causation_id
            && *timestamp == other.timestamp
            && *basis_seq == other.basis_seq
            && *epoch == other.epoch
    }
}

const LAST: &str = "
    select id, event_id, timestamp from events order by id desc limit 1";

/// Finds the last row.
///
/// # Errors
/// Whatever SQLite reports.
pub fn find_end(conn: &Connection) -> Result<Option<LogEnd>> {
    let read = |row: &Row<'_>| {
        let timestamp: String = row.get(2)?;
        Ok(LogEnd {
            rowid: row.get(0)?,
            event_id: EventId::new(row.get::<_, String>(1)?),
            timestamp: Timestamp::parse(&timestamp).unwrap_or_default(),
        })
    };
    let mut statement = conn.prepare_cached(LAST).on(conn, "read the event log")?;
    statement
        .query_row([], read)
        .optional()
        .on(conn, "read the event log")
}

/// Counts the events.
///
/// # Errors
/// Whatever SQLite reports.
pub fn count(conn: &Connection) -> Result<u64> {
    conn.query_row("select count(*) from events", [], |row| {
        row.get::<_, i64>(0)
    })
    .map(|count| u64::try_from(count).unwrap_or(0))
    .on(conn, "count the events")
}

const SETTLED_AS: &str = "
    select cloud_seq, device_id from event_sync where event_rowid = :rowid";

/// The timestamp in the last row if there is one and it is an event of this device, else the start of time: what was
/// seen before a foreign row is kept in the sync state.
///
/// # Errors
/// Whatever SQLite reports.
pub(crate) fn own_timestamp(
    conn: &Connection,
    end: Option<&LogEnd>,
    device: &DeviceId,
) -> Result<Timestamp> {
    let Some(end) = end else {
        return Ok(Timestamp::default());
    };
    let mut statement = conn
        .prepare_cached(SETTLED_AS)
        .on(conn, "read the event log")?;
    let is_foreign = statement
        .query_row(named_params! { ":rowid": end.rowid }, |row| {
            let (seq, writer): (Option<i64>, Option<String>) = (row.get(0)?, row.get(1)?);
            Ok(seq.is_some() && writer.as_deref() != Some(device.as_str()))
        })
        .optional()
        .on(conn, "read the event log")?;
    Ok(match is_foreign {
        Some(true) => Timestamp::default(),
        Some(false) | None => end.timestamp,
    })
}

const OF_TASK_UP_TO: &str = "
    select id from events where task_id = :task_id and id <= :rowid limit 1";

/// Tells whether a task has events up to this row.
///
/// # Errors
/// Whatever SQLite reports.
pub(crate) fn has_event_of_task(conn: &Connection, task_id: &TaskId, rowid: i64) -> Result<bool> {
    let mut statement = conn
        .prepare_cached(OF_TASK_UP_TO)
        .on(conn, "read the event log")?;
    statement
        .query_row(
            named_params! { ":task_id": task_id.as_str(), ":rowid": rowid },
            |_| Ok(()),
        )
        .optional()
        .map(|found| found.is_some())
        .on(conn, "read the event log")
}

const EVENT_ID_AT: &str = "
    select event_id from events where id = :rowid";

/// Finds which event stands in a row.
///
/// # Errors
/// Whatever SQLite reports.
pub fn find_event_id(conn: &Connection, rowid: i64) -> Result<Option<EventId>> {
    let mut statement = conn
        .prepare_cached(EVENT_ID_AT)
        .on(conn, "read the event log")?;
    statement
        .query_row(named_params! { ":rowid": rowid }, |row| {
            Ok(EventId::new(row.get::<_, String>(0)?))
        })
        .optional()
        .on(conn, "read the event log")
}

const INSERT: &str = "
    insert into events
      (id, event_id, task_id, type, data, schema_version, author, agent_id, session_id,
       correlation_id, causation_id, timestamp, basis_seq, epoch)
    values
      (:id, :event_id, :task_id, :type, :data, :schema_version, :author, :agent_id, :session_id,
       :correlation_id, :causation_id, :timestamp, :basis_seq, :epoch)";

/// Appends an event of ours and returns its row id. The caller holds the writer lock.
///
/// # Errors
/// Whatever SQLite reports; nothing is appended then.
pub fn append(conn: &Connection, event: &Event) -> Result<i64> {
    append_stored(conn, &stored(event))
}

/// Returns an event of ours as it is stored; the row is not known yet.
pub(crate) fn stored(event: &Event) -> StoredEvent {
    StoredEvent {
        rowid: 0,
        event_id: event.event_id.clone(),
        task_id: event
            .task_id
            .as_ref()
            .map_or(PROJECT_TASK_ID, TaskId::as_str)
            .to_owned(),
        kind: event.payload.kind().to_owned(),
        data: event.payload.encode(),
        schema_version: SCHEMA_VERSION,
        author: event.author.clone(),
        agent_id: event.agent_id.clone(),
        session_id: event.session_id.clone(),
        correlation_id: event.correlation_id.clone(),
        causation_id: event.causation_id.clone(),
        timestamp: event.timestamp.to_string(),
        basis_seq: Some(event.basis_seq),
        epoch: event.epoch,
    }
}

/// Appends an event as it is, whoever wrote it, and returns its row id.
///
/// # Errors
/// Whatever SQLite reports, a constraint that the row breaks included.
pub fn append_stored(conn: &Connection, event: &StoredEvent) -> Result<i64> {
    insert(conn, None, event, sum::of(event))
}

/// Puts an event and its checksum into a row, or into the next one.
pub(crate) fn insert(
    conn: &Connection,
    row: Option<i64>,
    event: &StoredEvent,
    sum: i64,
) -> Result<i64> {
    Appender::new(conn)?.put(row, event, sum)
}

/// Puts in event after event: to look its statements up each time would take a tenth as long as that.
pub(crate) struct Appender<'conn> {
    conn: &'conn Connection,
    insert: CachedStatement<'conn>,
    sums: sum::Writer<'conn>,
}

impl<'conn> Appender<'conn> {
    pub(crate) fn new(conn: &'conn Connection) -> Result<Self> {
        Ok(Self {
            conn,
            insert: conn
                .prepare_cached(INSERT)
                .on(conn, "append to the event log")?,
            sums: sum::Writer::new(conn)?,
        })
    }

    /// Puts an event and its checksum into a row, or into the next one.
    pub(crate) fn put(&mut self, row: Option<i64>, event: &StoredEvent, sum: i64) -> Result<i64> {
        // In the order of the statement: to look the names up would take a third as long as the insertion.
        let rowid = self
            .insert
            .insert(params![
                row,
                event.event_id.as_str(),
                event.task_id,
                event.kind,
                event.data,
                event.schema_version,
                event.author,
                event.agent_id,
                event.session_id,
                event.correlation_id,
                event.causation_id,
                event.timestamp,
                event.basis_seq,
                event.epoch,
            ])
            .on(self.conn, "append to the event log")?;
        self.sums.write(rowid, sum)?;
        Ok(rowid)
    }
}

/// Why this cannot be an event, wherever it comes from; `None`: it can.
pub fn unacceptable(event: &StoredEvent) -> Option<&'static str> {
    let short = |text: &str| !text.is_empty() && text.len() <= 4 * limits::IDENTIFIER_CHARS;
    if event.data.len() > limits::EVENT_BYTES {
        Some("its data is too large")
    } else if !short(event.event_id.as_str()) || !short(&event.task_id) || !short(&event.kind) {
        Some("an id or its type is empty or too long")
    } else if serde_json::from_str::<serde::de::IgnoredAny>(&event.data).is_err() {
        Some("its data is not JSON")
    } else if json_depth(&event.data) > limits::EVENT_DEPTH {
        Some("its data is nested too deeply")
    } else {
        None
    }
}

/// How many arrays and objects are inside one another at the deepest place of a JSON text. Takes no stack.
fn json_depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut is_escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

// Rows come in the order of an index, and are put into that of their places here: SQLite would copy each row to sort.

/// The columns of an event at its place; every reader of [`read_placed`] selects these, in this order.
macro_rules! placed_columns {
    () => {
        "e.id, e.event_id, e.task_id, e.type, e.data, e.schema_version, e.author, e.agent_id,
       e.session_id, e.correlation_id, e.causation_id, e.timestamp, e.basis_seq, e.epoch,
       s.cloud_seq, r.ord, coalesce(s.received_at, r.received_at),
       coalesce(s.device_id, r.device_id)"
    };
}

const TASK_EVENTS: &str = concat!(
    "select ",
    placed_columns!(),
    "
      from events e
      left join event_sync s on s.event_rowid = e.id
      left join event_resent r on r.event_rowid = e.id
     where e.task_id = :task_id
     order by e.id"
);

const ALL_EVENTS: &str = concat!(
    "select ",
    placed_columns!(),
    "
      from events e
      left join event_sync s on s.event_rowid = e.id
      left join event_resent r on r.event_rowid = e.id
     where e.task_id <> '__project__'
     order by e.task_id, e.id"
);

const EVENTS_AFTER: &str = concat!(
    "select ",
    placed_columns!(),
    "
      from events e
      left join event_sync s on s.event_rowid = e.id
      left join event_resent r on r.event_rowid = e.id
     where e.id > :rowid
     order by e.id"
);

/// Reads the events of one task, in order.
///
/// # Errors
/// Whatever SQLite reports.
pub fn list_task_events(
    conn: &Connection,
    task_id: &str,
    device: &DeviceId,
) -> Result<Vec<PlacedEvent>> {
    let mut statement = conn
        .prepare_cached(TASK_EVENTS)
        .on(conn, "read the events of a task")?;
    let rows = statement
        .query_map(named_params! { ":task_id": task_id }, |row| {
            read_placed(row, device)
        })
        .on(conn, "read the events of a task")?;
    let mut events: Vec<PlacedEvent> = rows
        .collect::<rusqlite::Result<_>>()
        .on(conn, "read the events of a task")?;
    put_in_order(&mut events);
    Ok(events)
}

fn put_in_order(events: &mut [PlacedEvent]) {
    events.sort_unstable_by_key(|placed| placed.position);
}

/// Reads the project events, in order.
///
/// # Errors
/// Whatever SQLite reports.
pub fn list_project_events(conn: &Connection, device: &DeviceId) -> Result<Vec<PlacedEvent>> {
    list_task_events(conn, PROJECT_TASK_ID, device)
}

/// Reads the events appended after a row, by row id.
///
/// # Errors
/// Whatever SQLite reports.
pub fn list_events_after(
    conn: &Connection,
    rowid: i64,
    device: &DeviceId,
) -> Result<Vec<PlacedEvent>> {
    let mut statement = conn
        .prepare_cached(EVENTS_AFTER)
        .on(conn, "read the event log")?;
    let rows = statement
        .query_map(named_params! { ":rowid": rowid }, |row| {
            read_placed(row, device)
        })
        .on(conn, "read the event log")?;
    rows.collect::<rusqlite::Result<_>>()
        .on(conn, "read the event log")
}

/// Gives the events of all tasks to `fold`, task by task, each task's in order, until it breaks off.
///
/// # Errors
/// Whatever SQLite or `fold` reports.
pub fn for_each_task(
    conn: &Connection,
    device: &DeviceId,
    mut fold: impl FnMut(&[PlacedEvent]) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let mut statement = conn
        .prepare_cached(ALL_EVENTS)
        .on(conn, "read the event log")?;
    let mut rows = statement.query([]).on(conn, "read the event log")?;
    let mut group: Vec<PlacedEvent> = vec![];
    let mut fold = |group: &mut Vec<PlacedEvent>| {
        put_in_order(group);
        fold(group)
    };
    while let Some(row) = rows.next().on(conn, "read the event log")? {
        let placed = read_placed(row, device).on(conn, "read the event log")?;
        if group
            .first()
            .is_some_and(|first| first.event.task_id != placed.event.task_id)
        {
            if fold(&mut group)?.is_break() {
                return Ok(());
            }
            group.clear();
        }
        group.push(placed);
    }
    if group.is_empty() {
        Ok(())
    } else {
        fold(&mut group).map(drop)
    }
}

/// Decodes one row of the columns above. `device` is this one: the device of a tail event.
fn read_placed(row: &Row<'_>, device: &DeviceId) -> rusqlite::Result<PlacedEvent> {
    let rowid: i64 = row.get(0)?;
    let task_id: String = row.get(2)?;
    let kind = row.get_ref(3)?;
    let data = row.get_ref(4)?;
    let epoch = row
        .get::<_, Option<i64>>(13)?
        .map(|epoch| u32::try_from(epoch).unwrap_or(0));
    let schema_version = u32::try_from(row.get::<_, i64>(5)?).unwrap_or(u32::MAX);
    let seq: Option<i64> = row.get(14)?;
    let ord: Option<i64> = row.get(15)?;
    let received_at: Option<String> = row.get(16)?;
    let owner: Option<String> = row.get(17)?;
    let timestamp = row.get_ref(11)?.as_str().ok().and_then(Timestamp::parse);
    let settled = seq.is_some();
    Ok(PlacedEvent {
        event: Event {
            event_id: EventId::new(row.get::<_, String>(1)?),
            task_id: (task_id != PROJECT_TASK_ID).then(|| TaskId::new(task_id)),
            payload: Payload::decode(
                kind.as_str().unwrap_or_default(),
                schema_version,
                data.as_str().unwrap_or_default(),
            ),
            author: row.get(6)?,
            agent_id: row.get(7)?,
            session_id: row.get(8)?,
            correlation_id: row.get(9)?,
            causation_id: row.get(10)?,
            timestamp: timestamp.unwrap_or_default(),
            basis_seq: row.get::<_, Option<i64>>(12)?.unwrap_or(0),
            epoch,
        },
        position: match (seq, ord) {
            (Some(seq), _) => Position::settled(seq),
            (None, Some(ord)) => Position::resent(ord),
            (None, None) => Position::tail(rowid),
        },
        seq,
        received_at: received_at.as_deref().and_then(Timestamp::parse),
        device: match owner {
            Some(owner) => Some(DeviceId::new(owner)),
            None if settled || epoch.is_none() || ord.is_some() => None,
            None => Some(device.clone()),
        },
    })
}

const STORED_COLUMNS: &str = "
    id, event_id, task_id, type, data, schema_version, author, agent_id, session_id,
    correlation_id, causation_id, timestamp, basis_seq, epoch";

/// Reads events as they are stored: after a row, at most `limit`, by row id.
///
/// # Errors
/// Whatever SQLite reports.
pub fn list_stored_after(
    conn: &Connection,
    rowid: i64,
    limit: Option<u64>,
) -> Result<Vec<StoredEvent>> {
    let sql =
        format!("select {STORED_COLUMNS} from events where id > :rowid order by id limit :limit");
    let limit = limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
    let mut statement = conn.prepare_cached(&sql).on(conn, "read the event log")?;
    let rows = statement
        .query_map(
            named_params! { ":rowid": rowid, ":limit": limit },
            read_stored,
        )
        .on(conn, "read the event log")?;
    rows.collect::<rusqlite::Result<_>>()
        .on(conn, "read the event log")
}

/// Reads the events of a task as they are stored, the first `limit` of them, oldest first.
///
/// # Errors
/// Whatever SQLite reports.
pub fn list_stored_of_task(
    conn: &Connection,
    task_id: &TaskId,
    limit: u64,
) -> Result<Vec<StoredEvent>> {
    let sql = format!(
        "select {STORED_COLUMNS} from events where task_id = :task_id order by id limit :limit"
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = conn
        .prepare_cached(&sql)
        .on(conn, "read the events of a task")?;
    let rows = statement
        .query_map(
            named_params! { ":task_id": task_id.as_str(), ":limit": limit },
            read_stored,
        )
        .on(conn, "read the events of a task")?;
    rows.collect::<rusqlite::Result<_>>()
        .on(conn, "read the events of a task")
}

/// Finds an event by its id, as it is stored.
///
/// # Errors
/// Whatever SQLite reports.
pub fn find_stored(conn: &Connection, event_id: &EventId) -> Result<Option<StoredEvent>> {
    let sql = format!("select {STORED_COLUMNS} from events where event_id = :event_id");
    let mut statement = conn.prepare_cached(&sql).on(conn, "read the event log")?;
    statement
        .query_row(
            named_params! { ":event_id": event_id.as_str() },
            read_stored,
        )
        .optional()
        .on(conn, "read the event log")
}

/// Reads one row of the stored columns.
pub(crate) fn read_stored(row: &Row<'_>) -> rusqlite::Result<StoredEvent> {
    Ok(StoredEvent {
        rowid: row.get(0)?,
        event_id: EventId::new(row.get::<_, String>(1)?),
        task_id: row.get(2)?,
        kind: row.get(3)?,
        data: row.get(4)?,
        schema_version: u32::try_from(row.get::<_, i64>(5)?).unwrap_or(u32::MAX),
        author: row.get(6)?,
        agent_id: row.get(7)?,
        session_id: row.get(8)?,
        correlation_id: row.get(9)?,
        causation_id: row.get(10)?,
        timestamp: row.get(11)?,
        basis_seq: row.get(12)?,
        epoch: row
            .get::<_, Option<i64>>(13)?
            .map(|epoch| u32::try_from(epoch).unwrap_or(0)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::events::plan;

    #[test]
    fn events_of_tasks_come_in_the_order_of_an_index() {
        for sql in [TASK_EVENTS, ALL_EVENTS] {
            let plan = plan(sql);
            assert!(plan.contains("idx_events_task_id_id"), "{plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{plan}");
        }
    }
}
