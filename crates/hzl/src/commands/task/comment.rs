//! `hzl task comment`

use crate::values;

/// Add a comment to a task
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl task comment 01K9ZZ3D \"Mention the breaking change\"
  hzl task comment 01K9ZZ3D \"Done, please review\" --author ada")]
pub(crate) struct Args {
    /// Id of the task, or the beginning of it
    #[arg(value_name = "TASK_ID", value_parser = values::task_id)]
    pub(crate) task_id: String,
    /// Text of the comment
    #[arg(value_name = "TEXT")]
    pub(crate) text: String,
    /// Sign the change with this name
    #[arg(long, value_name = "NAME")]
    pub(crate) author: Option<String>,
}
