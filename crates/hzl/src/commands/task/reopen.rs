//! `hzl task reopen`

use hzl_core::command::Command;
use hzl_core::task::Status;

use super::transition::Settled;
use super::transition::TransitionArgs;
use crate::context::Context;
use crate::error::CommandError;
use crate::values;

/// Take up a finished task again
///
/// Only a done task can be reopened; `hzl task unarchive` takes one out of the archive.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl task reopen 01K9ZZ3D
  hzl task reopen 01K9ZZ3D -s backlog --author ada --comment \"Came back in 1.5\"")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) transition: TransitionArgs,
    /// Put it into this status: ready or backlog
    #[arg(short, long, value_name = "STATUS", default_value = "ready", value_parser = values::reopened_status)]
    pub(crate) status: Status,
}

/// Reopens the task.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let to = args.status;
    let reopen = |transition| Command::ReopenTask { transition, to };
    let task = args.transition.carry_out(ctx, reopen)?;
    ctx.output.answer(&Settled::new(task, "Reopened"))
}
