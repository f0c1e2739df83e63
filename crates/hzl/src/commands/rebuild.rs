//! `hzl rebuild`

use std::time::Instant;

use hzl_store::log;
use hzl_store::projector;
use hzl_store::query::tasks;
use schemars::JsonSchema;
use serde::Serialize;

use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::output::Answer;
use crate::output::Md;
use crate::output::counted;

/// Derive all projections anew from the event log
///
/// Nothing is lost: what tasks are now follows from the events. Others wait while it runs. Not needed
/// in normal use; damaged or missing projections are rebuilt by whatever command meets them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl rebuild
  hzl rebuild --format md")]
pub(crate) struct Args {}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Rebuilt {
    rebuilt: bool,
    events: u64,
    tasks: u64,
    state_hash: String,
    duration_ms: u128,
}

/// Rebuilds the projections.
pub(crate) fn run(_: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let started = Instant::now();
    let mut ledger = ctx.ledger(Purpose::Maintain)?;
    ledger.rebuild()?;
    let events = log::count(&ledger.files().events)?;
    let (tasks, state) =
        ledger.read(|cache| Ok((tasks::count(cache)?, projector::state_sum(cache)?)))?;
    ctx.output.answer(&Rebuilt {
        rebuilt: true,
        events,
        tasks,
        state_hash: state.to_string(),
        duration_ms: started.elapsed().as_millis(),
    })
}

impl Answer for Rebuilt {
    fn md(&self, md: &mut Md) {
        md.ok(&format!(
            "Rebuilt {} from {} in {} ms",
            counted(self.tasks, "task"),
            counted(self.events, "event"),
            self.duration_ms
        ));
    }
}
