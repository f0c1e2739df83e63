//! `hzl task reopen`

use hzl_core::command::Command;

use super::transition::BackArgs;
use super::transition::Settled;
use crate::context::Context;
use crate::error::CommandError;

/// Take up a finished task again
///
/// Only a done task can be reopened; `hzl task unarchive` takes one out of the archive.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl task reopen 01K9ZZ3D
  hzl task reopen 01K9ZZ3D -s backlog --author ada --comment \"Came back in 1.5\"")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) back: BackArgs,
}

/// Reopens the task.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let to = args.back.status;
    let reopen = |transition| Command::ReopenTask { transition, to };
    let task = args.back.transition.carry_out(ctx, reopen)?;
    ctx.output.answer(&Settled::new(task, "Reopened"))
}
