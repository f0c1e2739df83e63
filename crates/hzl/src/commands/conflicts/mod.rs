//! `hzl conflicts`: writes that lost a merge.

pub(crate) mod list;

use clap::Subcommand;

use crate::context::Context;
use crate::error::CommandError;

/// Look at writes that lost a merge
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl conflicts list
  hzl conflicts list --format md")]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands of `hzl conflicts`.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    List(list::Args),
}

/// Runs a command of this group.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    match &args.command {
        Command::List(args) => list::run(args, ctx),
    }
}
