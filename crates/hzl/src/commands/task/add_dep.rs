//! `hzl task add-dep`

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

/// Make a task wait for another
///
/// A task cannot be claimed while one that it waits for is open. Two tasks cannot wait for each other.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl task add-dep 01K9ZZ3D 01K9ZZ6B
  hzl task add-dep 01K9ZZ3D 01K9ZZ6B --author ada")]
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
pub(crate) struct Added {
    task_id: TaskId,
    depends_on_id: TaskId,
    added: bool,
}

/// Adds the dependency.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let mut ledger = ctx.ledger(Purpose::Write)?;
    let task_id = lookup::task(&mut ledger, &args.task_id)?;
    let depends_on = lookup::task(&mut ledger, &args.depends_on)?;
    let add_dep = command::Command::AddDependency {
        task_id: task_id.clone(),
        depends_on: depends_on.clone(),
    };
    let actor = ctx.actor(args.author.as_deref(), None)?;
    ctx.execute(&mut ledger, &add_dep, &actor)?;
    ctx.output.answer(&Added {
        task_id,
        depends_on_id: depends_on,
        added: true,
    })
}

impl Answer for Added {
    fn md(&self, md: &mut Md) {
        md.ok(&format!(
            "{} waits for {} now",
            self.task_id, self.depends_on_id
        ));
    }
}
