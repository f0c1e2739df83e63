//! What must be true on a device right after a command was decided there.

use std::collections::BTreeSet;

use hzl_core::command::{Actor, ClaimTask, Command, SubtaskPolicy, UpdateTask};
use hzl_core::event::{Event, Field, Payload};
use hzl_core::ids::{EventId, TaskId};
use hzl_core::task::Status;
use serde_json::json;

use crate::view::View;

/// What `decide` emitted, the fold accepted: nothing lost, and the state is what was asked.
///
/// Values of others that lost to mine are not judged here: after a rewind a known write, tail again, may
/// get a row too many, for its sequence is gone.
pub(crate) fn assert_done(
    before: &View,
    after: &View,
    command: &Command,
    actor: &Actor,
    events: &[Event],
) {
    let mine: BTreeSet<&EventId> = events.iter().map(|event| &event.event_id).collect();
    let lost: Vec<_> = after
        .losers()
        .difference(&before.losers())
        .filter(|(event_id, kind, _)| mine.contains(event_id) || *kind != "value")
        .cloned()
        .collect();
    assert!(lost.is_empty(), "{command:?} by {actor:?} lost {lost:?}");
    let new_cuts: Vec<_> = after.cut.difference(&before.cut).collect();
    let pruned = matches!(
        command,
        Command::PruneTasks(_) | Command::DeleteProject { .. }
    );
    assert!(
        new_cuts.is_empty() || pruned,
        "{command:?} made {new_cuts:?} close a cycle"
    );
    let status = |id: &TaskId, expected: Status| {
        assert_eq!(after.status(id), Some(expected), "{command:?} by {actor:?}");
    };
    let author = actor.author.clone().or_else(|| actor.agent_id.clone());
    match command {
        Command::CreateProject { name, .. } | Command::RenameProject { new_name: name, .. } => {
            assert!(after.projects.find_live(name).is_some());
        }
        Command::DeleteProject { name, .. } => {
            assert!(after.projects.find_live(name).is_none());
            let inside = after.tasks().filter(|task| after.project_of(task) == *name);
            assert!(
                inside
                    .into_iter()
                    .all(|task| task.status == Status::Archived)
            );
        }
        Command::AddTask(add) => {
            let task = after.task(&add.task_id).expect("it was added");
            assert_eq!((&task.title, task.status), (&add.title, add.status));
            assert_eq!((&task.tags, task.priority), (&add.tags, add.priority));
            assert_eq!(after.parents.get(&add.task_id), add.parent.as_ref());
            for on in &add.depends_on {
                assert!(after.edges.contains(&(add.task_id.clone(), on.clone())));
            }
            match &add.parent {
                Some(parent) => {
                    let parent = after.task(parent).expect("it is there");
                    assert_eq!(after.project_of(task), after.project_of(parent));
                }
                None => assert_eq!(after.project_of(task), add.project),
            }
        }
        Command::ClaimTask(ClaimTask {
            task_id,
            lease_minutes,
        }) => {
            assert_claimed(after, task_id, author.as_deref(), *lease_minutes, &mine);
        }
        Command::ClaimNext { lease_minutes, .. } => {
            if let Some(task_id) = events.first().and_then(|event| event.task_id.clone()) {
                assert_claimed(after, &task_id, author.as_deref(), *lease_minutes, &mine);
            }
        }
        Command::StealTask(steal) => {
            let thief = steal.agent.clone().or(author);
            let task_id = &steal.task_id;
            assert_claimed(after, task_id, thief.as_deref(), steal.lease_minutes, &mine);
        }
        Command::SetStatus {
            task_id,
            status: to,
        } => status(task_id, *to),
        Command::CompleteTask(transition) => {
            status(&transition.task_id, Status::Done);
            let task = after.task(&transition.task_id).expect("it is there");
            assert_eq!((task.progress, task.lease_until), (Some(100), None));
            assert!(task.terminal_at.is_some() && task.claimed_at.is_none());
        }
        Command::ReleaseTask(transition) => status(&transition.task_id, Status::Ready),
        Command::BlockTask(transition) => status(&transition.task_id, Status::Blocked),
        Command::UnblockTask {
            transition,
            release,
        } => {
            let id = &transition.task_id;
            status(
                id,
                if *release {
                    Status::Ready
                } else {
                    Status::InProgress
                },
            );
            let (old, new) = (
                before.task(id).expect("there"),
                after.task(id).expect("there"),
            );
            if old.is_owned() && !release {
                assert_eq!(
                    (&new.agent, &new.claim),
                    (&old.agent, &old.claim),
                    "its holder's"
                );
            }
        }
        Command::ReopenTask { transition, to } => {
            status(&transition.task_id, *to);
            assert_eq!(
                after.task(&transition.task_id).expect("there").terminal_at,
                None
            );
        }
        Command::UnarchiveTask { transition, to } => {
            status(&transition.task_id, *to);
            let task = after.task(&transition.task_id).expect("there");
            assert_eq!((task.terminal_at, task.claimed_at), (None, None));
            assert_eq!(task.lease_until, None);
        }
        Command::RenewLease {
            task_id,
            lease_minutes,
        } => {
            let (old, new) = (before.task(task_id), after.task(task_id).expect("there"));
            let now = events
                .first()
                .expect("an event")
                .timestamp
                .plus_minutes(*lease_minutes);
            assert_eq!(
                new.lease_until,
                old.and_then(|t| t.lease_until).max(Some(now))
            );
        }
        Command::ArchiveTask {
            transition,
            subtasks,
        } => {
            status(&transition.task_id, Status::Archived);
            for child in before.children(&transition.task_id) {
                match subtasks {
                    SubtaskPolicy::Orphan => assert_eq!(after.parents.get(&child), None),
                    SubtaskPolicy::Refuse | SubtaskPolicy::Cascade => {
                        assert!(after.status(&child).is_some_and(Status::is_terminal));
                    }
                }
            }
        }
        Command::UpdateTask(update) => assert_updated(before, after, update),
        Command::MoveTask { task_id, project } => {
            let moved = after.task(task_id).expect("there");
            assert_eq!(after.project_of(moved), *project);
        }
        Command::AddDependency {
            task_id,
            depends_on,
        } => {
            assert!(after.edges.contains(&(task_id.clone(), depends_on.clone())));
        }
        Command::RemoveDependency {
            task_id,
            depends_on,
        } => {
            assert!(!after.edges.contains(&(task_id.clone(), depends_on.clone())));
        }
        Command::AddComment { task_id, text } => {
            assert_eq!(
                after.folds[task_id].comments.last().map(|c| &c.text),
                Some(text)
            );
        }
        Command::RecordCheckpoint {
            task_id,
            name,
            progress,
            ..
        } => {
            let fold = &after.folds[task_id];
            assert_eq!(fold.checkpoints.last().map(|c| &c.name), Some(name));
            let old = before.task(task_id).expect("there");
            let current = actor.claim.is_none() || actor.claim == old.claim;
            let expected = progress.filter(|_| current).or(old.progress);
            assert_eq!(after.task(task_id).and_then(|t| t.progress), expected);
        }
        Command::Undo { .. } => unreachable!("see `undone`"),
        Command::PruneTasks(_) => {
            assert!(after.tasks().all(|task| !task.status.is_terminal()));
        }
    }
    assert_envelopes(events, actor);
}

fn assert_claimed(
    after: &View,
    id: &TaskId,
    agent: Option<&str>,
    lease_minutes: Option<u32>,
    mine: &BTreeSet<&EventId>,
) {
    let task = after.task(id).expect("it is there");
    assert!(
        task.claim
            .as_ref()
            .is_some_and(|claim| mine.contains(claim))
            && task.is_owned()
    );
    assert_eq!(
        (task.status, task.claimed_at),
        (Status::InProgress, Some(task.updated_at))
    );
    assert!(agent.is_none() || task.agent.as_deref() == agent);
    let lease = lease_minutes.map(|minutes| task.updated_at.plus_minutes(minutes));
    assert_eq!(task.lease_until, lease);
}

fn assert_updated(before: &View, after: &View, update: &UpdateTask) {
    let task = after.task(&update.task_id).expect("it is there");
    let asked = [
        (
            Field::Title,
            update.title.as_ref().map(|title| json!(title)),
        ),
        (
            Field::Priority,
            update.priority.map(|priority| json!(priority)),
        ),
        (Field::Tags, update.tags.as_ref().map(|tags| json!(tags))),
        (
            Field::DueAt,
            update.due_at.as_ref().map(|due_at| json!(due_at)),
        ),
        (
            Field::Agent,
            update.agent.as_ref().map(|agent| json!(agent)),
        ),
        (
            Field::ParentId,
            update.parent.as_ref().map(|parent| json!(parent)),
        ),
    ];
    for (field, value) in asked {
        assert!(
            value.is_none_or(|value| task.value(field) == value),
            "{field:?} of {task:?}"
        );
    }
    // A link may come to count, when its parent is detached; none of somebody else stops counting.
    for (child, parent) in before
        .parents
        .iter()
        .filter(|(child, _)| **child != update.task_id)
    {
        assert_eq!(
            after.parents.get(child),
            Some(parent),
            "the link of {child}"
        );
    }
    if let Some(parent) = update.parent.as_ref().and_then(Option::as_ref) {
        assert_eq!(after.parents.get(&update.task_id), Some(parent));
        let parent = after.task(parent).expect("it is there");
        assert_eq!(after.project_of(task), after.project_of(parent));
    }
}

fn assert_envelopes(events: &[Event], actor: &Actor) {
    for event in events {
        assert_eq!(event.task_id.is_none(), event.payload.is_project());
        let steals = matches!(&event.payload, Payload::StatusChanged(c) if c.reason.is_some());
        assert!(event.author == actor.author || steals, "{event:?}");
    }
}
