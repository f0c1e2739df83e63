//! `hzl task progress`

use crate::values;

/// Set how much of a task is done, in per cent
///
/// 100 does not complete the task.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl task progress 01K9ZZ3D 40
  hzl task progress 01K9ZZ3D 80 --author ada")]
pub(crate) struct Args {
    /// Id of the task, or the beginning of it
    #[arg(value_name = "TASK_ID", value_parser = values::task_id)]
    pub(crate) task_id: String,
    /// Progress, 0 to 100
    #[arg(value_name = "PERCENT", value_parser = values::progress_argument)]
    pub(crate) value: u8,
    /// Sign the change with this name
    #[arg(long, value_name = "NAME")]
    pub(crate) author: Option<String>,
}
