//! `hzl undo`

use hzl_core::command::Actor;
use hzl_core::command::Command;
use hzl_core::event::Event;
use hzl_core::event::Payload;
use hzl_core::ids::EventId;
use hzl_core::ids::TaskId;
use hzl_core::rejection::Rejection;
use hzl_store::ledger::Outcome;
use hzl_store::log::StoredEvent;
use hzl_store::undo;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;

use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::output::Answer;
use crate::output::Md;

/// Take back your last command on this machine
///
/// Writes new events that set what the command changed to what it was before, so it works after a sync
/// too. Nothing is undone if somebody has changed it since. What it created is archived; comments and
/// checkpoints stay. Again, and the command before that is taken back. Whose command: of the author, or
/// of anybody if none is known.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl undo --dry-run
  hzl undo --author ada")]
pub(crate) struct Args {
    /// Only say what would be done
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
    /// Undo the last command of this author, and sign the change [default: HZL_AGENT]
    #[arg(long, value_name = "NAME")]
    pub(crate) author: Option<String>,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Undone {
    undone: Target,
    changes: Vec<Change>,
    dry_run: bool,
}

/// The command that is taken back.
#[derive(Debug, JsonSchema, Serialize)]
struct Target {
    /// Its first event.
    event_id: EventId,
    author: Option<String>,
    timestamp: String,
    /// The types of its events.
    events: Vec<String>,
}

/// What is set to what it was.
#[derive(Debug, JsonSchema, Serialize)]
struct Change {
    #[serde(skip_serializing_if = "Option::is_none")]
    task_id: Option<TaskId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    /// status, a field, project, depends_on, or the name of a project.
    field: String,
    from: Value,
    to: Value,
}

/// Undoes the command.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let purpose = match args.dry_run {
        true => Purpose::Maintain,
        false => Purpose::Write,
    };
    let mut ledger = ctx.ledger(purpose)?;
    let actor = ctx.actor(args.author.as_deref(), None)?;
    let events = undo::find_last_command(&ledger.files().events, actor.author.as_deref())?;
    let first = events.first().ok_or(Rejection::NothingToUndo)?;
    let command = Command::Undo {
        events: events.iter().map(|event| event.event_id.clone()).collect(),
    };
    let actor = Actor {
        correlation_id: Some(format!("{}{}", undo::CORRELATION, first.event_id)),
        ..actor
    };
    let outcome = if args.dry_run {
        ledger.preview(&command, &actor)
    } else {
        ctx.execute(&mut ledger, &command, &actor)
    };
    let outcome = outcome.map_err(|error| about(error.into(), first))?;
    ctx.output.answer(&Undone {
        undone: Target {
            event_id: first.event_id.clone(),
            author: first.author.clone(),
            timestamp: first.timestamp.clone(),
            events: events.iter().map(|event| event.kind.clone()).collect(),
        },
        changes: changes(&outcome),
        dry_run: args.dry_run,
    })
}

/// Says of a refusal which command it is about.
fn about(error: CommandError, first: &StoredEvent) -> CommandError {
    error
        .detail("event_id", first.event_id.as_str())
        .detail("type", first.kind.as_str())
        .detail("timestamp", first.timestamp.as_str())
}

fn changes(outcome: &Outcome) -> Vec<Change> {
    let events = outcome.events.iter();
    let change = |(_, event): &(i64, Event)| {
        let (field, mut from, to) = said(&event.payload)?;
        if matches!(event.payload, Payload::CheckpointRecorded(_)) {
            // A checkpoint does not say what the progress was before.
            let before = event.task_id.as_ref().and_then(|id| outcome.before.get(id));
            from = json!(before.and_then(|facts| facts.task.progress));
        }
        let task = event.task_id.as_ref().and_then(|id| outcome.after.get(id));
        Some(Change {
            task_id: event.task_id.clone(),
            title: task.map(|facts| facts.task.title.clone()),
            field,
            from,
            to,
        })
    };
    events.filter_map(change).collect()
}

/// What a compensating event changes: field, before, after.
fn said(payload: &Payload) -> Option<(String, Value, Value)> {
    let name = |name: &str| name.to_owned();
    Some(match payload {
        Payload::StatusChanged(change) => (name("status"), json!(change.from), json!(change.to)),
        Payload::TaskArchived(archived) => {
            (name("status"), json!(archived.from), json!("archived"))
        }
        Payload::TaskUpdated(update) => (
            update.field.clone(),
            update.old_value.clone(),
            update.new_value.clone(),
        ),
        Payload::TaskMoved(moved) => (
            name("project"),
            json!(moved.from_project),
            json!(moved.to_project),
        ),
        Payload::DependencyAdded(edge) => {
            (name("depends_on"), Value::Null, json!(edge.depends_on_id))
        }
        Payload::DependencyRemoved(edge) => {
            (name("depends_on"), json!(edge.depends_on_id), Value::Null)
        }
        Payload::CheckpointRecorded(checkpoint) => {
            (name("progress"), Value::Null, json!(checkpoint.progress))
        }
        Payload::ProjectCreated(project) => {
            (name("project_name"), Value::Null, json!(project.name))
        }
        Payload::ProjectDeleted(project) => {
            (name("project_name"), json!(project.name), Value::Null)
        }
        Payload::ProjectRenamed(project) => (
            name("project_name"),
            json!(project.old_name),
            json!(project.new_name),
        ),
        Payload::TaskCreated(_)
        | Payload::TaskDeleted(_)
        | Payload::LeaseRenewed(_)
        | Payload::CommentAdded(_)
        | Payload::Unknown { .. } => return None,
    })
}

impl Answer for Undone {
    fn md(&self, md: &mut Md) {
        let Target {
            author, timestamp, ..
        } = &self.undone;
        let by = author.as_deref().unwrap_or("somebody");
        let verb = if self.dry_run { "Would undo" } else { "Undid" };
        md.ok(&format!("{verb} what {by} did at {timestamp}"));
        let row = |change: &Change| {
            let task = change.title.clone();
            vec![
                task.unwrap_or_default(),
                change.field.clone(),
                change.from.to_string(),
                change.to.to_string(),
            ]
        };
        let rows: Vec<_> = self.changes.iter().map(row).collect();
        md.table(&["Task", "What", "From", "To"], &rows);
    }
}
