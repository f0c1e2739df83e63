//! `hzl task renew`

use hzl_core::command;
use hzl_core::ids::TaskId;
use hzl_core::task::Status;
use schemars::JsonSchema;
use serde::Serialize;

use super::lookup;
use super::shape;
use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::output::Answer;
use crate::output::Md;
use crate::values;

/// Prolong the lease of a task that is held
///
/// The lease ends that many minutes from now, unless it ends later already. A lease that has run out
/// can be renewed until somebody else takes the task over.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl task renew 01K9ZZ3D --lease 30 --author ada
  hzl task renew 01K9ZZ3D --lease 30 --claim 01KA0B7QF3")]
pub(crate) struct Args {
    /// Id of the task, or the beginning of it
    #[arg(value_name = "TASK_ID", value_parser = values::task_id)]
    pub(crate) task_id: String,
    /// Hold the task for this many minutes from now
    #[arg(short, long, value_name = "MINUTES", value_parser = values::lease_minutes)]
    pub(crate) lease: u32,
    /// Sign the change with this name [default: HZL_AGENT]
    #[arg(long, value_name = "NAME")]
    pub(crate) author: Option<String>,
    /// Act only while this claim is current
    #[arg(long, value_name = "CLAIM_ID")]
    pub(crate) claim: Option<String>,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Renewed {
    task_id: TaskId,
    title: String,
    status: Status,
    agent: Option<String>,
    lease_until: Option<String>,
}

/// Renews the lease.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let mut ledger = ctx.ledger(Purpose::Write)?;
    let task_id = lookup::task(&mut ledger, &args.task_id)?;
    let renew = command::Command::RenewLease {
        task_id: task_id.clone(),
        lease_minutes: args.lease,
    };
    let actor = ctx.actor(args.author.as_deref(), args.claim.as_deref())?;
    let outcome = ctx.execute(&mut ledger, &renew, &actor)?;
    let task = shape::after(&outcome, &task_id).task;
    ctx.output.answer(&Renewed {
        task_id,
        title: task.title,
        status: task.status,
        agent: task.agent,
        lease_until: task.lease_until.map(|until| until.to_string()),
    })
}

impl Answer for Renewed {
    fn md(&self, md: &mut Md) {
        md.ok(&format!("Renewed {} ({})", self.title, self.task_id));
        if let Some(until) = &self.lease_until {
            md.field("Lease until", until);
        }
    }
}
