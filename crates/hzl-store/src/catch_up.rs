//! Bringing the projections up to date with the log.
//!
//! The log may be ahead of the projections, never the reverse: a write commits its events first, and a
//! pull only moves the log. Whoever needs current projections calls [`catch_up`]. Events that were only
//! appended are applied one by one; what a pull touched is folded anew, task by task; anything that is
//! not growth (a restored log, another generation) means a rebuild.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::thread;

use hzl_core::event::PlacedEvent;
use hzl_core::fold::{FoldContext, TaskFold};
use hzl_core::ids::{EventId, TaskId};
use hzl_core::order::Position;
use hzl_core::planted::{Bug, is_planted};
use hzl_core::project::Projects;
use hzl_core::time::Timestamp;
use rusqlite::{Connection, named_params};

use crate::error::{OnConnection as _, Result};
use crate::folded::{Beside, Folded};
use crate::log;
use crate::loss;
use crate::projector::{self, Cursor, Mode, Projector, are_plain, find_cursor, find_task};
use crate::state::SyncState;
use crate::tip::Tip;
use crate::transaction::WriteTransaction;

/// How the projections stand to the log.
#[derive(Clone, PartialEq, Debug)]
enum Distance {
    /// Nothing to do.
    Current,
    /// Events were appended after this row; nothing was settled.
    Appended(i64),
    /// A pull has settled events since.
    Settled(Cursor),
    /// They are of another history.
    Unrelated,
}

/// What was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CaughtUp {
    /// Nothing was to be done.
    Nothing,
    /// Some tasks were folded.
    Tasks,
    /// Everything was folded.
    Everything,
}

/// From this many new events on, folding everything in one pass is cheaper than task by task.
const REBUILD_FROM_EVENTS: i64 = 20_000;

/// From this many events on, they are folded by a second thread, and indexes are made after the rows.
const LARGE_FROM_EVENTS: i64 = 5_000;

/// Folds what the log has and the projections have not, in one transaction on `cache`.
///
/// # Errors
/// Whatever SQLite reports; the projections are then as they were.
pub fn catch_up(events: &Connection, cache: &Connection) -> Result<CaughtUp> {
    // First: what is committed after it may be folded too, and only makes the tip older than it could be.
    let tip = tip_of(events);
    if is_current(events, cache)? {
        keep_tip(cache, tip.as_ref())?;
        return Ok(CaughtUp::Nothing);
    }
    fold_and_note(events, cache, tip.as_ref(), None)
}

/// Events that this process has appended in one transaction.
pub(crate) struct Appended {
    /// The last row before them; 0: there was none.
    pub(crate) since: i64,
    /// All of them, as they would be read back.
    pub(crate) placed: Vec<PlacedEvent>,
}

impl Appended {
    /// Whether they are all there is after that row.
    fn are_all_after(&self, rowid: i64, end: &Cursor) -> bool {
        let is_end = |last: &PlacedEvent| {
            last.position == Position::tail(end.rowid) && last.event.event_id == end.event_id
        };
        self.since == rowid && self.placed.last().is_some_and(is_end)
    }
}

/// The same, for whoever has just appended something: there is something to fold. What it was, if that is known, is
/// not read back.
///
/// # Errors
/// As [`catch_up`].
pub(crate) fn follow(
    events: &Connection,
    cache: &Connection,
    appended: Option<&Appended>,
) -> Result<CaughtUp> {
    let tip = tip_of(events);
    fold_and_note(events, cache, tip.as_ref(), appended)
}

/// Folds in one transaction, and notes the tip that the log had before.
fn fold_and_note(
    events: &Connection,
    cache: &Connection,
    tip: Option<&Tip>,
    appended: Option<&Appended>,
) -> Result<CaughtUp> {
    if is_planted(Bug::CacheCursorSavedFirst) && find_cursor(cache)?.is_some() {
        save_the_cursor_first(events, cache)?;
    }
    let transaction = WriteTransaction::begin(cache)?;
    let done = fold_into(events, &transaction, appended)?;
    if let Some(tip) = tip {
        projector::set_tip(&transaction, tip)?;
    }
    transaction.commit_cache()?;
    Ok(done)
}

/// Notes that a sync has left nothing to be sent, if that is so.
///
/// # Errors
/// Whatever SQLite reports.
pub(crate) fn note_rest(
    events: &Connection,
    cache: &Connection,
    now: Timestamp,
    has_outgoing: impl FnOnce() -> Result<bool>,
) -> Result<()> {
    let Some(tip) = tip_of(events) else {
        return Ok(());
    };
    if has_outgoing()? || !is_current(events, cache)? {
        return Ok(());
    }
    let transaction = WriteTransaction::begin(cache)?;
    projector::set_tip(&transaction, &tip)?;
    projector::set_rest(&transaction, now)?;
    transaction.commit_cache()
}

/// The tip of a log that holds something: an empty one is to get its `inbox` first.
fn tip_of(events: &Connection) -> Option<Tip> {
    let tip = Tip::of(events)?;
    log::find_end(events).ok()??;
    Some(tip)
}

/// Notes the tip of a log that has changed in ways that do not concern the projections.
fn keep_tip(cache: &Connection, tip: Option<&Tip>) -> Result<()> {
    let Some(tip) = tip else { return Ok(()) };
    if projector::has_tip(cache, tip)? {
        return Ok(());
    }
    let transaction = WriteTransaction::begin(cache)?;
    projector::set_tip(&transaction, tip)?;
    transaction.commit_cache()
}

/// The bug of that name: whoever dies after this leaves a cursor behind that promises too much.
fn save_the_cursor_first(events: &Connection, cache: &Connection) -> Result<()> {
    let before = find_cursor(cache)?;
    let transaction = WriteTransaction::begin(cache)?;
    Projector::new(&transaction)?.finish(&end_cursor(events, &SyncState::load(events)?)?)?;
    transaction.commit_cache()?;
    let transaction = WriteTransaction::begin(cache)?;
    if let Some(cursor) = before {
        Projector::new(&transaction)?.finish(&cursor)?;
    }
    transaction.commit_cache()
}

/// Folds what the log has and the projections have not into an open transaction on `cache`. Events
/// that this connection has appended and not committed yet count.
///
/// # Errors
/// Whatever SQLite reports; the caller then rolls back.
pub(crate) fn fold_into(
    events: &Connection,
    cache: &Connection,
    appended: Option<&Appended>,
) -> Result<CaughtUp> {
    // One snapshot of the log for all that follows.
    let snapshot = ReadTransaction::begin(events)?;
    let state = SyncState::load(events)?;
    let done = match distance(events, cache, &state)? {
        Distance::Current => CaughtUp::Nothing,
        Distance::Appended(rowid) => {
            apply_appended(events, cache, &state, rowid, appended)?;
            CaughtUp::Tasks
        }
        Distance::Settled(cursor) => {
            refold_touched(events, cache, &state, &cursor)?;
            CaughtUp::Tasks
        }
        Distance::Unrelated => {
            loss::note(events, cache, &state)?;
            fold_everything(events, cache, &state)?;
            loss::mark(events, cache)?;
            CaughtUp::Everything
        }
    };
    drop(snapshot);
    Ok(done)
}

/// Folds the whole log anew, whatever the projections say.
///
/// # Errors
/// Whatever SQLite reports; the projections are then as they were.
pub fn rebuild(events: &Connection, cache: &Connection) -> Result<()> {
    let transaction = WriteTransaction::begin(cache)?;
    let snapshot = ReadTransaction::begin(events)?;
    fold_everything(events, cache, &SyncState::load(events)?)?;
    loss::mark(events, cache)?;
    drop(snapshot);
    transaction.commit_cache()
}

/// Tells whether the projections, as this connection sees them, hold all of the log.
///
/// # Errors
/// Whatever SQLite reports.
pub fn is_current(events: &Connection, cache: &Connection) -> Result<bool> {
    let cursor = find_cursor(cache)?;
    // Two looks in one lock.
    let snapshot = ReadTransaction::begin(events)?;
    let state = SyncState::load(events)?;
    let end = log::find_end(events)?;
    drop(snapshot);
    Ok(match (cursor, end) {
        (None, None) => true,
        // A rebuild of an empty log leaves a cursor before its first row.
        (Some(cursor), end) => {
            let end = end.map_or_else(|| (0, EventId::new("")), |end| (end.rowid, end.event_id));
            (cursor.rowid, cursor.event_id) == end
                && cursor.seq == state.cursor_seq
                && cursor.generation == state.generation
        }
        (None, Some(_)) => false,
    })
}

fn distance(events: &Connection, cache: &Connection, state: &SyncState) -> Result<Distance> {
    let (cursor, end) = (find_cursor(cache)?, log::find_end(events)?);
    let (Some(cursor), Some(end)) = (cursor.clone(), end.clone()) else {
        let both_empty = cursor.is_none() && end.is_none();
        return Ok(if both_empty {
            Distance::Current
        } else {
            Distance::Unrelated
        });
    };
    let same_history = cursor.generation == state.generation
        && cursor.seq <= state.cursor_seq
        && (log::find_event_id(events, cursor.rowid)?.as_ref() == Some(&cursor.event_id)
            || is_planted(Bug::CacheCursorByRowOnly));
    let many = end.rowid - cursor.rowid > REBUILD_FROM_EVENTS
        || (same_history && cursor.seq != state.cursor_seq && settled_many(events, cursor.seq)?);
    Ok(if !same_history || many {
        Distance::Unrelated
    } else if cursor.seq != state.cursor_seq {
        Distance::Settled(cursor)
    } else if cursor.rowid == end.rowid {
        Distance::Current
    } else {
        Distance::Appended(cursor.rowid)
    })
}

const SETTLED_SINCE: &str = "
    select count(*) from (select 1 from event_sync where cloud_seq > :seq limit :limit)";

/// Tells whether so much was settled since that folding everything is cheaper. Counted, since
/// sequences have gaps.
fn settled_many(events: &Connection, seq: i64) -> Result<bool> {
    let context = "count what a pull has touched";
    let mut statement = events.prepare_cached(SETTLED_SINCE).on(events, context)?;
    let count: i64 = statement
        .query_row(
            named_params! { ":seq": seq, ":limit": REBUILD_FROM_EVENTS + 1 },
            |row| row.get(0),
        )
        .on(events, context)?;
    Ok(count > REBUILD_FROM_EVENTS)
}

/// The cursor after everything that is in the log.
fn end_cursor(events: &Connection, state: &SyncState) -> Result<Cursor> {
    let end = log::find_end(events)?;
    Ok(Cursor {
        rowid: end.as_ref().map_or(0, |end| end.rowid),
        event_id: end.map_or_else(|| EventId::new(""), |end| end.event_id),
        seq: state.cursor_seq,
        generation: state.generation,
    })
}

fn apply_appended(
    events: &Connection,
    cache: &Connection,
    state: &SyncState,
    rowid: i64,
    known: Option<&Appended>,
) -> Result<()> {
    let end = end_cursor(events, state)?;
    let listed;
    let appended = match known.filter(|known| known.are_all_after(rowid, &end)) {
        Some(known) => &known.placed,
        None => {
            listed = log::list_events_after(events, rowid, &state.device)?;
            &listed
        }
    };
    let mut projector = Projector::new(cache)?;
    // Also one of a later hzl, whose type is unknown here: the timeline is stored anew after it.
    let any_of_project = appended.iter().any(|placed| placed.event.task_id.is_none());
    let any_named = any_of_project || appended.iter().any(names_project);
    // Where names mean what they say, no projects at all say the same.
    let projects = if any_named && (any_of_project || !are_plain(cache)?) {
        load_projects(events, state)?
    } else {
        Projects::default()
    };
    if any_of_project {
        projector.store_projects(&projects)?;
    }
    let context = FoldContext {
        projects: &projects,
        rewind_points: &state.rewind_points,
    };
    let mut by_task: BTreeMap<&TaskId, Vec<&PlacedEvent>> = BTreeMap::new();
    for placed in appended {
        if let Some(task_id) = &placed.event.task_id {
            by_task.entry(task_id).or_default().push(placed);
        }
    }
    for (task_id, placed) in by_task {
        // What the log has not told of before is not stored: to ask that takes less than to look for a whole task.
        let begins = placed.first().is_some_and(|first| creates_task(first));
        let is_new = begins && !log::has_event_of_task(events, task_id, rowid)?;
        let stored = if is_new {
            None
        } else {
            find_task(cache, task_id)?
        };
        if stored.is_none() && !is_new {
            // Deleted before, or noted on before it was there: its own events tell.
            refold(events, &mut projector, state, task_id, context)?;
            continue;
        }
        let mode = if is_new { Mode::Fresh } else { Mode::Append };
        let mut fold = TaskFold::resume(stored.map(|stored| stored.task));
        for placed in placed {
            fold.apply(placed, context);
        }
        let folded = Folded::new(task_id.clone(), fold);
        projector.store_task(&folded, mode, &projects)?;
    }
    projector.finish(&end)
}

fn creates_task(placed: &PlacedEvent) -> bool {
    use hzl_core::event::Payload;
    matches!(placed.event.payload, Payload::TaskCreated(_))
}

fn names_project(placed: &PlacedEvent) -> bool {
    use hzl_core::event::Payload;
    matches!(
        placed.event.payload,
        Payload::TaskCreated(_) | Payload::TaskMoved(_)
    )
}

/// Tasks may come more than once: to tell them apart SQLite would walk through all events in the order of tasks.
const TOUCHED: &str = "
    select e.task_id from events e where e.id > :rowid
    union all
    select e.task_id from event_sync s join events e on e.id = s.event_rowid
     where s.cloud_seq > :seq";

/// The tail, and what was set aside: that keeps its place behind whatever arrives.
const IN_TAIL: &str = "
    select e.task_id from events e
     where e.id > :settled and e.task_id <> '__project__'
       and not exists (select 1 from event_sync s where s.event_rowid = e.id)
    union all
    select e.task_id from event_sync s join events e on e.id = s.event_rowid
     where s.cloud_seq is null and e.task_id <> '__project__'";

fn refold_touched(
    events: &Connection,
    cache: &Connection,
    state: &SyncState,
    cursor: &Cursor,
) -> Result<()> {
    let context = "find the tasks that a pull has touched";
    let mut statement = events.prepare_cached(TOUCHED).on(events, context)?;
    let mut touched: BTreeSet<String> = statement
        .query_map(
            named_params! { ":rowid": cursor.rowid, ":seq": cursor.seq },
            |row| row.get(0),
        )
        .on(events, context)?
        .collect::<rusqlite::Result<_>>()
        .on(events, context)?;
    let projects = load_projects(events, state)?;
    let mut projector = Projector::new(cache)?;
    if touched.remove(hzl_core::event::PROJECT_TASK_ID) {
        projector.store_projects(&projects)?;
        // A rename that arrived stands before the tail: names in the tail may mean other projects now.
        let settled = crate::state::number(events, crate::state::Key::SettledRowid)?;
        let mut statement = events.prepare_cached(IN_TAIL).on(events, context)?;
        let tail = statement
            .query_map(named_params! { ":settled": settled }, |row| {
                row.get::<_, String>(0)
            })
            .on(events, context)?;
        for task_id in tail {
            touched.insert(task_id.on(events, context)?);
        }
    }
    let context = FoldContext {
        projects: &projects,
        rewind_points: &state.rewind_points,
    };
    for task_id in touched {
        refold(
            events,
            &mut projector,
            state,
            &TaskId::new(task_id),
            context,
        )?;
    }
    projector.finish(&end_cursor(events, state)?)
}

/// Folds one task from its first event.
fn refold(
    events: &Connection,
    projector: &mut Projector<'_>,
    state: &SyncState,
    task_id: &TaskId,
    context: FoldContext<'_>,
) -> Result<()> {
    let placed = log::list_task_events(events, task_id.as_str(), &state.device)?;
    let folded = Folded::new(task_id.clone(), TaskFold::of(&placed, context));
    let mode = if is_planted(Bug::PulledEventsAppended) {
        Mode::Append
    } else {
        Mode::Replace
    };
    projector.store_task(&folded, mode, context.projects)
}

fn fold_everything(events: &Connection, cache: &Connection, state: &SyncState) -> Result<()> {
    let projects = load_projects(events, state)?;
    let context = FoldContext {
        projects: &projects,
        rewind_points: &state.rewind_points,
    };
    let cursor = end_cursor(events, state)?;
    let is_large = cursor.rowid > LARGE_FROM_EVENTS;
    thread::scope(|scope| {
        // It begins while the projections are emptied here.
        let beside = is_large.then(|| Beside::start(scope, events, state, context));
        let mut projector = Projector::new(cache)?;
        projector.clear()?;
        if is_large {
            projector.set_indexes_aside()?;
        }
        projector.store_projects(&projects)?;
        let mut store = |folded: &Folded| projector.store_task(folded, Mode::Fresh, &projects);
        match beside.flatten() {
            Some(beside) => beside.for_each(store)?,
            None => log::for_each_task(events, &state.device, |placed| {
                let folded = Folded::of(placed, context);
                folded.iter().try_for_each(&mut store)?;
                Ok(ControlFlow::Continue(()))
            })?,
        }
        projector.finish(&cursor)
    })
}

/// The projects' timeline, from the log: project events are few.
///
/// # Errors
/// Whatever SQLite reports.
pub fn load_projects(events: &Connection, state: &SyncState) -> Result<Projects> {
    Ok(Projects::of(&log::list_project_events(
        events,
        &state.device,
    )?))
}

/// A snapshot of a database for reading; dropping it ends it.
pub struct ReadTransaction<'conn> {
    conn: &'conn Connection,
    /// The connection was in a transaction already.
    nested: bool,
}

impl<'conn> ReadTransaction<'conn> {
    /// Begins; the snapshot is taken by the first read.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn begin(conn: &'conn Connection) -> Result<Self> {
        let nested = !conn.is_autocommit();
        if !nested {
            conn.execute_batch("begin").on(conn, "begin to read")?;
        }
        Ok(Self { conn, nested })
    }
}

impl Drop for ReadTransaction<'_> {
    fn drop(&mut self) {
        if !self.nested && !self.conn.is_autocommit() {
            // Nothing was written: how it ends does not matter.
            drop(self.conn.execute_batch("rollback"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::events::plan;

    #[test]
    fn what_a_pull_has_touched_is_found_by_seeks() {
        for sql in [TOUCHED, IN_TAIL, SETTLED_SINCE] {
            assert!(!plan(sql).contains("SCAN e"), "{}", plan(sql));
        }
    }
}
