//! `hzl task show`

use hzl_core::ids::TaskId;
use hzl_core::rejection::Rejection;
use hzl_core::task::Status;
use hzl_store::projector;
use hzl_store::projector::StoredTask;
use hzl_store::query::tasks;
use hzl_store::query::tasks::CheckpointView;
use hzl_store::query::tasks::CommentView;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::lookup;
use super::shape;
use super::shape::Empties;
use super::shape::Row;
use crate::context::Context;
use crate::error::CommandError;
use crate::output::Answer;
use crate::output::Md;
use crate::output::ShortIds;
use crate::reader::Read as _;
use crate::reader::Reader;
use crate::values;
use crate::values::View;

/// Show a task with its comments, checkpoints and subtasks
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl task show 01K9ZZ3D
  hzl task show 01K9ZZ3D --deep
  hzl task show 01K9ZZ3D --view summary --no-subtasks")]
pub(crate) struct Args {
    /// Id of the task, or the beginning of it
    #[arg(value_name = "TASK_ID", value_parser = values::task_id)]
    pub(crate) task_id: String,
    /// Leave out the subtasks
    #[arg(long)]
    pub(crate) no_subtasks: bool,
    /// Show everything about each subtask
    #[arg(long)]
    pub(crate) deep: bool,
    /// Show this much of the task: summary, standard or full
    #[arg(long, value_name = "VIEW", default_value = "full", value_parser = values::view)]
    pub(crate) view: View,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Shown {
    #[schemars(schema_with = "shape::shown_schema")]
    task: Map<String, Value>,
    comments: Vec<Comment>,
    checkpoints: Vec<Checkpoint>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "shape::subtasks_schema")]
    subtasks: Option<Vec<Map<String, Value>>>,
    #[serde(skip)]
    found: Found,
}

#[derive(Debug, JsonSchema, Serialize)]
struct Comment {
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<String>,
    timestamp: String,
}

#[derive(Debug, JsonSchema, Serialize)]
struct Checkpoint {
    name: String,
    data: Map<String, Value>,
    timestamp: String,
}

/// Everything about a task, read in one go.
#[derive(Debug)]
struct Found {
    row: Row,
    depends_on: Vec<TaskId>,
    blocked_by: Vec<TaskId>,
    comments: Vec<CommentView>,
    checkpoints: Vec<CheckpointView>,
    subtasks: Vec<Subtask>,
}

#[derive(Debug)]
struct Subtask {
    row: Row,
    blocked_by: Vec<TaskId>,
}

/// Shows the task.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let mut reader = Reader::new(ctx)?;
    let task_id = lookup::task(&mut reader, &args.task_id)?;
    let blockers_of = |task: &StoredTask, blockers: Vec<TaskId>| match task.task.status {
        Status::Done | Status::Archived => vec![],
        Status::Backlog | Status::Ready | Status::InProgress | Status::Blocked => blockers,
    };
    let found = reader.read(|cache| {
        let Some(stored) = projector::find_task(cache, &task_id)? else {
            return Ok(None);
        };
        let subtasks = if args.no_subtasks {
            vec![]
        } else {
            tasks::list_subtasks(cache, &task_id)?
        };
        let subtasks = subtasks.into_iter().map(|subtask| {
            let blockers = tasks::list_blockers(cache, &subtask.task.task_id)?;
            Ok(Subtask {
                blocked_by: blockers_of(&subtask, blockers),
                row: subtask.into(),
            })
        });
        Ok(Some(Found {
            depends_on: tasks::list_dependencies(cache, &task_id)?,
            blocked_by: blockers_of(&stored, tasks::list_blockers(cache, &task_id)?),
            comments: tasks::list_comments(cache, &task_id)?,
            checkpoints: tasks::list_checkpoints(cache, &task_id)?,
            subtasks: subtasks.collect::<hzl_store::Result<_>>()?,
            row: stored.into(),
        }))
    })?;
    // Somebody may have deleted it between the two reads.
    let found = found.ok_or(Rejection::TaskNotFound { task_id })?;
    ctx.output.answer(&shown(found, args))
}

fn shown(found: Found, args: &Args) -> Shown {
    let mut task = shape::object(&found.row, shape::show_keys(args.view), Empties::LeftOut);
    if args.view == View::Full {
        // Left out when empty, like every list: outputs are read by the token.
        for (key, tasks) in [
            ("depends_on", &found.depends_on),
            ("blocked_by", &found.blocked_by),
        ] {
            if !tasks.is_empty() {
                task.insert(key.to_owned(), json!(tasks));
            }
        }
    }
    let with_notes = args.view != View::Summary;
    let comments = found.comments.iter().filter(|_| with_notes);
    let checkpoints = found.checkpoints.iter().filter(|_| with_notes);
    let subtasks = found.subtasks.iter().map(|subtask| {
        if args.deep {
            deep(subtask)
        } else {
            brief(subtask)
        }
    });
    Shown {
        task,
        comments: comments.map(comment).collect(),
        checkpoints: checkpoints.map(checkpoint).collect(),
        subtasks: (!args.no_subtasks).then(|| subtasks.collect()),
        found,
    }
}

fn comment(comment: &CommentView) -> Comment {
    Comment {
        text: comment.text.clone(),
        author: comment.author.clone(),
        timestamp: comment.at.to_string(),
    }
}

fn checkpoint(checkpoint: &CheckpointView) -> Checkpoint {
    Checkpoint {
        name: checkpoint.name.clone(),
        data: checkpoint.data.clone(),
        timestamp: checkpoint.at.to_string(),
    }
}

fn brief(subtask: &Subtask) -> Map<String, Value> {
    shape::object(&subtask.row, &shape::BRIEF, Empties::Kept)
}

fn deep(subtask: &Subtask) -> Map<String, Value> {
    let mut object = shape::object(&subtask.row, shape::show_keys(View::Full), Empties::Kept);
    object.insert("blocked_by".to_owned(), json!(subtask.blocked_by));
    object
}

impl Answer for Shown {
    fn md(&self, md: &mut Md) {
        let Row {
            task,
            project,
            parent_id,
        } = &self.found.row;
        md.heading(&task.title);
        md.field("Id", task.task_id.as_str());
        md.field("Project", project.as_str());
        md.field("Status", task.status.name());
        md.field("Priority", &task.priority.to_string());
        let text = |value: Option<&str>| value.map(str::to_owned);
        let time = |at: Option<hzl_core::time::Timestamp>| at.map(|at| at.to_string());
        for (name, value) in [
            ("Agent", text(shape::agent(task))),
            ("Parent", text(parent_id.as_ref().map(TaskId::as_str))),
            (
                "Progress",
                task.progress.map(|percent| format!("{percent} %")),
            ),
            ("Tags", joined(&task.tags)),
            ("Links", joined(&task.links)),
            ("Due", text(task.due_at.as_deref())),
            ("Claimed", time(task.claimed_at)),
            ("Lease until", time(task.lease_until)),
            ("Depends on", joined(&self.found.depends_on)),
            ("Waits for", joined(&self.found.blocked_by)),
            ("Created", time(Some(task.created_at))),
            ("Updated", time(Some(task.updated_at))),
        ] {
            if let Some(value) = value {
                md.field(name, &value);
            }
        }
        if let Some(description) = &task.description {
            md.gap();
            md.block("Description", description);
        }
        for comment in &self.comments {
            md.gap();
            let by = comment.author.as_deref().unwrap_or("somebody");
            md.block(
                &format!("Comment of {by}, {}", comment.timestamp),
                &comment.text,
            );
        }
        for checkpoint in &self.checkpoints {
            md.gap();
            let data = if checkpoint.data.is_empty() {
                String::new()
            } else {
                Value::Object(checkpoint.data.clone()).to_string()
            };
            let name = format!("Checkpoint, {}", checkpoint.timestamp);
            md.block(&name, &format!("{}\n{data}", checkpoint.name));
        }
        if !self.found.subtasks.is_empty() {
            md.gap();
            md.heading("Subtasks:");
        }
        let ids = self
            .found
            .subtasks
            .iter()
            .map(|subtask| subtask.row.task.task_id.as_str());
        let short = ShortIds::of(ids);
        for subtask in &self.found.subtasks {
            let task = &subtask.row.task;
            let id = short.show(task.task_id.as_str());
            md.line(&format!("  [{id}] {} ({})", task.title, task.status));
        }
    }
}

fn joined(items: &[impl ToString]) -> Option<String> {
    let texts: Vec<String> = items.iter().map(ToString::to_string).collect();
    (!texts.is_empty()).then(|| texts.join(", "))
}
