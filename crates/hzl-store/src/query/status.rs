//! How this device stands to the cloud: counts, times, the other devices.
//!
//! Reads events.db, not projections: what is pending is a matter of the log.

use hzl_core::ids::DeviceId;
use hzl_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, named_params};

use crate::error::{OnConnection as _, Result};
use crate::state::{self, Key, SyncState};

/// The state of sync, whether or not there is one.
#[derive(Clone, PartialEq, Debug)]
pub struct SyncStatus {
    /// The ledger.
    pub instance_id: Option<String>,
    /// This writer incarnation.
    pub device: DeviceId,
    /// The cloud ledger that was joined; `None`: never synced.
    pub cloud_instance_id: Option<String>,
    /// Cloud sequence up to which everything has been pulled; 0: nothing.
    pub cursor_seq: i64,
    /// Last success, local clock.
    pub last_sync_at: Option<Timestamp>,
    /// Last attempt, local clock.
    pub last_attempt_at: Option<Timestamp>,
    /// Why the last attempt failed: a JSON object with `code`, `message` and `action`.
    pub last_error: Option<String>,
    /// The cloud takes no writes from this token.
    pub is_pull_only: bool,
    /// Events that the cloud has not confirmed.
    pub pending: u64,
    /// When the first of them was written.
    pub pending_since: Option<Timestamp>,
    /// Events that were set aside.
    pub quarantined: u64,
    /// All devices of the ledger, as of the last pull, by id.
    pub devices: Vec<CloudDevice>,
}

/// A row of the cloud's device list.
#[derive(Clone, PartialEq, Debug)]
pub struct CloudDevice {
    /// The device.
    pub device: DeviceId,
    /// What its people call it.
    pub name: Option<String>,
    /// The program it runs.
    pub hzl_version: Option<String>,
    /// When it last synced, as the cloud wrote it.
    pub last_seen_at: Option<String>,
    /// Up to which sequence it has pulled.
    pub acked_seq: Option<i64>,
    /// Its state hash there.
    pub state_hash: Option<String>,
}

/// Loads it.
///
/// # Errors
/// Whatever SQLite reports.
pub fn load(events: &Connection) -> Result<SyncStatus> {
    let known = SyncState::load(events)?;
    let time = |key| {
        let millis = state::find(events, key)?.and_then(|text| text.parse().ok());
        Ok(millis.map(Timestamp::from_millis))
    };
    let (pending, pending_since) = load_pending(events)?;
    Ok(SyncStatus {
        instance_id: state::instance_id(events)?,
        device: known.device,
        cloud_instance_id: state::find(events, Key::CloudInstanceId)?,
        cursor_seq: known.cursor_seq,
        last_sync_at: time(Key::LastSyncAtMs)?,
        last_attempt_at: time(Key::LastAttemptAtMs)?,
        last_error: state::find(events, Key::LastError)?,
        is_pull_only: state::number(events, Key::PullOnly)? != 0,
        pending,
        pending_since,
        quarantined: count_quarantined(events)?,
        devices: list_devices(events)?,
    })
}

/// Below the watermark everything is settled; above it, what has no row is not.
const PENDING: &str = "
    select count(*), min(e.id) from events e
      left join event_sync s on s.event_rowid = e.id
     where e.id > :settled and s.event_rowid is null";

const TIMESTAMP_AT: &str = "
    select timestamp from events where id = :rowid";

fn load_pending(events: &Connection) -> Result<(u64, Option<Timestamp>)> {
    let context = "count pending events";
    let settled = state::number(events, Key::SettledRowid)?;
    let (count, first): (i64, Option<i64>) = events
        .query_row(PENDING, named_params! { ":settled": settled }, |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .on(events, context)?;
    let since: Option<String> = events
        .query_row(TIMESTAMP_AT, named_params! { ":rowid": first }, |row| {
            row.get(0)
        })
        .optional()
        .on(events, context)?;
    let since = since.as_deref().and_then(Timestamp::parse);
    Ok((u64::try_from(count).unwrap_or(0), since))
}

const QUARANTINED: &str = "
    select count(*) from quarantine";

fn count_quarantined(events: &Connection) -> Result<u64> {
    let count: i64 = events
        .query_row(QUARANTINED, [], |row| row.get(0))
        .on(events, "count quarantined events")?;
    Ok(u64::try_from(count).unwrap_or(0))
}

const DEVICES: &str = "
    select device_id, name, hzl_version, last_seen_at, acked_seq, state_hash
      from cloud_devices order by device_id";

fn list_devices(events: &Connection) -> Result<Vec<CloudDevice>> {
    let read = |row: &Row<'_>| {
        Ok(CloudDevice {
            device: DeviceId::new(row.get::<_, String>(0)?),
            name: row.get(1)?,
            hzl_version: row.get(2)?,
            last_seen_at: row.get(3)?,
            acked_seq: row.get(4)?,
            state_hash: row.get(5)?,
        })
    };
    let mut statement = events.prepare_cached(DEVICES).on(events, "list devices")?;
    let rows = statement.query_map([], read).on(events, "list devices")?;
    rows.collect::<rusqlite::Result<_>>()
        .on(events, "list devices")
}
