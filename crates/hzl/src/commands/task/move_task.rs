//! `hzl task move`; the file has a longer name because `move` is a keyword.

use hzl_core::command;
use hzl_core::ids::ProjectName;
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

/// Move a task and its subtasks to another project
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl task move 01K9ZZ3D docs
  hzl task move 01K9ZZ3D docs --author ada")]
pub(crate) struct Args {
    /// Id of the task, or the beginning of it
    #[arg(value_name = "TASK_ID", value_parser = values::task_id)]
    pub(crate) task_id: String,
    /// Project to move it to
    #[arg(value_name = "PROJECT")]
    pub(crate) project: String,
    /// Sign the change with this name [default: HZL_AGENT]
    #[arg(long, value_name = "NAME")]
    pub(crate) author: Option<String>,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Moved {
    task_id: TaskId,
    from_project: ProjectName,
    to_project: ProjectName,
    /// Subtasks that went along.
    subtask_count: usize,
}

/// Moves the task.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let mut ledger = ctx.ledger(Purpose::Write)?;
    let task_id = lookup::task(&mut ledger, &args.task_id)?;
    let to_project = ProjectName::from(args.project.as_str());
    let move_task = command::Command::MoveTask {
        task_id: task_id.clone(),
        project: to_project.clone(),
    };
    let actor = ctx.actor(args.author.as_deref(), None)?;
    let outcome = ctx.execute(&mut ledger, &move_task, &actor)?;
    let before = outcome.before.get(&task_id);
    ctx.output.answer(&Moved {
        from_project: before.map_or_else(|| to_project.clone(), |before| before.project.clone()),
        task_id,
        to_project,
        subtask_count: outcome.events.len().saturating_sub(1),
    })
}

impl Answer for Moved {
    fn md(&self, md: &mut Md) {
        let (task_id, from, to) = (&self.task_id, &self.from_project, &self.to_project);
        if from == to {
            md.ok(&format!("{task_id} is in {to} already"));
            return;
        }
        let along = match self.subtask_count {
            0 => String::new(),
            1 => " with 1 subtask".to_owned(),
            count => format!(" with {count} subtasks"),
        };
        md.ok(&format!("Moved {task_id} from {from} to {to}{along}"));
    }
}
