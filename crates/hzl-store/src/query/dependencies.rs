//! Dependencies between tasks, with both ends.

use hzl_core::graph;
use hzl_core::ids::{ProjectName, TaskId};
use hzl_core::task::Status;
use rusqlite::{Connection, Row, named_params};

use crate::error::{OnConnection as _, Result};

/// A task that was made to wait for another, whether that still matters or not.
#[derive(Clone, PartialEq, Debug)]
pub struct DependencyView {
    /// The task that waits.
    pub from: TaskId,
    /// The task it waits for.
    pub to: TaskId,
    /// What is known of the task that waits.
    pub from_task: End,
    /// What is known of the other; `None`: there is no such task.
    pub to_task: Option<End>,
    /// It is the reason, or one of several, why the task cannot go on: the task is meant to be
    /// worked on and the other is open.
    pub is_blocking: bool,
}

/// One end of a dependency.
#[derive(Clone, PartialEq, Debug)]
pub struct End {
    /// Its title.
    pub title: String,
    /// What its project is called.
    pub project: ProjectName,
    /// Who holds it or should take it.
    pub agent: Option<String>,
    /// Its status.
    pub status: Status,
}

impl DependencyView {
    /// Tells whether the two tasks are in different projects.
    pub fn is_cross_project(&self) -> bool {
        let to = self.to_task.as_ref();
        to.is_some_and(|to| to.project != self.from_task.project)
    }
}

/// Which dependencies a list shows; all conditions hold together.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DependencyFilter {
    /// At either end, a task of this project.
    pub project: Option<String>,
    /// The task that waits is of this project.
    pub from_project: Option<String>,
    /// The task it waits for is of this project.
    pub to_project: Option<String>,
    /// At either end, a task of this agent.
    pub agent: Option<String>,
    /// The task that waits is of this agent.
    pub from_agent: Option<String>,
    /// The task it waits for is of this agent.
    pub to_agent: Option<String>,
    /// Blocking ones.
    pub blocking_only: bool,
    /// Those between projects.
    pub cross_project_only: bool,
}

/// A dependency that is not active waits for nothing: its target is missing, or it would close a
/// cycle.
const LIST: &str = "
    with edges as (
      select f.created_at, e.task_id, e.depends_on_id,
             f.title as from_title, f.project as from_project, f.agent as from_agent,
             f.status as from_status,
             t.title as to_title, t.project as to_project, t.agent as to_agent,
             t.status as to_status,
             e.state = 'active' and t.task_id is not null
               and f.status in ('ready', 'in_progress', 'blocked')
               and t.status not in ('done', 'archived') as is_blocking
        from p_edges e
        join p_tasks f on f.task_id = e.task_id
        left join p_tasks t on t.task_id = e.depends_on_id)
    select task_id, depends_on_id, from_title, from_project, from_agent, from_status,
           to_title, to_project, to_agent, to_status, is_blocking
      from edges
     where (:project is null or from_project = :project or to_project = :project)
       and (:from_project is null or from_project = :from_project)
       and (:to_project is null or to_project = :to_project)
       and (:agent is null or from_agent = :agent or to_agent = :agent)
       and (:from_agent is null or from_agent = :from_agent)
       and (:to_agent is null or to_agent = :to_agent)
       and (not :blocking_only or is_blocking)
       and (not :cross_project_only or from_project <> to_project)
     order by from_project, to_project, task_id, depends_on_id";

/// Lists dependencies by the project of the task that waits, the project of the other, and their ids.
///
/// # Errors
/// Whatever SQLite reports.
pub fn list(cache: &Connection, filter: &DependencyFilter) -> Result<Vec<DependencyView>> {
    let mut statement = cache.prepare_cached(LIST).on(cache, "list dependencies")?;
    let values = named_params! {
        ":project": filter.project,
        ":from_project": filter.from_project,
        ":to_project": filter.to_project,
        ":agent": filter.agent,
        ":from_agent": filter.from_agent,
        ":to_agent": filter.to_agent,
        ":blocking_only": filter.blocking_only,
        ":cross_project_only": filter.cross_project_only,
    };
    let rows = statement
        .query_map(values, read)
        .on(cache, "list dependencies")?;
    rows.collect::<rusqlite::Result<_>>()
        .on(cache, "list dependencies")
}

fn read(row: &Row<'_>) -> rusqlite::Result<DependencyView> {
    let from_status: String = row.get(5)?;
    let to_task = match row.get::<_, Option<String>>(6)? {
        None => None,
        Some(title) => {
            let status: String = row.get(9)?;
            Some(End {
                title,
                project: ProjectName::new(row.get::<_, String>(7)?),
                agent: row.get(8)?,
                status: Status::find(&status).unwrap_or_default(),
            })
        }
    };
    Ok(DependencyView {
        from: TaskId::new(row.get::<_, String>(0)?),
        to: TaskId::new(row.get::<_, String>(1)?),
        from_task: End {
            title: row.get(2)?,
            project: ProjectName::new(row.get::<_, String>(3)?),
            agent: row.get(4)?,
            status: Status::find(&from_status).unwrap_or_default(),
        },
        to_task,
        is_blocking: row.get(10)?,
    })
}

/// What is wrong with the dependencies as they were written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Flaws {
    /// Chains of tasks that wait for each other: pairs of a task and the one it waits for.
    pub cycles: Vec<Vec<(TaskId, TaskId)>>,
    /// Tasks, and what they wait for that does not exist.
    pub missing: Vec<(TaskId, TaskId)>,
}

const WRITTEN: &str = "
    select task_id, depends_on_id from p_edges order by task_id, depends_on_id";

const MISSING: &str = "
    select task_id, depends_on_id from p_edges
     where state = 'missing' and state <> 'active' order by task_id, depends_on_id";

/// Finds what is wrong with the dependencies as they were written.
///
/// # Errors
/// Whatever SQLite reports.
pub fn find_flaws(cache: &Connection) -> Result<Flaws> {
    Ok(Flaws {
        cycles: graph::find_cycles(&list_pairs(cache, WRITTEN)?),
        missing: list_pairs(cache, MISSING)?,
    })
}

fn list_pairs(cache: &Connection, sql: &str) -> Result<Vec<(TaskId, TaskId)>> {
    let mut statement = cache.prepare_cached(sql).on(cache, "check dependencies")?;
    let rows = statement
        .query_map([], |row| {
            let task_id = TaskId::new(row.get::<_, String>(0)?);
            Ok((task_id, TaskId::new(row.get::<_, String>(1)?)))
        })
        .on(cache, "check dependencies")?;
    rows.collect::<rusqlite::Result<_>>()
        .on(cache, "check dependencies")
}
