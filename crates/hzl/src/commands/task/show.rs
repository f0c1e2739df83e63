//! `hzl task show`

use crate::values;
use crate::values::View;

/// Show a task with its comments, checkpoints and subtasks
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl task show 01K9ZZ3D
  hzl task show 01K9ZZ3D --deep
  hzl task show 01K9ZZ3D --view summary --no-subtasks")]
pub(crate) struct Args {
    /// Id of the task, or the beginning of it
    #[arg(value_name = "TASK_ID", value_parser = values::task_id)]
    pub(crate) task_id: String,
    /// Leave out the subtasks
    #[arg(long)]
    pub(crate) no_subtasks: bool,
    /// Show everything about each subtask
    #[arg(long)]
    pub(crate) deep: bool,
    /// Show this much of the task: summary, standard or full
    #[arg(long, value_name = "VIEW", default_value = "full", value_parser = values::view)]
    pub(crate) view: View,
}
