//! `hzl task list`

use crate::values;
use crate::values::Status;
use crate::values::View;

/// List tasks, most important first
///
/// Archived tasks are left out.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl task list
  hzl task list -P web -s ready
  hzl task list --available --limit 5 --view standard")]
pub(crate) struct Args {
    /// Only tasks of this project
    #[arg(short = 'P', long, value_name = "PROJECT")]
    pub(crate) project: Option<String>,
    /// Only tasks in this status
    #[arg(short, long, value_name = "STATUS", value_parser = values::status)]
    pub(crate) status: Option<Status>,
    /// Only tasks of this agent
    #[arg(long, value_name = "NAME", conflicts_with = "agent_pattern")]
    pub(crate) agent: Option<String>,
    /// Only tasks of agents whose name matches, where `*` stands for anything
    #[arg(long, value_name = "PATTERN")]
    pub(crate) agent_pattern: Option<String>,
    /// Only tasks that can be claimed now
    #[arg(short, long)]
    pub(crate) available: bool,
    /// Only tasks that are not subtasks
    #[arg(long)]
    pub(crate) root: bool,
    /// Only subtasks of this task
    #[arg(long, value_name = "TASK_ID", value_parser = values::task_id)]
    pub(crate) parent: Option<String>,
    /// Group the tasks of the page by agent
    #[arg(long)]
    pub(crate) group_by_agent: bool,
    /// Show this page
    #[arg(long, value_name = "N", default_value = "1", value_parser = values::at_least_one)]
    pub(crate) page: u32,
    /// Show this many tasks per page
    #[arg(short, long, value_name = "N", default_value = "50", value_parser = values::at_least_one)]
    pub(crate) limit: u32,
    /// Show this much of each task: summary, standard or full
    #[arg(long, value_name = "VIEW", default_value = "summary", value_parser = values::view)]
    pub(crate) view: View,
    /// Mark tasks as stale after this many minutes without a checkpoint; 0 is never
    #[arg(long, value_name = "MINUTES", default_value = "10", value_parser = values::minutes)]
    pub(crate) stale_threshold: u32,
}
