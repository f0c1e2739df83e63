//! `hzl task`: everything that happens to a task.

pub(crate) mod add;
pub(crate) mod checkpoint;
pub(crate) mod claim;
pub(crate) mod comment;
pub(crate) mod complete;
pub(crate) mod history;
pub(crate) mod list;
pub(crate) mod progress;
pub(crate) mod release;
pub(crate) mod set_status;
pub(crate) mod show;
pub(crate) mod start;
pub(crate) mod update;

use clap::Subcommand;

/// Manage tasks
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl task add \"Fix the login page\" -P web -s ready
  hzl task claim --next -P web --agent ada
  hzl task complete 01K9ZZ3D --comment \"Released in 1.4\"")]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands of `hzl task`.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Add(Box<add::Args>),
    List(Box<list::Args>),
    Show(show::Args),
    Claim(Box<claim::Args>),
    Start(start::Args),
    Complete(complete::Args),
    Release(release::Args),
    Checkpoint(checkpoint::Args),
    Comment(comment::Args),
    Progress(progress::Args),
    Update(Box<update::Args>),
    SetStatus(set_status::Args),
    History(history::Args),
}
