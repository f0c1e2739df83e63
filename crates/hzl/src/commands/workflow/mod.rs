//! `hzl workflow`: several steps as one, all or nothing.

pub(crate) mod list;
pub(crate) mod run;
pub(crate) mod show;

mod catalog;

use crate::commands::group::group;
use crate::context::Context;
use crate::error::CommandError;

/// Do several steps at once, all of them or none
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl workflow list
  hzl workflow run start -P web --agent ada
  hzl workflow run handoff --from 01K9ZZ3D --title \"Write the tests\" -P web")]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

group! {
    /// The commands of `hzl workflow`.
    List = "list" in list;
    Show = "show" in show;
    Run = "run" in run;
}

/// Runs a command of this group.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    args.command.run(ctx)
}
