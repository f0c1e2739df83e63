//! `hzl workflow list`

use schemars::JsonSchema;
use serde::Serialize;

use super::catalog;
use crate::context::Context;
use crate::error::CommandError;
use crate::output::Answer;
use crate::output::Md;

/// List the workflows
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl workflow list")]
pub(crate) struct Args {}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct List {
    workflows: Vec<Item>,
}

#[derive(Debug, JsonSchema, Serialize)]
struct Item {
    name: &'static str,
    description: &'static str,
}

/// Lists the workflows.
pub(crate) fn run(_: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let items = catalog::WORKFLOWS.iter().map(|workflow| Item {
        name: workflow.name,
        description: workflow.description,
    });
    ctx.output.answer(&List {
        workflows: items.collect(),
    })
}

impl Answer for List {
    fn md(&self, md: &mut Md) {
        for item in &self.workflows {
            md.field(item.name, item.description);
        }
    }
}
