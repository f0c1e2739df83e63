//! The commands, mirroring the command tree: one file per leaf, holding its `Args` and its `run`.

mod config;
mod doctor;
mod events;
mod init;
mod project;
mod status;
mod sync;
mod task;
mod which_db;

use clap::Subcommand;

use crate::context::Context;
use crate::error::CommandError;

/// The first level of commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Init(init::Args),
    Status(status::Args),
    Sync(sync::Args),
    Doctor(doctor::Args),
    WhichDb(which_db::Args),
    Config(config::Args),
    Project(project::Args),
    Task(task::Args),
    Events(events::Args),
}

/// Runs a command.
///
/// # Errors
///
/// Whatever the command returns.
pub(crate) fn run(command: &Command, ctx: &mut Context) -> Result<(), CommandError> {
    match command {
        Command::WhichDb(args) => which_db::run(args, ctx),
        Command::Config(args) => config::run(args, ctx),
        Command::Init(args) => init::run(args, ctx),
        Command::Status(args) => status::run(args, ctx),
        Command::Doctor(args) => doctor::run(args, ctx),
        Command::Project(args) => project::run(args, ctx),
        Command::Task(args) => task::run(args, ctx),
        Command::Events(args) => events::run(args, ctx),
        Command::Sync(args) => sync::run(args, ctx),
    }
}
