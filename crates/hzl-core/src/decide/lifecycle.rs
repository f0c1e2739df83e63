//! From ready to done and back.

use super::{Draft, Drafts, Facts};
use crate::command::Transition;
use crate::event::{Payload, StatusChanged};
use crate::ids::TaskId;
use crate::rejection::Rejection;
use crate::task::{Status, Task};

pub(super) fn set_status(
    facts: &Facts,
    mut drafts: Drafts<'_>,
    task_id: &TaskId,
    status: Status,
) -> Result<Vec<Draft>, Rejection> {
    let task = &facts.load(task_id)?.task;
    if task.status == Status::Archived {
        return Err(refuse("set the status of", task, "anything but archived"));
    }
    if task.status != status {
        drafts.check_claim(task)?;
        change(&mut drafts, task, status);
    }
    Ok(drafts.list)
}

pub(super) fn complete(
    facts: &Facts,
    drafts: Drafts<'_>,
    transition: &Transition,
) -> Result<Vec<Draft>, Rejection> {
    let task = &facts.load(&transition.task_id)?.task;
    if !task.status.is_held() {
        return Err(wrong_status("complete", task, "in_progress or blocked"));
    }
    finish(drafts, task, Status::Done, transition)
}

pub(super) fn release(
    facts: &Facts,
    drafts: Drafts<'_>,
    transition: &Transition,
) -> Result<Vec<Draft>, Rejection> {
    let task = &facts.load(&transition.task_id)?.task;
    if task.status != Status::InProgress {
        return Err(refuse("release", task, "in_progress"));
    }
    finish(drafts, task, Status::Ready, transition)
}

pub(super) fn block(
    facts: &Facts,
    drafts: Drafts<'_>,
    transition: &Transition,
) -> Result<Vec<Draft>, Rejection> {
    let task = &facts.load(&transition.task_id)?.task;
    if !task.status.is_held() {
        return Err(wrong_status("block", task, "in_progress or blocked"));
    }
    finish(drafts, task, Status::Blocked, transition)
}

pub(super) fn unblock(
    facts: &Facts,
    drafts: Drafts<'_>,
    transition: &Transition,
    release: bool,
) -> Result<Vec<Draft>, Rejection> {
    let task = &facts.load(&transition.task_id)?.task;
    if task.status != Status::Blocked {
        return Err(refuse("unblock", task, "blocked"));
    }
    let to = if release {
        Status::Ready
    } else {
        Status::InProgress
    };
    finish(drafts, task, to, transition)
}

pub(super) fn reopen(
    facts: &Facts,
    drafts: Drafts<'_>,
    transition: &Transition,
    to: Status,
) -> Result<Vec<Draft>, Rejection> {
    let task = &facts.load(&transition.task_id)?.task;
    if task.status != Status::Done {
        return Err(refuse("reopen", task, "done"));
    }
    finish(drafts, task, to, transition)
}

fn finish(
    mut drafts: Drafts<'_>,
    task: &Task,
    to: Status,
    transition: &Transition,
) -> Result<Vec<Draft>, Rejection> {
    drafts.check_claim(task)?;
    change(&mut drafts, task, to);
    drafts.push_comment(&task.task_id, transition.comment.as_deref())?;
    Ok(drafts.list)
}

fn change(drafts: &mut Drafts<'_>, task: &Task, to: Status) {
    let change = StatusChanged {
        from: task.status,
        to,
        claim: task.claim.clone(),
        ..StatusChanged::default()
    };
    drafts.push(Some(&task.task_id), Payload::StatusChanged(change));
}

fn refuse(action: &'static str, task: &Task, expected: &'static str) -> Rejection {
    let (task_id, status) = (task.task_id.clone(), task.status);
    Rejection::InvalidTransition {
        action,
        task_id,
        status,
        expected,
    }
}

fn wrong_status(action: &'static str, task: &Task, expected: &'static str) -> Rejection {
    let (task_id, status) = (task.task_id.clone(), task.status);
    Rejection::StatusRefused {
        action,
        task_id,
        status,
        expected,
    }
}
