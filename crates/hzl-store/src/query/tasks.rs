//! Tasks: by id prefix, as lists, with their notes and subtasks.

use hzl_core::ids::TaskId;
use hzl_core::task::Status;
use hzl_core::time::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, Row, named_params, params_from_iter};
use serde_json::Map;

use crate::error::{OnConnection as _, Result};
use crate::projector::{StoredTask, find_task, has_odd_ids, json_column, read_task, task_columns};

/// What an id prefix stands for.
#[derive(Clone, PartialEq, Debug)]
pub enum Resolved {
    /// Exactly one task.
    One(TaskId),
    /// No task.
    None,
    /// Several; at most [`MAX_MATCHES`] with their titles, by id.
    Many(Vec<(TaskId, String)>),
}

/// How many matches of an ambiguous prefix are listed.
pub const MAX_MATCHES: usize = 50;

const BY_PREFIX: &str = "
    select task_id, title from p_tasks
     where task_id like :pattern escape '\\'
     order by task_id limit 51";

/// Resolves a whole id or a prefix; prefixes ignore the case of ASCII letters. An empty text is no
/// prefix of anything.
///
/// # Errors
/// Whatever SQLite reports.
pub fn resolve(cache: &Connection, prefix: &str) -> Result<Resolved> {
    let exact = TaskId::from(prefix);
    if prefix.is_empty() {
        return Ok(Resolved::None);
    }
    if find_task(cache, &exact)?.is_some() {
        return Ok(Resolved::One(exact));
    }
    let mut matches = list_by_prefix(cache, prefix)?;
    Ok(match matches.len() {
        0 => Resolved::None,
        1 => Resolved::One(matches.swap_remove(0).0),
        _ => Resolved::Many(matches),
    })
}

/// Lists at most [`MAX_MATCHES`] tasks whose id begins like this, with their titles, by id.
///
/// # Errors
/// Whatever SQLite reports.
pub fn list_by_prefix(cache: &Connection, prefix: &str) -> Result<Vec<(TaskId, String)>> {
    let mut matches = by_range(cache, prefix)?;
    if matches.is_empty() && has_odd_ids(cache)? {
        matches = by_pattern(cache, prefix)?;
    }
    matches.truncate(MAX_MATCHES);
    Ok(matches)
}

const BY_RANGE: &str = "
    select task_id, title from p_tasks
     where task_id >= :from and task_id < :to
     order by task_id limit 51";

/// A ULID prefix is a range of the index.
fn by_range(cache: &Connection, prefix: &str) -> Result<Vec<(TaskId, String)>> {
    if !prefix.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Ok(vec![]);
    }
    let from = prefix.to_ascii_uppercase();
    let to = format!("{from}~");
    let mut statement = cache.prepare_cached(BY_RANGE).on(cache, "find a task")?;
    let rows = statement
        .query_map(named_params! { ":from": from, ":to": to }, read_match)
        .on(cache, "find a task")?;
    rows.collect::<rusqlite::Result<_>>()
        .on(cache, "find a task")
}

/// Ids of other programs: any text, any case. It looks at every task.
fn by_pattern(cache: &Connection, prefix: &str) -> Result<Vec<(TaskId, String)>> {
    let pattern = format!("{}%", escape_like(prefix));
    let mut statement = cache.prepare_cached(BY_PREFIX).on(cache, "find a task")?;
    let rows = statement
        .query_map(named_params! { ":pattern": pattern }, read_match)
        .on(cache, "find a task")?;
    rows.collect::<rusqlite::Result<_>>()
        .on(cache, "find a task")
}

fn read_match(row: &Row<'_>) -> rusqlite::Result<(TaskId, String)> {
    Ok((TaskId::new(row.get::<_, String>(0)?), row.get(1)?))
}

fn escape_like(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('%', "\\%")
        .replace('_', "\\_")
}

/// Which tasks a list shows; all conditions hold together. Archived tasks are never listed.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ListFilter {
    /// Of this project.
    pub project: Option<String>,
    /// In this status.
    pub status: Option<Status>,
    /// Of this agent.
    pub agent: Option<String>,
    /// Of agents like this: `*` stands for anything, `\` escapes, ASCII case is ignored, a task
    /// without agent has an empty name.
    pub agent_pattern: Option<String>,
    /// Claimable ones.
    pub available: bool,
    /// No subtasks.
    pub root: bool,
    /// Subtasks of this one.
    pub parent: Option<TaskId>,
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct Page {
    /// The tasks: urgent first, then the oldest, then by id.
    pub tasks: Vec<StoredTask>,
    /// How many there are on all pages.
    pub total: u64,
}

/// Lists tasks. `offset` and `limit` count tasks.
///
/// # Errors
/// Whatever SQLite reports.
pub fn list(cache: &Connection, filter: &ListFilter, offset: u64, limit: u64) -> Result<Page> {
    let total = count_listed(cache, filter)?;
    let (conditions, values) = list_conditions(filter);
    let rows = offset.saturating_add(limit);
    let sql = if filter.is_of_project() && total / STATUSES_LISTED > rows {
        merged_sql(offset, limit)
    } else {
        format!(
            "select {} from {} where {conditions}
              order by {ORDER} limit {limit} offset {offset}",
            task_columns!(),
            filter.source()
        )
    };
    let mut statement = cache.prepare_cached(&sql).on(cache, "list tasks")?;
    let tasks = statement
        .query_map(params_from_iter(&values), read_task)
        .on(cache, "list tasks")?
        .collect::<rusqlite::Result<Vec<_>>>()
        .on(cache, "list tasks")?;
    Ok(Page { tasks, total })
}

/// The order of lists.
pub(super) const ORDER: &str = "priority desc, created_at, task_id";

/// All but the archived ones.
const STATUSES_LISTED: u64 = 5;

/// A page of a project, which may be large: its tasks of each status are in order in an index, so no more of each is
/// read than the page could take.
fn merged_sql(offset: u64, limit: u64) -> String {
    let rows = offset.saturating_add(limit);
    let listed = Status::ALL.iter().filter(|it| **it != Status::Archived);
    let of_status = listed.map(|status| {
        format!(
            "select * from (
               select id, priority, created_at, task_id from p_tasks
                where project = ?1 and status = '{}' order by {ORDER} limit {rows})",
            status.name()
        )
    });
    let merged = of_status.collect::<Vec<_>>().join(" union all ");
    format!(
        "select {} from p_tasks
          where id in (select id from ({merged}) order by {ORDER} limit {limit} offset {offset})
          order by {ORDER}",
        task_columns!()
    )
}

fn count_listed(cache: &Connection, filter: &ListFilter) -> Result<u64> {
    let is_counted = filter.is_of_all();
    let (conditions, values) = list_conditions(&ListFilter {
        // What is counted has a column for that.
        available: filter.available && !is_counted,
        ..filter.clone()
    });
    let source = match (is_counted, filter.available) {
        (true, true) => "coalesce(sum(available), 0) from p_counts",
        (true, false) => "coalesce(sum(tasks), 0) from p_counts",
        (false, _) => &format!("count(*) from {}", filter.source()),
    };
    let sql = format!("select {source} where {conditions}");
    let mut statement = cache.prepare_cached(&sql).on(cache, "count tasks")?;
    statement
        .query_row(params_from_iter(&values), |row| super::count_column(row, 0))
        .on(cache, "count tasks")
}

impl ListFilter {
    /// Whether nothing but project, status and availability matters: that many tasks are counted already.
    fn is_of_all(&self) -> bool {
        self.agent.is_none() && self.agent_pattern.is_none() && self.parent.is_none() && !self.root
    }

    /// The tasks, by the index that leads to fewest. The planner does not know that an agent has few.
    fn source(&self) -> &'static str {
        if self.agent.is_some() {
            "p_tasks indexed by p_tasks_agent"
        } else if self.is_of_all() && self.available && self.project.is_none() {
            "p_tasks indexed by p_available"
        } else {
            "p_tasks"
        }
    }

    /// Whether nothing but the project matters.
    fn is_of_project(&self) -> bool {
        self.is_of_all() && self.project.is_some() && self.status.is_none() && !self.available
    }
}

fn list_conditions(filter: &ListFilter) -> (String, Vec<Value>) {
    let mut conditions = vec!["status <> 'archived'".to_owned()];
    let mut values = vec![];
    let mut text = |condition: &str, value: Option<String>| {
        if let Some(value) = value {
            conditions.push(condition.to_owned());
            values.push(Value::Text(value));
        }
    };
    text("project = ?", filter.project.clone());
    text(
        "status = ?",
        filter.status.map(|status| status.name().to_owned()),
    );
    text("agent = ?", filter.agent.clone());
    text(
        "coalesce(agent, '') like ? escape '\\'",
        filter.agent_pattern.as_deref().map(pattern_to_like),
    );
    text(
        "parent_id = ?",
        filter.parent.as_ref().map(|id| id.as_str().to_owned()),
    );
    if filter.root {
        conditions.push("parent_id is null".to_owned());
    }
    if filter.available {
        conditions.push("status = 'ready' and open_deps = 0 and child_count = 0".to_owned());
    }
    (conditions.join(" and "), values)
}

fn pattern_to_like(pattern: &str) -> String {
    let mut like = String::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '*' => like.push('%'),
            '\\' => like.push_str(&escape_like(&chars.next().unwrap_or('\\').to_string())),
            other => like.push_str(&escape_like(&other.to_string())),
        }
    }
    like
}

const SUBTASKS: &str = concat!(
    "select ",
    task_columns!(),
    " from p_tasks where parent_id = :task_id order by priority desc, created_at, task_id"
);

/// Counts all tasks, archived ones included.
///
/// # Errors
/// Whatever SQLite reports.
pub fn count(cache: &Connection) -> Result<u64> {
    cache
        .query_row("select count(*) from p_tasks", [], |row| {
            super::count_column(row, 0)
        })
        .on(cache, "count tasks")
}

/// Lists the subtasks of a task, of any status.
///
/// # Errors
/// Whatever SQLite reports.
pub fn list_subtasks(cache: &Connection, task_id: &TaskId) -> Result<Vec<StoredTask>> {
    let mut statement = cache.prepare_cached(SUBTASKS).on(cache, "list subtasks")?;
    let rows = statement
        .query_map(named_params! { ":task_id": task_id.as_str() }, read_task)
        .on(cache, "list subtasks")?;
    rows.collect::<rusqlite::Result<_>>()
        .on(cache, "list subtasks")
}

const IN_PROGRESS: &str = concat!(
    "select ",
    task_columns!(),
    " from p_tasks where status = 'in_progress' and (:project is null or project = :project)
       order by claimed_at, task_id"
);

/// Lists the tasks that somebody works on, of one project or of all, the oldest claim first.
///
/// # Errors
/// Whatever SQLite reports.
pub fn list_in_progress(cache: &Connection, project: Option<&str>) -> Result<Vec<StoredTask>> {
    let context = "list tasks in progress";
    let mut statement = cache.prepare_cached(IN_PROGRESS).on(cache, context)?;
    let rows = statement
        .query_map(named_params! { ":project": project }, read_task)
        .on(cache, context)?;
    rows.collect::<rusqlite::Result<_>>().on(cache, context)
}

const BLOCKERS: &str = "
    select d.task_id from p_edges e
      join p_tasks d on d.task_id = e.depends_on_id
     where e.task_id = :task_id and e.state = 'active' and d.status not in ('done', 'archived')
     order by d.task_id";

/// Lists the tasks that a task waits for.
///
/// # Errors
/// Whatever SQLite reports.
pub fn list_blockers(cache: &Connection, task_id: &TaskId) -> Result<Vec<TaskId>> {
    let mut statement = cache
        .prepare_cached(BLOCKERS)
        .on(cache, "list dependencies")?;
    let rows = statement
        .query_map(named_params! { ":task_id": task_id.as_str() }, |row| {
            Ok(TaskId::new(row.get::<_, String>(0)?))
        })
        .on(cache, "list dependencies")?;
    rows.collect::<rusqlite::Result<_>>()
        .on(cache, "list dependencies")
}

const DEPENDENCIES: &str = "
    select depends_on_id from p_edges where task_id = :task_id order by depends_on_id";

/// Lists all tasks that a task was made to wait for, whether that still matters or not.
///
/// # Errors
/// Whatever SQLite reports.
pub fn list_dependencies(cache: &Connection, task_id: &TaskId) -> Result<Vec<TaskId>> {
    let mut statement = cache
        .prepare_cached(DEPENDENCIES)
        .on(cache, "list dependencies")?;
    let rows = statement
        .query_map(named_params! { ":task_id": task_id.as_str() }, |row| {
            Ok(TaskId::new(row.get::<_, String>(0)?))
        })
        .on(cache, "list dependencies")?;
    rows.collect::<rusqlite::Result<_>>()
        .on(cache, "list dependencies")
}

/// A comment.
#[derive(Clone, PartialEq, Debug)]
pub struct CommentView {
    /// What was said.
    pub text: String,
    /// Who said it.
    pub author: Option<String>,
    /// When.
    pub at: Timestamp,
}

const COMMENTS: &str = "
    select text, author, at from p_comments where task_id = :task_id order by at, event_id";

/// Lists the comments of a task, oldest first.
///
/// # Errors
/// Whatever SQLite reports.
pub fn list_comments(cache: &Connection, task_id: &TaskId) -> Result<Vec<CommentView>> {
    let mut statement = cache.prepare_cached(COMMENTS).on(cache, "list comments")?;
    let rows = statement
        .query_map(named_params! { ":task_id": task_id.as_str() }, |row| {
            let at = Timestamp::from_millis(row.get(2)?);
            Ok(CommentView {
                text: row.get(0)?,
                author: row.get(1)?,
                at,
            })
        })
        .on(cache, "list comments")?;
    rows.collect::<rusqlite::Result<_>>()
        .on(cache, "list comments")
}

/// A checkpoint.
#[derive(Clone, PartialEq, Debug)]
pub struct CheckpointView {
    /// Its name.
    pub name: String,
    /// Its data.
    pub data: Map<String, serde_json::Value>,
    /// Who recorded it.
    pub author: Option<String>,
    /// When.
    pub at: Timestamp,
}

const CHECKPOINTS: &str = "
    select name, data, author, at from p_checkpoints
     where task_id = :task_id order by at, event_id";

/// Lists the checkpoints of a task, oldest first.
///
/// # Errors
/// Whatever SQLite reports.
pub fn list_checkpoints(cache: &Connection, task_id: &TaskId) -> Result<Vec<CheckpointView>> {
    let mut statement = cache
        .prepare_cached(CHECKPOINTS)
        .on(cache, "list checkpoints")?;
    let rows = statement
        .query_map(named_params! { ":task_id": task_id.as_str() }, |row| {
            let at = Timestamp::from_millis(row.get(3)?);
            Ok(CheckpointView {
                name: row.get(0)?,
                data: json_column(row, 1)?,
                author: row.get(2)?,
                at,
            })
        })
        .on(cache, "list checkpoints")?;
    rows.collect::<rusqlite::Result<_>>()
        .on(cache, "list checkpoints")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_know_only_the_star() {
        assert_eq!(pattern_to_like("ann*"), "ann%");
        assert_eq!(pattern_to_like("a_b%"), "a\\_b\\%");
        assert_eq!(pattern_to_like("\\*x"), "*x");
    }
}
