//! `hzl task set-status`

use crate::values;
use crate::values::Status;

/// Put a task into any status
///
/// Skips the rules of claim, complete and the like. Nothing leaves archived.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl task set-status 01K9ZZ3D ready
  hzl task set-status 01K9ZZ3D blocked --author ada")]
pub(crate) struct Args {
    /// Id of the task, or the beginning of it
    #[arg(value_name = "TASK_ID", value_parser = values::task_id)]
    pub(crate) task_id: String,
    /// New status: backlog, ready, in_progress, blocked, done or archived
    #[arg(value_name = "STATUS", value_parser = values::status)]
    pub(crate) status: Status,
    /// Sign the change with this name
    #[arg(long, value_name = "NAME")]
    pub(crate) author: Option<String>,
}
