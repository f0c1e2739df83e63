//! `hzl sync`

use crate::values;
use crate::values::ConflictStrategy;

/// Exchange events with the cloud database
///
/// Pushes what this device wrote, pulls what others wrote, and lists every write that lost a merge.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl sync
  hzl sync --watch
  hzl sync --verify")]
pub(crate) struct Args {
    /// Choose what to do with concurrent changes: merge, discard-local or fail
    #[arg(long, value_name = "STRATEGY", value_parser = values::conflict_strategy)]
    pub(crate) conflict_strategy: Option<ConflictStrategy>,
    /// Sync even if the last attempt failed a moment ago
    #[arg(short, long)]
    pub(crate) force: bool,
    /// Start over with a cloud database that was rewound or replaced; loses nothing
    #[arg(long)]
    pub(crate) reset: bool,
    /// Join the tasks of this ledger with those of another one in the cloud
    #[arg(long)]
    pub(crate) merge: bool,
    /// Compare the state with that of the other devices
    #[arg(long)]
    pub(crate) verify: bool,
    /// Keep syncing until interrupted
    #[arg(long)]
    pub(crate) watch: bool,
    /// Run unattended after a write
    #[arg(long, hide = true, conflicts_with_all = ["watch", "reset", "merge", "verify"])]
    pub(crate) background: bool,
}
