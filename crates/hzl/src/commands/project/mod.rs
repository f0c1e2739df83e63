//! `hzl project`: projects that tasks belong to.

pub(crate) mod create;
pub(crate) mod list;
pub(crate) mod show;

use clap::Subcommand;

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
}
