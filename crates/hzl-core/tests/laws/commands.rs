//! Random commands, and what must be true on the device right after one was decided there.

use std::collections::BTreeSet;

use hzl_core::command::{
    Actor, AddTask, ClaimFilter, ClaimTask, Command, ProjectTasks, StealTask, SubtaskPolicy,
    Transition, UpdateTask,
};
use hzl_core::event::{Event, Field, Payload};
use hzl_core::ids::{EventId, ProjectName, TaskId};
use hzl_core::task::Status;
use serde_json::json;

use crate::view::View;
use crate::world::Step;

const AGENTS: [&str; 3] = ["ann", "bob", "cyd"];

/// Every command, as counted in the tally.
pub(crate) const NAMES: [&str; 22] = [
    "create_project",
    "rename_project",
    "delete_project",
    "add_task",
    "claim_task",
    "claim_next",
    "set_status",
    "complete",
    "release",
    "block",
    "unblock",
    "reopen",
    "steal",
    "renew",
    "archive",
    "update",
    "move",
    "add_dependency",
    "remove_dependency",
    "comment",
    "checkpoint",
    "prune",
];

pub(crate) fn name(command: &Command) -> &'static str {
    match command {
        Command::CreateProject { .. } => "create_project",
        Command::RenameProject { .. } => "rename_project",
        Command::DeleteProject { .. } => "delete_project",
        Command::AddTask(_) => "add_task",
        Command::ClaimTask(_) => "claim_task",
        Command::ClaimNext { .. } => "claim_next",
        Command::SetStatus { .. } => "set_status",
        Command::CompleteTask(_) => "complete",
        Command::ReleaseTask(_) => "release",
        Command::BlockTask(_) => "block",
        Command::UnblockTask { .. } => "unblock",
        Command::ReopenTask { .. } => "reopen",
        Command::StealTask(_) => "steal",
        Command::RenewLease { .. } => "renew",
        Command::ArchiveTask { .. } => "archive",
        Command::UpdateTask(_) => "update",
        Command::MoveTask { .. } => "move",
        Command::AddDependency { .. } => "add_dependency",
        Command::RemoveDependency { .. } => "remove_dependency",
        Command::AddComment { .. } => "comment",
        Command::RecordCheckpoint { .. } => "checkpoint",
        Command::PruneTasks => "prune",
    }
}

/// Chooses a command about what is there; `None`: nothing to do.
pub(crate) fn choose(view: &View, step: Step, new_id: &TaskId) -> Option<(Command, Actor)> {
    let tasks: Vec<&TaskId> = view.tasks().map(|task| &task.task_id).collect();
    let pick = |choice: u8| {
        tasks
            .get(usize::from(choice) % tasks.len().max(1))
            .copied()
            .cloned()
    };
    let even = step.b % 2 == 0;
    let comment = even.then(|| format!(" said {} ", step.r));
    let lease_minutes = (step.b % 3 > 0).then_some(5 + u32::from(step.r % 60));
    let project = |choice: u8| ProjectName::new(format!("p{}", choice % 4));
    let actor = Actor {
        author: (step.r % 11 > 0).then(|| AGENTS[usize::from(step.r % 3)].to_owned()),
        agent_id: (step.r % 13 == 0).then(|| "host-1".to_owned()),
        claim: None,
    };
    let kind = if tasks.len() < 2 {
        step.kind % 2
    } else {
        step.kind % 39
    };
    let command = match kind {
        0 | 1 if view.projects.find_live(&project(step.b)).is_none() => Command::CreateProject {
            name: project(step.b),
            description: comment,
            is_protected: step.r % 40 == 0,
        },
        0..=2 if tasks.len() < 5 => {
            return Some((add_task(view, step, new_id, project(step.b), &pick), actor));
        }
        33 => Command::CreateProject {
            name: project(step.b),
            description: None,
            is_protected: false,
        },
        34 => Command::RenameProject {
            old_name: project(step.a),
            new_name: project(step.b),
        },
        35 => Command::DeleteProject {
            name: project(step.a),
            tasks: match step.r % 4 {
                0 => None,
                1 => Some(ProjectTasks::Archive),
                2 if even => Some(ProjectTasks::Delete),
                _ => Some(ProjectTasks::MoveTo(project(step.b))),
            },
        },
        32 => Command::PruneTasks,
        2 | 8 => Command::ClaimNext {
            filter: ClaimFilter {
                agent: actor.author.clone(),
                ..ClaimFilter::default()
            },
            lease_minutes,
        },
        _ => {
            let task_id = pick(step.a)?;
            let mut actor = actor;
            let task = view.task(&task_id)?;
            if step.r % 5 == 0 {
                actor.claim = task.claim.clone();
            } else if step.r % 29 == 0 {
                actor.claim = Some(EventId::from("another claim"));
            }
            let transition = Transition {
                task_id: task_id.clone(),
                comment,
            };
            let command = match kind {
                3..=7 => Command::ClaimTask(ClaimTask {
                    task_id,
                    lease_minutes,
                }),
                9..=11 => Command::CompleteTask(transition),
                12 => Command::ReleaseTask(transition),
                13 if task.status == Status::Blocked => Command::UnblockTask {
                    transition,
                    release: step.r % 3 == 0,
                },
                13 | 14 => Command::BlockTask(transition),
                15..=17 => Command::StealTask(StealTask {
                    task_id,
                    agent: even.then(|| AGENTS[usize::from(step.b % 3)].to_owned()),
                    force: step.r % 3 == 0,
                    if_expired: step.r % 3 != 0,
                    lease_minutes,
                }),
                18 => Command::ReopenTask {
                    transition,
                    to: if even { Status::Ready } else { Status::Backlog },
                },
                19 => Command::ArchiveTask {
                    transition,
                    subtasks: [
                        SubtaskPolicy::Refuse,
                        SubtaskPolicy::Cascade,
                        SubtaskPolicy::Orphan,
                    ][usize::from(step.r % 3)],
                },
                20..=24 => Command::UpdateTask(Box::new(update(step, task_id, &pick))),
                25 => Command::MoveTask {
                    task_id,
                    project: project(step.b),
                },
                26..=28 => {
                    let depends_on = pick(step.b)?;
                    let edge = task
                        .memory
                        .edges
                        .get(&depends_on)
                        .filter(|edge| edge.present);
                    if edge.is_some() || step.r % 9 == 0 {
                        Command::RemoveDependency {
                            task_id,
                            depends_on,
                        }
                    } else {
                        Command::AddDependency {
                            task_id,
                            depends_on,
                        }
                    }
                }
                29 => Command::AddComment {
                    task_id,
                    text: format!("note {}", step.r),
                },
                30 => Command::RecordCheckpoint {
                    task_id,
                    name: format!("step {}", step.r),
                    data: None,
                    progress: even.then_some(step.a % 101),
                },
                31 => Command::RenewLease {
                    task_id,
                    lease_minutes: 5 + u32::from(step.r % 90),
                },
                _ => Command::SetStatus {
                    task_id,
                    status: Status::ALL[usize::from(step.b % 6)],
                },
            };
            return Some((command, actor));
        }
    };
    Some((command, actor))
}

fn add_task(
    view: &View,
    step: Step,
    task_id: &TaskId,
    project: ProjectName,
    pick: &dyn Fn(u8) -> Option<TaskId>,
) -> Command {
    let free = |id: &TaskId| view.task(id).is_some_and(|task| task.parent_id.is_none());
    let status = [
        Status::Ready,
        Status::Ready,
        Status::Ready,
        Status::Backlog,
        Status::InProgress,
        Status::Blocked,
        Status::Done,
    ][usize::from(step.r % 7)];
    Command::AddTask(Box::new(AddTask {
        task_id: task_id.clone(),
        title: format!("title {}", step.r),
        project,
        description: (step.r % 2 == 0).then(|| "text".to_owned()),
        links: vec![],
        tags: vec![format!("t{}", step.a % 3)],
        priority: step.a % 4,
        depends_on: pick(step.a)
            .filter(|_| step.r % 4 == 1)
            .into_iter()
            .collect(),
        parent: pick(step.b).filter(free).filter(|_| step.r % 5 == 2),
        status,
        agent: (step.a % 5 == 0).then(|| AGENTS[usize::from(step.a % 3)].to_owned()),
        comment: Some("  ".to_owned()),
        due_at: (step.a % 3 == 0).then(|| "2026-04-01".to_owned()),
        metadata: None,
        stale_after_minutes: None,
    }))
}

fn update(step: Step, task_id: TaskId, pick: &dyn Fn(u8) -> Option<TaskId>) -> UpdateTask {
    let mut update = UpdateTask {
        task_id,
        ..UpdateTask::default()
    };
    match step.b % 8 {
        0 | 1 => update.title = Some(format!("title {}", step.r % 5)),
        2 => {
            update.description = Some(if step.a % 2 == 0 {
                String::new()
            } else {
                "new".into()
            })
        }
        3 => update.priority = Some(step.a % 4),
        4 => {
            update.tags = Some(vec![format!("t{}", step.r % 3)]);
            update.due_at = Some((step.a % 2 == 0).then(|| "2026-05-01T00:00:00Z".to_owned()));
        }
        5 | 6 => update.parent = Some(pick(step.a.wrapping_add(1)).filter(|_| step.r % 4 > 0)),
        _ => {
            let agent = AGENTS[usize::from(step.a % 3)].to_owned();
            update.agent = Some((step.r % 4 > 0).then_some(agent));
        }
    }
    update
}

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
    let pruned = matches!(command, Command::PruneTasks | Command::DeleteProject { .. });
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
        Command::PruneTasks => {
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
    let others = |view: &View| {
        let mut parents = view.parents.clone();
        parents.remove(&update.task_id);
        parents
    };
    assert_eq!(others(after), others(before), "nobody else's link is cut");
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
