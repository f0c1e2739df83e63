//! `hzl task claim`

use clap::ArgGroup;

use crate::values;
use crate::values::CommaList;
use crate::values::View;

/// Take a task to work on it
///
/// At most one agent gets a task. With `--next` the most important task that can be worked on is
/// chosen; when there is none, the answer is empty and the exit code 0.
#[derive(Debug, clap::Args)]
#[command(
    group = ArgGroup::new("which").args(["task_id", "next"]).required(true),
    after_help = "Examples:
  hzl task claim 01K9ZZ3D --agent ada
  hzl task claim --next --agent ada
  hzl task claim --next -P web -t bug --agent ada --lease 30"
)]
pub(crate) struct Args {
    /// Id of the task, or the beginning of it
    #[arg(value_name = "TASK_ID", value_parser = values::task_id)]
    pub(crate) task_id: Option<String>,
    /// Choose the next task
    #[arg(long)]
    pub(crate) next: bool,
    /// With --next: only tasks of this project
    #[arg(short = 'P', long, value_name = "PROJECT")]
    pub(crate) project: Option<String>,
    /// With --next: only tasks with all these tags, separated by commas
    #[arg(short, long, value_name = "TAGS", value_parser = values::comma_list)]
    pub(crate) tags: Vec<CommaList>,
    /// With --next: only subtasks of this task
    #[arg(long, value_name = "TASK_ID", value_parser = values::task_id)]
    pub(crate) parent: Option<String>,
    /// Claim in this name
    #[arg(long, value_name = "NAME")]
    pub(crate) agent: Option<String>,
    /// Record this id of the session or machine
    #[arg(long, value_name = "ID")]
    pub(crate) agent_id: Option<String>,
    /// Hold the task for this many minutes, after which others may take it over
    #[arg(short, long, value_name = "MINUTES", value_parser = values::lease_minutes)]
    pub(crate) lease: Option<u32>,
    /// Show this much of the task: summary, standard or full
    #[arg(long, value_name = "VIEW", default_value = "standard", value_parser = values::view)]
    pub(crate) view: View,
    /// Do not wait before choosing; kept for older scripts, there is no wait
    #[arg(long)]
    pub(crate) no_stagger: bool,
}
