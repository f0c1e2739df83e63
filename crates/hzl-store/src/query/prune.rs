//! Which finished tasks are old enough to be deleted.

use hzl_core::command::PruneFilter;
use hzl_core::ids::{ProjectName, TaskId};
use hzl_core::task::Status;
use hzl_core::time::Timestamp;
use rusqlite::{Connection, named_params};

use crate::error::{OnConnection as _, Result};

/// A task that may be deleted.
#[derive(Clone, PartialEq, Debug)]
pub struct Prunable {
    /// The task.
    pub task_id: TaskId,
    /// Its title.
    pub title: String,
    /// Its project.
    pub project: String,
    /// `done` or `archived`.
    pub status: Status,
    /// Since when; its age counts from the later of this and its arrival in the cloud.
    pub terminal_since: Timestamp,
    /// Its parent.
    pub parent_id: Option<TaskId>,
}

/// Old and finished, with its family: a child that stays keeps its parent, a parent that stays keeps
/// its children, and a task that is waited for stays.
const LIST: &str = "
    with old as (
      select task_id, title, project, status, terminal_at, parent_id
        from p_tasks
       where status in ('done', 'archived')
         and max(terminal_at, coalesce(json_extract(memory, '$.last_status.r'), 0)) < :before
         and (:project is null or project = :project))
    select task_id, title, project, status, terminal_at, parent_id
      from old
     where not exists (select 1 from p_tasks c
                        where c.parent_id = old.task_id
                          and (:project is null or c.project = :project)
                          and c.task_id not in (select task_id from old))
       and (parent_id is null or parent_id in (select task_id from old))
       and not exists (select 1 from p_edges e join p_tasks w on w.task_id = e.task_id
                        where e.depends_on_id = old.task_id
                          and w.status not in ('done', 'archived'))
     order by terminal_at, task_id";

/// Lists the tasks that a prune would delete, the oldest first.
///
/// # Errors
/// Whatever SQLite reports.
pub fn list(cache: &Connection, filter: &PruneFilter) -> Result<Vec<Prunable>> {
    let mut statement = cache.prepare_cached(LIST).on(cache, "look for old tasks")?;
    let rows = statement
        .query_map(
            named_params! {
                ":before": filter.before.millis(),
                ":project": filter.project.as_ref().map(ProjectName::as_str),
            },
            |row| {
                let status: String = row.get(3)?;
                Ok(Prunable {
                    task_id: TaskId::new(row.get::<_, String>(0)?),
                    title: row.get(1)?,
                    project: row.get(2)?,
                    status: Status::find(&status).unwrap_or_default(),
                    terminal_since: Timestamp::from_millis(row.get(4)?),
                    parent_id: row.get::<_, Option<String>>(5)?.map(TaskId::from),
                })
            },
        )
        .on(cache, "look for old tasks")?;
    rows.collect::<rusqlite::Result<_>>()
        .on(cache, "look for old tasks")
}
