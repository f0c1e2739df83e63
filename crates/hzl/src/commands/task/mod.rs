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

use clap::Subcommand;

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
    Block(block::Args),
    Unblock(unblock::Args),
    Reopen(reopen::Args),
    Archive(archive::Args),
    Unarchive(unarchive::Args),
    Steal(steal::Args),
    Renew(renew::Args),
    Reassign(reassign::Args),
    Checkpoint(checkpoint::Args),
    Comment(comment::Args),
    Progress(progress::Args),
    Update(Box<update::Args>),
    SetStatus(set_status::Args),
    Move(move_task::Args),
    AddDep(add_dep::Args),
    RemoveDep(remove_dep::Args),
    History(history::Args),
    Search(search::Args),
    Stuck(stuck::Args),
    Prune(prune::Args),
}

/// Runs a command of this group.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    match &args.command {
        Command::Add(args) => add::run(args, ctx),
        Command::List(args) => list::run(args, ctx),
        Command::Show(args) => show::run(args, ctx),
        Command::Claim(args) => claim::run(args, ctx),
        Command::Start(args) => start::run(args, ctx),
        Command::Complete(args) => complete::run(args, ctx),
        Command::Release(args) => release::run(args, ctx),
        Command::Block(args) => block::run(args, ctx),
        Command::Unblock(args) => unblock::run(args, ctx),
        Command::Reopen(args) => reopen::run(args, ctx),
        Command::Archive(args) => archive::run(args, ctx),
        Command::Unarchive(args) => unarchive::run(args, ctx),
        Command::Steal(args) => steal::run(args, ctx),
        Command::Renew(args) => renew::run(args, ctx),
        Command::Reassign(args) => reassign::run(args, ctx),
        Command::Checkpoint(args) => checkpoint::run(args, ctx),
        Command::Comment(args) => comment::run(args, ctx),
        Command::Progress(args) => progress::run(args, ctx),
        Command::Update(args) => update::run(args, ctx),
        Command::SetStatus(args) => set_status::run(args, ctx),
        Command::Move(args) => move_task::run(args, ctx),
        Command::AddDep(args) => add_dep::run(args, ctx),
        Command::RemoveDep(args) => remove_dep::run(args, ctx),
        Command::History(args) => history::run(args, ctx),
        Command::Search(args) => search::run(args, ctx),
        Command::Stuck(args) => stuck::run(args, ctx),
        Command::Prune(args) => prune::run(args, ctx),
    }
}
