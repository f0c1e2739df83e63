//! `hzl agent status`

use hzl_core::ids::ProjectName;
use hzl_core::ids::TaskId;
use hzl_core::task::Status;
use hzl_core::time::Timestamp;
use hzl_store::query::agents;
use hzl_store::query::agents::AgentFilter;
use hzl_store::query::agents::AgentView;
use hzl_store::query::agents::HeldTask;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::context::Context;
use crate::error::CommandError;
use crate::output::Answer;
use crate::output::Md;
use crate::output::ShortIds;
use crate::reader::Read as _;
use crate::reader::Reader;

/// Show which agents are at work, and on what
///
/// Lists everyone who holds a task or should take one. Those at work come first.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl agent status
  hzl agent status -P web --stats
  hzl agent status --agent ada --format md")]
pub(crate) struct Args {
    /// Only this agent
    #[arg(short, long, value_name = "NAME")]
    pub(crate) agent: Option<String>,
    /// Only tasks of this project, and agents that have any
    #[arg(short = 'P', long, value_name = "PROJECT")]
    pub(crate) project: Option<String>,
    /// Add how many tasks each has in which status
    #[arg(short, long)]
    pub(crate) stats: bool,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Report {
    agents: Vec<Agent>,
    summary: Summary,
}

#[derive(Debug, JsonSchema, Serialize)]
struct Summary {
    total: usize,
    active: usize,
    idle: usize,
}

#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
struct Agent {
    agent: String,
    is_active: bool,
    active_duration_ms: Option<i64>,
    tasks: Vec<Held>,
    last_activity: String,
    stats: Option<Stats>,
}

#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
struct Held {
    task_id: TaskId,
    title: String,
    project: ProjectName,
    claimed_at: Option<String>,
    progress: Option<u8>,
    lease_until: Option<String>,
    lease_expired: bool,
}

/// Archived tasks do not count.
#[derive(Debug, JsonSchema, Serialize)]
struct Stats {
    total: u64,
    counts: Map<String, Value>,
}

/// Shows the agents.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let filter = AgentFilter {
        agent: args.agent.clone(),
        project: args.project.clone(),
    };
    let mut reader = Reader::new(ctx)?;
    let found = reader.read(|cache| agents::list(cache, &filter))?;
    let now = reader.now();
    let agents: Vec<Agent> = found
        .into_iter()
        .map(|view| agent(view, args.stats, now))
        .collect();
    let active = agents.iter().filter(|agent| agent.is_active).count();
    ctx.output.answer(&Report {
        summary: Summary {
            total: agents.len(),
            active,
            idle: agents.len() - active,
        },
        agents,
    })
}

fn agent(view: AgentView, with_stats: bool, now: Timestamp) -> Agent {
    let oldest = view.tasks.iter().filter_map(|task| task.claimed_at).min();
    Agent {
        is_active: !view.tasks.is_empty(),
        active_duration_ms: oldest.map(|at| (now.millis() - at.millis()).max(0)),
        stats: with_stats.then(|| stats(&view.counts)),
        last_activity: view.last_activity.to_string(),
        tasks: view.tasks.into_iter().map(|task| held(task, now)).collect(),
        agent: view.name,
    }
}

fn held(task: HeldTask, now: Timestamp) -> Held {
    Held {
        lease_expired: task.lease_until.is_some_and(|until| until < now),
        task_id: task.task_id,
        title: task.title,
        project: task.project,
        claimed_at: task.claimed_at.map(|at| at.to_string()),
        progress: task.progress,
        lease_until: task.lease_until.map(|until| until.to_string()),
    }
}

fn stats(counts: &[(Status, u64)]) -> Stats {
    let counted = counts
        .iter()
        .filter(|(status, _)| *status != Status::Archived);
    Stats {
        total: counted.clone().map(|(_, count)| count).sum(),
        counts: counted
            .map(|(status, count)| (status.name().to_owned(), json!(count)))
            .collect(),
    }
}

impl Answer for Report {
    fn md(&self, md: &mut Md) {
        if self.agents.is_empty() {
            md.line("No agents.");
            return;
        }
        let tasks = self.agents.iter().flat_map(|agent| &agent.tasks);
        let short = ShortIds::of(tasks.map(|task| task.task_id.as_str()));
        for agent in &self.agents {
            let state = match agent.active_duration_ms {
                Some(for_ms) => format!("at work for {}m", for_ms / 60_000),
                None if agent.is_active => "at work".to_owned(),
                None => format!("idle since {}", agent.last_activity),
            };
            md.heading(&format!("{}: {state}", agent.agent));
            for task in &agent.tasks {
                let id = short.show(task.task_id.as_str());
                let progress = task.progress.map(|percent| format!(" {percent}%"));
                let lease = if task.lease_expired {
                    " [lease ran out]"
                } else {
                    ""
                };
                let (title, project) = (&task.title, &task.project);
                md.line(&format!(
                    "  → [{id}] {title} ({project}){}{lease}",
                    progress.unwrap_or_default()
                ));
            }
            if let Some(stats) = &agent.stats {
                let counts = stats.counts.iter();
                let counts: Vec<_> = counts
                    .map(|(status, count)| format!("{count} {status}"))
                    .collect();
                md.line(&format!("  {} tasks: {}", stats.total, counts.join(", ")));
            }
        }
        let summary = &self.summary;
        let (total, active, idle) = (summary.total, summary.active, summary.idle);
        md.line(&format!("{total} agents, {active} at work, {idle} idle"));
    }
}
