//! `hzl task archive`

use hzl_core::command::Command;
use hzl_core::command::SubtaskPolicy;

use super::transition::Settled;
use super::transition::TransitionArgs;
use crate::context::Context;
use crate::error::CommandError;
use crate::error::Kind;

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
    #[command(flatten)]
    pub(crate) transition: TransitionArgs,
    /// Archive its open subtasks as well
    #[arg(long)]
    pub(crate) cascade: bool,
    /// Make its subtasks tasks of their own
    #[arg(long)]
    pub(crate) orphan: bool,
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

/// Archives the task.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let subtasks = args.subtasks()?;
    let archive = |transition| Command::ArchiveTask {
        transition,
        subtasks,
    };
    let task = args.transition.carry_out(ctx, archive)?;
    ctx.output.answer(&Settled::new(task, "Archived"))
}
