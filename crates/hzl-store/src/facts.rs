//! Gathers what a decision needs, under the writer lock, from projections that are current.

use hzl_core::availability::Ineligible;
use hzl_core::command::{Command, SubtaskPolicy};
use hzl_core::decide::{Facts, LostClaim, TaskFacts};
use hzl_core::graph;
use hzl_core::ids::{EventId, ProjectName, TaskId};
use hzl_core::task::Task;
use hzl_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, named_params};

use crate::catch_up::load_projects;
use crate::error::{OnConnection as _, Result};
use crate::intent;
use crate::projector::{find_plain, find_task};
use crate::query;
use crate::state::SyncState;
use crate::undo;

/// Facts, and what a claim's decision trace shows besides.
#[derive(Clone, Debug, Default)]
pub struct LoadedFacts {
    /// For the decision.
    pub facts: Facts,
    /// For `ClaimNext`: the tasks that would come next.
    pub eligible: Vec<TaskId>,
    /// For `ClaimNext` without a choice: the first tasks that were passed over.
    pub rejected: Vec<(TaskId, Ineligible)>,
}

/// How many alternatives a decision trace shows.
pub const ALTERNATIVES: usize = 3;

/// Loads the facts of a command that is decided for the time `now`.
///
/// # Errors
/// Whatever SQLite reports. What does not exist is simply not among the facts.
pub fn load(
    events: &Connection,
    cache: &Connection,
    state: &SyncState,
    command: &Command,
    now: Timestamp,
) -> Result<LoadedFacts> {
    let mut loaded = LoadedFacts::default();
    if needs_projects(command) {
        loaded.facts.projects = match find_plain(cache)? {
            Some(projects) => projects,
            None => load_projects(events, state)?,
        };
    }
    for task_id in command.named_tasks() {
        add_task(events, cache, &mut loaded.facts, task_id)?;
    }
    match command {
        Command::ClaimNext { filter, .. } => {
            // What another process asks the cloud for right now is passed over.
            let reserved = intent::list_reserved(events, now)?;
            let wanted = ALTERNATIVES + 1 + reserved.len();
            loaded.eligible = query::claim::list_eligible(cache, filter, wanted)?;
            loaded
                .eligible
                .retain(|task_id| !reserved.contains(task_id));
            loaded.eligible.truncate(ALTERNATIVES + 1);
            if let Some(next) = loaded.eligible.first().cloned() {
                loaded.eligible.remove(0);
                add_task(events, cache, &mut loaded.facts, &next)?;
                loaded.facts.next = Some(next);
            } else {
                loaded.rejected = query::claim::list_rejected(cache, filter, ALTERNATIVES)?;
            }
        }
        Command::ClaimTask(claim) => {
            let reserved = intent::list_reserved(events, now)?;
            loaded.facts.is_reserved = reserved.contains(&claim.task_id);
        }
        Command::MoveTask { task_id, .. } => {
            add_children(events, cache, &mut loaded.facts, task_id)?
        }
        Command::ArchiveTask {
            transition,
            subtasks,
        } => {
            if *subtasks != SubtaskPolicy::Refuse
                || has_children(&loaded.facts, &transition.task_id)
            {
                add_children(events, cache, &mut loaded.facts, &transition.task_id)?;
            }
        }
        Command::DeleteProject { name, .. } => {
            loaded.facts.project_tasks = list_project_tasks(cache, name)?;
            for task_id in loaded.facts.project_tasks.clone() {
                add_task(events, cache, &mut loaded.facts, &task_id)?;
            }
        }
        Command::AddDependency {
            task_id,
            depends_on,
        } => {
            loaded.facts.closes_cycle = reaches(cache, depends_on, task_id)?;
        }
        Command::PruneTasks(filter) => {
            let prunable = query::prune::list(cache, filter)?;
            for prunable in prunable {
                add_task(events, cache, &mut loaded.facts, &prunable.task_id)?;
                loaded.facts.prunable.push(prunable.task_id);
            }
        }
        Command::Undo { events: undone } => {
            undo::add_facts(events, state, undone, &mut loaded.facts)?;
            for task_id in undo::tasks(&loaded.facts) {
                add_task(events, cache, &mut loaded.facts, &task_id)?;
            }
            for name in undo::created_projects(&loaded.facts) {
                let tasks = list_project_tasks(cache, &name)?;
                loaded.facts.project_tasks.extend(tasks);
            }
        }
        Command::CreateProject { .. }
        | Command::RenameProject { .. }
        | Command::AddTask(_)
        | Command::SetStatus { .. }
        | Command::CompleteTask(_)
        | Command::ReleaseTask(_)
        | Command::BlockTask(_)
        | Command::UnblockTask { .. }
        | Command::ReopenTask { .. }
        | Command::UnarchiveTask { .. }
        | Command::StealTask(_)
        | Command::RenewLease { .. }
        | Command::UpdateTask(_)
        | Command::RemoveDependency { .. }
        | Command::AddComment { .. }
        | Command::RecordCheckpoint { .. } => {}
    }
    Ok(loaded)
}

/// Whether deciding the command, or folding what it decides, looks at project names.
fn needs_projects(command: &Command) -> bool {
    if let Command::UpdateTask(update) = command {
        return update.parent.is_some();
    }
    matches!(
        command,
        Command::CreateProject { .. }
            | Command::RenameProject { .. }
            | Command::DeleteProject { .. }
            | Command::AddTask(_)
            | Command::MoveTask { .. }
            | Command::Undo { .. }
    )
}

fn has_children(facts: &Facts, task_id: &TaskId) -> bool {
    facts
        .tasks
        .get(task_id)
        .is_some_and(|task| !task.children.is_empty())
}

fn add_children(
    events: &Connection,
    cache: &Connection,
    facts: &mut Facts,
    task_id: &TaskId,
) -> Result<()> {
    let children = facts.tasks.get(task_id).map(|task| task.children.clone());
    children
        .unwrap_or_default()
        .iter()
        .try_for_each(|child| add_task(events, cache, facts, child))
}

fn add_task(
    events: &Connection,
    cache: &Connection,
    facts: &mut Facts,
    task_id: &TaskId,
) -> Result<()> {
    let Some(stored) = find_task(cache, task_id)? else {
        return Ok(());
    };
    let children = if stored.child_count > 0 {
        list_ids(cache, CHILDREN, task_id)?
    } else {
        vec![]
    };
    let blockers = if stored.open_deps > 0 {
        list_ids(cache, BLOCKERS, task_id)?
    } else {
        vec![]
    };
    let lost_claims = list_lost_claims(events, cache, &stored.task)?;
    let task = TaskFacts {
        task: stored.task,
        project: stored.project,
        parent: stored.parent_id,
        children,
        blockers,
        lost_claims,
    };
    facts.tasks.insert(task_id.clone(), task);
    Ok(())
}

const SUPERSEDED: &str = "
    select event_id, winner_event_id from p_conflicts
     where task_id = :task_id and kind = 'superseded' and field = 'status'
     order by event_id";

/// A superseded claim and what it lost to: whose it was, and whether the winner belongs to the claim
/// that stands now.
const LOST_CLAIM: &str = "
    select coalesce(json_extract(e.data, '$.agent'), e.author) from events e
      join events w on w.event_id = :winner
     where e.event_id = :event_id and e.type = 'status_changed'
       and json_extract(e.data, '$.to') = 'in_progress'
       and (w.event_id = :claim or json_extract(w.data, '$.claim') = :claim)";

/// The claims of a task that lost to the one that stands. Most tasks have no conflict at all.
fn list_lost_claims(
    events: &Connection,
    cache: &Connection,
    task: &Task,
) -> Result<Vec<LostClaim>> {
    let context = "look for lost claims";
    let Some(claim) = &task.claim else {
        return Ok(vec![]);
    };
    let mut statement = cache.prepare_cached(SUPERSEDED).on(cache, context)?;
    let rows = statement
        .query_map(named_params! { ":task_id": task.task_id.as_str() }, |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?))
        })
        .on(cache, context)?
        .collect::<rusqlite::Result<Vec<_>>>()
        .on(cache, context)?;
    let mut lost = vec![];
    for (event_id, winner) in rows {
        let mut statement = events.prepare_cached(LOST_CLAIM).on(events, context)?;
        let agent: Option<Option<String>> = statement
            .query_row(
                named_params! {
                    ":event_id": event_id,
                    ":winner": winner,
                    ":claim": claim.as_str(),
                },
                |row| row.get(0),
            )
            .optional()
            .on(events, context)?;
        if let Some(agent) = agent.flatten() {
            lost.push(LostClaim {
                claim: EventId::new(event_id),
                agent,
            });
        }
    }
    Ok(lost)
}

const CHILDREN: &str = "
    select task_id from p_tasks where parent_id = :task_id
     order by priority desc, created_at, task_id";

const BLOCKERS: &str = "
    select d.task_id from p_edges e
      join p_tasks d on d.task_id = e.depends_on_id
     where e.task_id = :task_id and e.state = 'active' and d.status not in ('done', 'archived')
     order by d.priority desc, d.created_at, d.task_id";

const DEPENDS_ON: &str = "
    select depends_on_id from p_edges where task_id = :task_id and state <> 'missing'
     order by depends_on_id";

const PROJECT_TASKS: &str = "
    select task_id from p_tasks where project = :project order by created_at, task_id";

fn list_ids(cache: &Connection, sql: &str, task_id: &TaskId) -> Result<Vec<TaskId>> {
    let mut statement = cache.prepare_cached(sql).on(cache, "load facts")?;
    let ids = statement
        .query_map(named_params! { ":task_id": task_id.as_str() }, |row| {
            Ok(TaskId::new(row.get::<_, String>(0)?))
        })
        .on(cache, "load facts")?;
    ids.collect::<rusqlite::Result<_>>().on(cache, "load facts")
}

fn list_project_tasks(cache: &Connection, project: &ProjectName) -> Result<Vec<TaskId>> {
    let mut statement = cache
        .prepare_cached(PROJECT_TASKS)
        .on(cache, "load facts")?;
    let ids = statement
        .query_map(named_params! { ":project": project.as_str() }, |row| {
            Ok(TaskId::new(row.get::<_, String>(0)?))
        })
        .on(cache, "load facts")?;
    ids.collect::<rusqlite::Result<_>>().on(cache, "load facts")
}

fn reaches(cache: &Connection, from: &TaskId, to: &TaskId) -> Result<bool> {
    let mut failed = None;
    let reaches = graph::reaches(from, to, |task_id| {
        list_ids(cache, DEPENDS_ON, task_id).unwrap_or_else(|error| {
            failed = Some(error);
            vec![]
        })
    });
    failed.map_or(Ok(reaches), Err)
}
