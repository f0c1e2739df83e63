//! `hzl project show`

use hzl_core::ids::ProjectName;
use hzl_core::rejection::Rejection;
use hzl_store::query::projects;
use schemars::JsonSchema;
use serde::Serialize;

use crate::context::Context;
use crate::error::CommandError;
use crate::output::Answer;
use crate::output::Md;
use crate::reader::Read as _;
use crate::reader::Reader;

/// Show a project and how many tasks it has in each status
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl project show docs")]
pub(crate) struct Args {
    /// Name of the project
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Shown {
    project: Project,
    statuses: Statuses,
}

#[derive(Debug, JsonSchema, Serialize)]
struct Project {
    name: ProjectName,
    description: Option<String>,
    created_at: String,
    is_protected: bool,
}

#[derive(Debug, JsonSchema, Serialize)]
struct Statuses {
    backlog: u64,
    ready: u64,
    in_progress: u64,
    blocked: u64,
    done: u64,
    archived: u64,
}

/// Shows the project.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let name = ProjectName::from(args.name.as_str());
    let mut reader = Reader::new(ctx)?;
    let found = reader.read(|cache| projects::find(cache, &name))?;
    let Some(project) = found else {
        return Err(Rejection::ProjectNotFound { name }.into());
    };
    ctx.output.answer(&Shown {
        project: Project {
            name: project.name,
            description: project.description,
            created_at: project.created_at.to_string(),
            is_protected: project.is_protected,
        },
        statuses: Statuses {
            backlog: project.counts.backlog,
            ready: project.counts.ready,
            in_progress: project.counts.in_progress,
            blocked: project.counts.blocked,
            done: project.counts.done,
            archived: project.counts.archived,
        },
    })
}

impl Answer for Shown {
    fn md(&self, md: &mut Md) {
        md.heading(&self.project.name.to_string());
        if let Some(description) = &self.project.description {
            md.block("Description", description);
        }
        md.field("Created", &self.project.created_at);
        if self.project.is_protected {
            md.field("Protected", "cannot be renamed or deleted");
        }
        let statuses = &self.statuses;
        for (name, count) in [
            ("Backlog", statuses.backlog),
            ("Ready", statuses.ready),
            ("In progress", statuses.in_progress),
            ("Blocked", statuses.blocked),
            ("Done", statuses.done),
            ("Archived", statuses.archived),
        ] {
            md.field(name, &count.to_string());
        }
    }
}
