//! The state of one task, as folded from its events.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::event::Field;
use crate::ids::{EventId, ProjectIdentity, TaskId};
use crate::stamp::Stamp;
use crate::time::Timestamp;

/// The six statuses.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Default, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Not claimable yet.
    #[default]
    Backlog,
    /// May be claimed.
    Ready,
    /// Somebody works on it.
    InProgress,
    /// Somebody works on it and waits for something outside.
    Blocked,
    /// Finished.
    Done,
    /// Put away, until it is taken out of the archive.
    Archived,
}

impl Status {
    /// All of them, in the order of a task's life.
    pub const ALL: [Status; 6] = [
        Status::Backlog,
        Status::Ready,
        Status::InProgress,
        Status::Blocked,
        Status::Done,
        Status::Archived,
    ];

    /// The name in events and outputs.
    pub const fn name(self) -> &'static str {
        match self {
            Status::Backlog => "backlog",
            Status::Ready => "ready",
            Status::InProgress => "in_progress",
            Status::Blocked => "blocked",
            Status::Done => "done",
            Status::Archived => "archived",
        }
    }

    /// Reads an exact name.
    pub fn find(name: &str) -> Option<Status> {
        Status::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Somebody holds a task in this status.
    pub const fn is_held(self) -> bool {
        matches!(self, Status::InProgress | Status::Blocked)
    }

    /// No more work is expected: whoever waits for such a task need not wait.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Status::Done | Status::Archived)
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// One task.
#[derive(Clone, PartialEq, Debug)]
pub struct Task {
    /// Its id.
    pub task_id: TaskId,
    /// One line.
    pub title: String,
    /// The project, whatever it is called.
    pub project: ProjectIdentity,
    /// Where it stands.
    pub status: Status,
    /// The task it was made a part of. Whether the link counts is an end-state rule.
    pub parent_id: Option<TaskId>,
    /// Free text.
    pub description: Option<String>,
    /// Addresses and paths.
    pub links: Vec<String>,
    /// Labels.
    pub tags: Vec<String>,
    /// 0 to 3.
    pub priority: u8,
    /// Date-time text, as given.
    pub due_at: Option<String>,
    /// Anything the caller keeps here.
    pub metadata: Map<String, Value>,
    /// Stale override in minutes.
    pub stale_after_minutes: Option<u32>,
    /// When the current claim was made.
    pub claimed_at: Option<Timestamp>,
    /// The holder; before a claim, who should take it; after it, who had it last.
    pub agent: Option<String>,
    /// 0 to 100.
    pub progress: Option<u8>,
    /// End of the lease in effective time.
    pub lease_until: Option<Timestamp>,
    /// When it became done or archived.
    pub terminal_at: Option<Timestamp>,
    /// Effective time of its first event.
    pub created_at: Timestamp,
    /// Effective time of its last change.
    pub updated_at: Timestamp,
    /// The last claim's event id: a version number of ownership, kept through release and completion.
    pub claim: Option<EventId>,
    /// What a merge has to remember.
    pub memory: Memory,
}

/// What a merge has to remember of a task besides its values.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Memory {
    /// The event that created the task.
    pub created: Stamp,
    /// Who wrote each value, by field name; absent: the creation.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stamps: BTreeMap<String, Stamp>,
    /// Every dependency ever written.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub edges: BTreeMap<TaskId, Edge>,
    /// The last status event that applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_status: Option<Stamp>,
    /// A status event with a device has applied.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_device: bool,
    /// The last claim was made by HZL 3.2.0.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub claim_is_legacy: bool,
    /// The last claim was given back, or its work was finished: nobody acts under it again, even if
    /// the task is blocked and unblocked afterwards.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub claim_is_over: bool,
    /// How long the lease was meant to be when it was last asked for, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_ms: Option<i64>,
}

/// The last write about one dependency.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Edge {
    /// Whether it was added or removed.
    pub present: bool,
    /// Who wrote that; `None`: the task's creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stamp: Option<Stamp>,
}

impl Task {
    /// The tasks it was made to wait for, with the write that says so.
    pub fn dependencies(&self) -> impl Iterator<Item = (&TaskId, &Stamp)> {
        let created = &self.memory.created;
        self.memory
            .edges
            .iter()
            .filter(|(_, edge)| edge.present)
            .map(move |(id, edge)| (id, edge.stamp.as_ref().unwrap_or(created)))
    }

    /// Whom the task is meant for: named before anybody had it, or since the last claim. Who gave it
    /// back is not: `agent` still names them, and the task is everybody's.
    pub fn route(&self) -> Option<&str> {
        let meant = self.claim.is_none() || self.memory.stamps.contains_key(Field::Agent.name());
        self.agent
            .as_deref()
            .filter(|name| meant && !name.is_empty())
    }

    /// Tells whether somebody holds the task.
    pub fn is_owned(&self) -> bool {
        self.status.is_held() && self.claim.is_some() && !self.memory.claim_is_over
    }

    /// The current value of a field, as JSON.
    pub fn value(&self, field: Field) -> Value {
        match field {
            Field::Title => json!(self.title),
            Field::Description => json!(self.description),
            Field::Links => json!(self.links),
            Field::Tags => json!(self.tags),
            Field::Priority => json!(self.priority),
            Field::DueAt => json!(self.due_at),
            Field::Metadata => Value::Object(self.metadata.clone()),
            Field::StaleAfterMinutes => json!(self.stale_after_minutes),
            Field::ParentId => json!(self.parent_id),
            Field::Agent => json!(self.agent),
        }
    }

    /// Sets a field from JSON. `false`: the value has a wrong type and nothing was changed.
    #[must_use]
    pub fn set_value(&mut self, field: Field, value: &Value) -> bool {
        let text = || value.as_str().map(str::to_owned);
        let nullable_text = || {
            if value.is_null() {
                Some(None)
            } else {
                text().map(Some)
            }
        };
        let set = match field {
            Field::Title => text().map(|title| self.title = title),
            Field::Description => nullable_text().map(|text| self.description = text),
            Field::Links => texts(value).map(|links| self.links = links),
            Field::Tags => texts(value).map(|tags| self.tags = tags),
            Field::Priority => small(value).map(|priority| {
                self.priority = u8::try_from(priority)
                    .unwrap_or(u8::MAX)
                    .min(crate::limits::PRIORITY_MAX);
            }),
            Field::DueAt => nullable_text().map(|due_at| self.due_at = due_at),
            Field::Metadata => value
                .as_object()
                .map(|object| self.metadata = object.clone()),
            Field::StaleAfterMinutes if value.is_null() => {
                self.stale_after_minutes = None;
                Some(())
            }
            Field::StaleAfterMinutes => {
                small(value).map(|minutes| self.stale_after_minutes = Some(minutes))
            }
            Field::ParentId => nullable_text().map(|parent| {
                self.parent_id = parent.filter(|id| !id.is_empty()).map(TaskId::from);
            }),
            Field::Agent => nullable_text().map(|agent| self.agent = agent),
        };
        set.is_some()
    }
}

fn texts(value: &Value) -> Option<Vec<String>> {
    value
        .as_array()?
        .iter()
        .map(|item| item.as_str().map(str::to_owned))
        .collect()
}

fn small(value: &Value) -> Option<u32> {
    u32::try_from(value.as_u64()?).ok()
}
