//! Writes that lost a merge: kept in the log, changing nothing, and never lost in silence.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{EventId, TaskId};
use crate::time::Timestamp;

/// Why a write lost.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConflictKind {
    /// A concurrent write of the same value won.
    Value,
    /// The status or the claim had changed before it arrived.
    Superseded,
    /// A project event that no longer applied.
    SupersededProject,
    /// The task had been deleted.
    AfterTombstone,
    /// A renewal of a claim that was over.
    LateRenewal,
    /// A dependency that would close a cycle is inactive.
    ClosesCycle,
    /// A dependency on a task that does not exist is inactive.
    MissingDependency,
    /// A parent that is itself a part of another task, or does not exist, does not count.
    InvalidParent,
}

impl ConflictKind {
    /// The name in tables and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            ConflictKind::Value => "value",
            ConflictKind::Superseded => "superseded",
            ConflictKind::SupersededProject => "superseded_project",
            ConflictKind::AfterTombstone => "after_tombstone",
            ConflictKind::LateRenewal => "late_renewal",
            ConflictKind::ClosesCycle => "closes_cycle",
            ConflictKind::MissingDependency => "missing_dependency",
            ConflictKind::InvalidParent => "invalid_parent",
        }
    }
}

/// One write that lost, with both values.
#[derive(Clone, PartialEq, Debug)]
pub struct Conflict {
    /// The event that lost.
    pub event_id: EventId,
    /// Why.
    pub kind: ConflictKind,
    /// The field, or the depended-on task; empty where there is only one.
    pub field: String,
    /// The task; `None` for projects.
    pub task_id: Option<TaskId>,
    /// The event that stands; `None` where no single event does.
    pub winner_event_id: Option<EventId>,
    /// What the loser wanted.
    pub losing_value: Value,
    /// What stands.
    pub winning_value: Value,
    /// The later arrival of the two; `None` while one has not arrived.
    pub at: Option<Timestamp>,
}
