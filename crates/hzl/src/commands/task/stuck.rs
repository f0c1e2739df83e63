//! `hzl task stuck`

use hzl_core::ids::ProjectName;
use hzl_core::ids::TaskId;
use hzl_core::time::Timestamp;
use hzl_store::projector::StoredTask;
use hzl_store::query::tasks;
use schemars::JsonSchema;
use serde::Serialize;

use super::shape;
use crate::context::Context;
use crate::error::CommandError;
use crate::output::Answer;
use crate::output::Md;
use crate::output::ShortIds;
use crate::reader::Read as _;
use crate::reader::Reader;
use crate::values;

/// List tasks in progress whose agent seems to have gone
///
/// A task is stuck when its lease has run out; with `--stale` also when it has been held for long
/// without a checkpoint. `hzl task steal --if-expired` takes over the former.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl task stuck
  hzl task stuck -P web --older-than 30
  hzl task stuck --stale --stale-threshold 60")]
pub(crate) struct Args {
    /// Only tasks of this project
    #[arg(short = 'P', long, value_name = "PROJECT")]
    pub(crate) project: Option<String>,
    /// Only leases that ran out at least this many minutes ago
    #[arg(long, value_name = "MINUTES", default_value = "0", value_parser = values::minutes)]
    pub(crate) older_than: u32,
    /// Add tasks without a checkpoint since they were claimed
    #[arg(long)]
    pub(crate) stale: bool,
    /// With --stale: only tasks held for at least this many minutes, unless they have a threshold of their own
    #[arg(long, value_name = "MINUTES", default_value = "10", value_parser = values::minutes)]
    pub(crate) stale_threshold: u32,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct List {
    tasks: Vec<Item>,
    total: usize,
}

#[derive(Debug, JsonSchema, Serialize)]
struct Item {
    task_id: TaskId,
    title: String,
    project: ProjectName,
    agent: Option<String>,
    claimed_at: Option<String>,
    lease_until: Option<String>,
    expired_for_ms: Option<i64>,
    reason: Reason,
    #[serde(skip_serializing_if = "Option::is_none")]
    stale_minutes: Option<i64>,
    stale_after_minutes: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
enum Reason {
    LeaseExpired,
    Stale,
}

/// Lists the tasks: run-out leases first, the longest first; then stale ones, the oldest claim first.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let mut reader = Reader::new(ctx)?;
    let project = args.project.as_deref();
    let held = reader.read(|cache| tasks::list_in_progress(cache, project))?;
    let now = reader.now();
    let mut expired: Vec<(i64, &StoredTask)> = held
        .iter()
        .filter_map(|stored| Some((expired_for_ms(stored, now)?, stored)))
        .collect();
    expired.sort_by_key(|(for_ms, _)| std::cmp::Reverse(*for_ms));
    expired.retain(|(for_ms, _)| *for_ms >= i64::from(args.older_than) * 60_000);
    let is_listed = |stored: &StoredTask| {
        let mut listed = expired.iter();
        listed.any(|(_, other)| other.task.task_id == stored.task.task_id)
    };
    let stale = held
        .iter()
        .filter(|stored| args.stale && !is_listed(stored))
        .filter_map(|stored| {
            let (task, checkpoints) = (&stored.task, stored.checkpoint_count);
            let minutes = shape::stale_minutes(task, checkpoints, args.stale_threshold, now)?;
            Some(item(stored, Reason::Stale, now, Some(minutes)))
        });
    let tasks: Vec<Item> = expired
        .iter()
        .map(|(_, stored)| item(stored, Reason::LeaseExpired, now, None))
        .chain(stale)
        .collect();
    ctx.output.answer(&List {
        total: tasks.len(),
        tasks,
    })
}

fn expired_for_ms(stored: &StoredTask, now: Timestamp) -> Option<i64> {
    let for_ms = now.millis() - stored.task.lease_until?.millis();
    (for_ms > 0).then_some(for_ms)
}

fn item(stored: &StoredTask, reason: Reason, now: Timestamp, stale_minutes: Option<i64>) -> Item {
    let task = &stored.task;
    Item {
        task_id: task.task_id.clone(),
        title: task.title.clone(),
        project: stored.project.clone(),
        agent: task.agent.clone(),
        claimed_at: task.claimed_at.map(|at| at.to_string()),
        lease_until: task.lease_until.map(|until| until.to_string()),
        expired_for_ms: expired_for_ms(stored, now),
        reason,
        stale_minutes,
        stale_after_minutes: task.stale_after_minutes,
    }
}

impl Answer for List {
    fn md(&self, md: &mut Md) {
        if self.tasks.is_empty() {
            md.line("No stuck tasks.");
            return;
        }
        let short = ShortIds::of(self.tasks.iter().map(|item| item.task_id.as_str()));
        md.heading("Stuck tasks:");
        for item in &self.tasks {
            let id = short.show(item.task_id.as_str());
            let agent = item.agent.as_deref().unwrap_or("nobody");
            let why = match item.reason {
                Reason::LeaseExpired => {
                    let minutes = item.expired_for_ms.unwrap_or(0) / 60_000;
                    format!("lease ran out {minutes}m ago")
                }
                Reason::Stale => {
                    let minutes = item.stale_minutes.unwrap_or(0);
                    format!("no checkpoint for {minutes}m")
                }
            };
            let (title, project) = (&item.title, &item.project);
            md.line(&format!("  ⚠ [{id}] {title} ({project}) {agent}: {why}"));
        }
    }
}
