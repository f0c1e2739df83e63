//! Deleting by tombstone.

use super::{Draft, Drafts, Facts};
use crate::event::{Payload, TaskDeleted};
use crate::rejection::Rejection;
use crate::task::Task;

/// Writes one tombstone for each prunable task. A tombstone is guarded: if the task was reopened
/// elsewhere meanwhile, it is superseded and the work stays.
pub(super) fn prune(facts: &Facts, mut drafts: Drafts<'_>) -> Result<Vec<Draft>, Rejection> {
    for task_id in &facts.prunable {
        let task = &facts.load(task_id)?.task;
        if task.status.is_terminal() {
            push_tombstone(&mut drafts, task, "prune");
        }
    }
    Ok(drafts.list)
}

pub(super) fn push_tombstone(drafts: &mut Drafts<'_>, task: &Task, reason: &str) {
    let deleted = TaskDeleted {
        reason: Some(reason.to_owned()),
        from: Some(task.status),
        claim: task.claim.clone(),
    };
    drafts.push(Some(&task.task_id), Payload::TaskDeleted(deleted));
}
