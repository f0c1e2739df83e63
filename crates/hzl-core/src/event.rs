//! Events as they are stored: envelope and payloads. This is a file format and a wire format.
//!
//! The twelve types of HZL 3.2.0 keep their payloads. Two types are added (`task_deleted`,
//! `lease_renewed`), and every added field is optional, so that older readers skip it. Unknown types
//! and payloads that do not decode are kept as they are and change nothing.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ids::{DeviceId, EventId, ProjectName, TaskId};
use crate::lenient;
use crate::order::Position;
use crate::task::Status;
use crate::time::Timestamp;

/// The `task_id` column of the three project events.
pub const PROJECT_TASK_ID: &str = "__project__";

/// The payload version this program writes and understands.
pub const SCHEMA_VERSION: u32 = 1;

/// One event: something that happened, never changed afterwards.
#[derive(Clone, PartialEq, Debug)]
pub struct Event {
    /// Identity across all devices.
    pub event_id: EventId,
    /// The task it belongs to; `None` for project events.
    pub task_id: Option<TaskId>,
    /// What happened.
    pub payload: Payload,
    /// Who did it, by name.
    pub author: Option<String>,
    /// Machine or session of the author.
    pub agent_id: Option<String>,
    /// Session, as given by the caller.
    pub session_id: Option<String>,
    /// Correlation, as given by the caller.
    pub correlation_id: Option<String>,
    /// Shared by the events of one command: the first one's event id.
    pub causation_id: Option<String>,
    /// Hybrid logical clock of the writer, milliseconds.
    pub timestamp: Timestamp,
    /// The writer's pull cursor when it wrote this; 0 before the first pull.
    pub basis_seq: i64,
    /// The ledger's epoch when it was written; `None` exactly for events of HZL 3.2.0.
    pub epoch: Option<u32>,
}

impl Event {
    /// Tells whether HZL 3.2.0 wrote this event: it has no epoch.
    pub fn is_legacy(&self) -> bool {
        self.epoch.is_none()
    }
}

/// An event at its place in a device's order, with what the cloud made of it.
#[derive(Clone, PartialEq, Debug)]
pub struct PlacedEvent {
    /// The event.
    pub event: Event,
    /// Where it stands.
    pub position: Position,
    /// Cloud sequence; `None` in the tail.
    pub seq: Option<i64>,
    /// When the cloud received it; `None` while nothing has.
    pub received_at: Option<Timestamp>,
    /// Who pushed it first, or this device for a tail event; `None` for events of HZL 3.2.0.
    pub device: Option<DeviceId>,
}

impl PlacedEvent {
    /// The time that counts: a clock in the future is clamped by arrival.
    pub fn effective_ts(&self) -> Timestamp {
        match self.received_at {
            Some(received_at) => self.event.timestamp.min(received_at),
            None => self.event.timestamp,
        }
    }
}

/// What happened, by type.
#[derive(Clone, PartialEq, Debug)]
pub enum Payload {
    /// A task came into being, in backlog.
    TaskCreated(TaskCreated),
    /// A task changed its status: claims, completion, release and the like.
    StatusChanged(StatusChanged),
    /// A task went to another project.
    TaskMoved(TaskMoved),
    /// A task now waits for another.
    DependencyAdded(Dependency),
    /// A task no longer waits for another.
    DependencyRemoved(Dependency),
    /// One field got a new value.
    TaskUpdated(TaskUpdated),
    /// A task was archived.
    TaskArchived(TaskArchived),
    /// A task was deleted: a tombstone.
    TaskDeleted(TaskDeleted),
    /// The holder of a task is still alive.
    LeaseRenewed(LeaseRenewed),
    /// Somebody said something about a task.
    CommentAdded(CommentAdded),
    /// Somebody recorded a state of work.
    CheckpointRecorded(CheckpointRecorded),
    /// A project came into being.
    ProjectCreated(ProjectCreated),
    /// A project got another name.
    ProjectRenamed(ProjectRenamed),
    /// A project was deleted.
    ProjectDeleted(ProjectDeleted),
    /// A type or version this program does not know, or data that does not decode.
    Unknown {
        /// The type column.
        kind: String,
    },
}

macro_rules! payload_struct {
    ($(#[doc = $doc:literal])+ $name:ident { $($(#[$meta:meta])* $field:ident: $ty:ty,)* }) => {
        $(#[doc = $doc])+
        #[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
        pub struct $name { $($(#[$meta])* pub $field: $ty,)* }
    };
}

payload_struct!(
    /// Payload of `task_created`.
    TaskCreated {
        /// 1 to 128 characters.
        title: String,
        /// Name of the project at that point of the order.
        project: ProjectName,
        /// The task it is a part of.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parent_id: Option<TaskId>,
        /// Free text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        /// Addresses and paths.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        links: Option<Vec<String>>,
        /// Tasks it waits for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        depends_on: Option<Vec<TaskId>>,
        /// Labels.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tags: Option<Vec<String>>,
        /// 0 to 3, larger is more urgent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        priority: Option<u8>,
        /// Date-time text, as given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due_at: Option<String>,
        /// Anything the caller wants to keep.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        metadata: Option<Map<String, Value>>,
        /// Stale override in minutes; 0 is never stale.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stale_after_minutes: Option<u32>,
        /// Routing intent: who should take it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent: Option<String>,
        /// Old name of `agent`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        assignee: Option<String>,
    }
);

payload_struct!(
    /// Payload of `status_changed`.
    StatusChanged {
        /// The status the writer saw.
        from: Status,
        /// The new status.
        to: Status,
        /// Free text; `stolen` for a steal.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// End of the lease by the writer's clock.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lease_until: Option<String>,
        /// The new owner, where it is not the author.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent: Option<String>,
        /// Old name of `agent`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        assignee: Option<String>,
        /// The task's last claim as the writer saw it, whoever acts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        claim: Option<EventId>,
        /// A steal that holds only if the lease has run out.
        #[serde(default, skip_serializing_if = "is_false")]
        if_expired: bool,
    }
);

payload_struct!(
    /// Payload of `task_moved`.
    TaskMoved {
        /// Project before, by name.
        from_project: ProjectName,
        /// Project after, by name.
        to_project: ProjectName,
    }
);

payload_struct!(
    /// Payload of `dependency_added` and `dependency_removed`.
    Dependency {
        /// The task that is waited for.
        depends_on_id: TaskId,
    }
);

payload_struct!(
    /// Payload of `task_updated`: one field.
    TaskUpdated {
        /// Name of the field, see [`Field`]; others are kept and ignored.
        field: String,
        /// The value the writer saw.
        #[serde(default)]
        old_value: Value,
        /// The new value.
        new_value: Value,
        /// The last claim the writer saw; only for `agent`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        claim: Option<EventId>,
    }
);

payload_struct!(
    /// Payload of `task_archived`.
    TaskArchived {
        /// Free text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// The status the writer saw.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Status>,
        /// The last claim the writer saw.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        claim: Option<EventId>,
    }
);

payload_struct!(
    /// Payload of `task_deleted`.
    TaskDeleted {
        /// Why: `prune` or `project_deleted`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// The status the writer saw.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Status>,
        /// The last claim the writer saw.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        claim: Option<EventId>,
    }
);

payload_struct!(
    /// Payload of `lease_renewed`.
    LeaseRenewed {
        /// New end of the lease by the writer's clock.
        lease_until: String,
        /// The claim that is renewed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        claim: Option<EventId>,
    }
);

payload_struct!(
    /// Payload of `comment_added`.
    CommentAdded {
        /// 1 to 16,384 characters.
        text: String,
    }
);

payload_struct!(
    /// Payload of `checkpoint_recorded`.
    CheckpointRecorded {
        /// 1 to 256 characters.
        name: String,
        /// Anything the caller wants to keep.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<Map<String, Value>>,
        /// 0 to 100.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        progress: Option<u8>,
        /// The last claim the writer saw; `progress` counts only while it is current.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        claim: Option<EventId>,
    }
);

payload_struct!(
    /// Payload of `project_created`.
    ProjectCreated {
        /// The name.
        name: ProjectName,
        /// Free text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        /// Cannot be renamed or deleted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        is_protected: Option<bool>,
    }
);

payload_struct!(
    /// Payload of `project_renamed`.
    ProjectRenamed {
        /// The name before.
        old_name: ProjectName,
        /// The name after.
        new_name: ProjectName,
    }
);

payload_struct!(
    /// Payload of `project_deleted`.
    ProjectDeleted {
        /// The name.
        name: ProjectName,
        /// Tasks it held, archived ones included.
        task_count: u64,
        /// Archived tasks it held.
        archived_task_count: u64,
    }
);

impl Default for ProjectName {
    fn default() -> Self {
        Self::inbox()
    }
}

impl Default for TaskId {
    fn default() -> Self {
        Self::from("")
    }
}

// serde wants a reference here.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature is serde's"
)]
fn is_false(value: &bool) -> bool {
    !*value
}

/// The fields that `task_updated` may set.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// Text, not null.
    Title,
    /// Text or null.
    Description,
    /// Array of text.
    Links,
    /// Array of text.
    Tags,
    /// 0 to 3.
    Priority,
    /// Date-time text or null.
    DueAt,
    /// Object.
    Metadata,
    /// Minutes or null.
    StaleAfterMinutes,
    /// Task id or null.
    ParentId,
    /// Name or null: routing.
    Agent,
}

impl Field {
    /// Every field, in the order of the reference.
    pub const ALL: [Field; 10] = [
        Field::Title,
        Field::Description,
        Field::Links,
        Field::Tags,
        Field::Priority,
        Field::DueAt,
        Field::Metadata,
        Field::StaleAfterMinutes,
        Field::ParentId,
        Field::Agent,
    ];

    /// The name in a payload.
    pub const fn name(self) -> &'static str {
        match self {
            Field::Title => "title",
            Field::Description => "description",
            Field::Links => "links",
            Field::Tags => "tags",
            Field::Priority => "priority",
            Field::DueAt => "due_at",
            Field::Metadata => "metadata",
            Field::StaleAfterMinutes => "stale_after_minutes",
            Field::ParentId => "parent_id",
            Field::Agent => "agent",
        }
    }

    /// Reads the name in a payload; `assignee` is the old name of `agent`.
    pub fn find(name: &str) -> Option<Field> {
        if name == "assignee" {
            return Some(Field::Agent);
        }
        Field::ALL.into_iter().find(|field| field.name() == name)
    }
}

impl Payload {
    /// Decodes the `type`, `schema_version` and `data` columns. Never fails: what this program does not
    /// understand becomes [`Payload::Unknown`]; wrong optional keys are left out one by one.
    pub fn decode(kind: &str, schema_version: u32, data: &str) -> Payload {
        if schema_version > SCHEMA_VERSION {
            return Payload::Unknown {
                kind: kind.to_owned(),
            };
        }
        let decoded = match kind {
            "task_created" => lenient::decode(data).map(Payload::TaskCreated),
            "status_changed" => lenient::decode(data).map(Payload::StatusChanged),
            "task_moved" => lenient::decode(data).map(Payload::TaskMoved),
            "dependency_added" => lenient::decode(data).map(Payload::DependencyAdded),
            "dependency_removed" => lenient::decode(data).map(Payload::DependencyRemoved),
            "task_updated" => lenient::decode(data).map(Payload::TaskUpdated),
            "task_archived" => lenient::decode(data).map(Payload::TaskArchived),
            "task_deleted" => lenient::decode(data).map(Payload::TaskDeleted),
            "lease_renewed" => lenient::decode(data).map(Payload::LeaseRenewed),
            "comment_added" => lenient::decode(data).map(Payload::CommentAdded),
            "checkpoint_recorded" => lenient::decode(data).map(Payload::CheckpointRecorded),
            "project_created" => lenient::decode(data).map(Payload::ProjectCreated),
            "project_renamed" => lenient::decode(data).map(Payload::ProjectRenamed),
            "project_deleted" => lenient::decode(data).map(Payload::ProjectDeleted),
            _ => None,
        };
        decoded.unwrap_or_else(|| Payload::Unknown {
            kind: kind.to_owned(),
        })
    }

    /// The `type` column.
    pub fn kind(&self) -> &str {
        match self {
            Payload::TaskCreated(_) => "task_created",
            Payload::StatusChanged(_) => "status_changed",
            Payload::TaskMoved(_) => "task_moved",
            Payload::DependencyAdded(_) => "dependency_added",
            Payload::DependencyRemoved(_) => "dependency_removed",
            Payload::TaskUpdated(_) => "task_updated",
            Payload::TaskArchived(_) => "task_archived",
            Payload::TaskDeleted(_) => "task_deleted",
            Payload::LeaseRenewed(_) => "lease_renewed",
            Payload::CommentAdded(_) => "comment_added",
            Payload::CheckpointRecorded(_) => "checkpoint_recorded",
            Payload::ProjectCreated(_) => "project_created",
            Payload::ProjectRenamed(_) => "project_renamed",
            Payload::ProjectDeleted(_) => "project_deleted",
            Payload::Unknown { kind } => kind,
        }
    }

    /// The `data` column: compact JSON.
    ///
    /// # Panics
    /// For [`Payload::Unknown`], which this program never writes.
    pub fn encode(&self) -> String {
        let encoded = match self {
            Payload::TaskCreated(data) => serde_json::to_string(data),
            Payload::StatusChanged(data) => serde_json::to_string(data),
            Payload::TaskMoved(data) => serde_json::to_string(data),
            Payload::DependencyAdded(data) | Payload::DependencyRemoved(data) => {
                serde_json::to_string(data)
            }
            Payload::TaskUpdated(data) => serde_json::to_string(data),
            Payload::TaskArchived(data) => serde_json::to_string(data),
            Payload::TaskDeleted(data) => serde_json::to_string(data),
            Payload::LeaseRenewed(data) => serde_json::to_string(data),
            Payload::CommentAdded(data) => serde_json::to_string(data),
            Payload::CheckpointRecorded(data) => serde_json::to_string(data),
            Payload::ProjectCreated(data) => serde_json::to_string(data),
            Payload::ProjectRenamed(data) => serde_json::to_string(data),
            Payload::ProjectDeleted(data) => serde_json::to_string(data),
            Payload::Unknown { .. } => unreachable!("unknown events are stored, never written"),
        };
        encoded.expect("payloads have text keys and finite numbers")
    }

    /// Tells whether this is one of the three project events.
    pub fn is_project(&self) -> bool {
        matches!(
            self,
            Payload::ProjectCreated(_) | Payload::ProjectRenamed(_) | Payload::ProjectDeleted(_)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_survive_a_round_trip() {
        for (kind, data) in [
            (
                "task_created",
                r#"{"title":"T","project":"p","depends_on":["a"],"priority":2}"#,
            ),
            (
                "status_changed",
                r#"{"from":"ready","to":"in_progress","claim":"c","if_expired":true}"#,
            ),
            (
                "task_updated",
                r#"{"field":"tags","old_value":["a"],"new_value":["b"]}"#,
            ),
            (
                "task_updated",
                r#"{"field":"description","old_value":"x","new_value":null}"#,
            ),
            ("task_archived", r#"{"from":"done","claim":"c"}"#),
            (
                "checkpoint_recorded",
                r#"{"name":"half","data":{"z":1,"a":2},"progress":50}"#,
            ),
            (
                "project_deleted",
                r#"{"name":"p","task_count":3,"archived_task_count":1}"#,
            ),
        ] {
            let payload = Payload::decode(kind, 1, data);
            assert_eq!((payload.kind(), payload.encode().as_str()), (kind, data));
        }
    }

    #[test]
    fn what_is_not_understood_is_kept_as_unknown() {
        for (kind, version, data) in [
            ("task_exploded", 1, "{}"),
            ("task_created", 2, r#"{"title":"T","project":"p"}"#),
            ("task_created", 1, "[]"),
            ("task_created", 1, r#"{"project":"p"}"#),
            ("status_changed", 1, r#"{"from":"ready","to":"flying"}"#),
        ] {
            let payload = Payload::decode(kind, version, data);
            assert_eq!(
                payload,
                Payload::Unknown {
                    kind: kind.to_owned()
                },
                "{data}"
            );
        }
    }

    #[test]
    fn wrong_optional_keys_are_left_out() {
        let data = r#"{"title":"T","priority":-1,"project":"p","tags":"x","agent":"ann"}"#;
        let Payload::TaskCreated(created) = Payload::decode("task_created", 1, data) else {
            panic!("decodes as far as it makes sense");
        };
        assert_eq!(
            (created.title.as_str(), created.agent.as_deref()),
            ("T", Some("ann"))
        );
        assert_eq!((created.priority, created.tags), (None, None));
    }
}
