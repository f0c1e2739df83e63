//! `hzl conflicts ack`

use hzl_core::ids::EventId;
use hzl_store::query::conflicts;
use hzl_store::query::conflicts::ConflictFilter;
use hzl_store::query::conflicts::StoredConflict;
use schemars::JsonSchema;
use serde::Serialize;

use super::item;
use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::output::Answer;
use crate::output::Md;
use crate::values;

/// Say that a conflict is settled, so that lists and counts leave it out
///
/// Holds on this machine only. The losing write stays in the log, and `list --all` still shows it.
#[derive(Debug, clap::Args)]
#[command(
    group = clap::ArgGroup::new("which").args(["event_ids", "all"]).required(true),
    after_help = "Examples:
  hzl conflicts ack 01KAQX2V
  hzl conflicts ack --all"
)]
pub(crate) struct Args {
    /// Ids of the events that lost, or the beginnings of them
    #[arg(value_name = "EVENT_ID", value_parser = values::event_id)]
    pub(crate) event_ids: Vec<String>,
    /// Acknowledge all there are
    #[arg(short, long)]
    pub(crate) all: bool,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Acknowledged {
    /// The events, each once.
    acknowledged: Vec<EventId>,
    /// How many conflicts are left.
    open: u64,
}

/// Acknowledges the conflicts.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let mut ledger = ctx.ledger(Purpose::Maintain)?;
    let known = conflicts::load_acknowledged(&ledger.files().events)?;
    let mut found: Vec<StoredConflict> = vec![];
    if args.all {
        let all = ConflictFilter::default();
        (found, _) = ledger.read(|cache| conflicts::list(cache, &known, all, u32::MAX))?;
    }
    for typed in &args.event_ids {
        found.extend(item::of_event(&mut ledger, typed)?);
    }
    let mut acknowledged: Vec<EventId> = vec![];
    let open = ctx.transact(&mut ledger, |batch| {
        let now = batch.now();
        for stored in &found {
            conflicts::acknowledge(batch.log(), &stored.conflict, now)?;
        }
        // Asked before the commit: what fails after it could not be told from a refusal.
        let known = conflicts::load_acknowledged(batch.log())?;
        Ok(batch.read(|cache| conflicts::count_open(cache, &known))?)
    })?;
    for stored in found {
        if !acknowledged.contains(&stored.conflict.event_id) {
            acknowledged.push(stored.conflict.event_id);
        }
    }
    ctx.output.answer(&Acknowledged { acknowledged, open })
}

impl Answer for Acknowledged {
    fn md(&self, md: &mut Md) {
        let count = self.acknowledged.len();
        md.ok(&format!("Acknowledged {count}, {} left", self.open));
    }
}
