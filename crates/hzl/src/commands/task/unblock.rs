//! `hzl task unblock`

use hzl_core::command::Command;

use super::transition::Held;
use super::transition::TransitionArgs;
use crate::context::Context;
use crate::error::CommandError;

/// Go on with a blocked task
///
/// The task stays with its agent, whoever unblocks it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl task unblock 01K9ZZ3D
  hzl task unblock 01K9ZZ3D --release --comment \"The key is there\"")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) transition: TransitionArgs,
    /// Give the task back, so that others can take it
    #[arg(long)]
    pub(crate) release: bool,
}

/// Unblocks the task.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let release = args.release;
    let unblock = |transition| Command::UnblockTask {
        transition,
        release,
    };
    let task = args.transition.carry_out(ctx, unblock)?;
    ctx.output.answer(&Held::new(task, "Unblocked"))
}
