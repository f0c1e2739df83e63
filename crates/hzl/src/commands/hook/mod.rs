//! `hzl hook`: what is sent elsewhere when something happens to a task.
//!
//! Addresses are shown without what may be secret in them, headers by name only.

pub(crate) mod drain;
pub(crate) mod list;
pub(crate) mod retry;
pub(crate) mod show;
pub(crate) mod test;

use hzl_store::outbox::Queued;
use schemars::JsonSchema;
use serde::Serialize;

use crate::commands::group::group;
use crate::context::Context;
use crate::error::CommandError;
use crate::error::Kind;
use crate::output::Md;
use crate::secret;

/// Send what hooks have queued, and look at the queue
///
/// Hooks are set in the config file: hooks.on_done.url, headers, body and secret. Instead of on_done it
/// may be on_claimed, on_blocked, on_created and so on, or on_event for everything.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl hook drain
  hzl hook list --status failed
  hzl hook test")]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

group! {
    /// The commands of `hzl hook`.
    Drain = "drain" in drain;
    List = "list" in list;
    Show = "show" in show;
    Retry = "retry" in retry;
    Test = "test" in test;
}

/// Runs a command of this group.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    args.command.run(ctx)
}

/// A delivery in a list.
#[derive(Debug, JsonSchema, Serialize)]
struct Item {
    id: i64,
    hook: String,
    status: String,
    url: String,
    task_id: Option<String>,
    attempts: u32,
    next_attempt_at: Option<String>,
    delivered_at: Option<String>,
    failed_at: Option<String>,
    last_error: Option<String>,
    created_at: String,
}

impl From<Queued> for Item {
    fn from(queued: Queued) -> Self {
        let task_id = queued.payload["task"]["task_id"].as_str();
        Self {
            id: queued.id,
            task_id: task_id.map(str::to_owned),
            hook: queued.hook_name,
            status: queued.status,
            url: secret::bare_url(&queued.url),
            attempts: queued.attempts,
            next_attempt_at: queued.next_attempt_at,
            delivered_at: queued.delivered_at,
            failed_at: queued.failed_at,
            last_error: queued.last_error,
            created_at: queued.created_at,
        }
    }
}

impl Item {
    fn md(&self, md: &mut Md) {
        let Self {
            id,
            hook,
            status,
            url,
            attempts,
            ..
        } = self;
        let error = match &self.last_error {
            Some(error) => format!(", {error}"),
            None => String::new(),
        };
        md.line(&format!(
            "{id} {hook} {status} {url}, failed attempts: {attempts}{error}"
        ));
    }
}

fn not_found(id: i64) -> CommandError {
    CommandError::new(Kind::NotFound, format!("delivery not found: {id}")).hint("hzl hook list")
}
