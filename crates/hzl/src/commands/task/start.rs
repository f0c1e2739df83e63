//! `hzl task start`

use super::claim;
use super::claim::Named;
use crate::context::Context;
use crate::error::CommandError;
use crate::values;
use crate::values::View;

/// Claim a task and start working on it
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl task start 01K9ZZ3D --agent ada
  hzl task start 01K9ZZ3D --agent ada --lease 30")]
pub(crate) struct Args {
    /// Id of the task, or the beginning of it
    #[arg(value_name = "TASK_ID", value_parser = values::task_id)]
    pub(crate) task_id: String,
    /// Claim in this name [default: HZL_AGENT]
    #[arg(long, value_name = "NAME")]
    pub(crate) agent: Option<String>,
    /// Record this id of the session or machine
    #[arg(long, value_name = "ID")]
    pub(crate) agent_id: Option<String>,
    /// Hold the task for this many minutes, after which others may take it over
    #[arg(short, long, value_name = "MINUTES", value_parser = values::lease_minutes)]
    pub(crate) lease: Option<u32>,
}

/// Claims the task.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let named = Named {
        task_id: &args.task_id,
        agent: args.agent.as_deref(),
        agent_id: args.agent_id.as_deref(),
        lease_minutes: args.lease,
        view: View::Standard,
    };
    claim::claim_named(named, ctx)
}
