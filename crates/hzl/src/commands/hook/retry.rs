//! `hzl hook retry`

use hzl_store::outbox;
use schemars::JsonSchema;
use serde::Serialize;

use super::Item;
use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::error::Kind;
use crate::output::Answer;
use crate::output::Md;
use crate::values;

/// Queue a delivery again that waits or has failed
///
/// It is attempted by the next drain, and if need be for another day.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl hook retry 12")]
pub(crate) struct Args {
    /// Number of the delivery, from `hzl hook list`
    #[arg(value_name = "ID", value_parser = values::row_id)]
    pub(crate) id: i64,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Retried {
    delivery: Item,
}

/// Queues the delivery again.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let mut ledger = ctx.ledger(Purpose::Maintain)?;
    let is_queued = ledger.retry_hook(args.id)?;
    let found = outbox::find(&ledger.files().events, args.id)?;
    let queued = found.ok_or_else(|| super::not_found(args.id))?;
    if !is_queued {
        let message = format!(
            "cannot queue delivery {} again: it is {}, not queued or failed",
            args.id, queued.status
        );
        return Err(CommandError::new(Kind::Input, message).detail("status", queued.status));
    }
    ctx.output.answer(&Retried {
        delivery: queued.into(),
    })
}

impl Answer for Retried {
    fn md(&self, md: &mut Md) {
        md.ok(&format!("Queued delivery {} again", self.delivery.id));
    }
}
