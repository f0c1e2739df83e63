//! What this store knows about itself and the cloud: keyed values in events.db.
//!
//! They commit with the events they belong to. Values are text; the keys are listed here and nowhere
//! else.

use hzl_core::ids::DeviceId;
use rusqlite::{Connection, OptionalExtension as _, Row, named_params};

use crate::error::{OnConnection as _, Result};

/// A key of `sync_state`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Key {
    /// This writer incarnation.
    DeviceId,
    /// Cloud sequence up to which everything has been pulled.
    CursorSeq,
    /// The event there.
    CursorEventId,
    /// Its arrival.
    CursorReceivedAt,
    /// The cloud ledger that was joined.
    CloudInstanceId,
    /// Rewind points, a JSON array; its length is the epoch.
    RewindPoints,
    /// Raised when settled rows change otherwise than by growing: projections are rebuilt then.
    Generation,
    /// Server clock minus local clock, in milliseconds.
    ClockOffsetMs,
    /// Largest effective time seen by pulls, in milliseconds.
    ClockMs,
    /// All events up to this row id are settled.
    SettledRowid,
    /// Last successful sync, milliseconds of the local clock.
    LastSyncAtMs,
    /// Last attempt, milliseconds of the local clock.
    LastAttemptAtMs,
    /// Why the last attempt failed, a JSON object; absent after a success.
    LastError,
    /// Attempts that failed in a row.
    Failures,
    /// The cloud takes no writes from this token.
    PullOnly,
    /// Address and token of the last attempt, as a hash: a rejection holds until they change.
    Target,
    /// The server rejects the request `close`.
    RejectsClose,
    /// When this device last wrote its row in the cloud's device list.
    AnnouncedAtMs,
    /// What it wrote there: device, cursor, state hash.
    Announced,
    /// When the list of devices was last fetched, milliseconds of the local clock.
    DevicesListedAtMs,
    /// How many rows one request moves, after one did not get through; absent: as many as may be.
    StepRows,
}

impl Key {
    const fn name(self) -> &'static str {
        match self {
            Key::DeviceId => "device_id",
            Key::CursorSeq => "cursor_seq",
            Key::CursorEventId => "cursor_event_id",
            Key::CursorReceivedAt => "cursor_received_at",
            Key::CloudInstanceId => "cloud_instance_id",
            Key::RewindPoints => "rewind_points",
            Key::Generation => "generation",
            Key::ClockOffsetMs => "clock_offset_ms",
            Key::ClockMs => "clock_ms",
            Key::SettledRowid => "settled_rowid",
            Key::LastSyncAtMs => "last_sync_at_ms",
            Key::LastAttemptAtMs => "last_sync_attempt_at_ms",
            Key::LastError => "last_sync_error",
            Key::Failures => "sync_failures",
            Key::PullOnly => "pull_only",
            Key::Target => "target",
            Key::RejectsClose => "rejects_close",
            Key::AnnouncedAtMs => "announced_at_ms",
            Key::Announced => "announced",
            Key::DevicesListedAtMs => "devices_listed_at_ms",
            Key::StepRows => "step_rows",
        }
    }
}

const GET: &str = "
    select value from sync_state where key = :key";

/// Finds a value.
///
/// # Errors
/// Whatever SQLite reports.
pub fn find(conn: &Connection, key: Key) -> Result<Option<String>> {
    let mut statement = conn.prepare_cached(GET).on(conn, "read the sync state")?;
    let value: Option<Option<String>> = statement
        .query_row(named_params! { ":key": key.name() }, |row| row.get(0))
        .optional()
        .on(conn, "read the sync state")?;
    Ok(value.flatten())
}

/// Finds a number; absent or unreadable is 0.
///
/// # Errors
/// Whatever SQLite reports.
pub fn number(conn: &Connection, key: Key) -> Result<i64> {
    Ok(find(conn, key)?
        .and_then(|text| text.parse().ok())
        .unwrap_or(0))
}

const SET: &str = "
    insert into sync_state (key, value) values (:key, :value)
    on conflict (key) do update set value = excluded.value";

/// Sets a value, or removes it.
///
/// # Errors
/// Whatever SQLite reports.
pub fn set(conn: &Connection, key: Key, value: Option<&str>) -> Result<()> {
    let Some(value) = value else {
        let mut statement = conn
            .prepare_cached("delete from sync_state where key = :key")
            .on(conn, "write the sync state")?;
        statement
            .execute(named_params! { ":key": key.name() })
            .on(conn, "write the sync state")?;
        return Ok(());
    };
    let mut statement = conn.prepare_cached(SET).on(conn, "write the sync state")?;
    statement
        .execute(named_params! { ":key": key.name(), ":value": value })
        .on(conn, "write the sync state")?;
    Ok(())
}

/// Sets a number.
///
/// # Errors
/// Whatever SQLite reports.
pub fn set_number(conn: &Connection, key: Key, value: i64) -> Result<()> {
    set(conn, key, Some(&value.to_string()))
}

/// What every write and every look at the log needs, in one read.
#[derive(Clone, PartialEq, Debug)]
pub struct SyncState {
    /// This writer incarnation.
    pub device: DeviceId,
    /// Cloud sequence up to which everything has been pulled; 0: nothing.
    pub cursor_seq: i64,
    /// Raised when settled rows change otherwise than by growing.
    pub generation: i64,
    /// The rewind points of epoch 1, 2, …; their number is the epoch.
    pub rewind_points: Vec<i64>,
    /// Server clock minus local clock, in milliseconds.
    pub clock_offset_ms: i64,
    /// Largest effective time seen by pulls, in milliseconds.
    pub clock_ms: i64,
}

// All of the few rows: to pick those that are wanted takes SQLite longer, since that has to be compiled.
const ALL: &str = "
    select key, value from sync_state";

impl SyncState {
    /// Reads it.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn load(conn: &Connection) -> Result<Self> {
        let context = "read the sync state";
        let mut state = Self {
            device: DeviceId::new(""),
            cursor_seq: 0,
            generation: 0,
            rewind_points: vec![],
            clock_offset_ms: 0,
            clock_ms: 0,
        };
        let mut statement = conn.prepare_cached(ALL).on(conn, context)?;
        let mut rows = statement.query([]).on(conn, context)?;
        while let Some(row) = rows.next().on(conn, context)? {
            state.take(row).on(conn, context)?;
        }
        Ok(state)
    }

    fn take(&mut self, row: &Row<'_>) -> rusqlite::Result<()> {
        let value = || -> rusqlite::Result<&str> {
            Ok(row.get_ref(1)?.as_str_or_null()?.unwrap_or_default())
        };
        let number = || value().map(|text| text.parse::<i64>().unwrap_or(0));
        let key = row.get_ref(0)?.as_str().unwrap_or_default();
        let is = |wanted: Key| key == wanted.name();
        if is(Key::DeviceId) {
            self.device = DeviceId::new(value()?);
        } else if is(Key::CursorSeq) {
            self.cursor_seq = number()?;
        } else if is(Key::Generation) {
            self.generation = number()?;
        } else if is(Key::RewindPoints) {
            self.rewind_points = points(value()?);
        } else if is(Key::ClockOffsetMs) {
            self.clock_offset_ms = number()?;
        } else if is(Key::ClockMs) {
            self.clock_ms = number()?;
        }
        Ok(())
    }

    /// The ledger's epoch.
    pub fn epoch(&self) -> u32 {
        u32::try_from(self.rewind_points.len()).unwrap_or(u32::MAX)
    }
}

/// This writer incarnation; set when the store was made.
///
/// # Errors
/// Whatever SQLite reports.
pub fn device(conn: &Connection) -> Result<DeviceId> {
    Ok(DeviceId::new(
        find(conn, Key::DeviceId)?.unwrap_or_default(),
    ))
}

/// The rewind points of epoch 1, 2, …
///
/// # Errors
/// Whatever SQLite reports.
pub fn rewind_points(conn: &Connection) -> Result<Vec<i64>> {
    let text = find(conn, Key::RewindPoints)?;
    Ok(points(text.as_deref().unwrap_or_default()))
}

/// Empty text stands for no points, and is not parsed: making an error of it looks for the features of the
/// processor, which takes longer than all else here where a hypervisor answers.
fn points(text: &str) -> Vec<i64> {
    if text.is_empty() {
        return vec![];
    }
    serde_json::from_str(text).unwrap_or_default()
}

const INSTANCE: &str = "
    select value from hzl_global_meta where key = 'hzl_instance_id'";

/// The ledger's identity, written once when the store was made, and when it joins another.
///
/// # Errors
/// Whatever SQLite reports.
pub fn instance_id(conn: &Connection) -> Result<Option<String>> {
    conn.prepare_cached(INSTANCE)
        .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
        .optional()
        .on(conn, "read the instance id")
}
