//! Which command writes a value again that lost a merge.
//!
//! The command is an ordinary one: it is judged like any other, and its event has seen the value that
//! won. Only writes of values and statuses can be written again; a link that does not count is still
//! there and counts as soon as nothing stands in its way.

use serde_json::Value;

use crate::command::{Command, SubtaskPolicy, Transition, UpdateTask};
use crate::conflict::{Conflict, ConflictKind};
use crate::event::Field;
use crate::ids::{ProjectName, TaskId};
use crate::task::Status;

/// Why a write cannot be written again as it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotRestorable {
    /// A claim or take-over: whoever wants the task takes it now.
    Claim,
    /// A renewal of a claim that is over.
    Renewal,
    /// A deletion.
    Deletion,
    /// A second creation of the same task.
    Creation,
    /// A project event.
    Project,
    /// The task is deleted.
    DeletedTask,
    /// A link that is there and does not count.
    Link,
    /// A value this program does not understand.
    Unknown,
}

/// Returns the command that writes the losing value again.
///
/// # Errors
/// Why there is none.
pub fn restoring(conflict: &Conflict) -> Result<Command, NotRestorable> {
    let not = match conflict.kind {
        ConflictKind::Value | ConflictKind::Superseded => None,
        ConflictKind::SupersededProject => Some(NotRestorable::Project),
        ConflictKind::AfterTombstone => Some(NotRestorable::DeletedTask),
        ConflictKind::LateRenewal => Some(NotRestorable::Renewal),
        ConflictKind::ClosesCycle
        | ConflictKind::MissingDependency
        | ConflictKind::InvalidParent => Some(NotRestorable::Link),
    };
    if let Some(not) = not {
        return Err(not);
    }
    let task_id = conflict.task_id.clone().ok_or(NotRestorable::Unknown)?;
    let value = &conflict.losing_value;
    if let Some(on) = conflict.field.strip_prefix("depends_on/") {
        return edge(task_id, TaskId::from(on), value);
    }
    match conflict.field.as_str() {
        "status" => status(task_id, value),
        "task_created" => Err(NotRestorable::Creation),
        "project" => {
            let project = value.as_str().ok_or(NotRestorable::Unknown)?;
            let project = ProjectName::from(project);
            Ok(Command::MoveTask { task_id, project })
        }
        field => {
            let field = Field::find(field).ok_or(NotRestorable::Unknown)?;
            UpdateTask::of_field(task_id, field, value)
                .map(|update| Command::UpdateTask(Box::new(update)))
                .ok_or(NotRestorable::Unknown)
        }
    }
}

fn edge(task_id: TaskId, depends_on: TaskId, present: &Value) -> Result<Command, NotRestorable> {
    if present.as_bool().ok_or(NotRestorable::Unknown)? {
        Ok(Command::AddDependency {
            task_id,
            depends_on,
        })
    } else {
        Ok(Command::RemoveDependency {
            task_id,
            depends_on,
        })
    }
}

fn status(task_id: TaskId, value: &Value) -> Result<Command, NotRestorable> {
    if value == "deleted" {
        return Err(NotRestorable::Deletion);
    }
    let status = serde_json::from_value(value.clone()).map_err(|_| NotRestorable::Unknown)?;
    match status {
        Status::InProgress => Err(NotRestorable::Claim),
        Status::Archived => Ok(Command::ArchiveTask {
            transition: Transition {
                task_id,
                comment: None,
            },
            subtasks: SubtaskPolicy::Refuse,
        }),
        Status::Backlog | Status::Ready | Status::Blocked | Status::Done => {
            Ok(Command::SetStatus { task_id, status })
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lost(kind: ConflictKind, field: &str, losing_value: Value) -> Conflict {
        Conflict {
            event_id: "E".into(),
            kind,
            field: field.to_owned(),
            task_id: Some("T".into()),
            winner_event_id: None,
            losing_value,
            winning_value: Value::Null,
            at: None,
        }
    }

    #[test]
    fn every_value_of_every_field_is_written_again_by_an_update() {
        let values = [
            (Field::Title, json!("Old")),
            (Field::Description, json!(null)),
            (Field::Links, json!(["a", "b"])),
            (Field::Tags, json!([])),
            (Field::Priority, json!(2)),
            (Field::DueAt, json!("2026-12-01T00:00:00.000Z")),
            (Field::Metadata, json!({"a": 1})),
            (Field::StaleAfterMinutes, json!(30)),
            (Field::ParentId, json!(null)),
            (Field::Agent, json!("ann")),
        ];
        assert_eq!(values.len(), Field::ALL.len());
        for (field, value) in values {
            let command = restoring(&lost(ConflictKind::Value, field.name(), value)).unwrap();
            let Command::UpdateTask(update) = command else {
                panic!("{command:?}");
            };
            assert_ne!(
                *update,
                UpdateTask {
                    task_id: "T".into(),
                    ..UpdateTask::default()
                }
            );
        }
        let wrong = lost(ConflictKind::Value, "priority", json!("high"));
        assert_eq!(restoring(&wrong), Err(NotRestorable::Unknown));
    }

    #[test]
    fn links_statuses_and_projects_are_written_again_and_claims_are_not() {
        let edge = |present| restoring(&lost(ConflictKind::Value, "depends_on/U", json!(present)));
        assert!(matches!(edge(true), Ok(Command::AddDependency { .. })));
        assert!(matches!(edge(false), Ok(Command::RemoveDependency { .. })));
        let moved = restoring(&lost(ConflictKind::Value, "project", json!("docs")));
        assert!(matches!(moved, Ok(Command::MoveTask { .. })));
        let status =
            |value: &str| restoring(&lost(ConflictKind::Superseded, "status", json!(value)));
        assert!(matches!(status("done"), Ok(Command::SetStatus { .. })));
        assert!(matches!(
            status("archived"),
            Ok(Command::ArchiveTask { .. })
        ));
        assert_eq!(status("in_progress"), Err(NotRestorable::Claim));
        assert_eq!(status("deleted"), Err(NotRestorable::Deletion));
        let renewal = lost(ConflictKind::LateRenewal, "lease_until", json!("x"));
        assert_eq!(restoring(&renewal), Err(NotRestorable::Renewal));
        let link = lost(ConflictKind::ClosesCycle, "U", json!(true));
        assert_eq!(restoring(&link), Err(NotRestorable::Link));
    }
}
