//! `hzl agent`: who works on what, and who has done what.

pub(crate) mod log;
pub(crate) mod status;

use clap::Subcommand;

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

/// The commands of `hzl agent`.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Status(status::Args),
    Log(log::Args),
}

/// Runs a command of this group.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    match &args.command {
        Command::Status(args) => status::run(args, ctx),
        Command::Log(args) => log::run(args, ctx),
    }
}
