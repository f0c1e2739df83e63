//! `hzl task archive`

use hzl_core::command;
use hzl_core::command::SubtaskPolicy;
use hzl_core::command::Transition;
use hzl_core::ids::TaskId;
use hzl_core::task::Status;
use serde::Serialize;

use super::lookup;
use super::shape;
use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::error::Kind;
use crate::output::Answer;
use crate::output::Md;
use crate::values;

/// Put a task away
///
/// Archived tasks are left out of lists; show, history and search still find them. A task with open
/// subtasks is refused unless you say what happens to them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl task archive 01K9ZZ3D
  hzl task archive 01K9ZZ3D --cascade --author ada --comment \"Dropped from the plan\"
  hzl task archive 01K9ZZ3D --orphan")]
pub(crate) struct Args {
    /// Id of the task, or the beginning of it
    #[arg(value_name = "TASK_ID", value_parser = values::task_id)]
    pub(crate) task_id: String,
    /// Archive its open subtasks as well
    #[arg(long)]
    pub(crate) cascade: bool,
    /// Make its subtasks tasks of their own
    #[arg(long)]
    pub(crate) orphan: bool,
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

impl Args {
    /// Returns what happens to the subtasks.
    ///
    /// # Errors
    ///
    /// `Input`: both options are given. Not left to the parser, because the exit code is 3.
    fn subtasks(&self) -> Result<SubtaskPolicy, CommandError> {
        match (self.cascade, self.orphan) {
            (true, true) => Err(CommandError::new(
                Kind::Input,
                "--cascade and --orphan cannot be used together",
            )),
            (true, false) => Ok(SubtaskPolicy::Cascade),
            (false, true) => Ok(SubtaskPolicy::Orphan),
            (false, false) => Ok(SubtaskPolicy::Refuse),
        }
    }
}

#[derive(Debug, Serialize)]
struct Archived {
    task_id: TaskId,
    title: String,
    status: Status,
}

/// Archives the task.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let subtasks = args.subtasks()?;
    let mut ledger = ctx.ledger(Purpose::Write)?;
    let task_id = lookup::task(&mut ledger, &args.task_id)?;
    let transition = Transition {
        task_id: task_id.clone(),
        comment: args.comment.clone(),
    };
    let archive = command::Command::ArchiveTask {
        transition,
        subtasks,
    };
    let actor = ctx.actor(args.author.as_deref(), args.claim.as_deref())?;
    let outcome = ctx.execute(&mut ledger, &archive, &actor)?;
    let task = shape::after(&outcome, &task_id).task;
    ctx.output.answer(&Archived {
        task_id,
        title: task.title,
        status: task.status,
    })
}

impl Answer for Archived {
    fn md(&self, md: &mut Md) {
        md.ok(&format!("Archived {} ({})", self.title, self.task_id));
    }
}
