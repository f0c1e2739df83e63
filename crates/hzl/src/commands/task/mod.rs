//! `hzl task`: everything that happens to a task.

pub(crate) mod add;
pub(crate) mod add_dep;
pub(crate) mod archive;
pub(crate) mod block;
pub(crate) mod checkpoint;
pub(crate) mod claim;
pub(crate) mod comment;
pub(crate) mod complete;
pub(crate) mod history;
pub(crate) mod list;
pub(crate) mod move_task;
pub(crate) mod progress;
pub(crate) mod prune;
pub(crate) mod reassign;
pub(crate) mod release;
pub(crate) mod remove_dep;
pub(crate) mod renew;
pub(crate) mod reopen;
pub(crate) mod search;
pub(crate) mod set_status;
pub(crate) mod show;
pub(crate) mod start;
pub(crate) mod steal;
pub(crate) mod stuck;
pub(crate) mod unarchive;
pub(crate) mod unblock;
pub(crate) mod update;

pub(super) mod lookup;
pub(super) mod shape;

pub(crate) mod add_many;
mod trace;
pub(crate) mod transition;

pub(crate) use shape::stale_minutes;

use crate::commands::group::group;
use crate::context::Context;
use crate::error::CommandError;

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

group! {
    /// The commands of `hzl task`.
    Add = "add" in add;
    List = "list" in list;
    Show = "show" in show;
    Claim = "claim" in claim;
    Start = "start" in start;
    Complete = "complete" in complete;
    Release = "release" in release;
    Block = "block" in block;
    Unblock = "unblock" in unblock;
    Reopen = "reopen" in reopen;
    Archive = "archive" in archive;
    Unarchive = "unarchive" in unarchive;
    Steal = "steal" in steal;
    Renew = "renew" in renew;
    Reassign = "reassign" in reassign;
    Checkpoint = "checkpoint" in checkpoint;
    Comment = "comment" in comment;
    Progress = "progress" in progress;
    Update = "update" in update;
    SetStatus = "set-status" in set_status;
    Move = "move" in move_task;
    AddDep = "add-dep" in add_dep;
    RemoveDep = "remove-dep" in remove_dep;
    History = "history" in history;
    Search = "search" in search;
    Stuck = "stuck" in stuck;
    Prune = "prune" in prune;
}

/// Runs a command of this group.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    args.command.run(ctx)
}
