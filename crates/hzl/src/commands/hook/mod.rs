//! `hzl hook`: what is sent elsewhere when something happens to a task.

pub(crate) mod drain;

use clap::Subcommand;

use crate::context::Context;
use crate::error::CommandError;

/// Send what hooks have queued
///
/// Hooks are set in the config file: hooks.on_done.url, headers, body and secret. Instead of on_done it
/// may be on_claimed, on_blocked, on_created and so on, or on_event for everything.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl hook drain")]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands of `hzl hook`.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Drain(drain::Args),
}

/// Runs a command of this group.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    match &args.command {
        Command::Drain(args) => drain::run(args, ctx),
    }
}
