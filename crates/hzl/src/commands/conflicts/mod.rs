//! `hzl conflicts`: writes that lost a merge.

pub(crate) mod ack;
pub(crate) mod list;
pub(crate) mod restore;
pub(crate) mod show;

mod item;

use clap::Subcommand;

use crate::context::Context;
use crate::error::CommandError;

/// Look at writes that lost a merge, and settle them
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl conflicts list
  hzl conflicts show 01KAQX2V
  hzl conflicts restore 01KAQX2V
  hzl conflicts ack --all")]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands of `hzl conflicts`.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    List(list::Args),
    Show(show::Args),
    Ack(ack::Args),
    Restore(restore::Args),
}

/// Runs a command of this group.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    match &args.command {
        Command::List(args) => list::run(args, ctx),
        Command::Show(args) => show::run(args, ctx),
        Command::Ack(args) => ack::run(args, ctx),
        Command::Restore(args) => restore::run(args, ctx),
    }
}
