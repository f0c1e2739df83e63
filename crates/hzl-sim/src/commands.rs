//! What an agent might want: a command drawn from a number.

use hzl_core::command::{
    AddTask, ClaimFilter, ClaimTask, Command, ProjectTasks, PruneFilter, StealTask, SubtaskPolicy,
    Transition, UpdateTask,
};
use hzl_core::ids::{ProjectName, TaskId};
use hzl_core::task::Status;
use hzl_core::time::Timestamp;

use crate::random::Random;
use crate::schedule::Focus;

const NAMES: [&str; 4] = ["inbox", "a", "b", "c"];

/// The kinds of commands below, by what they are about; some are there more than once.
const EVERYTHING: &[u32] = &[
    0, 1, 2, 3, 4, 6, 7, 8, 10, 12, 13, 14, 16, 17, 18, 19, 22, 23, 24, 25, 27, 28, 29, 30, 31, 32,
    33, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45,
];
const OWNERSHIP: &[u32] = &[
    0, 1, 2, 3, 4, 5, 4, 5, 6, 7, 8, 10, 12, 13, 14, 15, 16, 16, 17, 18, 19, 20, 18, 35, 41, 42,
    42, 42,
];
const LEASES: &[u32] = &[0, 1, 4, 4, 5, 5, 18, 18, 18];
const VALUES: &[u32] = &[22];
const STRUCTURE: &[u32] = &[
    27, 28, 29, 30, 29, 30, 31, 32, 33, 34, 37, 38, 37, 38, 39, 40, 39, 40, 41, 42,
];

/// Draws a command. Most tasks it names exist; many wishes are refused, and that is part of it.
pub(crate) fn draw(
    random: &mut Random,
    focus: Focus,
    tasks: &[TaskId],
    new_id: TaskId,
    now: Timestamp,
) -> Command {
    // Where it is about owners, everybody wants the same task.
    let hot = tasks
        .last()
        .filter(|_| focus == Focus::Ownership && !random.chance(3));
    let task_id = hot.cloned().unwrap_or_else(|| pick(random, tasks));
    let transition = Transition {
        task_id: task_id.clone(),
        comment: random.chance(4).then(|| "poison".to_owned()),
    };
    let (half, is_forced) = (random.chance(2), random.chance(3));
    // New tasks are the rarer the more there are.
    if random.index(2 * tasks.len() + 2) < 2 {
        return add(random, tasks, new_id);
    }
    let kinds = match focus {
        Focus::Ownership if !random.chance(3) => OWNERSHIP,
        Focus::Leases if !random.chance(6) => LEASES,
        Focus::Values if !random.chance(3) => VALUES,
        Focus::Structure if !random.chance(3) => STRUCTURE,
        _ => EVERYTHING,
    };
    match kinds[random.index(kinds.len())] {
        0..=3 => claim(random, task_id),
        4 | 5 | 21 => Command::RenewLease {
            task_id,
            lease_minutes: 1 + random.below(20),
        },
        6 => Command::ClaimNext {
            filter: ClaimFilter::default(),
            lease_minutes: None,
        },
        7..=9 => Command::CompleteTask(transition),
        10 | 11 => Command::ReleaseTask(transition),
        12 => Command::BlockTask(transition),
        13 => Command::UnblockTask {
            transition,
            release: half,
        },
        14 | 15 => Command::ReopenTask {
            transition,
            to: Status::Ready,
        },
        16 => Command::ArchiveTask {
            transition,
            subtasks: [
                SubtaskPolicy::Refuse,
                SubtaskPolicy::Cascade,
                SubtaskPolicy::Orphan,
            ][random.index(3)],
        },
        17 => Command::UnarchiveTask {
            transition,
            to: Status::Ready,
        },
        18..=20 => Command::StealTask(StealTask {
            task_id,
            agent: random.chance(4).then(|| "thief".to_owned()),
            force: is_forced,
            if_expired: !is_forced,
            lease_minutes: random.chance(2).then_some(5),
        }),
        22..=26 => update(random, task_id),
        27 => Command::UpdateTask(Box::new(UpdateTask {
            task_id,
            parent: Some((!random.chance(3)).then(|| pick(random, tasks))),
            ..UpdateTask::default()
        })),
        28 => Command::UpdateTask(Box::new(UpdateTask {
            task_id,
            agent: Some(half.then(|| "agent1".to_owned())),
            ..UpdateTask::default()
        })),
        29 | 30 => Command::MoveTask {
            task_id,
            project: name(random),
        },
        31 | 32 => Command::AddDependency {
            task_id,
            depends_on: pick(random, tasks),
        },
        33 | 34 => Command::RemoveDependency {
            task_id,
            depends_on: pick(random, tasks),
        },
        35 | 36 => Command::RecordCheckpoint {
            task_id,
            name: format!("state {}", random.below(1_000)),
            data: None,
            progress: Some(u8::try_from(random.below(101)).unwrap_or(0)),
        },
        37 | 38 => Command::CreateProject {
            name: name(random),
            description: None,
            is_protected: false,
        },
        39 | 40 => Command::RenameProject {
            old_name: name(random),
            new_name: name(random),
        },
        41 => Command::DeleteProject {
            name: name(random),
            tasks: Some([ProjectTasks::Archive, ProjectTasks::Delete][random.index(2)].clone()),
        },
        42 => Command::PruneTasks(PruneFilter {
            project: None,
            before: now,
        }),
        _ => Command::AddComment {
            task_id,
            text: ["a remark", "a remark", "poison"][random.index(3)].to_owned(),
        },
    }
}

/// Draws a claim of one task, or of the best one.
pub(crate) fn draw_claim(random: &mut Random, focus: Focus, tasks: &[TaskId]) -> Command {
    if let (Focus::Ownership | Focus::Leases, Some(hot)) = (focus, tasks.last()) {
        return claim(random, hot.clone());
    }
    if random.chance(3) {
        return Command::ClaimNext {
            filter: ClaimFilter::default(),
            lease_minutes: None,
        };
    }
    let task_id = pick(random, tasks);
    claim(random, task_id)
}

fn claim(random: &mut Random, task_id: TaskId) -> Command {
    Command::ClaimTask(ClaimTask {
        task_id,
        lease_minutes: (!random.chance(3)).then_some(1),
    })
}

fn update(random: &mut Random, task_id: TaskId) -> Command {
    // Few different values: concurrent writes of equal ones are a case of their own.
    let title = format!("title {}", random.below(3));
    let tags = vec![format!("tag{}", random.below(3))];
    Command::UpdateTask(Box::new(UpdateTask {
        task_id,
        title: random.chance(2).then_some(title),
        tags: random.chance(2).then_some(tags),
        priority: random
            .chance(3)
            .then(|| u8::try_from(random.below(4)).unwrap_or(0)),
        ..UpdateTask::default()
    }))
}

fn add(random: &mut Random, tasks: &[TaskId], task_id: TaskId) -> Command {
    let waits = !tasks.is_empty() && random.chance(3);
    let title = format!("task {}", tasks.len());
    Command::AddTask(Box::new(AddTask {
        priority: u8::try_from(random.below(4)).unwrap_or(0),
        depends_on: waits.then(|| pick(random, tasks)).into_iter().collect(),
        status: Status::Ready,
        ..AddTask::new(task_id, title, name(random))
    }))
}

fn pick(random: &mut Random, tasks: &[TaskId]) -> TaskId {
    // The younger half is where things happen.
    let from = if random.chance(2) { tasks.len() / 2 } else { 0 };
    match tasks.get(from..).filter(|tasks| !tasks.is_empty()) {
        Some(tasks) => tasks[random.index(tasks.len())].clone(),
        None => TaskId::from("none"),
    }
}

fn name(random: &mut Random) -> ProjectName {
    ProjectName::from(NAMES[random.index(NAMES.len())])
}
