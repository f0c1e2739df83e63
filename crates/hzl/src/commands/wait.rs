//! `hzl wait`

use std::thread;
use std::time::Duration;
use std::time::Instant;

use hzl_core::ids::TaskId;
use hzl_core::rejection::Rejection;
use hzl_core::task::Status;
use hzl_store::projector;
use schemars::JsonSchema;
use serde::Serialize;

use super::task::lookup;
use crate::cloud;
use crate::config::SyncPolicy;
use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::error::Kind;
use crate::output::Answer;
use crate::output::Md;
use crate::values;
use crate::watch;
use crate::watch::Watcher;

/// Wait until a task has a status, on this machine or another
///
/// Asks the cloud once a second while it waits, unless db.sync.policy is manual. Ends with exit code 11
/// when the time is over; the task is left alone either way.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl wait 01K9ZZ3D --timeout 0
  hzl wait 01K9ZZ3D --status ready --timeout 0")]
pub(crate) struct Args {
    /// Id of the task, or the beginning of it
    #[arg(value_name = "TASK_ID", value_parser = values::task_id)]
    pub(crate) task_id: String,
    /// Wait for this status; the default is done, or archived
    #[arg(short, long, value_name = "STATUS", value_parser = values::status)]
    pub(crate) status: Option<Status>,
    /// Give up after this many seconds; waits for ever if left out
    #[arg(short, long, value_name = "SECONDS", value_parser = values::seconds)]
    pub(crate) timeout: Option<u32>,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Waited {
    task_id: TaskId,
    title: String,
    status: Status,
    agent: Option<String>,
    waited_ms: u64,
}

/// Waits.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let started = Instant::now();
    let mut ledger = ctx.ledger(Purpose::Read)?;
    let task_id = lookup::task(&mut ledger, &args.task_id)?;
    let by_itself = ctx.config()?.sync.policy != Some(SyncPolicy::Manual);
    let target = cloud::target(ctx)?.filter(|_| by_itself);
    let mut watcher = target.map(Watcher::new);
    loop {
        let found = ledger.read(|cache| projector::find_task(cache, &task_id))?;
        let Some(stored) = found else {
            return Err(Rejection::TaskNotFound { task_id }.into());
        };
        let status = stored.task.status;
        let is_there = match args.status {
            Some(wanted) => status == wanted,
            None => status.is_terminal(),
        };
        if is_there {
            return ctx.output.answer(&Waited {
                task_id,
                title: stored.task.title,
                status,
                agent: stored.task.agent,
                waited_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            });
        }
        let limit = args.timeout.map(u64::from).map(Duration::from_secs);
        if limit.is_some_and(|limit| started.elapsed() >= limit) {
            return Err(timed_out(&task_id, status));
        }
        thread::sleep(watch::LOOK);
        if let Some(watcher) = &mut watcher {
            // Whether the cloud answers is for `status` to tell.
            drop(watcher.tick(&mut ledger)?);
        }
    }
}

fn timed_out(task_id: &TaskId, status: Status) -> CommandError {
    let message = format!("task {task_id} is still {status}");
    CommandError::new(Kind::WaitTimeout, message)
        .detail("task_id", task_id.as_str())
        .detail("status", status.name())
        .hint(format!("hzl task show {task_id}"))
}

impl Answer for Waited {
    fn md(&self, md: &mut Md) {
        md.ok(&format!(
            "{} ({}) is {}",
            self.title, self.task_id, self.status
        ));
    }
}
