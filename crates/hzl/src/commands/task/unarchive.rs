//! `hzl task unarchive`

use hzl_core::command::Command;

use super::transition::BackArgs;
use super::transition::Settled;
use crate::context::Context;
use crate::error::CommandError;

/// Take a task out of the archive
///
/// Nobody holds it afterwards. Its subtasks stay where they are; take them out one by one.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl task unarchive 01K9ZZ3D
  hzl task unarchive 01K9ZZ3D -s backlog --author ada --comment \"Dropped too early\"")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) back: BackArgs,
}

/// Takes the task out.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let to = args.back.status;
    let unarchive = |transition| Command::UnarchiveTask { transition, to };
    let task = args.back.transition.carry_out(ctx, unarchive)?;
    ctx.output.answer(&Settled::new(task, "Unarchived"))
}
