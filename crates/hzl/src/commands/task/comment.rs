//! `hzl task comment`

use hzl_core::command;
use hzl_core::ids::TaskId;
use schemars::JsonSchema;
use serde::Serialize;

use super::lookup;
use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::output::Answer;
use crate::output::Md;
use crate::values;

/// Add a comment to a task
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl task comment 01K9ZZ3D \"Mention the breaking change\"
  hzl task comment 01K9ZZ3D \"Done, please review\" --author ada")]
pub(crate) struct Args {
    /// Id of the task, or the beginning of it
    #[arg(value_name = "TASK_ID", value_parser = values::task_id)]
    pub(crate) task_id: String,
    /// Text of the comment
    #[arg(value_name = "TEXT")]
    pub(crate) text: String,
    /// Sign the change with this name [default: HZL_AGENT]
    #[arg(long, value_name = "NAME")]
    pub(crate) author: Option<String>,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Commented {
    task_id: TaskId,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<String>,
}

/// Adds the comment.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let mut ledger = ctx.ledger(Purpose::Write)?;
    let task_id = lookup::task(&mut ledger, &args.task_id)?;
    let comment = command::Command::AddComment {
        task_id: task_id.clone(),
        text: args.text.clone(),
    };
    let actor = ctx.actor(args.author.as_deref(), None)?;
    ctx.execute(&mut ledger, &comment, &actor)?;
    ctx.output.answer(&Commented {
        task_id,
        text: args.text.clone(),
        author: args.author.clone(),
    })
}

impl Answer for Commented {
    fn md(&self, md: &mut Md) {
        md.ok(&format!("Commented on {}", self.task_id));
    }
}
