//! `hzl project rename`

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

/// Give a project another name
///
/// Its tasks stay with it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl project rename docs manual")]
pub(crate) struct Args {
    /// Name of the project
    #[arg(value_name = "OLD_NAME")]
    pub(crate) old_name: String,
    /// New name, unique in this ledger
    #[arg(value_name = "NEW_NAME")]
    pub(crate) new_name: String,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Renamed {
    old_name: ProjectName,
    new_name: ProjectName,
}

/// Renames the project.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let mut ledger = ctx.ledger(Purpose::Write)?;
    let old_name = ProjectName::from(args.old_name.as_str());
    let new_name = ProjectName::from(args.new_name.as_str());
    let rename = command::Command::RenameProject {
        old_name: old_name.clone(),
        new_name: new_name.clone(),
    };
    ctx.execute(&mut ledger, &rename, &Actor::default())?;
    ctx.output.answer(&Renamed { old_name, new_name })
}

impl Answer for Renamed {
    fn md(&self, md: &mut Md) {
        md.ok(&format!(
            "Renamed project {} to {}",
            self.old_name, self.new_name
        ));
    }
}
