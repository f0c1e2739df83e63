//! `hzl task progress`

use hzl_core::command;
use hzl_core::ids::TaskId;
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

/// Set how much of a task is done, in per cent
///
/// 100 does not complete the task.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl task progress 01K9ZZ3D 40
  hzl task progress 01K9ZZ3D 80 --author ada")]
pub(crate) struct Args {
    /// Id of the task, or the beginning of it
    #[arg(value_name = "TASK_ID", value_parser = values::task_id)]
    pub(crate) task_id: String,
    /// Progress, 0 to 100
    #[arg(value_name = "PERCENT", value_parser = values::progress_argument)]
    pub(crate) value: u8,
    /// Sign the change with this name [default: HZL_AGENT]
    #[arg(long, value_name = "NAME")]
    pub(crate) author: Option<String>,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Reported {
    task_id: TaskId,
    title: String,
    progress: u8,
}

/// Reports the progress.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let mut ledger = ctx.ledger(Purpose::Write)?;
    let task_id = lookup::task(&mut ledger, &args.task_id)?;
    let report = command::Command::report_progress(task_id.clone(), args.value);
    let actor = ctx.actor(args.author.as_deref(), None)?;
    let outcome = ctx.execute(&mut ledger, &report, &actor)?;
    ctx.output.answer(&Reported {
        title: shape::after(&outcome, &task_id).task.title,
        task_id,
        progress: args.value,
    })
}

impl Answer for Reported {
    fn md(&self, md: &mut Md) {
        let Self {
            task_id,
            title,
            progress,
        } = self;
        md.ok(&format!("{title} ({task_id}) is at {progress} %"));
    }
}
