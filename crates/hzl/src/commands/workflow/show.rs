//! `hzl workflow show`

use schemars::JsonSchema;
use serde::Serialize;

use super::catalog;
use super::catalog::Workflow;
use crate::context::Context;
use crate::error::CommandError;
use crate::error::Kind;
use crate::output::Answer;
use crate::output::Md;

/// Show what a workflow does and takes
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl workflow show handoff")]
pub(crate) struct Args {
    /// Name of the workflow: start, handoff or delegate
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Shown {
    workflow: &'static Workflow,
}

/// Shows the workflow.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let name = args.name.trim();
    let found = catalog::WORKFLOWS
        .iter()
        .find(|workflow| workflow.name.eq_ignore_ascii_case(name));
    let Some(workflow) = found else {
        let error = CommandError::new(Kind::NotFound, format!("workflow not found: {name}"));
        return Err(error.hint("hzl workflow list"));
    };
    ctx.output.answer(&Shown { workflow })
}

impl Answer for Shown {
    fn md(&self, md: &mut Md) {
        md.heading(self.workflow.name);
        md.line(self.workflow.description);
        md.gap();
        for argument in self.workflow.args {
            let required = if argument.required { " (required)" } else { "" };
            let default = match argument.default {
                Some(default) => format!(" (default: {default})"),
                None => String::new(),
            };
            md.field(
                argument.name,
                &format!("{}{required}{default}", argument.description),
            );
        }
        md.gap();
        for note in self.workflow.notes {
            md.line(note);
        }
    }
}
