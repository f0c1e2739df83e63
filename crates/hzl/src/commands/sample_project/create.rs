//! `hzl sample-project create`

use hzl_core::command;
use hzl_core::command::Actor;
use hzl_core::ids::ProjectName;
use hzl_store::query::projects;
use schemars::JsonSchema;
use serde::Serialize;

use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::output::Answer;
use crate::output::Md;

/// Create the project `sample-project` with 18 tasks
///
/// Does nothing if that project has tasks already.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl sample-project create")]
pub(crate) struct Args {}

#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Created {
    project: ProjectName,
    tasks_created: usize,
    skipped: bool,
}

/// Creates the project.
pub(crate) fn run(_: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let project = super::name();
    let mut ledger = ctx.ledger(Purpose::Write)?;
    let found = ledger.read(|cache| projects::find(cache, &project))?;
    let skipped = found.as_ref().is_some_and(|found| found.counts.total() > 0);
    if found.is_none() {
        let create = command::Command::CreateProject {
            name: project.clone(),
            description: None,
            is_protected: false,
        };
        ctx.execute(&mut ledger, &create, &Actor::default())?;
    }
    let tasks_created = if skipped {
        0
    } else {
        super::fill(&mut ledger, ctx)?
    };
    ctx.output.answer(&Created {
        project,
        tasks_created,
        skipped,
    })
}

impl Answer for Created {
    fn md(&self, md: &mut Md) {
        let project = &self.project;
        if self.skipped {
            md.line(&format!("Project {project} has tasks already."));
        } else {
            md.ok(&format!(
                "Created {project} with {} tasks",
                self.tasks_created
            ));
        }
    }
}
