//! `hzl workflow`: several steps as one, all or nothing.

pub(crate) mod list;
pub(crate) mod run;
pub(crate) mod show;

mod catalog;

use clap::Subcommand;

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

/// The commands of `hzl workflow`.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    List(list::Args),
    Show(show::Args),
    Run(run::Args),
}

/// Runs a command of this group.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    match &args.command {
        Command::List(args) => list::run(args, ctx),
        Command::Show(args) => show::run(args, ctx),
        Command::Run(args) => run::run(args, ctx),
    }
}
