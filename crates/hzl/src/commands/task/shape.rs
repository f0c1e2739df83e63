//! How tasks look in JSON. The names and their order are a contract with scripts.
//!
//! A view is a list of keys. Whether a task is stale is told here too, because only output asks.

use hzl_core::decide::TaskFacts;
use hzl_core::ids::ProjectName;
use hzl_core::ids::TaskId;
use hzl_core::task::Status;
use hzl_core::task::Task;
use hzl_core::time::Timestamp;
use hzl_store::ledger::Outcome;
use hzl_store::projector::StoredTask;
use schemars::JsonSchema as _;
use schemars::Schema;
use schemars::SchemaGenerator;
use schemars::json_schema;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::values::View;

/// A task and what outputs need to know of its surroundings.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) task: Task,
    pub(crate) project: ProjectName,
    /// The parent, if the link counts.
    pub(crate) parent_id: Option<TaskId>,
}

impl From<StoredTask> for Row {
    fn from(stored: StoredTask) -> Self {
        Self {
            task: stored.task,
            project: stored.project,
            parent_id: stored.parent_id,
        }
    }
}

impl From<TaskFacts> for Row {
    fn from(facts: TaskFacts) -> Self {
        Self {
            task: facts.task,
            project: facts.project,
            parent_id: facts.parent,
        }
    }
}

/// Returns the task a command has acted on, as it is now.
///
/// # Panics
///
/// When the command did not name the task or deleted it.
pub(crate) fn after(outcome: &Outcome, task_id: &TaskId) -> Row {
    let facts = outcome.after.get(task_id).cloned();
    facts
        .expect("a command that succeeded knows the task it names")
        .into()
}

/// Returns the name of who holds the task or should take it; an empty name is none.
pub(crate) fn agent(task: &Task) -> Option<&str> {
    task.agent.as_deref().filter(|name| !name.is_empty())
}

/// A key of a task in JSON.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Key {
    TaskId,
    Title,
    Project,
    Status,
    ParentId,
    Description,
    Links,
    Tags,
    Priority,
    DueAt,
    Metadata,
    StaleAfterMinutes,
    ClaimedAt,
    Agent,
    Assignee,
    Progress,
    LeaseUntil,
    CreatedAt,
    UpdatedAt,
}

impl Key {
    fn name(self) -> &'static str {
        match self {
            Self::TaskId => "task_id",
            Self::Title => "title",
            Self::Project => "project",
            Self::Status => "status",
            Self::ParentId => "parent_id",
            Self::Description => "description",
            Self::Links => "links",
            Self::Tags => "tags",
            Self::Priority => "priority",
            Self::DueAt => "due_at",
            Self::Metadata => "metadata",
            Self::StaleAfterMinutes => "stale_after_minutes",
            Self::ClaimedAt => "claimed_at",
            Self::Agent => "agent",
            Self::Assignee => "assignee",
            Self::Progress => "progress",
            Self::LeaseUntil => "lease_until",
            Self::CreatedAt => "created_at",
            Self::UpdatedAt => "updated_at",
        }
    }

    /// Returns the schema of its values.
    fn schema(self, generator: &mut SchemaGenerator) -> Schema {
        match self {
            Self::TaskId => TaskId::json_schema(generator),
            Self::Title | Self::Project | Self::CreatedAt | Self::UpdatedAt => {
                String::json_schema(generator)
            }
            Self::Status => Status::json_schema(generator),
            Self::ParentId => Option::<TaskId>::json_schema(generator),
            Self::Description
            | Self::DueAt
            | Self::ClaimedAt
            | Self::Agent
            | Self::Assignee
            | Self::LeaseUntil => Option::<String>::json_schema(generator),
            Self::Links | Self::Tags => Vec::<String>::json_schema(generator),
            Self::Priority => u8::json_schema(generator),
            Self::Progress => Option::<u8>::json_schema(generator),
            Self::StaleAfterMinutes => Option::<u32>::json_schema(generator),
            Self::Metadata => Map::<String, Value>::json_schema(generator),
        }
    }

    /// Tells whether its value is a list or an object, which are left out when empty.
    fn may_be_empty(self) -> bool {
        matches!(self, Self::Links | Self::Tags | Self::Metadata)
    }

    fn value(self, row: &Row) -> Value {
        let task = &row.task;
        match self {
            Self::TaskId => json!(task.task_id),
            Self::Title => json!(task.title),
            Self::Project => json!(row.project),
            Self::Status => json!(task.status),
            Self::ParentId => json!(row.parent_id),
            Self::Description => json!(task.description),
            Self::Links => json!(task.links),
            Self::Tags => json!(task.tags),
            Self::Priority => json!(task.priority),
            Self::DueAt => json!(task.due_at),
            Self::Metadata => Value::Object(task.metadata.clone()),
            Self::StaleAfterMinutes => json!(task.stale_after_minutes),
            Self::ClaimedAt => time(task.claimed_at),
            Self::Agent | Self::Assignee => json!(task.agent),
            Self::Progress => json!(task.progress),
            Self::LeaseUntil => time(task.lease_until),
            Self::CreatedAt => time(Some(task.created_at)),
            Self::UpdatedAt => time(Some(task.updated_at)),
        }
    }
}

/// Returns the schema of a task as a JSON object of these keys; `always` are those that every view has.
pub(crate) fn schema(
    generator: &mut SchemaGenerator,
    keys: &[Key],
    always: &[Key],
    empties: Empties,
) -> Schema {
    let properties: Map<String, Value> = keys
        .iter()
        .map(|key| (key.name().to_owned(), key.schema(generator).into()))
        .collect();
    let is_required = |key: &&Key| empties == Empties::Kept || !key.may_be_empty();
    let required = always.iter().filter(is_required).map(|key| key.name());
    json_schema!({
        "type": "object",
        "properties": properties,
        "required": required.collect::<Vec<_>>(),
    })
}

/// Adds properties to the schema of an object.
fn extend(mut schema: Schema, properties: Vec<(&str, Schema)>) -> Schema {
    if let Some(Value::Object(known)) = schema.get_mut("properties") {
        let properties = properties.into_iter();
        known.extend(properties.map(|(name, schema)| (name.to_owned(), schema.into())));
    }
    schema
}

/// Returns the schema of a new task.
pub(super) fn added_schema(generator: &mut SchemaGenerator) -> Schema {
    schema(generator, &ADDED, &ADDED, Empties::LeftOut)
}

/// Returns the schema of a list of new tasks.
pub(super) fn many_added_schema(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": added_schema(generator) })
}

/// Returns the schema of a changed task.
pub(super) fn updated_schema(generator: &mut SchemaGenerator) -> Schema {
    let all = [&UPDATED[..], &UPDATED_TOO[..]].concat();
    schema(generator, &all, &UPDATED, Empties::Kept)
}

/// Returns the schema of a task in a list.
pub(super) fn listed_schema(generator: &mut SchemaGenerator) -> Schema {
    let (all, always) = (list_keys(View::Full), list_keys(View::Summary));
    let stale = vec![
        ("stale", bool::json_schema(generator)),
        ("stale_minutes", Option::<i64>::json_schema(generator)),
    ];
    extend(schema(generator, all, always, Empties::LeftOut), stale)
}

/// Returns the schema of a task that was claimed, or of none.
pub(super) fn claimed_schema(generator: &mut SchemaGenerator) -> Schema {
    let (all, always) = (claim_keys(View::Full), claim_keys(View::Summary));
    let task = schema(generator, all, always, Empties::LeftOut);
    json_schema!({ "anyOf": [task, { "type": "null" }] })
}

/// Returns the schema of a task that is shown alone.
pub(super) fn shown_schema(generator: &mut SchemaGenerator) -> Schema {
    let (all, always) = (show_keys(View::Full), show_keys(View::Summary));
    let links = vec![
        ("depends_on", Vec::<TaskId>::json_schema(generator)),
        ("blocked_by", Vec::<TaskId>::json_schema(generator)),
    ];
    extend(schema(generator, all, always, Empties::LeftOut), links)
}

/// Returns the schema of a list of subtasks, in short or in full.
pub(super) fn subtasks_schema(generator: &mut SchemaGenerator) -> Schema {
    let blocked_by = vec![("blocked_by", Vec::<TaskId>::json_schema(generator))];
    let full = schema(generator, show_keys(View::Full), &BRIEF, Empties::Kept);
    json_schema!({ "type": "array", "items": extend(full, blocked_by) })
}

fn time(at: Option<Timestamp>) -> Value {
    json!(at.map(|at| at.to_string()))
}

/// What happens to empty lists and objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Empties {
    LeftOut,
    Kept,
}

/// Returns a task as a JSON object of these keys.
pub(crate) fn object(row: &Row, keys: &[Key], empties: Empties) -> Map<String, Value> {
    let entries = keys
        .iter()
        .map(|key| (key.name().to_owned(), key.value(row)));
    entries
        .filter(|(_, value)| empties == Empties::Kept || !is_empty(value))
        .collect()
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Keys of a new task.
pub(crate) const ADDED: [Key; 8] = [
    Key::TaskId,
    Key::Title,
    Key::Project,
    Key::Status,
    Key::Priority,
    Key::Tags,
    Key::ParentId,
    Key::Agent,
];

/// Keys of a subtask.
pub(crate) const BRIEF: [Key; 3] = [Key::TaskId, Key::Title, Key::Status];

/// Keys of a changed task.
pub(crate) const UPDATED: [Key; 6] = [
    Key::TaskId,
    Key::Title,
    Key::Description,
    Key::Links,
    Key::Priority,
    Key::Tags,
];

/// Further keys of a changed task: each is shown only when it was to be changed.
pub(crate) const UPDATED_TOO: [Key; 6] = [
    Key::Project,
    Key::ParentId,
    Key::StaleAfterMinutes,
    Key::DueAt,
    Key::Metadata,
    Key::Agent,
];

/// Keys of a task in a list.
pub(crate) fn list_keys(view: View) -> &'static [Key] {
    static FULL: [Key; 13] = [
        Key::TaskId,
        Key::Title,
        Key::Project,
        Key::Status,
        Key::Priority,
        Key::Agent,
        Key::ParentId,
        Key::CreatedAt,
        Key::DueAt,
        Key::Tags,
        Key::Description,
        Key::Links,
        Key::Metadata,
    ];
    match view {
        View::Summary => &FULL[..8],
        View::Standard => &FULL[..10],
        View::Full => &FULL,
    }
}

/// Keys of a task that was claimed.
pub(crate) fn claim_keys(view: View) -> &'static [Key] {
    static FULL: [Key; 17] = [
        Key::TaskId,
        Key::Title,
        Key::Project,
        Key::Status,
        Key::Priority,
        Key::ParentId,
        Key::Agent,
        Key::DueAt,
        Key::Tags,
        Key::LeaseUntil,
        Key::Progress,
        Key::ClaimedAt,
        Key::Description,
        Key::Links,
        Key::Metadata,
        Key::CreatedAt,
        Key::UpdatedAt,
    ];
    match view {
        View::Summary => &FULL[..7],
        View::Standard => &FULL[..10],
        View::Full => &FULL,
    }
}

/// Keys of a task that is shown alone.
pub(crate) fn show_keys(view: View) -> &'static [Key] {
    static FULL: [Key; 19] = [
        Key::TaskId,
        Key::Title,
        Key::Project,
        Key::Status,
        Key::ParentId,
        Key::Description,
        Key::Links,
        Key::Tags,
        Key::Priority,
        Key::DueAt,
        Key::Metadata,
        Key::StaleAfterMinutes,
        Key::ClaimedAt,
        Key::Agent,
        Key::Assignee,
        Key::Progress,
        Key::LeaseUntil,
        Key::CreatedAt,
        Key::UpdatedAt,
    ];
    match view {
        View::Summary | View::Standard => claim_keys(view),
        View::Full => &FULL,
    }
}

/// Returns for how many whole minutes a task has been held without a sign of life, if that is long
/// enough to call it stale.
///
/// `threshold_minutes` holds for tasks without a threshold of their own; a task's own 0 is never.
pub(crate) fn stale_minutes(
    task: &Task,
    checkpoint_count: u32,
    threshold_minutes: u32,
    now: Timestamp,
) -> Option<i64> {
    let claimed_at = task.claimed_at?;
    let threshold = task.stale_after_minutes.unwrap_or(threshold_minutes);
    let is_never = task.stale_after_minutes == Some(0);
    if task.status != Status::InProgress || checkpoint_count > 0 || is_never {
        return None;
    }
    let minutes = (now.millis() - claimed_at.millis()).div_euclid(60_000);
    (minutes >= i64::from(threshold)).then_some(minutes)
}
