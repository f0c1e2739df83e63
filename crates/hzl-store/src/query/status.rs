//! How this device stands to the cloud: counts and times.
//!
//! Reads events.db, not projections: what is pending is a matter of the log.

use hzl_core::ids::DeviceId;
use hzl_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, named_params};

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
    /// Events that were set aside.
    pub quarantined: u64,
}

/// What waits to be sent.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Pending {
    /// Events that the cloud has not confirmed.
    pub count: u64,
    /// When the first of them was written.
    pub since: Option<Timestamp>,
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
    Ok(SyncStatus {
        instance_id: state::instance_id(events)?,
        device: known.device,
        cloud_instance_id: state::find(events, Key::CloudInstanceId)?,
        cursor_seq: known.cursor_seq,
        last_sync_at: time(Key::LastSyncAtMs)?,
        last_attempt_at: time(Key::LastAttemptAtMs)?,
        last_error: state::find(events, Key::LastError)?,
        is_pull_only: state::number(events, Key::PullOnly)? != 0,
        quarantined: count_quarantined(events)?,
    })
}

/// Below the watermark everything is settled; above it, what has no row is not.
const PENDING: &str = "
    select count(*), min(e.id) from events e
      left join event_sync s on s.event_rowid = e.id
     where e.id > :settled and s.event_rowid is null";

const TIMESTAMP_AT: &str = "
    select timestamp from events where id = :rowid";

/// Loads what waits to be sent. In a ledger that was never synced these are all events, and each is looked at.
///
/// # Errors
/// Whatever SQLite reports.
pub fn load_pending(events: &Connection) -> Result<Pending> {
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
    Ok(Pending {
        count: u64::try_from(count).unwrap_or(0),
        since,
    })
}

const QUARANTINED: &str = "
    select count(*) from quarantine";

fn count_quarantined(events: &Connection) -> Result<u64> {
    let count: i64 = events
        .query_row(QUARANTINED, [], |row| row.get(0))
        .on(events, "count quarantined events")?;
    Ok(u64::try_from(count).unwrap_or(0))
}
