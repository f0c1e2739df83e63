//! `hzl doctor`

/// Check config, database and sync for problems
///
/// Ends with exit code 1 when a check fails.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl doctor
  hzl doctor --format md")]
pub(crate) struct Args {}
