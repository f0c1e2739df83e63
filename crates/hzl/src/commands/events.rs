//! `hzl events`

use std::convert::Infallible;
use std::thread;

use hzl_core::ids::EventId;
use hzl_store::ledger::Ledger;
use hzl_store::log;
use hzl_store::log::StoredEvent;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::cloud;
use crate::config::SyncPolicy;
use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::error::Kind;
use crate::output::Format;
use crate::output::one_line;
use crate::values;
use crate::watch;
use crate::watch::Watcher;

/// Print the event log, one JSON object per line
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl events --limit 20
  hzl events --from 120 --follow")]
pub(crate) struct Args {
    /// Start after the event with this row id
    #[arg(long, value_name = "ROWID", value_parser = values::row_id)]
    pub(crate) from: Option<i64>,
    /// Print at most this many of the events there are already
    #[arg(long, value_name = "N", value_parser = values::at_least_one)]
    pub(crate) limit: Option<u32>,
    /// Go on printing events as they are written
    #[arg(long)]
    pub(crate) follow: bool,
}

/// How many events are read at once.
const BATCH_ROWS: u64 = 500;

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Line {
    rowid: i64,
    event_id: EventId,
    task_id: String,
    #[serde(rename = "type")]
    kind: String,
    data: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    causation_id: Option<String>,
    timestamp: String,
}

/// Prints the events. With `--follow` it ends when nobody reads any more.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    if ctx.output.format == Format::Md {
        return Err(
            CommandError::new(Kind::Input, "events are printed as JSON lines only")
                .hint("leave out --format md")
                .hint("`hzl task history` shows the events of one task as text"),
        );
    }
    let mut ledger = ctx.ledger(Purpose::Read)?;
    let start = match args.from {
        Some(rowid) => rowid,
        None if args.follow => log::find_end(&ledger.files().events)?.map_or(0, |end| end.rowid),
        None => 0,
    };
    let limit = args.limit.map_or(u64::MAX, u64::from);
    let last = print(&ledger, ctx, start, limit)?;
    if args.follow {
        follow(&mut ledger, ctx, last)?;
    }
    Ok(())
}

/// Goes on until printing fails.
fn follow(
    ledger: &mut Ledger,
    ctx: &mut Context,
    mut last: i64,
) -> Result<Infallible, CommandError> {
    let by_itself = ctx.config()?.sync.policy != Some(SyncPolicy::Manual);
    let target = cloud::target(ctx)?.filter(|_| by_itself);
    let mut watcher = target.map(Watcher::new);
    loop {
        thread::sleep(watch::LOOK);
        if let Some(watcher) = &mut watcher {
            // Whether the cloud answers is for `status` to tell.
            drop(watcher.tick(ledger)?);
        }
        last = print(ledger, ctx, last, u64::MAX)?;
    }
}

/// Prints at most `limit` events after a row, and returns the last row printed.
fn print(
    ledger: &Ledger,
    ctx: &mut Context,
    mut after: i64,
    mut limit: u64,
) -> Result<i64, CommandError> {
    while limit > 0 {
        let wanted = limit.min(BATCH_ROWS);
        let events = log::list_stored_after(&ledger.files().events, after, Some(wanted))?;
        let Some(last) = events.last() else { break };
        after = last.rowid;
        limit -= wanted;
        ctx.output.json_lines(events.into_iter().map(line))?;
    }
    Ok(after)
}

fn line(event: StoredEvent) -> Line {
    Line {
        rowid: event.rowid,
        event_id: event.event_id,
        task_id: event.task_id,
        kind: event.kind,
        data: one_line(&event.data),
        author: event.author,
        agent_id: event.agent_id,
        session_id: event.session_id,
        correlation_id: event.correlation_id,
        causation_id: event.causation_id,
        timestamp: event.timestamp,
    }
}
