//! What to take back: the last command of somebody on this device, and what it did.

use std::collections::BTreeSet;

use hzl_core::decide::{Facts, Undone};
use hzl_core::event::{Payload, PlacedEvent};
use hzl_core::fold::{FoldContext, TaskFold};
use hzl_core::ids::{EventId, ProjectName, TaskId};
use rusqlite::{Connection, Row, named_params};

use crate::error::{OnConnection as _, Result};
use crate::log::{self, StoredEvent};
use crate::state::{self, SyncState};

/// What the correlation of an undo begins with; the first event of what it took back follows.
pub const CORRELATION: &str = "undo:";

/// Own events, the last first, without the inbox that every ledger gets. Those of HZL 3.2.0 have no epoch and do not say which command they
/// belong to.
const OWN_BACKWARDS: &str = "
    select e.id, e.event_id, e.causation_id, e.correlation_id
      from events e
      left join event_sync s on s.event_rowid = e.id
      left join event_resent r on r.event_rowid = e.id
     where e.epoch is not null
       and coalesce(s.device_id, r.device_id, :device) = :device
       and (:author is null or e.author = :author)
       and not (e.type = 'project_created' and json_extract(e.data, '$.is_protected') is true)
     order by e.id desc";

/// Finds the last command of an author on this device that was not undone, without those that only
/// undid others: its events, in order. Without an author: of anybody.
///
/// # Errors
/// Whatever SQLite reports.
pub fn find_last_command(log: &Connection, author: Option<&str>) -> Result<Vec<StoredEvent>> {
    let context = "look for the last command";
    let device = state::device(log)?;
    let mut statement = log.prepare(OWN_BACKWARDS).on(log, context)?;
    let mut rows = statement
        .query(named_params! { ":device": device.as_str(), ":author": author })
        .on(log, context)?;
    let mut undone = BTreeSet::new();
    while let Some(row) = rows.next().on(log, context)? {
        let own = Own::read(row).on(log, context)?;
        if let Some(target) = own.undoes() {
            undone.insert(target.to_owned());
        } else if !undone.contains(&own.command) {
            return list_command(log, &own);
        }
    }
    Ok(vec![])
}

struct Own {
    rowid: i64,
    /// The first event of the command.
    command: String,
    correlation_id: Option<String>,
}

impl Own {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let event_id: String = row.get(1)?;
        Ok(Self {
            rowid: row.get(0)?,
            command: row.get::<_, Option<String>>(2)?.unwrap_or(event_id),
            correlation_id: row.get(3)?,
        })
    }

    fn undoes(&self) -> Option<&str> {
        self.correlation_id.as_deref()?.strip_prefix(CORRELATION)
    }
}

const COMMAND: &str = "
    select id, event_id, task_id, type, data, schema_version, author, agent_id, session_id,
           correlation_id, causation_id, timestamp, basis_seq, epoch
      from events
     where id between (select id from events where event_id = :command) and :last
       and (event_id = :command or causation_id = :command)
     order by id";

/// The events of a command stand together, up to its last one.
fn list_command(log: &Connection, own: &Own) -> Result<Vec<StoredEvent>> {
    let context = "read the events of a command";
    let mut statement = log.prepare(COMMAND).on(log, context)?;
    let rows = statement
        .query_map(
            named_params! { ":command": own.command, ":last": own.rowid },
            log::read_stored,
        )
        .on(log, context)?;
    rows.collect::<rusqlite::Result<_>>().on(log, context)
}

/// Adds what the command did: each of its tasks before and after it.
pub(crate) fn add_facts(
    log: &Connection,
    state: &SyncState,
    events: &[EventId],
    facts: &mut Facts,
) -> Result<()> {
    let own: BTreeSet<&EventId> = events.iter().collect();
    let mut tasks: Vec<TaskId> = vec![];
    for event_id in events {
        let Some(event) = log::find_stored(log, event_id)? else {
            continue;
        };
        let payload = Payload::decode(&event.kind, event.schema_version, &event.data);
        let task_id = TaskId::new(event.task_id);
        if payload.is_project() {
            facts.undone_projects.push(payload);
        } else if !tasks.contains(&task_id) {
            tasks.push(task_id);
        }
    }
    for task_id in tasks {
        let history = log::list_task_events(log, task_id.as_str(), &state.device)?;
        let undone = before_and_after(task_id, &history, &own, state, facts);
        facts.undone.push(undone);
    }
    Ok(())
}

fn before_and_after(
    task_id: TaskId,
    history: &[PlacedEvent],
    own: &BTreeSet<&EventId>,
    state: &SyncState,
    facts: &Facts,
) -> Undone {
    let is_own = |placed: &PlacedEvent| own.contains(&placed.event.event_id);
    let first = history.iter().position(is_own).unwrap_or(history.len());
    let last = history.iter().rposition(is_own).unwrap_or(first);
    let context = FoldContext {
        projects: &facts.projects,
        rewind_points: &state.rewind_points,
    };
    let upto = |end: usize| TaskFold::of(history.iter().take(end), context).task;
    let before = upto(first);
    let project = before
        .as_ref()
        .map(|task| facts.projects.name_of(&task.project));
    Undone {
        task_id,
        project_before: project.unwrap_or_else(ProjectName::inbox),
        after: upto(last + 1),
        before,
    }
}

/// The tasks that the command wrote about.
pub(crate) fn tasks(facts: &Facts) -> Vec<TaskId> {
    let tasks = facts.undone.iter();
    tasks.map(|undone| undone.task_id.clone()).collect()
}

/// The projects that the command created.
pub(crate) fn created_projects(facts: &Facts) -> Vec<ProjectName> {
    let mut names = vec![];
    for payload in &facts.undone_projects {
        if let Payload::ProjectCreated(created) = payload {
            names.push(created.name.clone());
        }
    }
    names
}
