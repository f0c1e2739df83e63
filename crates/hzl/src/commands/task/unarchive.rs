//! `hzl task unarchive`

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

/// Take a task out of the archive
///
/// Nobody holds it afterwards. Its subtasks stay where they are; take them out one by one.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl task unarchive 01K9ZZ3D
  hzl task unarchive 01K9ZZ3D -s backlog --author ada --comment \"Dropped too early\"")]
pub(crate) struct Args {
    /// Id of the task, or the beginning of it
    #[arg(value_name = "TASK_ID", value_parser = values::task_id)]
    pub(crate) task_id: String,
    /// Put it into this status: ready or backlog
    #[arg(short, long, value_name = "STATUS", default_value = "ready", value_parser = values::reopened_status)]
    pub(crate) status: Status,
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
struct Unarchived {
    task_id: TaskId,
    title: String,
    status: Status,
}

/// Takes the task out.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let mut ledger = ctx.ledger(Purpose::Write)?;
    let task_id = lookup::task(&mut ledger, &args.task_id)?;
    let transition = Transition {
        task_id: task_id.clone(),
        comment: args.comment.clone(),
    };
    let unarchive = command::Command::UnarchiveTask {
        transition,
        to: args.status,
    };
    let actor = ctx.actor(args.author.as_deref(), args.claim.as_deref())?;
    let outcome = ctx.execute(&mut ledger, &unarchive, &actor)?;
    let task = shape::after(&outcome, &task_id).task;
    ctx.output.answer(&Unarchived {
        task_id,
        title: task.title,
        status: task.status,
    })
}

impl Answer for Unarchived {
    fn md(&self, md: &mut Md) {
        md.ok(&format!(
            "Unarchived {} ({}), it is {} now",
            self.title, self.task_id, self.status
        ));
    }
}
