//! Putting tasks away, and taking them out again.

use serde_json::{Value, json};

use super::{Draft, Drafts, Facts};
use crate::command::{SubtaskPolicy, Transition};
use crate::event::{Field, Payload, StatusChanged, TaskArchived, TaskUpdated};
use crate::rejection::Rejection;
use crate::task::{Status, Task};

pub(super) fn archive(
    facts: &Facts,
    mut drafts: Drafts<'_>,
    transition: &Transition,
    subtasks: SubtaskPolicy,
) -> Result<Vec<Draft>, Rejection> {
    let task = facts.load(&transition.task_id)?;
    drafts.check_named_claim(&task.task)?;
    let task_id = transition.task_id.clone();
    if task.task.status == Status::Archived {
        let (status, expected) = (task.task.status, "anything but archived");
        return Err(Rejection::StatusRefused {
            action: "archive",
            task_id,
            status,
            expected,
        });
    }
    let children: Vec<&Task> = task
        .children
        .iter()
        .map(|id| Ok(&facts.load(id)?.task))
        .collect::<Result<_, Rejection>>()?;
    let active = || children.iter().filter(|child| !child.status.is_terminal());
    match subtasks {
        SubtaskPolicy::Refuse if active().next().is_some() => {
            return Err(Rejection::ActiveSubtasks {
                task_id,
                count: active().count(),
            });
        }
        SubtaskPolicy::Refuse => {}
        SubtaskPolicy::Cascade => active().for_each(|child| push_archive(&mut drafts, child)),
        SubtaskPolicy::Orphan => {
            for child in &children {
                let updated = TaskUpdated {
                    field: Field::ParentId.name().to_owned(),
                    old_value: json!(child.parent_id),
                    new_value: Value::Null,
                    claim: None,
                };
                drafts.push(Some(&child.task_id), Payload::TaskUpdated(updated));
            }
        }
    }
    push_archive(&mut drafts, &task.task);
    drafts.push_comment(&task_id, transition.comment.as_deref())?;
    Ok(drafts.list)
}

/// The only way out of the archive. The task comes back unheld: who held it may have gone long ago.
pub(super) fn unarchive(
    facts: &Facts,
    mut drafts: Drafts<'_>,
    transition: &Transition,
    to: Status,
) -> Result<Vec<Draft>, Rejection> {
    let task = &facts.load(&transition.task_id)?.task;
    drafts.check_named_claim(task)?;
    if task.status != Status::Archived {
        return Err(Rejection::InvalidTransition {
            action: "unarchive",
            task_id: transition.task_id.clone(),
            status: task.status,
            expected: "archived",
        });
    }
    let change = StatusChanged {
        from: Status::Archived,
        to,
        claim: task.claim.clone(),
        ..StatusChanged::default()
    };
    drafts.push(Some(&task.task_id), Payload::StatusChanged(change));
    drafts.push_comment(&task.task_id, transition.comment.as_deref())?;
    Ok(drafts.list)
}

pub(super) fn push_archive(drafts: &mut Drafts<'_>, task: &Task) {
    let archived = TaskArchived {
        reason: None,
        from: Some(task.status),
        claim: task.claim.clone(),
    };
    drafts.push(Some(&task.task_id), Payload::TaskArchived(archived));
}
