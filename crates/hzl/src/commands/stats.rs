//! `hzl stats`

use std::collections::BTreeMap;

use hzl_core::ids::ProjectName;
use hzl_store::projector::find_task;
use hzl_store::query::projects;
use hzl_store::query::stats;
use hzl_store::query::stats::Completion;
use hzl_store::query::tasks;
use schemars::JsonSchema;
use serde::Serialize;

use super::task;
use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::output::Answer;
use crate::output::Md;
use crate::values;
use crate::values::Window;

/// Show how much work waits, was finished, and how long it took
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl stats
  hzl stats -P web --window 7d")]
pub(crate) struct Args {
    /// Only tasks of this project
    #[arg(short = 'P', long, value_name = "PROJECT")]
    pub(crate) project: Option<String>,
    /// Count what was finished within this time until now, such as 90m, 24h or 7d
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = values::window)]
    pub(crate) window: Window,
}

/// Held for this long without a checkpoint, a task counts as stale.
const STALE_MINUTES: u32 = 10;

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Report {
    window: String,
    generated_at: String,
    projects: Vec<ProjectName>,
    queue: Queue,
    completions: Completions,
    execution_time_ms: ExecutionTime,
}

#[derive(Debug, JsonSchema, Serialize)]
struct Queue {
    backlog: u64,
    ready: u64,
    in_progress: u64,
    blocked: u64,
    done: u64,
    archived: u64,
    available: u64,
    stale: usize,
    expired_leases: u64,
}

#[derive(Debug, JsonSchema, Serialize)]
struct Completions {
    total: usize,
    by_agent: BTreeMap<String, u64>,
}

#[derive(Debug, JsonSchema, Serialize)]
struct ExecutionTime {
    count: usize,
    mean: Option<i64>,
    min: Option<i64>,
    max: Option<i64>,
    excluded_without_start: usize,
}

/// Shows the numbers.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let mut ledger = ctx.ledger(Purpose::Read)?;
    let now = ledger.now();
    let since = now.plus_millis(-i64::from(args.window.minutes) * 60_000);
    let finished = stats::list_completions(&ledger.files().events, since)?;
    let project = args.project.as_deref();
    let (projects, queue, held, finished) = ledger.read(|cache| {
        let mut counted = vec![];
        for completion in &finished {
            let stored = find_task(cache, &completion.task_id)?;
            if stored.is_some_and(|task| project.is_none_or(|name| task.project.as_str() == name)) {
                counted.push(completion.clone());
            }
        }
        Ok((
            projects::list(cache)?,
            stats::count_queue(cache, project, now)?,
            tasks::list_in_progress(cache, project)?,
            counted,
        ))
    })?;
    let stale = held.iter().filter(|stored| {
        task::stale_minutes(&stored.task, stored.checkpoint_count, STALE_MINUTES, now).is_some()
    });
    let counts = queue.counts;
    ctx.output.answer(&Report {
        window: args.window.label.clone(),
        generated_at: now.to_string(),
        projects: projects.into_iter().map(|project| project.name).collect(),
        queue: Queue {
            backlog: counts.backlog,
            ready: counts.ready,
            in_progress: counts.in_progress,
            blocked: counts.blocked,
            done: counts.done,
            archived: counts.archived,
            available: queue.available,
            stale: stale.count(),
            expired_leases: queue.expired_leases,
        },
        execution_time_ms: execution_time(&finished),
        completions: completions(&finished),
    })
}

fn completions(finished: &[Completion]) -> Completions {
    let mut by_agent: BTreeMap<String, u64> = BTreeMap::new();
    for agent in finished
        .iter()
        .filter_map(|completion| completion.agent.clone())
    {
        *by_agent.entry(agent).or_default() += 1;
    }
    Completions {
        total: finished.len(),
        by_agent,
    }
}

fn execution_time(finished: &[Completion]) -> ExecutionTime {
    let times: Vec<i64> = finished
        .iter()
        .filter_map(|done| Some((done.at.millis() - done.started_at?.millis()).max(0)))
        .collect();
    let count = i64::try_from(times.len()).unwrap_or(i64::MAX);
    ExecutionTime {
        count: times.len(),
        mean: times.iter().sum::<i64>().checked_div(count),
        min: times.iter().min().copied(),
        max: times.iter().max().copied(),
        excluded_without_start: finished.len() - times.len(),
    }
}

impl Answer for Report {
    fn md(&self, md: &mut Md) {
        let queue = &self.queue;
        md.heading("Queue");
        for (name, count) in [
            ("Backlog", queue.backlog),
            ("Ready", queue.ready),
            ("In progress", queue.in_progress),
            ("Blocked", queue.blocked),
            ("Done", queue.done),
            ("Archived", queue.archived),
            ("Available", queue.available),
            ("Stale", u64::try_from(queue.stale).unwrap_or(u64::MAX)),
            ("Expired leases", queue.expired_leases),
        ] {
            md.field(name, &count.to_string());
        }
        md.gap();
        md.heading(&format!("Finished in the last {}", self.window));
        md.field("Tasks", &self.completions.total.to_string());
        for (agent, count) in &self.completions.by_agent {
            md.line(&format!("  {agent}: {count}"));
        }
        let time = &self.execution_time_ms;
        if let (Some(mean), Some(min), Some(max)) = (time.mean, time.min, time.max) {
            let minutes = |ms: i64| format!("{}m", ms / 60_000);
            let (mean, min, max) = (minutes(mean), minutes(min), minutes(max));
            md.field(
                "Time to finish",
                &format!("{mean} on average, {min} to {max}"),
            );
        }
    }
}
