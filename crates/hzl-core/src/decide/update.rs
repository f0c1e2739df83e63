//! Fields, parents, projects of a task.

use serde_json::{Value, json};

use super::{Draft, Drafts, Facts, TaskFacts, check};
use crate::command::UpdateTask;
use crate::event::{Field, Payload, TaskMoved, TaskUpdated};
use crate::ids::{ProjectName, TaskId};
use crate::limits;
use crate::rejection::Rejection;

pub(super) fn update(
    facts: &Facts,
    mut drafts: Drafts<'_>,
    update: &UpdateTask,
) -> Result<Vec<Draft>, Rejection> {
    let task = facts.load(&update.task_id)?;
    check_values(update)?;
    if let Some(parent) = &update.parent {
        set_parent(facts, &mut drafts, task, parent.as_ref())?;
    }
    for (field, value) in new_values(update) {
        let old_value = task.task.value(field);
        if old_value == value {
            continue;
        }
        if field == Field::Agent && task.task.is_owned() {
            // Whoever holds a task is replaced by a take-over, never by routing.
            return Err(Rejection::StatusRefused {
                action: "route",
                task_id: update.task_id.clone(),
                status: task.task.status,
                expected: "released",
            });
        }
        let claim = task.task.claim.clone().filter(|_| field == Field::Agent);
        let field = field.name().to_owned();
        let updated = TaskUpdated {
            field,
            old_value,
            new_value: value,
            claim,
        };
        drafts.push(Some(&update.task_id), Payload::TaskUpdated(updated));
    }
    Ok(drafts.list)
}

/// The values that are given, in the order in which they are written.
fn new_values(update: &UpdateTask) -> Vec<(Field, Value)> {
    let title = update
        .title
        .as_ref()
        .filter(|title| !title.is_empty())
        .map(|title| json!(title));
    let description = update.description.as_ref();
    let description = description.map(|text| {
        if text.is_empty() {
            Value::Null
        } else {
            json!(text)
        }
    });
    let values = [
        (Field::Title, title),
        (Field::Description, description),
        (
            Field::Priority,
            update.priority.map(|priority| json!(priority)),
        ),
        (Field::Tags, update.tags.as_ref().map(|tags| json!(tags))),
        (
            Field::Links,
            update.links.as_ref().map(|links| json!(links)),
        ),
        (
            Field::StaleAfterMinutes,
            update.stale_after_minutes.map(|minutes| json!(minutes)),
        ),
        (
            Field::DueAt,
            update.due_at.as_ref().map(|due_at| json!(due_at)),
        ),
        (Field::Metadata, update.metadata.clone().map(Value::Object)),
        (
            Field::Agent,
            update.agent.as_ref().map(|agent| json!(agent)),
        ),
    ];
    values
        .into_iter()
        .filter_map(|(field, value)| Some((field, value?)))
        .collect()
}

fn check_values(update: &UpdateTask) -> Result<(), Rejection> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    check::text("title", &text(&update.title), limits::TITLE_CHARS)?;
    check::text(
        "description",
        &text(&update.description),
        limits::DESCRIPTION_CHARS,
    )?;
    check::links(update.links.as_deref().unwrap_or(&[]))?;
    check::tags(update.tags.as_deref().unwrap_or(&[]))?;
    check::priority(update.priority.unwrap_or(0))?;
    check::minutes(
        "stale_after",
        update.stale_after_minutes.flatten().unwrap_or(0),
        0,
    )?;
    if let Some(Some(due_at)) = &update.due_at {
        check::time("due_at", due_at)?;
    }
    if let Some(metadata) = &update.metadata {
        check::metadata(metadata)?;
    }
    let agent = update.agent.clone().flatten();
    check::text("agent", &text(&agent), limits::IDENTIFIER_CHARS)
}

fn set_parent(
    facts: &Facts,
    drafts: &mut Drafts<'_>,
    task: &TaskFacts,
    parent: Option<&TaskId>,
) -> Result<(), Rejection> {
    let task_id = &task.task.task_id;
    if let Some(parent_id) = parent {
        if parent_id == task_id {
            return Err(Rejection::OwnParent {
                task_id: task_id.clone(),
            });
        }
        let parent = check_parent(facts, parent_id)?;
        if !task.children.is_empty() {
            return Err(Rejection::HasSubtasks {
                task_id: task_id.clone(),
            });
        }
        push_move(drafts, task, &parent.project);
    }
    if task.task.parent_id.as_ref() != parent {
        let updated = TaskUpdated {
            field: Field::ParentId.name().to_owned(),
            old_value: json!(task.task.parent_id),
            new_value: json!(parent),
            claim: None,
        };
        drafts.push(Some(task_id), Payload::TaskUpdated(updated));
    }
    Ok(())
}

/// A task that may have subtasks: it exists, is not archived and is no subtask itself.
pub(super) fn check_parent<'a>(
    facts: &'a Facts,
    parent: &TaskId,
) -> Result<&'a TaskFacts, Rejection> {
    let task_id = parent.clone();
    let Some(parent) = facts.tasks.get(parent) else {
        return Err(Rejection::ParentNotFound { task_id });
    };
    if parent.task.status == crate::task::Status::Archived {
        return Err(Rejection::ParentArchived { task_id });
    }
    // The raw link, not the effective one: a second level would make the first invalid.
    if parent.task.parent_id.is_some() {
        return Err(Rejection::ParentIsSubtask { task_id });
    }
    Ok(parent)
}

pub(super) fn move_task(
    facts: &Facts,
    mut drafts: Drafts<'_>,
    task_id: &TaskId,
    project: &ProjectName,
) -> Result<Vec<Draft>, Rejection> {
    let task = facts.load(task_id)?;
    if facts.projects.find_live(project).is_none() {
        return Err(Rejection::ProjectNotFound {
            name: project.clone(),
        });
    }
    if task.project == *project {
        return Ok(vec![]);
    }
    push_move(&mut drafts, task, project);
    for child in &task.children {
        push_move(&mut drafts, facts.load(child)?, project);
    }
    Ok(drafts.list)
}

/// Appends a move unless the task is there already.
pub(super) fn push_move(drafts: &mut Drafts<'_>, task: &TaskFacts, project: &ProjectName) {
    if task.project != *project {
        let moved = TaskMoved {
            from_project: task.project.clone(),
            to_project: project.clone(),
        };
        drafts.push(Some(&task.task.task_id), Payload::TaskMoved(moved));
    }
}
