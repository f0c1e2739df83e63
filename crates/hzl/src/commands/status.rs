//! `hzl status`

/// Show the state of this ledger and its sync
///
/// Works offline.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl status
  hzl status --format md")]
pub(crate) struct Args {}
