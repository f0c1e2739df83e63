//! `hzl task list`

use std::collections::BTreeMap;

use hzl_core::task::Status;
use hzl_core::time::Timestamp;
use hzl_store::projector::StoredTask;
use hzl_store::query::tasks;
use hzl_store::query::tasks::ListFilter;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::lookup;
use super::shape;
use super::shape::Empties;
use super::shape::Row;
use crate::context::Context;
use crate::error::CommandError;
use crate::output::Answer;
use crate::output::Md;
use crate::output::ShortIds;
use crate::reader::Read as _;
use crate::reader::Reader;
use crate::values;
use crate::values::View;

/// List tasks, most important first
///
/// Archived tasks are left out.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl task list
  hzl task list -P web -s ready
  hzl task list --available --limit 5 --view standard")]
pub(crate) struct Args {
    /// Only tasks of this project
    #[arg(short = 'P', long, value_name = "PROJECT")]
    pub(crate) project: Option<String>,
    /// Only tasks in this status
    #[arg(short, long, value_name = "STATUS", value_parser = values::status)]
    pub(crate) status: Option<Status>,
    /// Only tasks of this agent
    #[arg(long, value_name = "NAME", conflicts_with = "agent_pattern")]
    pub(crate) agent: Option<String>,
    /// Only tasks of agents whose name matches, where `*` stands for anything
    #[arg(long, value_name = "PATTERN")]
    pub(crate) agent_pattern: Option<String>,
    /// Only tasks that can be claimed now
    #[arg(short, long)]
    pub(crate) available: bool,
    /// Only tasks that are not subtasks
    #[arg(long)]
    pub(crate) root: bool,
    /// Only subtasks of this task
    #[arg(long, value_name = "TASK_ID", value_parser = values::task_id)]
    pub(crate) parent: Option<String>,
    /// Group the tasks of the page by agent
    #[arg(long)]
    pub(crate) group_by_agent: bool,
    /// Show this page
    #[arg(long, value_name = "N", default_value = "1", value_parser = values::at_least_one)]
    pub(crate) page: u32,
    /// Show this many tasks per page
    #[arg(short, long, value_name = "N", default_value = "50", value_parser = values::at_least_one)]
    pub(crate) limit: u32,
    /// Show this much of each task: summary, standard or full
    #[arg(long, value_name = "VIEW", default_value = "summary", value_parser = values::view)]
    pub(crate) view: View,
    /// Mark tasks as stale after this many minutes without a checkpoint; 0 is never
    #[arg(long, value_name = "MINUTES", default_value = "10", value_parser = values::minutes)]
    pub(crate) stale_threshold: u32,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct List {
    tasks: Vec<Item>,
    total: u64,
    page: u32,
    limit: u32,
    has_more: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<Group>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_tasks: Option<u64>,
}

#[derive(Clone, Debug, JsonSchema, Serialize)]
#[serde(transparent)]
struct Item {
    #[schemars(schema_with = "shape::listed_schema")]
    keys: Map<String, Value>,
    #[serde(skip)]
    row: Row,
    /// Since how many minutes it is stale.
    #[serde(skip)]
    stale_minutes: Option<i64>,
    /// It waits for tasks that are not finished.
    #[serde(skip)]
    is_waiting: bool,
}

/// The tasks of one agent, or of nobody, on this page.
#[derive(Debug, JsonSchema, Serialize)]
struct Group {
    agent: Option<String>,
    tasks: Vec<Item>,
    total: usize,
}

/// Lists the tasks.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let mut reader = Reader::new(ctx)?;
    let parent = match &args.parent {
        Some(typed) => Some(lookup::parent(&mut reader, typed)?),
        None => None,
    };
    let filter = ListFilter {
        project: args.project.clone(),
        status: args.status,
        agent: args.agent.clone(),
        agent_pattern: args.agent_pattern.clone(),
        available: args.available,
        root: args.root,
        parent,
    };
    let limit = u64::from(args.limit);
    // Beyond what SQLite counts to there is nothing anyway.
    let offset = (u64::from(args.page - 1) * limit).min(i64::MAX.unsigned_abs());
    let page = reader.read(|cache| tasks::list(cache, &filter, offset, limit))?;
    let now = reader.now();
    let has_more = offset.saturating_add(limit) < page.total;
    let tasks: Vec<Item> = page
        .tasks
        .into_iter()
        .map(|task| item(task, args, now))
        .collect();
    ctx.output.answer(&List {
        groups: args.group_by_agent.then(|| by_agent(&tasks)),
        total_tasks: args.group_by_agent.then_some(page.total),
        tasks,
        total: page.total,
        page: args.page,
        limit: args.limit,
        has_more,
    })
}

fn item(stored: StoredTask, args: &Args, now: Timestamp) -> Item {
    let checkpoint_count = stored.checkpoint_count;
    let is_waiting = stored.open_deps > 0;
    let row = Row::from(stored);
    let mut keys = shape::object(&row, shape::list_keys(args.view), Empties::LeftOut);
    let stale_minutes = match args.stale_threshold {
        0 => None,
        threshold => shape::stale_minutes(&row.task, checkpoint_count, threshold, now),
    };
    if args.stale_threshold > 0 {
        keys.insert("stale".to_owned(), json!(stale_minutes.is_some()));
        keys.insert("stale_minutes".to_owned(), json!(stale_minutes));
    }
    Item {
        keys,
        row,
        stale_minutes,
        is_waiting,
    }
}

/// Groups by agent name; tasks of nobody come last.
fn by_agent(tasks: &[Item]) -> Vec<Group> {
    let mut named: BTreeMap<&str, Vec<Item>> = BTreeMap::new();
    let mut of_nobody = Vec::new();
    for item in tasks {
        match shape::agent(&item.row.task) {
            Some(agent) => named.entry(agent).or_default().push(item.clone()),
            None => of_nobody.push(item.clone()),
        }
    }
    let group = |agent: Option<&str>, tasks: Vec<Item>| Group {
        agent: agent.map(str::to_owned),
        total: tasks.len(),
        tasks,
    };
    let mut groups: Vec<Group> = named
        .into_iter()
        .map(|(agent, tasks)| group(Some(agent), tasks))
        .collect();
    if !of_nobody.is_empty() {
        groups.push(group(None, of_nobody));
    }
    groups
}

impl Answer for List {
    fn md(&self, md: &mut Md) {
        if self.tasks.is_empty() {
            md.line("No tasks.");
            return;
        }
        let ids = self.tasks.iter().map(|item| item.row.task.task_id.as_str());
        let short = ShortIds::of(ids);
        match &self.groups {
            None => {
                md.heading("Tasks:");
                write_items(md, &self.tasks, short);
            }
            Some(groups) => {
                for group in groups {
                    let agent = group.agent.as_deref().unwrap_or("Nobody");
                    md.heading(&format!("{agent} ({}):", group.total));
                    write_items(md, &group.tasks, short);
                }
            }
        }
        if self.has_more || self.page > 1 {
            let (page, total) = (self.page, self.total);
            md.line(&format!("Page {page}, {total} tasks in all"));
        }
    }
}

fn write_items(md: &mut Md, items: &[Item], short: ShortIds) {
    for item in items {
        let Row { task, project, .. } = &item.row;
        let icon = match (task.status, item.stale_minutes) {
            (Status::Done, _) => "✓",
            (_, Some(_)) => "⚠",
            (Status::InProgress, None) => "→",
            (Status::Backlog | Status::Ready | Status::Blocked | Status::Archived, None) => "○",
        };
        let id = short.show(task.task_id.as_str());
        let mut notes = String::new();
        if task.priority > 0 {
            notes.push_str(&format!(" p{}", task.priority));
        }
        if let Some(agent) = task.agent.as_deref().filter(|_| !task.status.is_terminal()) {
            notes.push_str(&format!(" @{agent}"));
        }
        if item.is_waiting && !task.status.is_terminal() {
            notes.push_str(" [waiting]");
        }
        if let Some(minutes) = item.stale_minutes {
            notes.push_str(&format!(" [stale {minutes}m]"));
        }
        md.line(&format!(
            "  {icon} [{id}] {} ({project}){notes}",
            task.title
        ));
    }
}
