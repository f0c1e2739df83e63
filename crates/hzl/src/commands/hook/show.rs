//! `hzl hook show`

use hzl_store::outbox;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::Item;
use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::output::Answer;
use crate::output::Md;
use crate::values;

/// Show a delivery with what is sent
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl hook show 12")]
pub(crate) struct Args {
    /// Number of the delivery, from `hzl hook list`
    #[arg(value_name = "ID", value_parser = values::row_id)]
    pub(crate) id: i64,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Shown {
    delivery: Item,
    /// Names only.
    headers: Vec<String>,
    payload: Value,
}

/// Shows the delivery.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let ledger = ctx.ledger(Purpose::Read)?;
    let found = outbox::find(&ledger.files().events, args.id)?;
    let queued = found.ok_or_else(|| super::not_found(args.id))?;
    ctx.output.answer(&Shown {
        headers: queued.header_names.clone(),
        payload: queued.payload.clone(),
        delivery: queued.into(),
    })
}

impl Answer for Shown {
    fn md(&self, md: &mut Md) {
        self.delivery.md(md);
        md.field("Headers", &self.headers.join(", "));
        md.field("Payload", &self.payload.to_string());
    }
}
