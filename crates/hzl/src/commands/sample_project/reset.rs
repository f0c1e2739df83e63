//! `hzl sample-project reset`

use hzl_core::command;
use hzl_core::command::Actor;
use hzl_core::command::ProjectTasks;
use hzl_core::ids::ProjectName;
use hzl_core::rejection::Rejection;
use hzl_store::ledger::ExecuteError;
use schemars::JsonSchema;
use serde::Serialize;

use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::output::Answer;
use crate::output::Md;

/// Delete all tasks of `sample-project` and create it anew
///
/// Tasks that you added to it are deleted as well.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl sample-project reset")]
pub(crate) struct Args {}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Reset {
    project: ProjectName,
    deleted: usize,
    created: usize,
}

/// Deletes the project and creates it anew.
pub(crate) fn run(_: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let project = super::name();
    let mut ledger = ctx.ledger(Purpose::Write)?;
    let delete = command::Command::DeleteProject {
        name: project.clone(),
        tasks: Some(ProjectTasks::Delete),
    };
    let deleted = match ctx.execute(&mut ledger, &delete, &Actor::default()) {
        Ok(outcome) => outcome.before.len(),
        Err(ExecuteError::Rejected(Rejection::ProjectNotFound { .. })) => 0,
        Err(error) => return Err(error.into()),
    };
    let create = command::Command::CreateProject {
        name: project.clone(),
        description: None,
        is_protected: false,
    };
    ctx.execute(&mut ledger, &create, &Actor::default())?;
    let created = super::fill(&mut ledger, ctx)?;
    ctx.output.answer(&Reset {
        project,
        deleted,
        created,
    })
}

impl Answer for Reset {
    fn md(&self, md: &mut Md) {
        let (project, deleted, created) = (&self.project, self.deleted, self.created);
        md.ok(&format!(
            "Reset {project}: {deleted} tasks deleted, {created} created"
        ));
    }
}
