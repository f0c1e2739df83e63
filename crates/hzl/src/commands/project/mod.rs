//! `hzl project`: projects that tasks belong to.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod list;
pub(crate) mod rename;
pub(crate) mod show;

use clap::Subcommand;

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

/// The commands of `hzl project`.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Create(create::Args),
    List(list::Args),
    Show(show::Args),
    Rename(rename::Args),
    Delete(delete::Args),
}

/// Runs a command of this group.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    match &args.command {
        Command::Create(args) => create::run(args, ctx),
        Command::List(args) => list::run(args, ctx),
        Command::Show(args) => show::run(args, ctx),
        Command::Rename(args) => rename::run(args, ctx),
        Command::Delete(args) => delete::run(args, ctx),
    }
}
