//! Agents: what each works on, and what each has done.

use hzl_core::event::PROJECT_TASK_ID;
use hzl_core::ids::{ProjectName, TaskId};
use hzl_core::task::Status;
use hzl_core::time::Timestamp;
use rusqlite::{Connection, Row, named_params};

use super::count_column;
use crate::error::{OnConnection as _, Result};
use crate::log::{StoredEvent, read_stored};

/// An agent that holds or should take a task, of any status.
#[derive(Clone, PartialEq, Debug)]
pub struct AgentView {
    /// Its name.
    pub name: String,
    /// What it works on, the oldest claim first.
    pub tasks: Vec<HeldTask>,
    /// When one of its tasks was last changed.
    pub last_activity: Timestamp,
    /// Its tasks by status, in the order of [`Status::ALL`]; statuses without tasks are left out.
    pub counts: Vec<(Status, u64)>,
}

/// A task in progress.
#[derive(Clone, PartialEq, Debug)]
pub struct HeldTask {
    /// The task.
    pub task_id: TaskId,
    /// Its title.
    pub title: String,
    /// What its project is called.
    pub project: ProjectName,
    /// When it was claimed.
    pub claimed_at: Option<Timestamp>,
    /// In per cent.
    pub progress: Option<u8>,
    /// Until when it is held at least.
    pub lease_until: Option<Timestamp>,
}

/// Which agents and which of their tasks are shown; both conditions hold together.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AgentFilter {
    /// Only this agent.
    pub agent: Option<String>,
    /// Only tasks of this project, and agents that have any.
    pub project: Option<String>,
}

const COUNTS: &str = "
    select agent, status, count(*), max(updated_at) from p_tasks
     where agent is not null and agent <> ''
       and (:agent is null or agent = :agent) and (:project is null or project = :project)
     group by agent, status
     order by agent, status";

const HELD: &str = "
    select agent, task_id, title, project, claimed_at, progress, lease_until from p_tasks
     where status = 'in_progress' and agent is not null and agent <> ''
       and (:agent is null or agent = :agent) and (:project is null or project = :project)
     order by agent, claimed_at, task_id";

/// Lists agents: those at work first, the oldest claim first; then the others, the last active first.
///
/// # Errors
/// Whatever SQLite reports.
pub fn list(cache: &Connection, filter: &AgentFilter) -> Result<Vec<AgentView>> {
    let mut agents: Vec<AgentView> = vec![];
    for (name, status, count, last_activity) in query(cache, COUNTS, filter, read_count)? {
        match agents.last_mut() {
            Some(agent) if agent.name == name => {
                agent.counts.push((status, count));
                agent.last_activity = agent.last_activity.max(last_activity);
            }
            _ => agents.push(AgentView {
                name,
                tasks: vec![],
                last_activity,
                counts: vec![(status, count)],
            }),
        }
    }
    for (name, task) in query(cache, HELD, filter, read_held)? {
        let at = agents.binary_search_by(|agent| agent.name.as_str().cmp(&name));
        if let Some(agent) = at.ok().and_then(|at| agents.get_mut(at)) {
            agent.tasks.push(task);
        }
    }
    for agent in &mut agents {
        agent
            .counts
            .sort_by_key(|(status, _)| Status::ALL.iter().position(|other| other == status));
    }
    agents.sort_by_key(|agent| {
        let oldest_claim = agent.tasks.first().map(|task| task.claimed_at);
        let is_idle = oldest_claim.is_none();
        (
            is_idle,
            oldest_claim,
            std::cmp::Reverse(agent.last_activity),
        )
    });
    Ok(agents)
}

fn query<T>(
    cache: &Connection,
    sql: &str,
    filter: &AgentFilter,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>> {
    let mut statement = cache.prepare_cached(sql).on(cache, "list agents")?;
    let values = named_params! { ":agent": filter.agent, ":project": filter.project };
    let rows = statement.query_map(values, read).on(cache, "list agents")?;
    rows.collect::<rusqlite::Result<_>>()
        .on(cache, "list agents")
}

fn read_count(row: &Row<'_>) -> rusqlite::Result<(String, Status, u64, Timestamp)> {
    let status: String = row.get(1)?;
    let last_activity = Timestamp::from_millis(row.get(3)?);
    Ok((
        row.get(0)?,
        Status::find(&status).unwrap_or_default(),
        count_column(row, 2)?,
        last_activity,
    ))
}

fn read_held(row: &Row<'_>) -> rusqlite::Result<(String, HeldTask)> {
    let time = |column| {
        let millis: Option<i64> = row.get(column)?;
        Ok::<_, rusqlite::Error>(millis.map(Timestamp::from_millis))
    };
    let task = HeldTask {
        task_id: TaskId::new(row.get::<_, String>(1)?),
        title: row.get(2)?,
        project: ProjectName::new(row.get::<_, String>(3)?),
        claimed_at: time(4)?,
        progress: row.get(5)?,
        lease_until: time(6)?,
    };
    Ok((row.get(0)?, task))
}

/// What an agent did.
#[derive(Clone, PartialEq, Debug)]
pub struct AgentLog {
    /// Its last events, newest first.
    pub events: Vec<StoredEvent>,
    /// How many there are in all.
    pub total: u64,
}

const LOG_OF_AGENT: &str = "
    select id, event_id, task_id, type, data, schema_version, author, agent_id, session_id,
           correlation_id, causation_id, timestamp, basis_seq, epoch
      from events
     where (author = :agent or agent_id = :agent) and task_id <> :project_task_id
     order by timestamp desc, id desc limit :limit";

const COUNT_LOG_OF_AGENT: &str = "
    select count(*) from events
     where (author = :agent or agent_id = :agent) and task_id <> :project_task_id";

/// Loads what an agent did, on tasks it has and on tasks it no longer has. Reads events.db.
///
/// # Errors
/// Whatever SQLite reports.
pub fn load_log(events: &Connection, agent: &str, limit: u32) -> Result<AgentLog> {
    let context = "read the events of an agent";
    let mut statement = events.prepare_cached(LOG_OF_AGENT).on(events, context)?;
    let values = named_params! {
        ":agent": agent, ":project_task_id": PROJECT_TASK_ID, ":limit": limit,
    };
    let found = statement
        .query_map(values, read_stored)
        .on(events, context)?
        .collect::<rusqlite::Result<Vec<_>>>()
        .on(events, context)?;
    let values = named_params! { ":agent": agent, ":project_task_id": PROJECT_TASK_ID };
    let total = events
        .query_row(COUNT_LOG_OF_AGENT, values, |row| count_column(row, 0))
        .on(events, context)?;
    Ok(AgentLog {
        events: found,
        total,
    })
}
