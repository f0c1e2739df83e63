//! `hzl task checkpoint`

use serde_json::Map;
use serde_json::Value;

use crate::values;

/// Record how far the work has come
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl task checkpoint 01K9ZZ3D \"Outline done\"
  hzl task checkpoint 01K9ZZ3D \"Tests pass\" --progress 80 --data '{\"tests\":112}'")]
pub(crate) struct Args {
    /// Id of the task, or the beginning of it
    #[arg(value_name = "TASK_ID", value_parser = values::task_id)]
    pub(crate) task_id: String,
    /// Name of what was reached
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Keep this JSON object with it
    #[arg(long, value_name = "JSON", value_parser = values::json_object)]
    pub(crate) data: Option<Map<String, Value>>,
    /// Set the progress of the task, 0 to 100
    #[arg(long, value_name = "PERCENT", value_parser = values::progress_option)]
    pub(crate) progress: Option<u8>,
    /// Sign the change with this name
    #[arg(long, value_name = "NAME")]
    pub(crate) author: Option<String>,
    /// Act only while this claim is current
    #[arg(long, value_name = "CLAIM_ID")]
    pub(crate) claim: Option<String>,
}
