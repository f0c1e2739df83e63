//! `hzl task release`

use crate::values;

/// Give a claimed task back, so that others can take it
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl task release 01K9ZZ3D
  hzl task release 01K9ZZ3D --author ada --comment \"Needs a database expert\"")]
pub(crate) struct Args {
    /// Id of the task, or the beginning of it
    #[arg(value_name = "TASK_ID", value_parser = values::task_id)]
    pub(crate) task_id: String,
    /// Add a comment
    #[arg(long, value_name = "TEXT")]
    pub(crate) comment: Option<String>,
    /// Sign the change with this name
    #[arg(long, value_name = "NAME")]
    pub(crate) author: Option<String>,
    /// Act only while this claim is current
    #[arg(long, value_name = "CLAIM_ID")]
    pub(crate) claim: Option<String>,
}
