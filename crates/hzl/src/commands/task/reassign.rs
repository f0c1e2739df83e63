//! `hzl task reassign`

use hzl_core::command;
use hzl_core::command::UpdateTask;
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

/// Say which agent should take a task that nobody holds
///
/// `claim --next` then gives the task to that agent only. A task that somebody holds changes hands
/// with `hzl task steal`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl task reassign 01K9ZZ3D ada
  hzl task reassign 01K9ZZ3D \"\" --author kim")]
pub(crate) struct Args {
    /// Id of the task, or the beginning of it
    #[arg(value_name = "TASK_ID", value_parser = values::task_id)]
    pub(crate) task_id: String,
    /// Who should take it; an empty text leaves it to whoever claims it
    #[arg(value_name = "AGENT")]
    pub(crate) agent: String,
    /// Sign the change with this name [default: HZL_AGENT]
    #[arg(long, value_name = "NAME")]
    pub(crate) author: Option<String>,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Reassigned {
    task_id: TaskId,
    title: String,
    status: Status,
    agent: Option<String>,
    previous_agent: Option<String>,
}

/// Routes the task.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let mut ledger = ctx.ledger(Purpose::Write)?;
    let task_id = lookup::task(&mut ledger, &args.task_id)?;
    let agent = Some(args.agent.clone()).filter(|name| !name.is_empty());
    let update = command::Command::UpdateTask(Box::new(UpdateTask {
        task_id: task_id.clone(),
        agent: Some(agent),
        ..UpdateTask::default()
    }));
    let actor = ctx.actor(args.author.as_deref(), None)?;
    let outcome = ctx.execute(&mut ledger, &update, &actor)?;
    let task = shape::after(&outcome, &task_id).task;
    let before = outcome.before.get(&task_id);
    ctx.output.answer(&Reassigned {
        previous_agent: before.and_then(|before| before.task.agent.clone()),
        task_id,
        title: task.title,
        status: task.status,
        agent: task.agent,
    })
}

impl Answer for Reassigned {
    fn md(&self, md: &mut Md) {
        let whom = self.agent.as_deref().unwrap_or("whoever claims it");
        md.ok(&format!("{} ({}) is for {whom}", self.title, self.task_id));
    }
}
