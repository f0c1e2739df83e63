//! `hzl workflow run`: one file per workflow.

pub(crate) mod delegate;
pub(crate) mod handoff;
pub(crate) mod start;

pub(crate) mod operation;

use hzl_core::command;
use hzl_core::command::AddTask;
use hzl_core::ids::ProjectName;
use hzl_core::ids::TaskId;
use hzl_core::rejection::Rejection;
use hzl_core::task::Status;
use hzl_store::batch::Batch;
use hzl_store::projector;
use hzl_store::projector::StoredTask;
use schemars::JsonSchema;
use schemars::Schema;
use schemars::SchemaGenerator;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;

use crate::commands::group::group;
use crate::commands::task::shape;
use crate::commands::task::shape::Empties;
use crate::commands::task::shape::Key;
use crate::context::Context;
use crate::error::CommandError;
use crate::values;
use crate::values::Class;
use crate::values::ValueError;

/// Run a workflow
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl workflow run start -P web --agent ada
  hzl workflow run delegate --from 01K9ZZ3D --title \"Review it\" --agent bob")]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

group! {
    /// The workflows.
    Start = "start" in start;
    Handoff = "handoff" in handoff;
    Delegate = "delegate" in delegate;
}

/// Runs a workflow.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    args.command.run(ctx)
}

/// Keys of a task in the result of a workflow.
const TASK_KEYS: [Key; 7] = [
    Key::TaskId,
    Key::Title,
    Key::Project,
    Key::Status,
    Key::Priority,
    Key::Agent,
    Key::LeaseUntil,
];

/// A task in the result of a workflow.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(transparent)]
struct TaskView(#[schemars(schema_with = "task_schema")] Map<String, Value>);

impl From<StoredTask> for TaskView {
    fn from(task: StoredTask) -> Self {
        Self(shape::object(&task.into(), &TASK_KEYS, Empties::Kept))
    }
}

fn task_schema(generator: &mut SchemaGenerator) -> Schema {
    shape::schema(generator, &TASK_KEYS, &TASK_KEYS, Empties::Kept)
}

/// Loads a task as the commands so far have left it.
fn load(batch: &Batch<'_>, task_id: &TaskId) -> Result<StoredTask, CommandError> {
    let found = batch.read(|cache| projector::find_task(cache, task_id))?;
    let task_id = task_id.clone();
    found.ok_or_else(|| Rejection::TaskNotFound { task_id }.into())
}

/// From which task a workflow makes another one, for whom, and how often.
#[derive(Debug, clap::Args)]
pub(crate) struct NextArgs {
    /// Id of the task to go out from, or the beginning of it
    #[arg(long, value_name = "TASK_ID", value_parser = values::task_id)]
    pub(crate) from: String,
    /// Title of the new task
    #[arg(long, value_name = "TITLE")]
    pub(crate) title: String,
    /// Who should take the new task
    #[arg(long, value_name = "NAME")]
    pub(crate) agent: Option<String>,
    /// Sign the changes with this name
    #[arg(long, value_name = "NAME")]
    pub(crate) author: Option<String>,
    /// Carry this out once: the same key gives the same answer again
    #[arg(long, value_name = "KEY")]
    pub(crate) op_id: Option<String>,
    /// The same with a key made from the input and the state of the source
    #[arg(long)]
    pub(crate) auto_op_id: bool,
}

impl NextArgs {
    fn key<'a>(&'a self, source: &'a TaskId) -> Result<operation::Key<'a>, CommandError> {
        operation::Key::of(self.op_id.as_deref(), self.auto_op_id, source)
    }
}

/// A new task that is ready to be taken.
struct FollowOn<'a> {
    task_id: &'a TaskId,
    title: &'a str,
    project: ProjectName,
    agent: Option<&'a str>,
    description: Option<String>,
}

fn add(follow_on: FollowOn<'_>) -> command::Command {
    command::Command::AddTask(Box::new(AddTask {
        description: follow_on.description,
        status: Status::Ready,
        agent: follow_on.agent.map(str::to_owned),
        ..AddTask::new(
            follow_on.task_id.clone(),
            follow_on.title,
            follow_on.project,
        )
    }))
}

/// Parses a number of things, 0 included.
fn count(text: &str) -> Result<usize, ValueError> {
    text.trim().parse().map_err(|_| ValueError {
        class: Class::Input,
        message: format!("number is `{text}`, expected a whole number, at least 0"),
    })
}
