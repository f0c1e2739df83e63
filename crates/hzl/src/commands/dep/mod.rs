//! `hzl dep`: which task waits for which.

pub(crate) mod list;

use crate::commands::group::group;
use crate::context::Context;
use crate::error::CommandError;

/// Look at the dependencies between tasks
///
/// They are made with `hzl task add-dep` and ended with `hzl task remove-dep`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl dep list
  hzl dep list -P web --blocking-only")]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

group! {
    /// The commands of `hzl dep`.
    List = "list" in list;
}

/// Runs a command of this group.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    args.command.run(ctx)
}
