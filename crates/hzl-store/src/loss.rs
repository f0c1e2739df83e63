//! Events that the log had and has no more: what the projections remember of them.
//!
//! A log only grows, and it is on the disk before the projections follow. Where they have seen an event at
//! their cursor that the log does not hold, the log went back: a WAL was deleted, a file was cut or put
//! back from an older copy. The projections follow it, as always, and note the event, for `doctor` to say.
//! What goes back on purpose (`restore`, `prune`, a rewind) raises the generation and is no loss; nor is it
//! one if the projections are those of another ledger.

use hzl_core::ids::EventId;
use rusqlite::{Connection, OptionalExtension as _, named_params};

use crate::error::{OnConnection as _, Result};
use crate::log;
use crate::projector::{Cursor, find_cursor};
use crate::state::SyncState;

const NOTED: &str = "
    select value from p_meta where key = 'lost_event_id'";

const NOTE: &str = "
    insert into p_meta (key, value) values ('lost_event_id', :event_id)
    on conflict (key) do nothing";

const LEDGER: &str = "
    select value from p_meta where key = 'ledger'";

const SET_LEDGER: &str = "
    insert into p_meta (key, value) values ('ledger', :ledger)
    on conflict (key) do update set value = excluded.value";

/// What stays the same as long as a log lives, whichever cloud ledger it joins.
const BIRTH: &str = "
    select value from hzl_global_meta where key = 'created_at_ms'";

const FORGET: &str = "
    delete from p_meta where key = 'lost_event_id'";

/// Notes the last event that the projections have seen if the log has lost it. The first loss stays noted.
pub(crate) fn note(events: &Connection, cache: &Connection, state: &SyncState) -> Result<()> {
    let Some(seen) = find_cursor(cache)?.filter(|seen| seen.rowid > 0) else {
        return Ok(());
    };
    // An empty log is new: its file was deleted, or emptied.
    let is_of_this = log::find_end(events)?.is_none()
        || find_text(cache, LEDGER)?.is_some_and(|ledger| Some(ledger) == birth(events));
    if !is_of_this || !is_lost(events, &seen, state)? {
        return Ok(());
    }
    cache
        .execute(NOTE, named_params! { ":event_id": seen.event_id.as_str() })
        .on(cache, "note what was lost")
        .map(drop)
}

/// Notes which ledger the projections are of.
pub(crate) fn mark(events: &Connection, cache: &Connection) -> Result<()> {
    cache
        .execute(SET_LEDGER, named_params! { ":ledger": birth(events) })
        .on(cache, "note which ledger this is")
        .map(drop)
}

/// Absent, and unreadable, in a log that was never opened for writing.
fn birth(events: &Connection) -> Option<String> {
    find_text(events, BIRTH).ok().flatten()
}

fn find_text(conn: &Connection, sql: &str) -> Result<Option<String>> {
    let found: Option<Option<String>> = conn
        .prepare_cached(sql)
        .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
        .optional()
        .on(conn, "look for what was lost")?;
    Ok(found.flatten())
}

fn is_lost(events: &Connection, seen: &Cursor, state: &SyncState) -> Result<bool> {
    Ok(state.generation <= seen.generation && !holds(events, &seen.event_id)?)
}

fn holds(events: &Connection, event_id: &EventId) -> Result<bool> {
    Ok(log::find_stored(events, event_id)?.is_some())
}

/// Returns the last event that the log is known to have lost; `None`: it has lost none, or has it again.
///
/// # Errors
/// Whatever SQLite reports.
pub fn find(events: &Connection, cache: &Connection) -> Result<Option<EventId>> {
    let Some(noted) = find_text(cache, NOTED)?.map(EventId::new) else {
        return Ok(None);
    };
    Ok((!holds(events, &noted)?).then_some(noted))
}

/// Forgets about a loss: everything that could be done was done.
///
/// # Errors
/// Whatever SQLite reports.
pub fn forget(cache: &Connection) -> Result<()> {
    cache
        .execute(FORGET, [])
        .on(cache, "forget what was lost")
        .map(drop)
}
