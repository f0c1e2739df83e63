//! `hzl task block`

use hzl_core::command::Command;

use super::transition::Held;
use super::transition::TransitionArgs;
use crate::context::Context;
use crate::error::CommandError;

/// Say that something outside keeps a task from going on
///
/// The task stays with its agent. A task that only waits for other tasks needs no block: see add-dep.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl task block 01K9ZZ3D
  hzl task block 01K9ZZ3D --author ada --comment \"Waiting for the API key\"")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) transition: TransitionArgs,
}

/// Blocks the task.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let task = args.transition.carry_out(ctx, Command::BlockTask)?;
    ctx.output.answer(&Held::new(task, "Blocked"))
}
