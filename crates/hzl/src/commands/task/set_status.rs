//! `hzl task set-status`

use hzl_core::command;
use hzl_core::ids::TaskId;
use hzl_core::task::Status;
use schemars::JsonSchema;
use serde::Serialize;

use super::lookup;
use super::shape;
use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::output::Answer;
use crate::output::Md;
use crate::values;

/// Put a task into any status
///
/// Skips the rules of claim, complete and the like. Nothing leaves archived.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl task set-status 01K9ZZ3D ready
  hzl task set-status 01K9ZZ3D blocked --author ada")]
pub(crate) struct Args {
    /// Id of the task, or the beginning of it
    #[arg(value_name = "TASK_ID", value_parser = values::task_id)]
    pub(crate) task_id: String,
    /// New status: backlog, ready, in_progress, blocked, done or archived
    #[arg(value_name = "STATUS", value_parser = values::status)]
    pub(crate) status: Status,
    /// Sign the change with this name [default: HZL_AGENT]
    #[arg(long, value_name = "NAME")]
    pub(crate) author: Option<String>,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Changed {
    task_id: TaskId,
    title: String,
    status: Status,
    previous_status: Status,
}

/// Sets the status.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let mut ledger = ctx.ledger(Purpose::Write)?;
    let task_id = lookup::task(&mut ledger, &args.task_id)?;
    let set_status = command::Command::SetStatus {
        task_id: task_id.clone(),
        status: args.status,
    };
    let actor = ctx.actor(args.author.as_deref(), None)?;
    let outcome = ctx.execute(&mut ledger, &set_status, &actor)?;
    let task = shape::after(&outcome, &task_id).task;
    let before = outcome.before.get(&task_id);
    ctx.output.answer(&Changed {
        previous_status: before.map_or(task.status, |before| before.task.status),
        task_id,
        title: task.title,
        status: task.status,
    })
}

impl Answer for Changed {
    fn md(&self, md: &mut Md) {
        md.ok(&format!(
            "{} ({}) is {} now, it was {}",
            self.title, self.task_id, self.status, self.previous_status
        ));
    }
}
