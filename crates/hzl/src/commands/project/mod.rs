//! `hzl project`: projects that tasks belong to.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod list;
pub(crate) mod rename;
pub(crate) mod show;

use crate::commands::group::group;
use crate::context::Context;
use crate::error::CommandError;

/// Manage projects
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl project create docs -d \"Manual and website\"
  hzl project list
  hzl project show docs")]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

group! {
    /// The commands of `hzl project`.
    Create = "create" in create;
    List = "list" in list;
    Show = "show" in show;
    Rename = "rename" in rename;
    Delete = "delete" in delete;
}

/// Runs a command of this group.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    args.command.run(ctx)
}
