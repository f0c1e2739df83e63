//! `hzl agent`: who works on what, and who has done what.

pub(crate) mod log;
pub(crate) mod status;

use crate::commands::group::group;
use crate::context::Context;
use crate::error::CommandError;

/// See what agents do and have done
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl agent status
  hzl agent log ada --limit 20")]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

group! {
    /// The commands of `hzl agent`.
    Status = "status" in status;
    Log = "log" in log;
}

/// Runs a command of this group.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    args.command.run(ctx)
}
