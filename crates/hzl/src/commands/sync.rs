//! `hzl sync`: push what only this device has, pull what the cloud has.

mod verify;

use std::convert::Infallible;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use hzl_core::time::Timestamp;
use hzl_remote::sync::Progress;
use hzl_remote::sync::Report;
use hzl_remote::sync::Session;
use hzl_remote::sync::SyncError;
use hzl_remote::sync::SyncOptions;
use hzl_remote::sync::Target;
use hzl_store::ledger::Ledger;
use hzl_store::lock::SyncLock;
use hzl_store::query;
use indicatif::ProgressBar;
use indicatif::ProgressDrawTarget;
use schemars::JsonSchema;
use serde::Serialize;

use self::verify::Verified;
use crate::background;
use crate::cloud;
use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::error::Kind;
use crate::output::Answer;
use crate::output::Md;
use crate::output::counted;
use crate::values;
use crate::values::ConflictStrategy;
use crate::watch;
use crate::watch::Watcher;

/// Exchange events with the cloud database
///
/// Pushes what this device wrote, pulls what others wrote, and counts the writes that lost a merge.
/// Commands do this in the background by themselves; run it to force a sync now, or to see why one
/// fails. Works with a cloud database set up by `hzl init --sync-url`.
#[derive(Debug, Default, clap::Args)]
#[command(after_help = "Examples:
  hzl sync
  hzl sync --format md
  hzl sync --verify
  hzl sync --retry
  hzl sync --watch
  hzl sync --systemd > ~/.config/systemd/user/hzl.service
  hzl sync --reset")]
pub(crate) struct Args {
    /// Choose what to do with concurrent changes: merge, or merge and fail if a write lost
    #[arg(long, value_name = "STRATEGY", value_parser = values::conflict_strategy)]
    pub(crate) conflict_strategy: Option<ConflictStrategy>,
    /// Sync even if the last attempt failed a moment ago; a sync by hand always does
    #[arg(short, long)]
    pub(crate) force: bool,
    /// Start over with a cloud database that was rewound, wiped or replaced; loses nothing
    #[arg(long)]
    pub(crate) reset: bool,
    /// Unite this ledger with another one in the cloud
    #[arg(long)]
    pub(crate) merge: bool,
    /// Send again what was set aside because the cloud had refused it
    #[arg(long)]
    pub(crate) retry: bool,
    /// Then compare the tasks with the log, every event with the cloud, and the state with the other machines'
    #[arg(long)]
    pub(crate) verify: bool,
    /// Stay, and sync once a second and after every write; prints a line when something moved
    #[arg(short, long, conflicts_with_all = ["reset", "merge", "conflict_strategy", "retry", "verify"])]
    pub(crate) watch: bool,
    /// Print a systemd unit that runs `hzl sync --watch`
    #[arg(long)]
    pub(crate) systemd: bool,
    /// Run unattended after a write
    #[arg(long, hide = true, conflicts_with_all = ["reset", "merge", "retry", "verify"])]
    pub(crate) background: bool,
}

/// How long a sync by hand waits for one in the background; then both run, which harms nothing.
const LOCK_PATIENCE: Duration = Duration::from_millis(500);

/// Syncs now.
///
/// # Errors
///
/// The kinds of a failed sync; everything written here is kept.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    if args.conflict_strategy == Some(ConflictStrategy::DiscardLocal) {
        let message = "`discard-local` would lose what was written here, and hzl never does that";
        let error = CommandError::new(Kind::Input, message)
            .hint("leave the option out: both sides are merged, and what lost is listed");
        return Err(error);
    }
    if args.systemd {
        return print_unit(ctx);
    }
    let mut ledger = ctx.ledger(Purpose::Inspect)?;
    if args.background {
        return background::run(ctx, &mut ledger);
    }
    let Some(target) = cloud::target(ctx)? else {
        return local_only(args, ctx, &mut ledger);
    };
    if args.watch {
        return watch(ctx, &mut ledger, target).map(|never| match never {});
    }
    let answer = sync(args, ctx, &mut ledger, &target)?;
    if let Some(failure) = answer.data.verify.as_ref().and_then(Verified::failure) {
        let (pushed, pulled) = (answer.data.pushed, answer.data.pulled);
        return Err(failure.detail("pushed", pushed).detail("pulled", pulled));
    }
    let conflicts = answer.data.conflicts;
    ctx.output.answer(&answer)?;
    if conflicts > 0 && args.conflict_strategy == Some(ConflictStrategy::Fail) {
        return Err(CommandError::already_shown(Kind::General));
    }
    Ok(())
}

/// There is nothing to sync with; the projections can be compared all the same.
fn local_only(args: &Args, ctx: &mut Context, ledger: &mut Ledger) -> Result<(), CommandError> {
    let mut answer = LocalOnly::new();
    if args.verify {
        let verified = verify::verify_projections(ledger)?;
        if let Some(failure) = verified.failure() {
            return Err(failure);
        }
        answer.data.verify = Some(verified);
    }
    ctx.output.answer(&answer)
}

/// Syncs until it is stopped. A cloud that does not answer is noted once, and so is its return.
fn watch(
    ctx: &mut Context,
    ledger: &mut Ledger,
    target: Target,
) -> Result<Infallible, CommandError> {
    let mut watcher = Watcher::new(target);
    let mut failed: Option<String> = None;
    loop {
        let started = Instant::now();
        let before = ledger.read(query::conflicts::count)?;
        match watcher.tick(ledger)? {
            None => {}
            Some(Ok(report)) => {
                if failed.take().is_some() {
                    ctx.output.note("the cloud answers again");
                }
                if report.pushed + report.pulled + report.quarantined > 0 {
                    let after = ledger.read(query::conflicts::count)?;
                    let conflicts = after.saturating_sub(before);
                    let took = started.elapsed();
                    ctx.output
                        .answer(&Synced::new(report, conflicts, ledger.now(), took))?;
                }
            }
            Some(Err(SyncError::Store(error))) => return Err(error.into()),
            Some(Err(error)) => {
                let text = format!("{error}; {}; {}", cloud::KEPT, error.action());
                if failed.as_ref() != Some(&text) {
                    ctx.output.note(&text);
                    failed = Some(text);
                }
            }
        }
        thread::sleep(watch::LOOK);
    }
}

fn print_unit(ctx: &mut Context) -> Result<(), CommandError> {
    let program = std::env::current_exe().map_err(|error| {
        CommandError::new(Kind::General, "the path of this program is unknown").caused_by(error)
    })?;
    ctx.output.text(&format!(
        "[Unit]
Description=hzl: keep the task ledger in step with its cloud database

[Service]
ExecStart={} sync --watch
Restart=on-failure

[Install]
WantedBy=default.target
",
        program.display()
    ))
}

pub(super) fn sync(
    args: &Args,
    ctx: &Context,
    ledger: &mut Ledger,
    target: &Target,
) -> Result<Synced, CommandError> {
    let started = Instant::now();
    let lock = ledger.files().paths.sync_lock();
    let held = SyncLock::try_acquire(&lock, LOCK_PATIENCE)?;
    if args.retry {
        ledger.retry_quarantined()?;
    }
    let options = SyncOptions {
        merge: args.merge,
        reset: args.reset,
        list_devices: true,
        ..cloud::usual()
    };
    let conflicts_before = ledger.read(query::conflicts::count)?;
    let bar = progress_bar(ctx.environment.terminals.stderr);
    let mut show = |progress: Progress| {
        bar.set_message(format!(
            "pushed {}, pulled {}, {} to go",
            progress.pushed, progress.pulled, progress.pending
        ));
        bar.tick();
    };
    let mut session = Session::new(ledger, target, cloud::PATIENT)
        .map_err(|error| cloud::failure(&error, cloud::KEPT))?;
    let mut result = session.sync(ledger, &options, &mut show);
    drop(held);
    let mut verified = None;
    if args.verify && result.is_ok() {
        let mut show = |events: u64| {
            bar.set_message(format!("compared {events} events with the cloud"));
            bar.tick();
        };
        bar.set_message("comparing the tasks with the log");
        bar.tick();
        match verify::verify(ledger, &mut session, &options, &mut show) {
            Ok(found) => verified = Some(found),
            Err(error) => result = Err(error),
        }
    }
    bar.finish_and_clear();
    let mut report = result.map_err(|error| cloud::failure(&error, cloud::KEPT))?;
    report.requests = session.requests();
    if verified.is_some() {
        report.state_hash = ledger.fold_pulled()?.to_string();
    }
    let conflicts_after = ledger.read(query::conflicts::count)?;
    let conflicts = conflicts_after.saturating_sub(conflicts_before);
    let mut synced = Synced::new(report, conflicts, ledger.now(), started.elapsed());
    synced.data.verify = verified;
    Ok(synced)
}

/// A line that says how far it is, on a terminal only.
fn progress_bar(on_terminal: bool) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if !on_terminal {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    bar
}

/// Nothing to sync with.
#[derive(JsonSchema, Serialize)]
pub(crate) struct LocalOnly {
    success: bool,
    mode: &'static str,
    message: &'static str,
    data: LocalOnlyData,
}

#[derive(JsonSchema, Serialize)]
struct LocalOnlyData {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    verify: Option<Verified>,
}

impl LocalOnly {
    fn new() -> Self {
        Self {
            success: true,
            mode: "local-only",
            message: "no cloud database is set up: there is nothing to sync with",
            data: LocalOnlyData {
                status: "local-only",
                verify: None,
            },
        }
    }
}

impl Answer for LocalOnly {
    fn md(&self, md: &mut Md) {
        md.line(self.message);
        md.line("Set one up with: hzl init --sync-url <url> --auth-token <token>");
        if let Some(verified) = &self.data.verify {
            verified.md(md);
        }
    }
}

/// A sync that went through.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Synced {
    success: bool,
    mode: &'static str,
    pub(super) data: SyncedData,
    sync: Attempt,
}

#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SyncedData {
    status: &'static str,
    last_sync_at: String,
    /// Always 0: HZL 3.2.0 counted pages here.
    frames_synced: u64,
    pub(super) pushed: u64,
    pub(super) pulled: u64,
    conflicts: u64,
    quarantined: u64,
    requests: u64,
    cursor: i64,
    state_hash: String,
    duration_ms: u64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pull_only: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    became_new_device: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    reset: bool,
    /// Tasks given back: their claims had been reported as failed.
    #[serde(skip_serializing_if = "is_zero")]
    released: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    verify: Option<Verified>,
}

#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
struct Attempt {
    attempted: bool,
    success: bool,
    frames_synced: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Synced {
    fn new(report: Report, conflicts: u64, at: Timestamp, duration: Duration) -> Self {
        Self {
            success: true,
            mode: "offline-sync",
            data: SyncedData {
                status: "synced",
                last_sync_at: at.to_string(),
                frames_synced: 0,
                pushed: report.pushed,
                pulled: report.pulled,
                conflicts,
                quarantined: report.quarantined,
                requests: report.requests,
                cursor: report.cursor,
                state_hash: report.state_hash,
                duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
                pull_only: report.pull_only,
                became_new_device: report.became_clone,
                reset: report.was_reset,
                released: report.released,
                verify: None,
            },
            sync: Attempt {
                attempted: true,
                success: true,
                frames_synced: 0,
            },
        }
    }
}

impl Answer for Synced {
    fn md(&self, md: &mut Md) {
        let data = &self.data;
        md.ok(&format!(
            "Synced: {} pushed, {} pulled",
            data.pushed, data.pulled
        ));
        if data.conflicts > 0 {
            md.warning(&format!(
                "{} lost a merge: see `hzl conflicts list`",
                counted(data.conflicts, "write")
            ));
        }
        if data.quarantined > 0 {
            let aside = counted(data.quarantined, "event");
            md.warning(&format!("set aside: {aside}; see `hzl doctor`"));
        }
        if data.pull_only {
            md.warning("this token may only read: events written here wait for one that may write");
        }
        if data.became_new_device {
            md.warning("this store is a copy of another machine's; it is a device of its own now");
        }
        if data.reset {
            md.warning("the cloud database is not what it was; this store has been brought in line with it");
        }
        if data.released > 0 {
            md.warning(&format!(
                "{} tasks were given back: their claims had been reported as failed, but the cloud had them",
                data.released
            ));
        }
        if let Some(verified) = &data.verify {
            verified.md(md);
        }
        md.field("Requests", &data.requests.to_string());
        md.field("State", &data.state_hash);
    }
}
