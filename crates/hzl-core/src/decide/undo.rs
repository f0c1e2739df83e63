//! Taking a command back: what it changed is set to what it was before, by new events.
//!
//! Only what still stands is taken back. If anybody has changed it since, or a merge has decided
//! otherwise, nothing is: an undo never overwrites what others did. Comments and checkpoints stay.

use std::collections::BTreeSet;

use serde_json::json;

use super::{Draft, Drafts, Facts};
use crate::event::{
    CheckpointRecorded, Dependency, Field, Payload, ProjectCreated, ProjectDeleted, ProjectRenamed,
    StatusChanged, TaskArchived, TaskMoved, TaskUpdated,
};
use crate::ids::{ProjectName, TaskId};
use crate::rejection::Rejection;
use crate::task::{Status, Task};
use crate::time::Timestamp;

/// One task that a command wrote about.
#[derive(Clone, Debug)]
pub struct Undone {
    /// The task.
    pub task_id: TaskId,
    /// As it was; `None`: the command created it.
    pub before: Option<Task>,
    /// What its project is called now, the one it was in before.
    pub project_before: ProjectName,
    /// As the command left it; `None`: the command deleted it.
    pub after: Option<Task>,
}

pub(super) fn undo(
    facts: &Facts,
    mut drafts: Drafts<'_>,
    now: Timestamp,
) -> Result<Vec<Draft>, Rejection> {
    if facts.undone.is_empty() && facts.undone_projects.is_empty() {
        return Err(Rejection::NothingToUndo);
    }
    // A project has to be there again before its tasks are, and to be empty before it goes.
    for payload in facts.undone_projects.iter().rev() {
        if !matches!(payload, Payload::ProjectCreated(_)) {
            project(facts, &mut drafts, payload)?;
        }
    }
    for undone in facts.undone.iter().rev() {
        task(facts, &mut drafts, undone, now)?;
    }
    for payload in facts.undone_projects.iter().rev() {
        if matches!(payload, Payload::ProjectCreated(_)) {
            project(facts, &mut drafts, payload)?;
        }
    }
    if drafts.list.is_empty() {
        return Err(Rejection::NothingLeftToUndo);
    }
    Ok(drafts.list)
}

fn project(facts: &Facts, drafts: &mut Drafts<'_>, payload: &Payload) -> Result<(), Rejection> {
    let stale = |name: &ProjectName| Rejection::UndoStaleProject { name: name.clone() };
    let live = |name: &ProjectName| facts.projects.find_live(name).is_some();
    let compensating = if let Payload::ProjectCreated(created) = payload {
        let is_empty = facts.project_tasks.is_empty();
        if !live(&created.name) || !is_empty || created.is_protected == Some(true) {
            return Err(stale(&created.name));
        }
        Payload::ProjectDeleted(ProjectDeleted {
            name: created.name.clone(),
            task_count: 0,
            archived_task_count: 0,
        })
    } else if let Payload::ProjectRenamed(renamed) = payload {
        if !live(&renamed.new_name) || live(&renamed.old_name) {
            return Err(stale(&renamed.new_name));
        }
        Payload::ProjectRenamed(ProjectRenamed {
            old_name: renamed.new_name.clone(),
            new_name: renamed.old_name.clone(),
        })
    } else if let Payload::ProjectDeleted(deleted) = payload {
        if live(&deleted.name) {
            return Err(stale(&deleted.name));
        }
        let was = facts.projects.list().find(|was| was.name == deleted.name);
        Payload::ProjectCreated(ProjectCreated {
            name: deleted.name.clone(),
            description: was.and_then(|was| was.description.clone()),
            is_protected: None,
        })
    } else {
        return Ok(());
    };
    drafts.push(None, compensating);
    Ok(())
}

fn task(
    facts: &Facts,
    drafts: &mut Drafts<'_>,
    undone: &Undone,
    time: Timestamp,
) -> Result<(), Rejection> {
    let deleted = || Rejection::UndoDeleted {
        task_id: undone.task_id.clone(),
    };
    let after = undone.after.as_ref().ok_or_else(deleted)?;
    let now = facts.tasks.get(&undone.task_id).ok_or_else(deleted)?;
    let change = Change {
        task_id: &undone.task_id,
        after,
        now: &now.task,
    };
    let Some(before) = &undone.before else {
        return change.uncreate(drafts);
    };
    change.fields(drafts, before)?;
    change.edges(drafts, before)?;
    if before.project != after.project {
        change.stands("project", change.now.project == after.project)?;
        let moved = TaskMoved {
            from_project: now.project.clone(),
            to_project: undone.project_before.clone(),
        };
        drafts.push(Some(change.task_id), Payload::TaskMoved(moved));
    }
    change.ownership(drafts, before, time)
}

/// What a command did to a task, and what the task is now.
struct Change<'a> {
    task_id: &'a TaskId,
    after: &'a Task,
    now: &'a Task,
}

impl Change<'_> {
    /// Refuses if something has been changed since.
    fn stands(&self, what: &str, stands: bool) -> Result<(), Rejection> {
        if stands {
            return Ok(());
        }
        Err(Rejection::UndoStale {
            task_id: self.task_id.clone(),
            what: what.to_owned(),
        })
    }

    /// A task cannot be made not to have been; it is put away.
    fn uncreate(&self, drafts: &mut Drafts<'_>) -> Result<(), Rejection> {
        self.stands("status", self.same_ownership())?;
        if self.now.status != Status::Archived {
            drafts.push(Some(self.task_id), self.archived());
        }
        Ok(())
    }

    fn fields(&self, drafts: &mut Drafts<'_>, before: &Task) -> Result<(), Rejection> {
        for field in Field::ALL {
            // Who holds a task, or had it last, is not a value; whom it is meant for is.
            let is_route = field == Field::Agent;
            let value = |task: &Task| match is_route {
                true => json!(task.route()),
                false => task.value(field),
            };
            let (was, wrote, is) = (value(before), value(self.after), value(self.now));
            if was == wrote || (is_route && self.changes_ownership(before)) {
                continue;
            }
            self.stands(
                field.name(),
                is == wrote && !(is_route && self.now.is_owned()),
            )?;
            let updated = TaskUpdated {
                field: field.name().to_owned(),
                old_value: self.now.value(field),
                new_value: was,
                claim: is_route.then(|| self.now.claim.clone()).flatten(),
            };
            drafts.push(Some(self.task_id), Payload::TaskUpdated(updated));
        }
        Ok(())
    }

    fn edges(&self, drafts: &mut Drafts<'_>, before: &Task) -> Result<(), Rejection> {
        let edges = |task: &Task| -> BTreeSet<TaskId> {
            task.dependencies().map(|(on, _)| on.clone()).collect()
        };
        let (was, wrote, is) = (edges(before), edges(self.after), edges(self.now));
        for on in was.symmetric_difference(&wrote) {
            self.stands("dependencies", is.contains(on) == wrote.contains(on))?;
            let edge = Dependency {
                depends_on_id: on.clone(),
            };
            let payload = if was.contains(on) {
                Payload::DependencyAdded(edge)
            } else {
                Payload::DependencyRemoved(edge)
            };
            drafts.push(Some(self.task_id), payload);
        }
        Ok(())
    }

    fn changes_ownership(&self, before: &Task) -> bool {
        (before.status, &before.claim) != (self.after.status, &self.after.claim)
    }

    fn same_ownership(&self) -> bool {
        let last = |task: &Task| {
            let stamp = task.memory.last_status.as_ref();
            stamp.map(|stamp| stamp.event_id.clone())
        };
        self.now.status == self.after.status
            && self.now.claim == self.after.claim
            && last(self.now) == last(self.after)
    }

    fn ownership(
        &self,
        drafts: &mut Drafts<'_>,
        before: &Task,
        time: Timestamp,
    ) -> Result<(), Rejection> {
        if !self.changes_ownership(before) {
            return Ok(());
        }
        self.stands("status", self.same_ownership())?;
        let held = before.status == Status::InProgress;
        // No lease ends before its event, which is a millisecond after the one before it: one that had
        // run out is over at once.
        let events_before = i64::try_from(drafts.list.len()).unwrap_or(i64::MAX);
        let earliest = time.plus_millis(events_before).plus_millis(1);
        let lease = before.lease_until.filter(|_| held);
        let lease = lease.map(|end| end.max(earliest));
        let payload = if before.status == Status::Archived {
            self.archived()
        } else {
            Payload::StatusChanged(StatusChanged {
                from: self.now.status,
                to: before.status,
                lease_until: lease.map(|end| end.to_string()),
                agent: before.agent.clone().filter(|_| held),
                claim: self.now.claim.clone(),
                ..StatusChanged::default()
            })
        };
        drafts.push(Some(self.task_id), payload);
        self.route(drafts, before);
        self.progress(drafts, before);
        Ok(())
    }

    /// Whom the task was meant for, before it was claimed.
    fn route(&self, drafts: &mut Drafts<'_>, before: &Task) {
        let Some(route) = before.route().filter(|_| !before.status.is_held()) else {
            return;
        };
        let updated = TaskUpdated {
            field: Field::Agent.name().to_owned(),
            old_value: self.now.value(Field::Agent),
            new_value: route.into(),
            claim: self.now.claim.clone(),
        };
        drafts.push(Some(self.task_id), Payload::TaskUpdated(updated));
    }

    /// Completing a task made its progress 100.
    fn progress(&self, drafts: &mut Drafts<'_>, before: &Task) {
        let progress = before.progress.unwrap_or(0);
        if self.after.progress != before.progress && self.now.progress == self.after.progress {
            let checkpoint = CheckpointRecorded {
                name: format!("Progress updated to {progress}%"),
                data: None,
                progress: Some(progress),
                claim: None,
            };
            drafts.push(Some(self.task_id), Payload::CheckpointRecorded(checkpoint));
        }
    }

    fn archived(&self) -> Payload {
        Payload::TaskArchived(TaskArchived {
            reason: None,
            from: Some(self.now.status),
            claim: self.now.claim.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::kit::{NOW, actor, facts, task};
    use super::super::{Facts, decide};
    use super::*;
    use crate::command::Command;

    #[test]
    fn a_lease_that_had_run_out_ends_after_its_event_all_the_same() {
        let mut before = task("t", Status::InProgress).task;
        before.title = "before".to_owned();
        before.lease_until = Some(NOW.plus_millis(-60_000));
        let released = task("t", Status::Ready);
        let facts = Facts {
            undone: vec![Undone {
                task_id: "t".into(),
                before: Some(before),
                project_before: "p".into(),
                after: Some(released.task.clone()),
            }],
            ..facts(vec![released])
        };
        let undo = Command::Undo { events: vec![] };
        let drafts = decide(&facts, &undo, &actor("ann"), NOW).unwrap();
        let at = drafts
            .iter()
            .position(|draft| draft.payload.kind() == "status_changed");
        let at = at.expect("it is held again");
        assert!(at > 0, "the title comes first");
        let Payload::StatusChanged(change) = &drafts[at].payload else {
            unreachable!();
        };
        let end = change.lease_until.as_deref().and_then(Timestamp::parse);
        let written = NOW.plus_millis(i64::try_from(at).unwrap());
        assert!(end.expect("a lease") > written, "{end:?} {written:?}");
    }
}
