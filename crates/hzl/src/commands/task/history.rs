//! `hzl task history`

use crate::values;

/// Show what happened to a task, oldest first
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl task history 01K9ZZ3D
  hzl task history 01K9ZZ3D --limit 10 --format md")]
pub(crate) struct Args {
    /// Id of the task, or the beginning of it
    #[arg(value_name = "TASK_ID", value_parser = values::task_id)]
    pub(crate) task_id: String,
    /// Show at most this many events
    #[arg(short, long, value_name = "N", default_value = "100", value_parser = values::at_least_one)]
    pub(crate) limit: u32,
}
