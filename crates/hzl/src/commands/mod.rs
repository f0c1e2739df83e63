//! The commands, mirroring the command tree: one file per leaf, holding its `Args` and its `run`.

mod agent;
mod backup;
mod completions;
mod config;
mod conflicts;
mod dep;
mod devices;
mod doctor;
mod events;
mod export;
mod guide;
mod help;
mod hook;
mod import;
mod init;
mod lock;
mod man;
mod project;
mod rebuild;
mod restore;
mod sample_project;
pub(crate) mod schema;
mod stats;
mod status;
mod sync;
mod task;
mod torture;
mod undo;
mod validate;
mod wait;
mod which_db;
mod workflow;

use clap::Subcommand;

use crate::context::Context;
use crate::error::CommandError;

/// The first level of commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Init(init::Args),
    Status(status::Args),
    Devices(devices::Args),
    Sync(sync::Args),
    Doctor(doctor::Args),
    WhichDb(which_db::Args),
    Config(config::Args),
    Project(project::Args),
    Task(task::Args),
    Dep(dep::Args),
    Agent(agent::Args),
    Stats(stats::Args),
    Validate(validate::Args),
    Events(events::Args),
    Guide(guide::Args),
    SampleProject(sample_project::Args),
    Lock(lock::Args),
    Workflow(workflow::Args),
    Hook(hook::Args),
    Conflicts(conflicts::Args),
    Undo(undo::Args),
    Wait(wait::Args),
    Rebuild(rebuild::Args),
    Export(export::Args),
    Import(import::Args),
    Backup(backup::Args),
    Restore(restore::Args),
    Torture(torture::Args),
    Schema(schema::Args),
    Completions(completions::Args),
    Man(man::Args),
    Help(help::Args),
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
        Command::Devices(args) => devices::run(args, ctx),
        Command::Doctor(args) => doctor::run(args, ctx),
        Command::Project(args) => project::run(args, ctx),
        Command::Task(args) => task::run(args, ctx),
        Command::Dep(args) => dep::run(args, ctx),
        Command::Agent(args) => agent::run(args, ctx),
        Command::Stats(args) => stats::run(args, ctx),
        Command::Validate(args) => validate::run(args, ctx),
        Command::Events(args) => events::run(args, ctx),
        Command::Guide(args) => guide::run(args, ctx),
        Command::SampleProject(args) => sample_project::run(args, ctx),
        Command::Lock(args) => lock::run(args, ctx),
        Command::Workflow(args) => workflow::run(args, ctx),
        Command::Hook(args) => hook::run(args, ctx),
        Command::Conflicts(args) => conflicts::run(args, ctx),
        Command::Sync(args) => sync::run(args, ctx),
        Command::Undo(args) => undo::run(args, ctx),
        Command::Wait(args) => wait::run(args, ctx),
        Command::Rebuild(args) => rebuild::run(args, ctx),
        Command::Export(args) => export::run(args, ctx),
        Command::Import(args) => import::run(args, ctx),
        Command::Backup(args) => backup::run(args, ctx),
        Command::Restore(args) => restore::run(args, ctx),
        Command::Torture(args) => torture::run(args, ctx),
        Command::Schema(args) => schema::run(args, ctx),
        Command::Completions(args) => completions::run(args, ctx),
        Command::Man(args) => man::run(args, ctx),
        Command::Help(args) => help::run(args, ctx),
    }
}
