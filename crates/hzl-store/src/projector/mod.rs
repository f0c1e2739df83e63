//! Projections: what the log means, as tables.
//!
//! A [`Projector`] works inside one write transaction on cache.db. It stores the outcome of a fold and
//! then settles the end-state rules that span tasks (links, parents, counts). It decides nothing about
//! an event: that is hzl-core's fold. Invariant: after [`Projector::finish`] the tables are what a
//! rebuild from scratch would make of the same events.

mod aside;
mod counts;
mod edges;
mod ids;
mod notes;
mod parents;
mod projects;
mod search;
mod task;

use std::collections::{BTreeMap, BTreeSet};

use hzl_core::conflict::Conflict;
use hzl_core::fold::TaskFold;
use hzl_core::ids::{EventId, TaskId};
use hzl_core::planted::{Bug, is_planted};
use hzl_core::project::Projects;
use hzl_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, named_params};

use self::counts::Place;
pub(crate) use self::ids::has_odd_ids;
pub(crate) use self::notes::NoteContents;
pub(crate) use self::projects::{are_plain, find_plain};
pub(crate) use self::task::{Contents, json_column, read_task, task_columns};
pub use self::task::{StoredTask, find_task};
use crate::digest::StateSum;
use crate::error::{OnConnection as _, Result};
use crate::folded::Folded;
use crate::tip::Tip;

/// How much of the log is folded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cursor {
    /// Last folded row.
    pub rowid: i64,
    /// The event there: row ids alone are reused after a lost tail.
    pub event_id: EventId,
    /// Last folded cloud sequence.
    pub seq: i64,
    /// The log's generation when it was folded.
    pub generation: i64,
}

/// Whether a fold adds to what is stored of a task or replaces it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// The fold went on from the stored state: its notes and conflicts are new.
    Append,
    /// The fold began from nothing: whatever is stored of the task goes.
    Replace,
    /// Nothing is stored of the task.
    Fresh,
}

/// Writes projections in one transaction.
pub struct Projector<'conn> {
    conn: &'conn Connection,
    sum: StateSum,
    /// Tasks that appeared, disappeared or changed between open and finished.
    changed_existence: BTreeSet<TaskId>,
    changed_openness: BTreeSet<TaskId>,
    changed_parent: BTreeSet<TaskId>,
    changed_children: BTreeSet<TaskId>,
    changed_edges: BTreeSet<TaskId>,
    /// Nothing was stored before: the end state is settled for all at once.
    fresh: bool,
    /// How many tasks were stored then.
    counted: BTreeMap<Place, i64>,
    /// How many tasks more than before have an id that no ULID could be.
    more_odd_ids: i64,
    /// Definitions of indexes that are to be made again.
    aside: Vec<String>,
}

impl<'conn> Projector<'conn> {
    /// Begins on a connection to cache.db that is in a write transaction.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn new(conn: &'conn Connection) -> Result<Self> {
        let stored: Option<Vec<u8>> = meta(conn, "state_sum")?;
        Ok(Self {
            conn,
            sum: StateSum::from_bytes(&stored.unwrap_or_default()),
            changed_existence: BTreeSet::new(),
            changed_openness: BTreeSet::new(),
            changed_parent: BTreeSet::new(),
            changed_children: BTreeSet::new(),
            changed_edges: BTreeSet::new(),
            fresh: false,
            counted: BTreeMap::new(),
            more_odd_ids: 0,
            aside: vec![],
        })
    }

    /// Empties all projections.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn clear(&mut self) -> Result<()> {
        self.sum = StateSum::default();
        self.fresh = true;
        let context = "empty the projections";
        CLEAR.into_iter().try_for_each(|sql| self.run(sql, context))
    }

    /// Runs a statement without parameters.
    fn run(&self, sql: &str, context: &'static str) -> Result<()> {
        let mut statement = self.conn.prepare_cached(sql).on(self.conn, context)?;
        statement.execute([]).on(self.conn, context).map(drop)
    }

    /// Stores what a fold made of one task.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn store_task(&mut self, folded: &Folded, mode: Mode, projects: &Projects) -> Result<()> {
        let Folded { task_id, fold, .. } = folded;
        let mode = if self.fresh { Mode::Fresh } else { mode };
        if is_planted(Bug::ProjectionSkipsOne) && !self.fresh && skips(fold) {
            return Ok(());
        }
        if mode == Mode::Replace || (mode == Mode::Append && fold.tombstone.is_some()) {
            self.remove_notes(task_id)?;
            self.remove_conflicts(task_id)?;
        }
        self.write_task(folded, mode, projects)?;
        self.write_edges(task_id, fold.task.as_ref(), mode)?;
        self.add_notes(folded)?;
        // A new row was stored with their number.
        if !fold.checkpoints.is_empty() && mode != Mode::Fresh {
            self.count_checkpoints(task_id, folded.checkpoints())?;
        }
        for conflict in &fold.conflicts {
            self.add_conflict(conflict)?;
        }
        Ok(())
    }

    /// Settles what spans tasks, and records how far the projections are.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn finish(mut self, cursor: &Cursor) -> Result<()> {
        if self.fresh {
            // Before there are indexes that each change would have to be written into.
            self.settle_all_parents()?;
            self.settle_all_edges()?;
            self.restore_indexes()?;
        } else {
            self.settle_parents()?;
            self.settle_edges()?;
        }
        if self.fresh {
            self.store_counts()?;
        }
        self.store_odd_ids()?;
        let conn = self.conn;
        set_meta(conn, "state_sum", &self.sum.to_bytes().to_vec())?;
        set_meta(conn, "cursor_rowid", &cursor.rowid)?;
        set_meta(conn, "cursor_event_id", &cursor.event_id.as_str())?;
        set_meta(conn, "cursor_seq", &cursor.seq)?;
        set_meta(conn, "generation", &cursor.generation)
    }

    fn add_conflict(&mut self, conflict: &Conflict) -> Result<()> {
        let mut statement = self
            .conn
            .prepare_cached(ADD_CONFLICT)
            .on(self.conn, "store a conflict")?;
        let losing_value = conflict.losing_value.to_string();
        let winning_value = conflict.winning_value.to_string();
        let added = statement
            .execute(named_params! {
                ":event_id": conflict.event_id.as_str(),
                ":kind": conflict.kind.name(),
                ":field": conflict.field,
                ":task_id": conflict.task_id.as_ref().map(TaskId::as_str),
                ":winner_event_id": conflict.winner_event_id.as_ref().map(EventId::as_str),
                ":losing_value": losing_value,
                ":winning_value": winning_value,
                ":at": conflict.at.map(hzl_core::time::Timestamp::millis),
            })
            .on(self.conn, "store a conflict")?;
        if added > 0 {
            self.sum.add(conflict_sum(
                conflict.event_id.as_str(),
                conflict.kind.name(),
                &conflict.field,
                conflict.winner_event_id.as_ref().map(EventId::as_str),
            ));
        }
        Ok(())
    }

    /// Removes the conflicts that a task's fold has found; those of the end state stay.
    fn remove_conflicts(&mut self, task_id: &TaskId) -> Result<()> {
        self.remove_conflicts_where(REMOVE_FOLD_CONFLICTS, task_id.as_str())
    }

    fn remove_conflicts_where(&mut self, sql: &str, key: &str) -> Result<()> {
        let mut statement = self
            .conn
            .prepare_cached(sql)
            .on(self.conn, "remove conflicts")?;
        let removed = statement
            .query_map(named_params! { ":key": key }, |row| {
                let (event_id, kind): (String, String) = (row.get(0)?, row.get(1)?);
                let (field, winner): (String, Option<String>) = (row.get(2)?, row.get(3)?);
                Ok(conflict_sum(&event_id, &kind, &field, winner.as_deref()))
            })
            .on(self.conn, "remove conflicts")?;
        for sum in removed {
            self.sum.subtract(sum.on(self.conn, "remove conflicts")?);
        }
        Ok(())
    }
}

/// One in a thousand, by the id of the event that came last.
fn skips(fold: &TaskFold) -> bool {
    let last = fold.task.as_ref().map(|task| task.updated_at.millis());
    last.is_some_and(|millis| millis % 1_000 == 7)
}

/// Empties the projections and forgets how far they had come, as if they had just been created.
///
/// # Errors
/// Whatever SQLite reports.
pub(crate) fn forget_everything(cache: &Connection) -> Result<()> {
    let mut projector = Projector::new(cache)?;
    projector.clear()?;
    projector.run("delete from p_meta", "empty the projections")
}

const CLEAR: [&str; 9] = [
    "delete from p_tasks",
    "delete from p_counts",
    "delete from p_tags",
    "insert into p_search (p_search) values ('delete-all')",
    "delete from p_edges",
    "delete from p_comments",
    "delete from p_checkpoints",
    "delete from p_projects",
    "delete from p_conflicts",
];

const ADD_CONFLICT: &str = "
    insert into p_conflicts
      (event_id, kind, field, task_id, winner_event_id, losing_value, winning_value, at)
    values
      (:event_id, :kind, :field, :task_id, :winner_event_id, :losing_value, :winning_value, :at)
    on conflict do nothing";

const REMOVE_FOLD_CONFLICTS: &str = "
    delete from p_conflicts
     where task_id = :key and kind in ('value', 'superseded', 'after_tombstone', 'late_renewal')
    returning event_id, kind, field, winner_event_id";

fn conflict_sum(event_id: &str, kind: &str, field: &str, winner: Option<&str>) -> StateSum {
    StateSum::of("conflict", &(event_id, kind, field, winner))
}

const META: &str = "
    select value from p_meta where key = :key";

fn meta<T: rusqlite::types::FromSql>(conn: &Connection, key: &str) -> Result<Option<T>> {
    let mut statement = conn
        .prepare_cached(META)
        .on(conn, "read the projections' state")?;
    statement
        .query_row(named_params! { ":key": key }, |row| row.get(0))
        .optional()
        .on(conn, "read the projections' state")
}

const SET_META: &str = "
    insert into p_meta (key, value) values (:key, :value)
    on conflict (key) do update set value = excluded.value where value is not excluded.value";

fn set_meta(conn: &Connection, key: &str, value: &dyn rusqlite::ToSql) -> Result<()> {
    let mut statement = conn
        .prepare_cached(SET_META)
        .on(conn, "write the projections' state")?;
    statement
        .execute(named_params! { ":key": key, ":value": value })
        .on(conn, "write the projections' state")?;
    Ok(())
}

// All of the few rows: to pick those that are wanted takes SQLite longer, since that has to be compiled.
const ALL_META: &str = "
    select key, value from p_meta";

/// Finds how much of the log is folded; `None`: nothing is.
///
/// # Errors
/// Whatever SQLite reports.
pub fn find_cursor(conn: &Connection) -> Result<Option<Cursor>> {
    let context = "read the projections' state";
    let mut statement = conn.prepare_cached(ALL_META).on(conn, context)?;
    let mut rows = statement.query([]).on(conn, context)?;
    let (mut rowid, mut event_id) = (None, None::<String>);
    let (mut seq, mut generation) = (None, None);
    while let Some(row) = rows.next().on(conn, context)? {
        let key = row.get_ref(0).on(conn, context)?;
        match key.as_bytes().unwrap_or_default() {
            b"cursor_rowid" => rowid = row.get(1).on(conn, context)?,
            b"cursor_event_id" => event_id = row.get(1).on(conn, context)?,
            b"cursor_seq" => seq = row.get(1).on(conn, context)?,
            b"generation" => generation = row.get(1).on(conn, context)?,
            _ => {}
        }
    }
    Ok(rowid.map(|rowid| Cursor {
        rowid,
        event_id: EventId::new(event_id.unwrap_or_default()),
        seq: seq.unwrap_or(0),
        generation: generation.unwrap_or(0),
    }))
}

/// Notes what the files of the log looked like when all that is folded was in it, and no more than that.
pub(crate) fn set_tip(conn: &Connection, tip: &Tip) -> Result<()> {
    set_meta(conn, "tip", &tip.to_bytes())?;
    set_meta(conn, "at_rest_since", &None::<i64>)
}

/// Notes that nothing was left to be sent at that tip.
pub(crate) fn set_rest(conn: &Connection, now: Timestamp) -> Result<()> {
    set_meta(conn, "at_rest_since", &now.millis())
}

/// Finds since when nothing was to be sent.
pub(crate) fn find_rest(conn: &Connection) -> Result<Option<Timestamp>> {
    let millis: Option<Option<i64>> = meta(conn, "at_rest_since")?;
    Ok(millis.flatten().map(Timestamp::from_millis))
}

/// Tells whether they looked like this.
pub(crate) fn has_tip(conn: &Connection, tip: &Tip) -> Result<bool> {
    Ok(meta::<Vec<u8>>(conn, "tip")?.is_some_and(|kept| kept == tip.to_bytes()))
}

/// The state hash of the projections as they are.
///
/// # Errors
/// Whatever SQLite reports.
pub fn state_sum(conn: &Connection) -> Result<StateSum> {
    Ok(StateSum::from_bytes(
        &meta::<Vec<u8>>(conn, "state_sum")?.unwrap_or_default(),
    ))
}
