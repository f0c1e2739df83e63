//! `hzl task complete`

use hzl_core::command;
use hzl_core::command::Transition;
use hzl_core::ids::TaskId;
use hzl_core::task::Status;
use serde::Serialize;

use super::lookup;
use super::shape;
use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::output::Answer;
use crate::output::Md;
use crate::values;

/// Mark a task as done
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl task complete 01K9ZZ3D
  hzl task complete 01K9ZZ3D --author ada --comment \"Released in 1.4\"")]
pub(crate) struct Args {
    /// Id of the task, or the beginning of it
    #[arg(value_name = "TASK_ID", value_parser = values::task_id)]
    pub(crate) task_id: String,
    /// Sign the change with this name [default: HZL_AGENT]
    #[arg(long, value_name = "NAME")]
    pub(crate) author: Option<String>,
    /// Add a comment
    #[arg(long, value_name = "TEXT")]
    pub(crate) comment: Option<String>,
    /// Act only while this claim is current
    #[arg(long, value_name = "CLAIM_ID")]
    pub(crate) claim: Option<String>,
}

#[derive(Debug, Serialize)]
struct Completed {
    task_id: TaskId,
    title: String,
    status: Status,
}

/// Completes the task.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let mut ledger = ctx.ledger(Purpose::Write)?;
    let task_id = lookup::task(&mut ledger, &args.task_id)?;
    let complete = command::Command::CompleteTask(Transition {
        task_id: task_id.clone(),
        comment: args.comment.clone(),
    });
    let actor = ctx.actor(args.author.as_deref(), args.claim.as_deref())?;
    let outcome = ctx.execute(&mut ledger, &complete, &actor)?;
    let task = shape::after(&outcome, &task_id).task;
    ctx.output.answer(&Completed {
        task_id,
        title: task.title,
        status: task.status,
    })
}

impl Answer for Completed {
    fn md(&self, md: &mut Md) {
        md.ok(&format!("Completed {} ({})", self.title, self.task_id));
    }
}
