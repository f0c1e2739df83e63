//! `hzl project list`

/// List all projects with the number of their tasks
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl project list
  hzl project list --format md")]
pub(crate) struct Args {}
