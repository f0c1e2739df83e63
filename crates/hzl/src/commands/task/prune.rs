//! `hzl task prune`

use hzl_core::command::Actor;
use hzl_core::command::Command;
use hzl_core::command::PruneFilter;
use hzl_core::time::Timestamp;
use hzl_store::ledger::Ledger;
use hzl_store::query::prune;
use hzl_store::query::prune::Prunable;
use schemars::JsonSchema;
use serde::Serialize;

use crate::cloud;
use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::output::Answer;
use crate::output::Format;
use crate::output::Md;
use crate::output::ShortIds;
use crate::output::counted;
use crate::usage;
use crate::values;

/// Delete tasks that were finished long ago
///
/// A family goes together: a task stays while its parent, a subtask or a task that waits for it stays.
/// In a ledger of this machine alone the events go too; in a shared one every device learns of the
/// deletion, the log is kept, and a task that was reopened elsewhere stays. Nothing is deleted without
/// `--yes`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl task prune --all --dry-run
  hzl task prune -P web --older-than 90d --yes")]
pub(crate) struct Args {
    /// Only tasks of this project
    #[arg(short = 'P', long, value_name = "PROJECT")]
    pub(crate) project: Option<String>,
    /// Tasks of all projects
    #[arg(short = 'A', long)]
    pub(crate) all: bool,
    /// Only tasks finished at least this many days ago, such as 30d
    #[arg(long, value_name = "DAYS", default_value = "30d", value_parser = values::days)]
    pub(crate) older_than: u32,
    /// Count the age from this time instead of now
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    pub(crate) as_of: Option<Timestamp>,
    /// Delete without asking
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Show what would be deleted
    #[arg(long)]
    pub(crate) dry_run: bool,
}

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Deletes the tasks, or shows which.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    if args.all == args.project.is_some() {
        return Err(usage::after_parsing(
            "name either a project (-P) or all of them (--all)",
        ));
    }
    let preview = args.dry_run || !args.yes;
    if preview && !args.dry_run && ctx.output.format == Format::Json {
        return Err(usage::after_parsing("nothing is deleted without --yes")
            .hint("look first: add --dry-run"));
    }
    let purpose = if preview {
        Purpose::Read
    } else {
        Purpose::Write
    };
    let mut ledger = ctx.ledger(purpose)?;
    let from = args.as_of.unwrap_or_else(|| ledger.now());
    let filter = PruneFilter {
        project: args.project.as_deref().map(Into::into),
        before: from.plus_millis(-i64::from(args.older_than) * DAY_MS),
    };
    if preview {
        let tasks = ledger.read(|cache| prune::list(cache, &filter))?;
        let would_prune: Vec<_> = tasks.iter().map(Candidate::of).collect();
        let count = would_prune.len();
        return ctx.output.answer(&Preview { would_prune, count });
    }
    let answer = delete(ctx, &mut ledger, filter)?;
    ctx.output.answer(&answer)
}

fn delete(
    ctx: &mut Context,
    ledger: &mut Ledger,
    filter: PruneFilter,
) -> Result<Answered, CommandError> {
    let is_shared = cloud::target(ctx)?.is_some() || ledger.membership()?.joined.is_some();
    if !is_shared {
        let pruned = ledger.prune_rows(&filter)?;
        return Ok(Answered::of(&pruned.tasks, pruned.events_deleted, None));
    }
    let tasks = ledger.read(|cache| prune::list(cache, &filter))?;
    let outcome = ctx.execute(ledger, &Command::PruneTasks(filter), &Actor::default())?;
    let deleted = |task: &&Prunable| !outcome.after.contains_key(&task.task_id);
    let tasks: Vec<Prunable> = tasks.iter().filter(deleted).cloned().collect();
    Ok(Answered::of(&tasks, 0, Some(outcome.events.len())))
}

/// A task that would be deleted.
#[derive(Debug, JsonSchema, Serialize)]
struct Candidate {
    task_id: String,
    title: String,
    project: String,
    status: &'static str,
    terminal_since: String,
    parent_id: Option<String>,
}

impl Candidate {
    fn of(task: &Prunable) -> Self {
        Self {
            task_id: task.task_id.as_str().to_owned(),
            title: task.title.clone(),
            project: task.project.clone(),
            status: task.status.name(),
            terminal_since: task.terminal_since.to_string(),
            parent_id: task.parent_id.as_ref().map(|id| id.as_str().to_owned()),
        }
    }
}

#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Preview {
    would_prune: Vec<Candidate>,
    count: usize,
}

impl Answer for Preview {
    fn md(&self, md: &mut Md) {
        if self.would_prune.is_empty() {
            md.line("Nothing is old enough.");
            return;
        }
        md.heading(&format!("Would delete ({}):", self.count));
        let short = ShortIds::of(self.would_prune.iter().map(|task| task.task_id.as_str()));
        for task in &self.would_prune {
            let id = short.show(&task.task_id);
            md.line(&format!(
                "  [{id}] {} ({}), {} since {}",
                task.title, task.project, task.status, task.terminal_since
            ));
        }
        md.line("Add --yes to delete them.");
    }
}

/// A task that is gone.
#[derive(Debug, JsonSchema, Serialize)]
struct Gone {
    task_id: String,
    title: String,
    project: String,
    status: &'static str,
}

#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answered {
    pruned: Vec<Gone>,
    count: usize,
    events_deleted: u64,
    /// Events that tell the other devices, in a shared ledger.
    #[serde(skip_serializing_if = "Option::is_none")]
    tombstones: Option<usize>,
}

impl Answered {
    fn of(tasks: &[Prunable], events_deleted: u64, tombstones: Option<usize>) -> Self {
        let gone = |task: &Prunable| Gone {
            task_id: task.task_id.as_str().to_owned(),
            title: task.title.clone(),
            project: task.project.clone(),
            status: task.status.name(),
        };
        Self {
            pruned: tasks.iter().map(gone).collect(),
            count: tasks.len(),
            events_deleted,
            tombstones,
        }
    }
}

impl Answer for Answered {
    fn md(&self, md: &mut Md) {
        if self.count == 0 {
            md.line("Nothing was old enough.");
            return;
        }
        md.ok(&format!("Deleted {}", counted(self.count, "task")));
        match self.tombstones {
            Some(_) => md.line("The other machines follow with their next sync."),
            None => md.field("Events deleted", &self.events_deleted.to_string()),
        }
    }
}
