//! `hzl task checkpoint`

use hzl_core::command;
use hzl_core::decide::TaskFacts;
use hzl_core::ids::TaskId;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;

use super::lookup;
use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::output::Answer;
use crate::output::Md;
use crate::values;

/// Record how far the work has come
///
/// A checkpoint by the holder also renews the lease, for as long as it was last asked for. The holder is
/// who gives the name the task was claimed in (--author or HZL_AGENT), or the claim (--claim).
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
    /// Sign the change with this name [default: HZL_AGENT]
    #[arg(long, value_name = "NAME")]
    pub(crate) author: Option<String>,
    /// Act only while this claim is current
    #[arg(long, value_name = "CLAIM_ID")]
    pub(crate) claim: Option<String>,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Recorded {
    task_id: TaskId,
    name: String,
    data: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<u8>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Warning>,
}

#[derive(Debug, JsonSchema, Serialize)]
struct Warning {
    code: &'static str,
    message: String,
    holder: Option<String>,
}

/// Records the checkpoint.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let mut ledger = ctx.ledger(Purpose::Write)?;
    let task_id = lookup::task(&mut ledger, &args.task_id)?;
    let data = args.data.clone().unwrap_or_default();
    let record = command::Command::RecordCheckpoint {
        task_id: task_id.clone(),
        name: args.name.clone(),
        data: Some(data.clone()),
        progress: args.progress,
    };
    let actor = ctx.actor(args.author.as_deref(), args.claim.as_deref())?;
    let outcome = ctx.execute(&mut ledger, &record, &actor)?;
    let before = outcome.before.get(&task_id);
    ctx.output.answer(&Recorded {
        warnings: before
            .and_then(|before| lost_claim(args.claim.as_deref()?, before))
            .into_iter()
            .collect(),
        task_id,
        name: args.name.clone(),
        data,
        progress: args.progress,
    })
}

/// Says that the claim is over. The checkpoint is kept all the same: work that was done is a fact.
fn lost_claim(claim: &str, task: &TaskFacts) -> Option<Warning> {
    let task = &task.task;
    let is_current = task
        .claim
        .as_ref()
        .is_some_and(|current| current.as_str() == claim);
    if is_current && task.status.is_held() {
        return None;
    }
    Some(Warning {
        code: "claim_lost",
        message: format!(
            "claim {claim} of task {} is no longer current: the checkpoint is kept, its progress does not count",
            task.task_id
        ),
        holder: task.agent.clone().filter(|_| task.status.is_held()),
    })
}

impl Answer for Recorded {
    fn md(&self, md: &mut Md) {
        md.ok(&format!("Recorded {} on {}", self.name, self.task_id));
        for warning in &self.warnings {
            md.warning(&warning.message);
        }
    }
}
