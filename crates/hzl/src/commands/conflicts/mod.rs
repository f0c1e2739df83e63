//! `hzl conflicts`: writes that lost a merge.

pub(crate) mod ack;
pub(crate) mod list;
pub(crate) mod restore;
pub(crate) mod show;

mod item;

use crate::commands::group::group;
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

group! {
    /// The commands of `hzl conflicts`.
    List = "list" in list;
    Show = "show" in show;
    Ack = "ack" in ack;
    Restore = "restore" in restore;
}

/// Runs a command of this group.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    args.command.run(ctx)
}
