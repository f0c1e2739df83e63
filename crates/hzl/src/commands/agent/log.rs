//! `hzl agent log`

use std::collections::BTreeMap;

use hzl_core::ids::EventId;
use hzl_core::ids::TaskId;
use hzl_core::task::Status;
use hzl_store::log::StoredEvent;
use hzl_store::projector::find_task;
use hzl_store::query::agents;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::output::Answer;
use crate::output::Md;
use crate::output::one_line;
use crate::values;

/// Show what an agent has done, newest first
///
/// Lists the events it signed by name or id, also on tasks that others hold now.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl agent log ada
  hzl agent log ada --limit 10 --format md")]
pub(crate) struct Args {
    /// Name of the agent, or its id
    #[arg(value_name = "AGENT")]
    pub(crate) agent: String,
    /// Show at most this many events, 1 to 200
    #[arg(short, long, value_name = "N", default_value = "50", value_parser = values::log_limit)]
    pub(crate) limit: u32,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Log {
    events: Vec<Item>,
    total: u64,
}

#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    id: i64,
    event_id: EventId,
    task_id: String,
    #[serde(rename = "type")]
    kind: String,
    data: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_id: Option<String>,
    timestamp: String,
    /// Null when the task was deleted, as is the status.
    task_title: Option<String>,
    task_status: Option<Status>,
}

/// Shows the events.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let mut ledger = ctx.ledger(Purpose::Read)?;
    let log = agents::load_log(&ledger.files().events, &args.agent, args.limit)?;
    let tasks: BTreeMap<String, (String, Status)> = ledger.read(|cache| {
        let mut tasks = BTreeMap::new();
        for event in &log.events {
            if tasks.contains_key(&event.task_id) {
                continue;
            }
            if let Some(stored) = find_task(cache, &TaskId::from(event.task_id.as_str()))? {
                let task = (stored.task.title, stored.task.status);
                tasks.insert(event.task_id.clone(), task);
            }
        }
        Ok(tasks)
    })?;
    let events = log.events.into_iter();
    ctx.output.answer(&Log {
        events: events
            .map(|event| {
                let task = tasks.get(&event.task_id).cloned();
                item(event, task)
            })
            .collect(),
        total: log.total,
    })
}

fn item(event: StoredEvent, task: Option<(String, Status)>) -> Item {
    let (task_title, task_status) = task.unzip();
    Item {
        id: event.rowid,
        event_id: event.event_id,
        task_id: event.task_id,
        kind: event.kind,
        data: one_line(&event.data),
        author: event.author,
        agent_id: event.agent_id,
        timestamp: event.timestamp,
        task_title,
        task_status,
    }
}

impl Answer for Log {
    fn md(&self, md: &mut Md) {
        if self.events.is_empty() {
            md.line("No events.");
            return;
        }
        let row = |event: &Item| {
            let title = event.task_title.clone();
            vec![
                event.timestamp.clone(),
                event.kind.clone(),
                title.unwrap_or_else(|| event.task_id.clone()),
                event.data.get().to_owned(),
            ]
        };
        let rows: Vec<_> = self.events.iter().map(row).collect();
        md.table(&["Time", "Event", "Task", "Data"], &rows);
        let total = self.total;
        if usize::try_from(total).is_ok_and(|total| total > rows.len()) {
            md.line(&format!("{total} events in all"));
        }
    }
}
