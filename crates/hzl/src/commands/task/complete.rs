//! `hzl task complete`

use hzl_core::command::Command;

use super::transition::Settled;
use super::transition::TransitionArgs;
use crate::context::Context;
use crate::error::CommandError;

/// Mark a task as done
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl task complete 01K9ZZ3D
  hzl task complete 01K9ZZ3D --author ada --comment \"Released in 1.4\"")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) transition: TransitionArgs,
}

/// Completes the task.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let task = args.transition.carry_out(ctx, Command::CompleteTask)?;
    ctx.output.answer(&Settled::new(task, "Completed"))
}
