//! `hzl conflicts list`

use hzl_store::query::conflicts;
use hzl_store::query::conflicts::StoredConflict;
use serde::Serialize;
use serde_json::Value;

use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::output::Answer;
use crate::output::Md;
use crate::values;

/// List writes that lost a merge, the latest first
///
/// Two machines changed the same thing without knowing of each other. The losing write is kept in the
/// log and changes nothing; the answer shows what it wanted and what stands.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl conflicts list
  hzl conflicts list --limit 10 --format md")]
pub(crate) struct Args {
    /// List at most this many
    #[arg(short, long, value_name = "N", default_value = "50", value_parser = values::at_least_one)]
    pub(crate) limit: u32,
}

#[derive(Debug, Serialize)]
struct List {
    conflicts: Vec<Item>,
    total: u64,
}

#[derive(Debug, Serialize)]
struct Item {
    event_id: String,
    kind: String,
    field: String,
    task_id: Option<String>,
    title: Option<String>,
    winner_event_id: Option<String>,
    losing_value: Value,
    winning_value: Value,
    at: Option<String>,
}

/// Lists the conflicts.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let mut ledger = ctx.ledger(Purpose::Read)?;
    let (found, total) = ledger.read(|cache| {
        let found = conflicts::list(cache, args.limit)?;
        Ok((found, conflicts::count(cache)?))
    })?;
    ctx.output.answer(&List {
        conflicts: found.into_iter().map(item).collect(),
        total,
    })
}

fn item(conflict: StoredConflict) -> Item {
    Item {
        event_id: conflict.event_id,
        kind: conflict.kind,
        field: conflict.field,
        task_id: conflict.task_id,
        title: conflict.title,
        winner_event_id: conflict.winner_event_id,
        losing_value: conflict.losing_value,
        winning_value: conflict.winning_value,
        at: conflict.at.map(|at| at.to_string()),
    }
}

impl Answer for List {
    fn md(&self, md: &mut Md) {
        if self.conflicts.is_empty() {
            md.line("No conflicts.");
            return;
        }
        let row = |conflict: &Item| {
            let task = conflict.title.as_ref().or(conflict.task_id.as_ref());
            vec![
                task.cloned().unwrap_or_default(),
                conflict.kind.clone(),
                conflict.field.clone(),
                conflict.losing_value.to_string(),
                conflict.winning_value.to_string(),
            ]
        };
        let rows: Vec<_> = self.conflicts.iter().map(row).collect();
        md.table(&["Task", "Why", "Field", "Lost", "Stands"], &rows);
        if usize::try_from(self.total).is_ok_and(|total| total > self.conflicts.len()) {
            md.line(&format!("{} conflicts in all", self.total));
        }
    }
}
