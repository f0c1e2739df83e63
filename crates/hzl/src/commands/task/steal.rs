//! `hzl task steal`

use hzl_core::command;
use hzl_core::command::StealTask;
use hzl_core::ids::EventId;
use hzl_core::ids::TaskId;
use hzl_core::task::Status;
use schemars::JsonSchema;
use serde::Serialize;

use super::lookup;
use super::shape;
use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::error::Kind;
use crate::output::Answer;
use crate::output::Md;
use crate::values;

/// Take a task over from the agent that holds it
///
/// For tasks whose agent has gone. The agent that loses the task is refused when it acts under its
/// old claim.
#[derive(Debug, Default, clap::Args)]
#[command(after_help = "Examples:
  hzl task steal 01K9ZZ3D --agent ada --if-expired --lease 30
  hzl task steal 01K9ZZ3D --agent ada --force --author kim")]
pub(crate) struct Args {
    /// Id of the task, or the beginning of it
    #[arg(value_name = "TASK_ID", value_parser = values::task_id)]
    pub(crate) task_id: String,
    /// Take it in this name [default: --author, else HZL_AGENT]
    #[arg(long, value_name = "NAME")]
    pub(crate) agent: Option<String>,
    /// Older name of --agent
    #[arg(long, value_name = "NAME")]
    pub(crate) owner: Option<String>,
    /// Sign the change with this name; without --agent this is also who takes it
    #[arg(long, value_name = "NAME")]
    pub(crate) author: Option<String>,
    /// Take it whatever its lease says
    #[arg(long)]
    pub(crate) force: bool,
    /// Take it only if its lease has run out
    #[arg(long)]
    pub(crate) if_expired: bool,
    /// Hold the task for this many minutes, after which others may take it over
    #[arg(short, long, value_name = "MINUTES", value_parser = values::lease_minutes)]
    pub(crate) lease: Option<u32>,
}

impl Args {
    /// Returns who takes the task, if that is said apart from the author.
    ///
    /// # Errors
    ///
    /// `Input`: both options are given. Not left to the parser, because the exit code is 3.
    fn new_holder(&self) -> Result<Option<String>, CommandError> {
        match (&self.agent, &self.owner) {
            (Some(_), Some(_)) => Err(CommandError::new(
                Kind::Input,
                "--agent and --owner mean the same and cannot be used together",
            )),
            (agent, owner) => Ok(agent.clone().or_else(|| owner.clone())),
        }
    }
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Stolen {
    task_id: TaskId,
    title: String,
    status: Status,
    agent: Option<String>,
    stolen_from: Option<String>,
    lease_until: Option<String>,
    /// The new claim event: what `--claim` takes.
    claim_id: Option<EventId>,
}

/// Takes the task over.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let agent = args.new_holder()?;
    let mut ledger = ctx.ledger(Purpose::Write)?;
    let task_id = lookup::task(&mut ledger, &args.task_id)?;
    let steal = command::Command::StealTask(StealTask {
        task_id: task_id.clone(),
        agent,
        force: args.force,
        if_expired: args.if_expired,
        lease_minutes: ctx.lease_minutes(args.lease)?,
    });
    let actor = ctx.actor(args.author.as_deref(), None)?;
    let outcome = ctx.execute(&mut ledger, &steal, &actor)?;
    let task = shape::after(&outcome, &task_id).task;
    let before = outcome.before.get(&task_id);
    ctx.output.answer(&Stolen {
        stolen_from: before.and_then(|before| before.task.agent.clone()),
        task_id,
        title: task.title,
        status: task.status,
        agent: task.agent,
        lease_until: task.lease_until.map(|until| until.to_string()),
        claim_id: task.claim,
    })
}

impl Answer for Stolen {
    fn md(&self, md: &mut Md) {
        md.ok(&format!("Took over {} ({})", self.title, self.task_id));
        for (name, value) in [
            ("Agent", &self.agent),
            ("Taken from", &self.stolen_from),
            ("Lease until", &self.lease_until),
        ] {
            if let Some(value) = value {
                md.field(name, value);
            }
        }
        if let Some(claim) = &self.claim_id {
            md.field("Claim", claim.as_str());
        }
    }
}
