//! A damaged log is made sound again from what can still be read in it.
//!
//! The damaged files are copied aside first, and stay. Events are taken from wherever a page still holds
//! them, if they are what was written ([`crate::sum`]) or, without a checksum, can be events; the rest of
//! the file is carried over as far as SQLite can read it. The new log then replaces the old one in place,
//! in one transaction of SQLite, as `restore` does it: no file is renamed over another, and whoever has the
//! store open goes on with the new log. Where others keep the file busy, nothing happens.
//!
//! The store becomes a device of its own, and pulls everything anew: so the cloud brings what was lost.

mod pages;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hzl_core::ids::EventId;
use hzl_core::time::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, OpenFlags, params_from_iter};

use self::pages::{Image, Source};
use crate::backup::copy_all_pages;
use crate::busy;
use crate::connect::{connect, in_memory};
use crate::error::{Context as _, Error, OnConnection as _, Result};
use crate::lock::{SyncLock, WriteQueue};
use crate::log::{self, StoredEvent};
use crate::open::Birth;
use crate::paths::{StorePaths, beside};
use crate::query::health;
use crate::schema::events;
use crate::schema::old_cache::{Carried, free_name};
use crate::source::{Clock, IdSource};
use crate::state::{self, Key, SyncState};
use crate::transaction::{WriteTransaction, failed_commit};
use crate::vetted::{self, IfMissing};
use crate::{replica, sum};

/// How long a running sync, or another writer, is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a salvage brought.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Salvaged {
    /// Events in the log now.
    pub events: u64,
    /// Rows of events that could not be saved.
    pub lost: BTreeSet<i64>,
    /// The damaged file, as it was; its WAL is beside it.
    pub kept: PathBuf,
}

/// Makes the log at `paths` sound. Nobody in this process may have it open.
///
/// # Errors
/// - [`Error::Busy`]: others have the file open and cannot be waited for; nothing was changed
/// - [`Error::Corrupt`]: no event was found in the file; it was left alone
/// - whatever the disk reports; the log is then as it was
pub fn salvage(paths: &StorePaths, clock: &dyn Clock, ids: &mut dyn IdSource) -> Result<Salvaged> {
    let path = &vetted::database(&paths.events, IfMissing::Refuse)?.path;
    let sync = SyncLock::try_acquire(&paths.sync_lock(), PATIENCE)?;
    let queue = WriteQueue::join(&paths.write_lock(), PATIENCE);
    // Outlives every connection: see there.
    let image = Image::open(path).at(path, "read the damaged log")?;
    let found = Found::in_image(&image).at(path, "read the damaged log")?;
    if found.events.is_empty() {
        let finding = "no event can be read from it; it was left as it is";
        return Err(Error::damaged(path, finding.to_owned()));
    }
    let kept = keep(&image, path)?;
    let scratch = build(path, &found, clock, ids)?;
    if let Some(finding) = health::list_damage(&scratch)?.into_iter().next() {
        return Err(Error::damaged(path, finding));
    }
    // Whoever does not queue may have written meanwhile: what was not read must not be replaced.
    if image
        .is_outdated(path)
        .at(path, "look at the damaged log")?
    {
        let context = "replace the damaged log, since others write to it";
        return Err(Error::busy(context));
    }
    // Before anything is replaced, so that nothing can fail after it: the names of what is kept last.
    vetted::sync_names(path)?;
    replace(path, &scratch)?;
    drop((image, queue, sync));
    Ok(Salvaged {
        events: u64::try_from(found.events.len()).unwrap_or(u64::MAX),
        lost: found.lost(),
        kept,
    })
}

/// What the pages of a file hold.
#[derive(Default)]
struct Found {
    /// Sound events, by row.
    events: BTreeMap<i64, StoredEvent>,
    /// What an event of a row has to sum up to.
    sums: BTreeMap<i64, i64>,
    /// Rows of events that are not what was written.
    changed: BTreeSet<i64>,
}

impl Found {
    fn in_image(image: &Image) -> io::Result<Self> {
        // A WAL in which a row is another event than in the file belongs to another log.
        let mut ids: BTreeMap<i64, EventId> = BTreeMap::new();
        let mut is_foreign = false;
        image.for_each_row(|source, rowid, values| {
            if let Some(event) = event_of(rowid, values) {
                let known = ids.entry(rowid).or_insert_with(|| event.event_id.clone());
                is_foreign |= source == Source::Wal && *known != event.event_id;
            }
        })?;
        let counts = |source| source == Source::File || !is_foreign;
        let mut found = Self::default();
        // The sums before the events: they say which version of an event is the right one.
        image.for_each_row(|source, rowid, values| {
            if let [Value::Null, Value::Integer(sum)] = values
                && counts(source)
            {
                found.sums.insert(rowid, *sum);
            }
        })?;
        let mut seen: BTreeSet<EventId> = BTreeSet::new();
        image.for_each_row(|source, rowid, values| {
            let Some(event) = event_of(rowid, values).filter(|_| counts(source)) else {
                return;
            };
            if found.events.contains_key(&rowid) || seen.contains(&event.event_id) {
                return;
            }
            match found.sums.get(&rowid) {
                Some(expected) if sum::of(&event) != *expected => {
                    found.changed.insert(rowid);
                }
                Some(_) | None => {
                    seen.insert(event.event_id.clone());
                    found.events.insert(rowid, event);
                }
            }
        })?;
        Ok(found)
    }

    fn lost(&self) -> BTreeSet<i64> {
        let known = self.sums.keys().chain(&self.changed);
        let lost = known.filter(|rowid| !self.events.contains_key(rowid));
        lost.copied().collect()
    }
}

/// Reads a row as an event, if it can be one.
fn event_of(rowid: i64, values: &[Value]) -> Option<StoredEvent> {
    let [
        Value::Null,
        Value::Text(event_id),
        Value::Text(task_id),
        Value::Text(kind),
        Value::Text(data),
        Value::Integer(schema_version),
        author,
        agent_id,
        session_id,
        correlation_id,
        causation_id,
        Value::Text(timestamp),
        rest @ ..,
    ] = values
    else {
        return None;
    };
    let optional = |value: &Value| match value {
        Value::Null => Some(None),
        Value::Text(text) => Some(Some(text.clone())),
        Value::Integer(_) | Value::Real(_) | Value::Blob(_) => None,
    };
    let number = |index: usize| match rest.get(index) {
        None | Some(Value::Null) => Some(None),
        Some(Value::Integer(number)) => Some(Some(*number)),
        Some(Value::Text(_) | Value::Real(_) | Value::Blob(_)) => None,
    };
    let epoch = match number(1)? {
        Some(epoch) => Some(u32::try_from(epoch).ok()?),
        None => None,
    };
    let event = StoredEvent {
        rowid,
        event_id: EventId::new(event_id.clone()),
        task_id: task_id.clone(),
        kind: kind.clone(),
        data: data.clone(),
        schema_version: u32::try_from(*schema_version).ok()?,
        author: optional(author)?,
        agent_id: optional(agent_id)?,
        session_id: optional(session_id)?,
        correlation_id: optional(correlation_id)?,
        causation_id: optional(causation_id)?,
        timestamp: timestamp.clone(),
        basis_seq: number(0)?,
        epoch,
    };
    let is_possible = rowid > 0
        && rest.len() <= 2
        && log::unacceptable(&event).is_none()
        && Timestamp::parse(timestamp).is_some();
    is_possible.then_some(event)
}

/// Copies the damaged files aside, byte for byte.
fn keep(image: &Image, path: &Path) -> Result<PathBuf> {
    let kept = free_name(&beside(path, ".damaged-1"), "-");
    let copy = |from: &File, to: &Path| -> io::Result<()> {
        vetted::create_private(to)?;
        let mut into = File::options().write(true).open(to)?;
        let mut from = from;
        from.rewind()?;
        io::copy(&mut from.take(u64::MAX), &mut into)?;
        into.sync_all()
    };
    copy(&image.file, &kept).at(path, "copy the damaged log aside")?;
    if let Some(wal) = &image.wal {
        copy(wal, &beside(&kept, "-wal")).at(path, "copy the damaged log aside")?;
    }
    Ok(kept)
}

/// Makes the new log, in memory.
fn build(
    path: &Path,
    found: &Found,
    clock: &dyn Clock,
    ids: &mut dyn IdSource,
) -> Result<Connection> {
    let now = clock.now();
    let scratch = in_memory(busy::DEADLINE).at(path, "make a new log")?;
    let mut new_id = || ids.new_id(now);
    let mut birth = Birth {
        new_id: &mut new_id,
        now_ms: now.millis(),
    };
    events::upgrade(WriteTransaction::begin(&scratch)?, &mut birth, || {
        Ok(Carried::default())
    })?;
    let transaction = WriteTransaction::begin(&scratch)?;
    for (rowid, event) in &found.events {
        log::insert(&scratch, Some(*rowid), event, sum::of(event))?;
    }
    carry_over(path, &scratch);
    start_anew(&scratch, now, &(birth.new_id)())?;
    transaction.commit_log(None)?;
    Ok(scratch)
}

/// What is in the file besides the events, as it is written. The order of rows in them means nothing.
const BESIDE: [&str; 9] = [
    "hzl_global_meta",
    "sync_state",
    "event_sync",
    "event_resent",
    "quarantine",
    "conflict_ack",
    "hook_outbox",
    "workflow_ops",
    "cloud_devices",
];

/// Carries over what SQLite can still read besides the events. Best effort: all of it can be missing.
fn carry_over(path: &Path, scratch: &Connection) {
    let Ok(damaged) = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE, PATIENCE) else {
        return;
    };
    for table in BESIDE {
        // What was read until then is kept.
        drop(carry_table(&damaged, scratch, table));
    }
    // A place without an event means nothing.
    for table in ["event_sync", "event_resent"] {
        let sql = format!("delete from {table} where event_rowid not in (select id from events)");
        drop(scratch.execute(&sql, []));
    }
    // Rows of another table that damage has put in its place would keep their events from the cloud.
    let no_time =
        "delete from quarantine where at not glob '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T*'";
    drop(scratch.execute(no_time, []));
}

fn carry_table(damaged: &Connection, scratch: &Connection, table: &str) -> rusqlite::Result<()> {
    let mut rows = damaged.prepare(&format!("select * from {table}"))?;
    let columns: Vec<String> = rows.column_names().map(str::to_owned).collect();
    let places = vec!["?"; columns.len()].join(", ");
    let columns = columns.join("\", \"");
    let sql = format!("insert or replace into {table} (\"{columns}\") values ({places})");
    let mut insert = scratch.prepare(&sql)?;
    let width = rows.column_count();
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let values = (0..width).map(|column| row.get::<_, Value>(column));
        if let Ok(values) = values.collect::<rusqlite::Result<Vec<_>>>() {
            // A row that breaks a constraint is damage.
            drop(insert.execute(params_from_iter(values)));
        }
    }
    Ok(())
}

/// The new log is a device of its own, its projections are of nobody else, and it pulls from the start.
fn start_anew(scratch: &Connection, now: Timestamp, device: &str) -> Result<()> {
    let before = SyncState::load(scratch)?;
    replica::become_device(scratch, &before, device)?;
    // Larger than any that was, also if that cannot be read any more.
    let generation = (before.generation + 1).max(now.millis());
    state::set_number(scratch, Key::Generation, generation)?;
    state::set(scratch, Key::CursorSeq, None)?;
    state::set(scratch, Key::CursorEventId, None)?;
    state::set(scratch, Key::CursorReceivedAt, None)?;
    state::set_number(scratch, Key::SettledRowid, 0)?;
    replica::advance_watermark(scratch)
}

/// Puts the new log in the place of the old one, in one transaction.
fn replace(path: &Path, scratch: &Connection) -> Result<()> {
    let mut live = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE, PATIENCE)?;
    // Makes the WAL, if the file is sound enough to have one.
    drop(live.query_row("select count(*) from sqlite_master", [], |_| Ok(())));
    vetted::sync_wal_name(path)?;
    match copy_all_pages(scratch, &mut live) {
        Err(error) if is_damage(&error) => {}
        done => return done.map_err(|source| not_replaced(&live, source)),
    }
    // Even the header is damaged: SQLite is told not to look at it.
    drop(live);
    let mut live = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE, PATIENCE)?;
    live.set_db_config(DbConfig::SQLITE_DBCONFIG_RESET_DATABASE, true)
        .on(&live, REPLACE)?;
    copy_all_pages(scratch, &mut live).map_err(|source| not_replaced(&live, source))
}

const REPLACE: &str = "replace the damaged log";

fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

fn not_replaced(live: &Connection, source: rusqlite::Error) -> Error {
    failed_commit(live, source, REPLACE, None)
}
