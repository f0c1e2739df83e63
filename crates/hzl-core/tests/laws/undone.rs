//! What must be true right after a command was taken back: all is as it was, but for what stays.

use std::collections::BTreeSet;

use hzl_core::command::{Actor, Command};
use hzl_core::decide::{Facts, Undone};
use hzl_core::event::{Event, Field};
use hzl_core::ids::{EventId, TaskId};
use hzl_core::task::{Status, Task};

use crate::view::View;

/// What the store would load to take these events back.
pub(crate) fn facts(
    before: &View,
    after: &View,
    undo: &Command,
    actor: &Actor,
    events: &[Event],
) -> Facts {
    let tasks: BTreeSet<&TaskId> = events.iter().filter_map(|e| e.task_id.as_ref()).collect();
    let undone = tasks.into_iter().map(|task_id| {
        let was = before.task(task_id).cloned();
        let project = was.as_ref().map(|task| after.project_of(task));
        Undone {
            task_id: task_id.clone(),
            project_before: project.unwrap_or_else(hzl_core::ids::ProjectName::inbox),
            after: after.task(task_id).cloned(),
            before: was,
        }
    });
    let projects = events.iter().filter(|event| event.payload.is_project());
    Facts {
        undone: undone.collect(),
        undone_projects: projects.map(|event| event.payload.clone()).collect(),
        ..after.facts(undo, actor)
    }
}

/// Status, holder, values, project and links are what they were; a created task is put away. Nothing
/// that was decided lost.
pub(crate) fn assert_undone(before: &View, after: &View, now: &View, events: &[Event]) {
    let mine: BTreeSet<&EventId> = events.iter().map(|event| &event.event_id).collect();
    let lost = now
        .losers()
        .into_iter()
        .filter(|(id, _, _)| mine.contains(id));
    let lost: Vec<_> = lost.collect();
    assert!(lost.is_empty(), "the undo lost {lost:?}");
    for task in now.tasks() {
        let Some(was) = before.task(&task.task_id) else {
            assert_eq!(
                task.status,
                Status::Archived,
                "what was created is put away"
            );
            continue;
        };
        let after = after.task(&task.task_id).expect("it is there still");
        assert_eq!(task.status, was.status, "{}", task.task_id);
        let holder = |task: &Task| {
            task.agent
                .clone()
                .filter(|_| task.status == Status::InProgress)
        };
        if was.agent.is_some() {
            assert_eq!(holder(task), holder(was), "{}", task.task_id);
        }
        if !was.status.is_held() && was.claim == after.claim {
            assert_eq!(task.route(), was.route(), "{}", task.task_id);
        }
        for field in Field::ALL
            .into_iter()
            .filter(|field| *field != Field::Agent)
        {
            assert_eq!(task.value(field), was.value(field), "{field:?}");
        }
        let links = |task: &Task| -> BTreeSet<TaskId> {
            task.dependencies().map(|(on, _)| on.clone()).collect()
        };
        assert_eq!(links(task), links(was), "{}", task.task_id);
        assert_eq!(
            now.project_of(task),
            now.project_of(was),
            "{}",
            task.task_id
        );
    }
}
