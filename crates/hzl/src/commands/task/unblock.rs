//! `hzl task unblock`

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

/// Go on with a blocked task
///
/// The task stays with its agent, whoever unblocks it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl task unblock 01K9ZZ3D
  hzl task unblock 01K9ZZ3D --release --comment \"The key is there\"")]
pub(crate) struct Args {
    /// Id of the task, or the beginning of it
    #[arg(value_name = "TASK_ID", value_parser = values::task_id)]
    pub(crate) task_id: String,
    /// Give the task back, so that others can take it
    #[arg(long)]
    pub(crate) release: bool,
    /// Add a comment
    #[arg(long, value_name = "TEXT")]
    pub(crate) comment: Option<String>,
    /// Sign the change with this name [default: HZL_AGENT]
    #[arg(long, value_name = "NAME")]
    pub(crate) author: Option<String>,
    /// Act only while this claim is current
    #[arg(long, value_name = "CLAIM_ID")]
    pub(crate) claim: Option<String>,
}

#[derive(Debug, Serialize)]
struct Unblocked {
    task_id: TaskId,
    title: String,
    status: Status,
    agent: Option<String>,
}

/// Unblocks the task.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let mut ledger = ctx.ledger(Purpose::Write)?;
    let task_id = lookup::task(&mut ledger, &args.task_id)?;
    let transition = Transition {
        task_id: task_id.clone(),
        comment: args.comment.clone(),
    };
    let unblock = command::Command::UnblockTask {
        transition,
        release: args.release,
    };
    let actor = ctx.actor(args.author.as_deref(), args.claim.as_deref())?;
    let outcome = ctx.execute(&mut ledger, &unblock, &actor)?;
    let task = shape::after(&outcome, &task_id).task;
    ctx.output.answer(&Unblocked {
        task_id,
        title: task.title,
        status: task.status,
        agent: task.agent,
    })
}

impl Answer for Unblocked {
    fn md(&self, md: &mut Md) {
        md.ok(&format!(
            "Unblocked {} ({}), it is {} now",
            self.title, self.task_id, self.status
        ));
    }
}
