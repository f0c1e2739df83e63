//! `hzl task remove-dep`

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

/// Let a task no longer wait for another
///
/// Also removes what points at a task that does not exist; give its whole id then.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl task remove-dep 01K9ZZ3D 01K9ZZ6B
  hzl task remove-dep 01K9ZZ3D 01K9ZZ6B --author ada")]
pub(crate) struct Args {
    /// Id of the task that waits, or the beginning of it
    #[arg(value_name = "TASK_ID", value_parser = values::task_id)]
    pub(crate) task_id: String,
    /// Id of the task it waits for, or the beginning of it
    #[arg(value_name = "DEPENDS_ON", value_parser = values::task_id)]
    pub(crate) depends_on: String,
    /// Sign the change with this name [default: HZL_AGENT]
    #[arg(long, value_name = "NAME")]
    pub(crate) author: Option<String>,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Removed {
    task_id: TaskId,
    depends_on_id: TaskId,
    removed: bool,
}

/// Removes the dependency.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let mut ledger = ctx.ledger(Purpose::Write)?;
    let task_id = lookup::task(&mut ledger, &args.task_id)?;
    let depends_on = lookup::task_or_whole_id(&mut ledger, &args.depends_on)?;
    let remove_dep = command::Command::RemoveDependency {
        task_id: task_id.clone(),
        depends_on: depends_on.clone(),
    };
    let actor = ctx.actor(args.author.as_deref(), None)?;
    ctx.execute(&mut ledger, &remove_dep, &actor)?;
    ctx.output.answer(&Removed {
        task_id,
        depends_on_id: depends_on,
        removed: true,
    })
}

impl Answer for Removed {
    fn md(&self, md: &mut Md) {
        md.ok(&format!(
            "{} no longer waits for {}",
            self.task_id, self.depends_on_id
        ));
    }
}
