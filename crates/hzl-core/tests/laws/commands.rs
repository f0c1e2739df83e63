//! Random commands about what is there.

use hzl_core::command::{
    Actor, AddTask, ClaimFilter, ClaimTask, Command, ProjectTasks, PruneFilter, StealTask,
    SubtaskPolicy, Transition, UpdateTask,
};
use hzl_core::ids::{EventId, ProjectName, TaskId};
use hzl_core::task::Status;

use crate::view::View;
use crate::world::Step;

const AGENTS: [&str; 3] = ["ann", "bob", "cyd"];

/// Every command, as counted in the tally.
pub(crate) const NAMES: [&str; 24] = [
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
    "unarchive",
    "update",
    "move",
    "add_dependency",
    "remove_dependency",
    "comment",
    "checkpoint",
    "prune",
    "undo",
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
        Command::UnarchiveTask { .. } => "unarchive",
        Command::UpdateTask(_) => "update",
        Command::MoveTask { .. } => "move",
        Command::AddDependency { .. } => "add_dependency",
        Command::RemoveDependency { .. } => "remove_dependency",
        Command::AddComment { .. } => "comment",
        Command::RecordCheckpoint { .. } => "checkpoint",
        Command::PruneTasks(_) => "prune",
        Command::Undo { .. } => "undo",
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
        correlation_id: None,
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
        32 => Command::PruneTasks(PruneFilter::default()),
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
                18 if task.status == Status::Archived => Command::UnarchiveTask {
                    transition,
                    to: if even { Status::Ready } else { Status::Backlog },
                },
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
