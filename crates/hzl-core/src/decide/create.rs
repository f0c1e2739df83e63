//! New tasks.

use super::{Draft, Drafts, Facts, check};
use crate::command::AddTask;
use crate::event::{Payload, StatusChanged, TaskCreated};
use crate::ids::{ProjectName, TaskId};
use crate::limits;
use crate::rejection::Rejection;
use crate::task::Status;

pub(super) fn add(
    facts: &Facts,
    mut drafts: Drafts<'_>,
    add: &AddTask,
) -> Result<Vec<Draft>, Rejection> {
    if add.status == Status::Archived {
        return Err(Rejection::CreatedArchived);
    }
    check_values(add)?;
    let project = match &add.parent {
        Some(parent) => parent_project(facts, parent)?,
        None => add.project.clone(),
    };
    if add.parent.is_none() && facts.projects.find_live(&project).is_none() {
        if project != ProjectName::inbox() {
            return Err(Rejection::UnknownProject { name: project });
        }
        // The inbox always exists; a log that others began may lack it.
        drafts.push(None, Payload::ProjectCreated(super::project::inbox()));
    }
    for id in &add.depends_on {
        facts.load(id)?;
    }
    drafts.push(
        Some(&add.task_id),
        Payload::TaskCreated(created(add, project)),
    );
    if add.status != Status::Backlog {
        // The holder of a task that starts in progress; else `agent` only routes it.
        let holder = add
            .agent
            .clone()
            .filter(|_| add.status == Status::InProgress);
        let change = StatusChanged {
            from: Status::Backlog,
            to: add.status,
            agent: holder,
            ..StatusChanged::default()
        };
        drafts.push(Some(&add.task_id), Payload::StatusChanged(change));
    }
    drafts.push_comment(&add.task_id, add.comment.as_deref())?;
    Ok(drafts.list)
}

fn check_values(add: &AddTask) -> Result<(), Rejection> {
    check::filled("title", &add.title, limits::TITLE_CHARS)?;
    check::text(
        "description",
        add.description.as_deref().unwrap_or(""),
        limits::DESCRIPTION_CHARS,
    )?;
    check::links(&add.links)?;
    check::tags(&add.tags)?;
    check::priority(add.priority)?;
    check::text(
        "agent",
        add.agent.as_deref().unwrap_or(""),
        limits::IDENTIFIER_CHARS,
    )?;
    let (actual, limit) = (add.depends_on.len(), limits::LIST_ITEMS);
    if actual > limit {
        return Err(Rejection::TooMany {
            field: "depends_on",
            actual,
            limit,
        });
    }
    if let Some(due_at) = &add.due_at {
        check::time("due_at", due_at)?;
    }
    if let Some(metadata) = &add.metadata {
        check::metadata(metadata)?;
    }
    add.stale_after_minutes
        .map_or(Ok(()), |minutes| check::minutes("stale_after", minutes, 0))
}

/// The project of a parent that may have another subtask.
fn parent_project(facts: &Facts, parent: &TaskId) -> Result<ProjectName, Rejection> {
    Ok(super::update::check_parent(facts, parent)?.project.clone())
}

fn created(add: &AddTask, project: ProjectName) -> TaskCreated {
    let filled = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
    TaskCreated {
        title: add.title.clone(),
        project,
        parent_id: add.parent.clone(),
        description: add.description.clone(),
        links: filled(&add.links),
        depends_on: (!add.depends_on.is_empty()).then(|| add.depends_on.clone()),
        tags: filled(&add.tags),
        priority: Some(add.priority),
        due_at: add.due_at.clone(),
        metadata: add.metadata.clone(),
        stale_after_minutes: add.stale_after_minutes,
        agent: add.agent.clone(),
        assignee: None,
    }
}
