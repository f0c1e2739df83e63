//! `hzl task release`

use hzl_core::command::Command;

use super::transition::Held;
use super::transition::TransitionArgs;
use crate::context::Context;
use crate::error::CommandError;

/// Give a claimed task back, so that others can take it
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl task release 01K9ZZ3D
  hzl task release 01K9ZZ3D --author ada --comment \"Needs a database expert\"")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) transition: TransitionArgs,
}

/// Releases the task.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let task = args.transition.carry_out(ctx, Command::ReleaseTask)?;
    ctx.output.answer(&Held::new(task, "Released"))
}
