//! Numbers: how much waits, and how long finished work took.
//!
//! What was finished is read from events.db, by folding the events of the tasks in question: who held
//! a task when it was finished is not in its projection.

use hzl_core::fold::{FoldContext, TaskFold};
use hzl_core::ids::TaskId;
use hzl_core::task::Status;
use hzl_core::time::Timestamp;
use rusqlite::{Connection, named_params};

use super::count_column;
use super::projects::StatusCounts;
use crate::catch_up::load_projects;
use crate::error::{OnConnection as _, Result};
use crate::log::list_task_events;
use crate::state::SyncState;

/// How much there is in each status, and what needs attention.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Queue {
    /// Tasks by status.
    pub counts: StatusCounts,
    /// Tasks that `claim --next` could take.
    pub available: u64,
    /// Tasks in progress whose lease has run out.
    pub expired_leases: u64,
}

const QUEUE: &str = "
    select coalesce(sum(status = 'backlog'), 0), coalesce(sum(status = 'ready'), 0),
           coalesce(sum(status = 'in_progress'), 0), coalesce(sum(status = 'blocked'), 0),
           coalesce(sum(status = 'done'), 0), coalesce(sum(status = 'archived'), 0),
           coalesce(sum(status = 'ready' and open_deps = 0 and child_count = 0), 0),
           coalesce(sum(status = 'in_progress' and lease_until < :now), 0)
      from p_tasks where :project is null or project = :project";

/// Counts tasks, of one project or of all.
///
/// # Errors
/// Whatever SQLite reports.
pub fn count_queue(cache: &Connection, project: Option<&str>, now: Timestamp) -> Result<Queue> {
    let values = named_params! { ":project": project, ":now": now.millis() };
    let mut statement = cache.prepare_cached(QUEUE).on(cache, "count tasks")?;
    statement
        .query_row(values, |row| {
            Ok(Queue {
                counts: StatusCounts {
                    backlog: count_column(row, 0)?,
                    ready: count_column(row, 1)?,
                    in_progress: count_column(row, 2)?,
                    blocked: count_column(row, 3)?,
                    done: count_column(row, 4)?,
                    archived: count_column(row, 5)?,
                },
                available: count_column(row, 6)?,
                expired_leases: count_column(row, 7)?,
            })
        })
        .on(cache, "count tasks")
}

/// A task that was finished; one that was taken up again may be finished several times.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Completion {
    /// The task.
    pub task_id: TaskId,
    /// Who held it then.
    pub agent: Option<String>,
    /// When it was last taken up before.
    pub started_at: Option<Timestamp>,
    /// When it was finished.
    pub at: Timestamp,
}

/// Timestamps may be written with any zone, so as texts they are only good to the day.
const FINISHED: &str = "
    select distinct task_id from events
     where timestamp >= :since and type = 'status_changed'
       and json_extract(data, '$.to') = 'done'
     order by task_id";

/// Lists what was finished since a time, task by task. Deleted tasks are left out. Reads events.db.
///
/// # Errors
/// Whatever SQLite reports.
pub fn list_completions(events: &Connection, since: Timestamp) -> Result<Vec<Completion>> {
    let context = "list finished tasks";
    let day_before = since.plus_millis(-24 * 60 * 60 * 1000).to_string();
    let mut statement = events.prepare_cached(FINISHED).on(events, context)?;
    let finished = statement
        .query_map(named_params! { ":since": day_before }, |row| {
            row.get::<_, String>(0)
        })
        .on(events, context)?
        .collect::<rusqlite::Result<Vec<_>>>()
        .on(events, context)?;
    let state = SyncState::load(events)?;
    let projects = load_projects(events, &state)?;
    let context = FoldContext {
        projects: &projects,
        rewind_points: &state.rewind_points,
    };
    let mut completions = vec![];
    for task_id in finished {
        completions.extend(completions_of(events, &task_id, &state, context)?);
    }
    completions.retain(|completion| completion.at >= since);
    Ok(completions)
}

fn completions_of(
    events: &Connection,
    task_id: &str,
    state: &SyncState,
    context: FoldContext<'_>,
) -> Result<Vec<Completion>> {
    let mut completions = vec![];
    let mut started_at = None;
    let mut fold = TaskFold::resume(None);
    for placed in list_task_events(events, task_id, &state.device)? {
        let before = fold.task.as_ref().map(|task| task.status);
        fold.apply(&placed, context);
        let Some(task) = &fold.task else { continue };
        let at = placed.event.timestamp;
        match task.status {
            status if Some(status) == before => {}
            Status::InProgress => started_at = Some(at),
            Status::Done => completions.push(Completion {
                task_id: task.task_id.clone(),
                agent: task.agent.clone().filter(|name| !name.is_empty()),
                started_at,
                at,
            }),
            Status::Backlog | Status::Ready | Status::Blocked | Status::Archived => {}
        }
    }
    Ok(if fold.task.is_some() {
        completions
    } else {
        vec![]
    })
}
