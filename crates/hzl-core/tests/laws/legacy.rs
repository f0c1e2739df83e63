//! HZL 3.2.0 at work: events without device, epoch, claim or guard, in any order it allows.

use hzl_core::command::Actor;
use hzl_core::event::{
    CheckpointRecorded, CommentAdded, Dependency, Payload, ProjectCreated, StatusChanged,
    TaskArchived, TaskCreated, TaskMoved, TaskUpdated,
};
use hzl_core::ids::ProjectName;
use hzl_core::task::Status;
use serde_json::{Value, json};

use crate::world::{Step, World};

/// Does one thing that the old program could do.
pub(crate) fn work(world: &mut World, device: usize, step: Step) {
    let view = world.view(device);
    let actor = Actor {
        author: (step.r % 7 > 0).then(|| ["ann", "dora"][usize::from(step.r % 2)].to_owned()),
        agent_id: (step.r % 5 == 0).then(|| "old-host".to_owned()),
        claim: None,
        correlation_id: None,
    };
    let name = ProjectName::new(format!("p{}", step.b % 3));
    let tasks: Vec<_> = view.tasks().map(|task| task.task_id.clone()).collect();
    if tasks.is_empty() || (step.a % 8 == 0 && tasks.len() < 4) {
        if view.projects.find_live(&name).is_none() {
            let created = ProjectCreated {
                name: name.clone(),
                ..ProjectCreated::default()
            };
            world.append_legacy(
                device,
                None,
                &Payload::ProjectCreated(created),
                &Actor::default(),
            );
        }
        let id = world.new_task_id();
        let created = TaskCreated {
            title: format!("old {}", step.r),
            project: name,
            agent: (step.a % 3 == 0).then(|| "dora".to_owned()),
            ..TaskCreated::default()
        };
        world.append_legacy(
            device,
            Some(id.clone()),
            &Payload::TaskCreated(created),
            &actor,
        );
        let ready = change(Status::Backlog, Status::Ready);
        world.append_legacy(device, Some(id), &ready, &actor);
        return;
    }
    let id = tasks[usize::from(step.a) % tasks.len()].clone();
    let other = tasks[usize::from(step.b) % tasks.len()].clone();
    let task = view.task(&id).expect("it is in the list");
    let payload = match (step.b % 12, task.status) {
        (0..=5, Status::Backlog) => change(Status::Backlog, Status::Ready),
        (0..=5, Status::Ready) => change(Status::Ready, Status::InProgress),
        (0..=5, Status::Blocked) => change(Status::Blocked, Status::InProgress),
        (0..=5, Status::Done) => change(Status::Done, Status::Ready),
        (0 | 1, Status::InProgress) => change(Status::InProgress, Status::Done),
        (2, Status::InProgress) => change(Status::InProgress, Status::Ready),
        (3, Status::InProgress) => change(Status::InProgress, Status::Blocked),
        (4 | 5, Status::InProgress) => change(Status::InProgress, Status::InProgress),
        (6, from) if from != Status::Archived => Payload::TaskArchived(TaskArchived::default()),
        (7, _) => updated("title", json!(format!("old title {}", step.r))),
        (8, _) => Payload::TaskMoved(TaskMoved {
            from_project: view.project_of(task),
            to_project: name,
        }),
        (9, _) => {
            let edge = Dependency {
                depends_on_id: other,
            };
            match task.memory.edges.get(&edge.depends_on_id) {
                Some(known) if known.present => Payload::DependencyRemoved(edge),
                _ => Payload::DependencyAdded(edge),
            }
        }
        (10, _) => updated("assignee", json!("dora")),
        (11, _) if step.r % 2 == 0 => Payload::CheckpointRecorded(CheckpointRecorded {
            name: "old".to_owned(),
            progress: Some(step.a % 101),
            ..CheckpointRecorded::default()
        }),
        _ => Payload::CommentAdded(CommentAdded {
            text: "old".to_owned(),
        }),
    };
    world.append_legacy(device, Some(id), &payload, &actor);
}

fn change(from: Status, to: Status) -> Payload {
    Payload::StatusChanged(StatusChanged {
        from,
        to,
        ..StatusChanged::default()
    })
}

fn updated(field: &str, new_value: Value) -> Payload {
    let field = field.to_owned();
    Payload::TaskUpdated(TaskUpdated {
        field,
        new_value,
        ..TaskUpdated::default()
    })
}
