//! `hzl project create`

use hzl_core::command;
use hzl_core::command::Actor;
use hzl_core::ids::ProjectName;
use schemars::JsonSchema;
use serde::Serialize;

use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::output::Answer;
use crate::output::Md;

/// Create a project
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl project create docs
  hzl project create docs -d \"Manual and website\"")]
pub(crate) struct Args {
    /// Name, unique in this ledger
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Say what the project is for
    #[arg(short, long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Created {
    name: ProjectName,
    description: Option<String>,
    is_protected: bool,
    created_at: String,
}

/// Creates the project.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let mut ledger = ctx.ledger(Purpose::Write)?;
    let name = ProjectName::from(args.name.as_str());
    let create = command::Command::CreateProject {
        name: name.clone(),
        description: args.description.clone(),
        is_protected: false,
    };
    let outcome = ctx.execute(&mut ledger, &create, &Actor::default())?;
    let created_at = outcome.events.first().map(|(_, event)| event.timestamp);
    ctx.output.answer(&Created {
        name,
        description: args.description.clone(),
        is_protected: false,
        created_at: created_at.unwrap_or_default().to_string(),
    })
}

impl Answer for Created {
    fn md(&self, md: &mut Md) {
        md.ok(&format!("Created project {}", self.name));
    }
}
