//! A checksum of every event, beside the log: it finds what a disk has changed in silence.
//!
//! SQLite notices damage of its structure, not of the texts in it. Of every event the first 64 bits of a
//! SHA-256 over all its columns are kept in `event_sum`, by row, written in the event's transaction. Events
//! of HZL 3.2.0 have none until `fill` takes them as they are. No defence against forgery. Nothing but
//! checks read the table: an answer never depends on it.

use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Row, named_params};
use sha2::{Digest as _, Sha256};

use crate::error::{Error, OnConnection as _, Result};
use crate::log::StoredEvent;

/// How many columns of an event there are besides its row id, which is not part of the sum.
const COLUMNS: usize = 13;

/// What the sums say about the events.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Checked {
    /// Events that are what was written.
    pub sound: u64,
    /// Events without a sum: nothing is known about them.
    pub without_sum: u64,
    /// Rows of events that are not what was written.
    pub changed: Vec<i64>,
    /// Rows whose event is gone.
    pub missing: Vec<i64>,
}

impl Checked {
    /// Tells whether an event was changed or is gone.
    pub fn has_damage(&self) -> bool {
        !self.changed.is_empty() || !self.missing.is_empty()
    }
}

fn sum<'v>(values: impl Iterator<Item = ValueRef<'v>>) -> i64 {
    // Hashed in one piece: in small ones that takes five times as long.
    let mut text = Vec::with_capacity(1024);
    let mut add = |kind: u8, bytes: &[u8]| {
        text.push(kind);
        text.extend(bytes.len().to_be_bytes());
        text.extend(bytes);
    };
    for value in values {
        match value {
            ValueRef::Null => add(0, &[]),
            ValueRef::Integer(number) => add(1, &number.to_be_bytes()),
            ValueRef::Real(number) => add(2, &number.to_be_bytes()),
            ValueRef::Text(text) => add(3, text),
            ValueRef::Blob(bytes) => add(4, bytes),
        }
    }
    let hash = Sha256::digest(&text);
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    i64::from_be_bytes(first)
}

/// Returns the sum of an event.
pub(crate) fn of(event: &StoredEvent) -> i64 {
    fn text(text: &str) -> ValueRef<'_> {
        ValueRef::Text(text.as_bytes())
    }
    fn optional(text: Option<&String>) -> ValueRef<'_> {
        text.map_or(ValueRef::Null, |text| ValueRef::Text(text.as_bytes()))
    }
    let number = |number: Option<i64>| number.map_or(ValueRef::Null, ValueRef::Integer);
    let values: [ValueRef<'_>; COLUMNS] = [
        text(event.event_id.as_str()),
        text(&event.task_id),
        text(&event.kind),
        text(&event.data),
        ValueRef::Integer(event.schema_version.into()),
        optional(event.author.as_ref()),
        optional(event.agent_id.as_ref()),
        optional(event.session_id.as_ref()),
        optional(event.correlation_id.as_ref()),
        optional(event.causation_id.as_ref()),
        text(&event.timestamp),
        number(event.basis_seq),
        number(event.epoch.map(i64::from)),
    ];
    sum(values.into_iter())
}

/// Returns the sum of a row that begins with the row id, followed by the columns of an event.
fn of_row(row: &Row<'_>) -> rusqlite::Result<i64> {
    let values = (1..=COLUMNS).map(|column| row.get_ref(column));
    Ok(sum(values
        .collect::<rusqlite::Result<Vec<_>>>()?
        .into_iter()))
}

const NOTE: &str = "note the checksum of an event";

const WRITE: &str = "
    insert into event_sum (event_rowid, sum) values (:rowid, :sum)
    on conflict (event_rowid) do update set sum = excluded.sum";

/// Notes the sums of events, in the transaction that writes them.
pub(crate) struct Writer<'conn> {
    conn: &'conn Connection,
    statement: CachedStatement<'conn>,
}

impl<'conn> Writer<'conn> {
    pub(crate) fn new(conn: &'conn Connection) -> Result<Self> {
        let statement = conn.prepare_cached(WRITE).on(conn, NOTE)?;
        Ok(Self { conn, statement })
    }

    pub(crate) fn write(&mut self, rowid: i64, sum: i64) -> Result<()> {
        // In the order of the statement.
        let written = self.statement.execute((rowid, sum));
        written.on(self.conn, NOTE).map(drop)
    }
}

const FIND: &str = "
    select sum from event_sum where event_rowid = :rowid";

/// Refuses an event that is not what was written: damage must not travel to other devices.
///
/// # Errors
/// [`Error::Corrupt`]; whatever SQLite reports.
pub(crate) fn refuse_changed(conn: &Connection, event: &StoredEvent) -> Result<()> {
    let context = "check an event";
    let mut statement = conn.prepare_cached(FIND).on(conn, context)?;
    let expected: Option<i64> = statement
        .query_row(named_params! { ":rowid": event.rowid }, |row| row.get(0))
        .optional()
        .on(conn, context)?;
    if expected.is_none_or(|expected| expected == of(event)) {
        return Ok(());
    }
    let path = Path::new(conn.path().unwrap_or_default());
    let finding = format!("event {} is not what was written", event.event_id.as_str());
    Err(Error::damaged(path, finding))
}

const ALL: &str = "
    select e.id, e.event_id, e.task_id, e.type, e.data, e.schema_version, e.author, e.agent_id,
           e.session_id, e.correlation_id, e.causation_id, e.timestamp, e.basis_seq, e.epoch, s.sum
      from events e
      left join event_sum s on s.event_rowid = e.id
     order by e.id";

/// Gives all events that have no sum the one of what they are now. Returns how many.
pub(crate) fn fill(conn: &Connection) -> rusqlite::Result<u64> {
    let mut statement = conn.prepare(ALL)?;
    let mut rows = statement.query([])?;
    let mut sums = vec![];
    while let Some(row) = rows.next()? {
        if row.get_ref(COLUMNS + 1)? == ValueRef::Null {
            sums.push((row.get::<_, i64>(0)?, of_row(row)?));
        }
    }
    let mut write = conn.prepare(WRITE)?;
    for (rowid, sum) in &sums {
        write.execute(named_params! { ":rowid": rowid, ":sum": sum })?;
    }
    Ok(u64::try_from(sums.len()).unwrap_or(u64::MAX))
}

const MISSING: &str = "
    select s.event_rowid from event_sum s
     where not exists (select 1 from events e where e.id = s.event_rowid)
     order by s.event_rowid";

/// Compares every event with its sum. Reads the whole log.
///
/// # Errors
/// Whatever SQLite reports.
pub fn check(conn: &Connection) -> Result<Checked> {
    let context = "check the events";
    let mut checked = Checked::default();
    let mut statement = conn.prepare(ALL).on(conn, context)?;
    let mut rows = statement.query([]).on(conn, context)?;
    while let Some(row) = rows.next().on(conn, context)? {
        let expected: Option<i64> = row.get(COLUMNS + 1).on(conn, context)?;
        match expected {
            None => checked.without_sum += 1,
            Some(expected) if of_row(row).on(conn, context)? == expected => checked.sound += 1,
            Some(_) => checked.changed.push(row.get(0).on(conn, context)?),
        }
    }
    let mut statement = conn.prepare(MISSING).on(conn, context)?;
    checked.missing = statement
        .query_map([], |row| row.get(0))
        .on(conn, context)?
        .collect::<rusqlite::Result<_>>()
        .on(conn, context)?;
    Ok(checked)
}
