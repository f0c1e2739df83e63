//! `hzl hook drain`

use std::process;
use std::time::Instant;
use std::time::SystemTime;

use hzl_remote::hooks;
use hzl_remote::hooks::HookError;
use hzl_remote::hooks::Post;
use hzl_store::outbox::Attempt;
use hzl_store::outbox::Delivery;
use hzl_store::outbox::Settled;
use schemars::JsonSchema;
use serde::Serialize;

use crate::config::Config;
use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::output::Answer;
use crate::output::Md;
use crate::values;

/// Attempt the deliveries that are due, one after the other
///
/// Nothing else sends them: run this every minute or two. What fails is tried again for a day, with
/// growing pauses. The exit code is 0 even if no delivery arrives.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl hook drain
  hzl hook drain --limit 10")]
pub(crate) struct Args {
    /// Attempt at most this many
    #[arg(long, value_name = "N", default_value = "50", value_parser = values::at_least_one)]
    pub(crate) limit: u32,
}

#[derive(Debug, Default, JsonSchema, Serialize)]
pub(crate) struct Drained {
    worker_id: String,
    claimed: usize,
    attempted: usize,
    delivered: usize,
    retried: usize,
    failed: usize,
    reclaimed: usize,
    reclaimed_failed: usize,
    preflight_failed: usize,
    duration_ms: u64,
}

/// Attempts deliveries. Each is taken just before it is sent, so none waits under a lock.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let started = Instant::now();
    let mut ledger = ctx.ledger(Purpose::Maintain)?;
    let settings = ctx.config()?.clone();
    let unique = ledger.new_task_id();
    let swept = ledger.sweep_hooks()?;
    let mut drained = Drained {
        worker_id: format!("hook-drain-{}-{unique}", process::id()),
        failed: swept.expired + swept.reclaimed_failed,
        reclaimed: swept.reclaimed,
        reclaimed_failed: swept.reclaimed_failed,
        preflight_failed: swept.expired,
        ..Drained::default()
    };
    let due = ledger.now();
    for _ in 0..args.limit {
        let Some(delivery) = ledger.take_hook(&drained.worker_id, due)? else {
            break;
        };
        drained.claimed += 1;
        let attempt = attempt(&delivery, &settings);
        drained.attempted += 1;
        match ledger.settle_hook(&delivery, &attempt, jitter())? {
            Settled::Delivered => drained.delivered += 1,
            Settled::Waiting => drained.retried += 1,
            Settled::Failed => drained.failed += 1,
            Settled::Lost => {}
        }
    }
    drained.duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    ctx.output.answer(&drained)
}

fn attempt(delivery: &Delivery, settings: &Config) -> Attempt {
    // A secret signs for the address it was set for.
    let hook = settings
        .hooks
        .iter()
        .find(|hook| hook.trigger == delivery.hook_name && hook.url == delivery.url);
    let delivery_id = delivery.delivery_id();
    let post = Post {
        url: &delivery.url,
        headers: &delivery.headers,
        body: &delivery.payload,
        delivery_id: &delivery_id,
        secret: hook.and_then(|hook| hook.secret.as_ref()),
        private: settings.private_hooks,
    };
    match hooks::deliver(&post) {
        Ok(()) => Attempt::Delivered,
        Err(error @ HookError::Unsendable { .. }) => Attempt::Refused(error.to_string()),
        Err(error) => Attempt::Failed(error.to_string()),
    }
}

/// Enough randomness to keep deliveries from being tried in step.
fn jitter() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| u64::from(since.subsec_nanos()) / 1_000)
}

impl Answer for Drained {
    fn md(&self, md: &mut Md) {
        md.field("Attempted", &self.attempted.to_string());
        md.field("Delivered", &self.delivered.to_string());
        md.field("To be tried again", &self.retried.to_string());
        md.field("Failed", &self.failed.to_string());
        if self.reclaimed > 0 {
            let freed = format!("{} left by a drain that did not end", self.reclaimed);
            md.field("Freed", &freed);
        }
        md.line("Deliveries are only attempted when this command runs.");
    }
}
