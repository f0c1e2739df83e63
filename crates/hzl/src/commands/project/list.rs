//! `hzl project list`

use hzl_core::ids::ProjectName;
use hzl_store::query::projects;
use hzl_store::query::projects::ProjectView;
use schemars::JsonSchema;
use serde::Serialize;

use crate::context::Context;
use crate::error::CommandError;
use crate::output::Answer;
use crate::output::Md;
use crate::reader::Read as _;
use crate::reader::Reader;

/// List all projects with the number of their tasks
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl project list
  hzl project list --format md")]
pub(crate) struct Args {}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct List {
    projects: Vec<Item>,
}

#[derive(Debug, JsonSchema, Serialize)]
struct Item {
    name: ProjectName,
    description: Option<String>,
    is_protected: bool,
    task_count: u64,
    archived_task_count: u64,
    active_task_count: u64,
}

/// Lists the projects.
pub(crate) fn run(_: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let mut reader = Reader::new(ctx)?;
    let projects = reader.read(projects::list)?;
    ctx.output.answer(&List {
        projects: projects.into_iter().map(item).collect(),
    })
}

fn item(project: ProjectView) -> Item {
    Item {
        task_count: project.counts.total(),
        archived_task_count: project.counts.archived,
        active_task_count: project.counts.active(),
        name: project.name,
        description: project.description,
        is_protected: project.is_protected,
    }
}

impl Answer for List {
    fn md(&self, md: &mut Md) {
        let row = |project: &Item| {
            vec![
                project.name.to_string(),
                project.active_task_count.to_string(),
                project.archived_task_count.to_string(),
                project.description.clone().unwrap_or_default(),
            ]
        };
        let rows: Vec<_> = self.projects.iter().map(row).collect();
        md.table(&["Project", "Tasks", "Archived", "Description"], &rows);
    }
}
