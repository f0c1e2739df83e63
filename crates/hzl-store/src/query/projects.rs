//! Projects with the numbers of their tasks.

use hzl_core::ids::ProjectName;
use hzl_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, named_params};

use crate::error::{OnConnection as _, Result};

/// A project as shown.
#[derive(Clone, PartialEq, Debug)]
pub struct ProjectView {
    /// Its name.
    pub name: ProjectName,
    /// Free text.
    pub description: Option<String>,
    /// Cannot be renamed or deleted.
    pub is_protected: bool,
    /// When it was created; for a project that only its tasks keep in being, when the first of them was.
    pub created_at: Timestamp,
    /// Its tasks by status.
    pub counts: StatusCounts,
}

/// Numbers of tasks by status.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StatusCounts {
    /// In backlog.
    pub backlog: u64,
    /// Ready.
    pub ready: u64,
    /// In progress.
    pub in_progress: u64,
    /// Blocked.
    pub blocked: u64,
    /// Done.
    pub done: u64,
    /// Archived.
    pub archived: u64,
}

impl StatusCounts {
    /// All tasks.
    pub fn total(&self) -> u64 {
        self.active() + self.archived
    }

    /// All but the archived ones.
    pub fn active(&self) -> u64 {
        self.backlog + self.ready + self.in_progress + self.blocked + self.done
    }
}

/// Projects that were created and not deleted, and projects that hold a task that is not archived.
const LIST: &str = "
    with counts as (
      select project,
             sum(tasks * (status = 'backlog')) as backlog, sum(tasks * (status = 'ready')) as ready,
             sum(tasks * (status = 'in_progress')) as in_progress,
             sum(tasks * (status = 'blocked')) as blocked,
             sum(tasks * (status = 'done')) as done, sum(tasks * (status = 'archived')) as archived
        from p_counts group by project),
    names as (
      select name from p_projects where is_deleted = 0
      union
      select project from counts where backlog + ready + in_progress + blocked + done > 0)
    select n.name, p.description, coalesce(p.is_protected, 0),
           coalesce(p.created_at,
                    (select min(created_at) from p_tasks t where t.project = n.name), 0),
           coalesce(c.backlog, 0), coalesce(c.ready, 0), coalesce(c.in_progress, 0),
           coalesce(c.blocked, 0), coalesce(c.done, 0), coalesce(c.archived, 0)
      from names n
      left join p_projects p on p.name = n.name and p.is_deleted = 0
      left join counts c on c.project = n.name
     order by n.name";

/// Lists the projects by name.
///
/// # Errors
/// Whatever SQLite reports.
pub fn list(cache: &Connection) -> Result<Vec<ProjectView>> {
    let mut statement = cache.prepare_cached(LIST).on(cache, "list projects")?;
    let rows = statement
        .query_map([], read_project)
        .on(cache, "list projects")?;
    rows.collect::<rusqlite::Result<_>>()
        .on(cache, "list projects")
}

const FIND: &str = "
    with counts as (
      select coalesce(sum(tasks), 0) as n,
             sum(tasks * (status = 'backlog')) as backlog, sum(tasks * (status = 'ready')) as ready,
             sum(tasks * (status = 'in_progress')) as in_progress,
             sum(tasks * (status = 'blocked')) as blocked,
             sum(tasks * (status = 'done')) as done,
             coalesce(sum(tasks * (status = 'archived')), 0) as archived
        from p_counts where project = :name)
    select :name, p.description, coalesce(p.is_protected, 0),
           coalesce(p.created_at,
                    (select min(created_at) from p_tasks t where t.project = :name), 0),
           coalesce(c.backlog, 0), coalesce(c.ready, 0), coalesce(c.in_progress, 0),
           coalesce(c.blocked, 0), coalesce(c.done, 0), coalesce(c.archived, 0)
      from counts c
      left join p_projects p on p.name = :name and p.is_deleted = 0
     where p.name is not null or c.n > c.archived";

/// Finds a project by its name.
///
/// # Errors
/// Whatever SQLite reports.
pub fn find(cache: &Connection, name: &ProjectName) -> Result<Option<ProjectView>> {
    let mut statement = cache.prepare_cached(FIND).on(cache, "find a project")?;
    statement
        .query_row(named_params! { ":name": name.as_str() }, read_project)
        .optional()
        .on(cache, "find a project")
}

fn read_project(row: &Row<'_>) -> rusqlite::Result<ProjectView> {
    let count = |column: usize| {
        Ok::<_, rusqlite::Error>(u64::try_from(row.get::<_, i64>(column)?).unwrap_or(0))
    };
    Ok(ProjectView {
        name: ProjectName::new(row.get::<_, String>(0)?),
        description: row.get(1)?,
        is_protected: row.get(2)?,
        created_at: Timestamp::from_millis(row.get(3)?),
        counts: StatusCounts {
            backlog: count(4)?,
            ready: count(5)?,
            in_progress: count(6)?,
            blocked: count(7)?,
            done: count(8)?,
            archived: count(9)?,
        },
    })
}
