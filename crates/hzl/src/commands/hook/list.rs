//! `hzl hook list`

use hzl_store::outbox;
use schemars::JsonSchema;
use serde::Serialize;

use super::Item;
use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::output::Answer;
use crate::output::Md;
use crate::values;
use crate::values::Class;
use crate::values::ValueError;

/// List deliveries, the latest first
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl hook list
  hzl hook list --status failed --limit 10")]
pub(crate) struct Args {
    /// Only of this status: queued, processing, delivered or failed
    #[arg(long, value_name = "STATUS", value_parser = status)]
    pub(crate) status: Option<String>,
    /// List at most this many
    #[arg(long, value_name = "N", default_value = "50", value_parser = values::at_least_one)]
    pub(crate) limit: u32,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct List {
    deliveries: Vec<Item>,
}

fn status(text: &str) -> Result<String, ValueError> {
    let wanted = text.trim().to_ascii_lowercase();
    if ["queued", "processing", "delivered", "failed"].contains(&wanted.as_str()) {
        return Ok(wanted);
    }
    Err(ValueError {
        class: Class::Input,
        message: format!("status is `{text}`, expected queued, processing, delivered or failed"),
    })
}

/// Lists the deliveries.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let ledger = ctx.ledger(Purpose::Read)?;
    let found = outbox::list(&ledger.files().events, args.status.as_deref(), args.limit)?;
    ctx.output.answer(&List {
        deliveries: found.into_iter().map(Item::from).collect(),
    })
}

impl Answer for List {
    fn md(&self, md: &mut Md) {
        if self.deliveries.is_empty() {
            md.line("No deliveries.");
        }
        for delivery in &self.deliveries {
            delivery.md(md);
        }
    }
}
