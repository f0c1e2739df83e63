//! `hzl task history`

use hzl_core::ids::TaskId;
use hzl_store::log;
use hzl_store::log::StoredEvent;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;

use super::lookup;
use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::output::Answer;
use crate::output::Md;
use crate::output::one_line;
use crate::values;

/// Show what happened to a task, oldest first
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl task history 01K9ZZ3D
  hzl task history 01K9ZZ3D --limit 10 --format md")]
pub(crate) struct Args {
    /// Id of the task, or the beginning of it
    #[arg(value_name = "TASK_ID", value_parser = values::task_id)]
    pub(crate) task_id: String,
    /// Show at most this many events
    #[arg(short, long, value_name = "N", default_value = "100", value_parser = values::at_least_one)]
    pub(crate) limit: u32,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct History {
    task_id: TaskId,
    events: Vec<Item>,
}

#[derive(Debug, JsonSchema, Serialize)]
struct Item {
    rowid: i64,
    event_id: String,
    #[serde(rename = "type")]
    kind: String,
    timestamp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_id: Option<String>,
    data: Box<RawValue>,
}

/// Shows the history.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let mut ledger = ctx.ledger(Purpose::Read)?;
    let task_id = lookup::task(&mut ledger, &args.task_id)?;
    let limit = u64::from(args.limit);
    let events = log::list_stored_of_task(&ledger.files().events, &task_id, limit)?;
    ctx.output.answer(&History {
        task_id,
        events: events.into_iter().map(item).collect(),
    })
}

fn item(event: StoredEvent) -> Item {
    Item {
        rowid: event.rowid,
        event_id: event.event_id.into_string(),
        kind: event.kind,
        timestamp: event.timestamp,
        author: event.author,
        agent_id: event.agent_id,
        data: one_line(&event.data),
    }
}

impl Answer for History {
    fn md(&self, md: &mut Md) {
        md.heading(&format!("History of {}", self.task_id));
        let row = |event: &Item| {
            let who = event.author.as_ref().or(event.agent_id.as_ref());
            vec![
                event.timestamp.clone(),
                event.kind.clone(),
                who.cloned().unwrap_or_default(),
                event.data.get().to_owned(),
            ]
        };
        let rows: Vec<_> = self.events.iter().map(row).collect();
        md.table(&["Time", "Event", "By", "Data"], &rows);
    }
}
