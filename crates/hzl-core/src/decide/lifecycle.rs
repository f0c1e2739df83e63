//! From ready to done and back.

use super::{Draft, Drafts, Facts, TaskFacts};
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
    let loaded = facts.load(task_id)?;
    drafts.check_claim(loaded)?;
    let task = &loaded.task;
    if task.status == Status::Archived {
        return Err(refuse("set the status of", task, "anything but archived"));
    }
    if task.status != status {
        change(&mut drafts, task, status);
    }
    Ok(drafts.list)
}

pub(super) fn complete(
    facts: &Facts,
    drafts: Drafts<'_>,
    transition: &Transition,
) -> Result<Vec<Draft>, Rejection> {
    let task = &own(facts, &drafts, transition)?.task;
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
    let task = &own(facts, &drafts, transition)?.task;
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
    let task = &own(facts, &drafts, transition)?.task;
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
    let task = &own(facts, &drafts, transition)?.task;
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
    let loaded = facts.load(&transition.task_id)?;
    drafts.check_named_claim(&loaded.task)?;
    let task = &loaded.task;
    if task.status != Status::Done {
        return Err(refuse("reopen", task, "done"));
    }
    finish(drafts, task, to, transition)
}

/// Loads the task, unless the caller has lost it.
fn own<'a>(
    facts: &'a Facts,
    drafts: &Drafts<'_>,
    transition: &Transition,
) -> Result<&'a TaskFacts, Rejection> {
    let loaded = facts.load(&transition.task_id)?;
    drafts.check_claim(loaded)?;
    Ok(loaded)
}

fn finish(
    mut drafts: Drafts<'_>,
    task: &Task,
    to: Status,
    transition: &Transition,
) -> Result<Vec<Draft>, Rejection> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{ClaimTask, Command, StealTask, SubtaskPolicy};
    use crate::decide::kit::{change, decided, facts, task, transition};

    fn outcome(status: Status, command: &Command) -> Option<(Status, Status)> {
        decided(&facts(vec![task("t", status)]), command)
            .ok()
            .map(|drafts| change(&drafts))
    }

    /// `tasks.md` §3: what is allowed from where, and leads where.
    #[test]
    fn transitions_are_those_of_the_reference() {
        use Status::{Archived, Backlog, Blocked, Done, InProgress, Ready};
        let t = || transition("t");
        let unblock = |release| Command::UnblockTask {
            transition: t(),
            release,
        };
        let reopen = |to| Command::ReopenTask {
            transition: t(),
            to,
        };
        let claim = Command::ClaimTask(ClaimTask {
            task_id: "t".into(),
            lease_minutes: Some(5),
        });
        let steal = Command::StealTask(StealTask {
            task_id: "t".into(),
            agent: None,
            force: true,
            if_expired: false,
            lease_minutes: None,
        });
        let archive = Command::ArchiveTask {
            transition: t(),
            subtasks: SubtaskPolicy::Refuse,
        };
        let unarchive = |to| Command::UnarchiveTask {
            transition: t(),
            to,
        };
        let table: [(Command, &[Status], Status); 12] = [
            (claim, &[Ready], InProgress),
            (Command::CompleteTask(t()), &[InProgress, Blocked], Done),
            (Command::ReleaseTask(t()), &[InProgress], Ready),
            (Command::BlockTask(t()), &[InProgress, Blocked], Blocked),
            (unblock(false), &[Blocked], InProgress),
            (unblock(true), &[Blocked], Ready),
            (reopen(Ready), &[Done], Ready),
            (reopen(Backlog), &[Done], Backlog),
            (unarchive(Ready), &[Archived], Ready),
            (unarchive(Backlog), &[Archived], Backlog),
            (steal, &[InProgress], InProgress),
            (
                archive,
                &[Backlog, Ready, InProgress, Blocked, Done],
                Archived,
            ),
        ];
        for (command, allowed, to) in &table {
            for from in Status::ALL {
                let expected = allowed.contains(&from).then_some((from, *to));
                assert_eq!(outcome(from, command), expected, "{command:?} from {from}");
            }
        }
    }

    #[test]
    fn set_status_goes_anywhere_but_out_of_the_archive() {
        for from in Status::ALL {
            for to in Status::ALL {
                let task_id = TaskId::from("t");
                let command = Command::SetStatus {
                    task_id,
                    status: to,
                };
                let decided = decided(&facts(vec![task("t", from)]), &command);
                match decided {
                    Ok(drafts) if from == to => assert_eq!(drafts, []),
                    Ok(drafts) => assert_eq!(change(&drafts), (from, to)),
                    Err(refused) => {
                        assert_eq!(from, Status::Archived);
                        assert_eq!(refused.code(), "task_invalid_status_transition");
                    }
                }
            }
        }
    }
}
