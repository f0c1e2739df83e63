//! `hzl task complete`

use crate::values;

/// Mark a task as done
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl task complete 01K9ZZ3D
  hzl task complete 01K9ZZ3D --author ada --comment \"Released in 1.4\"")]
pub(crate) struct Args {
    /// Id of the task, or the beginning of it
    #[arg(value_name = "TASK_ID", value_parser = values::task_id)]
    pub(crate) task_id: String,
    /// Sign the change with this name
    #[arg(long, value_name = "NAME")]
    pub(crate) author: Option<String>,
    /// Add a comment
    #[arg(long, value_name = "TEXT")]
    pub(crate) comment: Option<String>,
    /// Act only while this claim is current
    #[arg(long, value_name = "CLAIM_ID")]
    pub(crate) claim: Option<String>,
}
