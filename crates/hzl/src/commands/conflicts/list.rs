//! `hzl conflicts list`

use hzl_store::query::conflicts;
use hzl_store::query::conflicts::ConflictFilter;
use schemars::JsonSchema;
use serde::Serialize;

use super::item::Item;
use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::output::Answer;
use crate::output::Md;
use crate::values;

/// List writes that lost a merge, the latest first
///
/// Two machines changed the same thing without knowing of each other. The losing write is kept in the
/// log and changes nothing; the answer shows what it wanted and what stands. Those that were
/// acknowledged on this machine are left out.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl conflicts list
  hzl conflicts list --limit 10 --format md
  hzl conflicts list --all")]
pub(crate) struct Args {
    /// List at most this many
    #[arg(short, long, value_name = "N", default_value = "50", value_parser = values::at_least_one)]
    pub(crate) limit: u32,
    /// List acknowledged ones as well
    #[arg(short, long)]
    pub(crate) all: bool,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct List {
    conflicts: Vec<Item>,
    total: u64,
}

/// Lists the conflicts.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let mut ledger = ctx.ledger(Purpose::Read)?;
    let acknowledged = conflicts::load_acknowledged(&ledger.files().events)?;
    let filter = ConflictFilter {
        acknowledged: args.all,
        event_id: None,
    };
    let (found, total) =
        ledger.read(|cache| conflicts::list(cache, &acknowledged, filter, args.limit))?;
    ctx.output.answer(&List {
        conflicts: found.into_iter().map(Item::from).collect(),
        total,
    })
}

impl Answer for List {
    fn md(&self, md: &mut Md) {
        if self.conflicts.is_empty() {
            md.line("No conflicts.");
            return;
        }
        let rows: Vec<_> = self.conflicts.iter().map(row).collect();
        md.table(&["Event", "Task", "Why", "Field", "Lost", "Stands"], &rows);
        if usize::try_from(self.total).is_ok_and(|total| total > self.conflicts.len()) {
            md.line(&format!("{} conflicts in all", self.total));
        }
    }
}

fn row(conflict: &Item) -> Vec<String> {
    let task = conflict.title.clone();
    let task = task.or_else(|| conflict.task_id.as_ref().map(ToString::to_string));
    vec![
        conflict.event_id.to_string(),
        task.unwrap_or_default(),
        conflict.kind.to_owned(),
        conflict.field.clone(),
        conflict.losing_value.to_string(),
        conflict.winning_value.to_string(),
    ]
}
