//! Sync in the background: one short-lived process per store, started by commands, never waited for.
//!
//! A command that has written commits first and then looks whether a sync is running; the running one
//! unlocks first and then looks for events once more. So no write is left unsent, and nobody needs a
//! daemon. Locks are the kernel's and end with their process.

use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use hzl_core::time::Timestamp;
use hzl_remote::http::Timeouts;
use hzl_remote::sync::Session;
use hzl_remote::sync::SyncError;
use hzl_remote::sync::Target;
use hzl_remote::sync::error::SyncErrorKind;
use hzl_remote::sync::policy;
use hzl_remote::sync::policy::History;
use hzl_remote::sync::policy::Pace;
use hzl_remote::sync::session;
use hzl_store::ledger::Ledger;
use hzl_store::lock::Probe;
use hzl_store::lock::SyncLock;
use hzl_store::source::Clock as _;
use hzl_store::source::SystemClock;

use crate::cloud;
use crate::config::SyncPolicy;
use crate::config::SyncSettings;
use crate::context::Context;
use crate::error::CommandError;
use crate::paths;

/// Marks the background process, so that it never starts another one.
const MARK: &str = "HZL_BACKGROUND";
/// How long the background process tries while nobody answers.
const PATIENCE: Duration = Duration::from_secs(60);
/// The longest pause between its attempts: a server that comes back is noticed within this.
const MAX_PAUSE_MS: u64 = 5_000;
/// Writes that follow one another go out together.
const DEBOUNCE: Duration = Duration::from_millis(40);
const LOCK_TRIES: Duration = Duration::from_millis(10);
/// How often the background process starts over for events that were written meanwhile.
const MAX_ROUNDS: u32 = 10_000;

const DEFAULT_PACE: Pace = Pace {
    stale_after_ms: 60_000,
    min_interval_ms: 15_000,
};

/// Starts a background sync if one is due. Best effort: the command has done its work, and the next
/// one tries again.
pub(crate) fn start_if_due(ctx: &mut Context, ledger: &Ledger) {
    if ctx.environment.get(MARK).is_some() {
        return;
    }
    if let Ok(true) = is_due(ctx, ledger) {
        spawn(ctx, ledger);
    }
}

/// Starts a background sync, due or not, unless one is running or nothing is to run by itself.
///
/// # Errors
///
/// As [`Context::config`].
pub(crate) fn start(ctx: &Context, ledger: &Ledger) -> Result<(), CommandError> {
    let lock = ledger.files().paths.sync_lock();
    let by_itself = ctx.config()?.sync.policy != Some(SyncPolicy::Manual);
    if by_itself && SyncLock::probe(&lock) == Probe::Free {
        spawn(ctx, ledger);
    }
    Ok(())
}

fn is_due(ctx: &mut Context, ledger: &Ledger) -> Result<bool, CommandError> {
    let Some(target) = cloud::target(ctx)? else {
        return Ok(false);
    };
    let settings = &ctx.config()?.sync;
    if settings.policy == Some(SyncPolicy::Manual) {
        return Ok(false);
    }
    let pace = pace(settings);
    let history = session::history(ledger, &target)?;
    let now = ledger.now().millis();
    let due = if ledger.has_written() {
        policy::due_after_write(history, now)
    } else {
        let pull_only = session::is_pull_only(ledger, &target)?;
        let pending = !pull_only && ledger.has_outgoing()?;
        policy::due_after_read(history, pending, pace, now)
    };
    let lock = ledger.files().paths.sync_lock();
    Ok(due && SyncLock::probe(&lock) == Probe::Free)
}

fn pace(settings: &SyncSettings) -> Pace {
    let millis = |setting: Option<u64>, default: i64| {
        setting.map_or(default, |millis| i64::try_from(millis).unwrap_or(i64::MAX))
    };
    Pace {
        stale_after_ms: millis(settings.stale_after_ms, DEFAULT_PACE.stale_after_ms),
        min_interval_ms: millis(settings.min_interval_ms, DEFAULT_PACE.min_interval_ms),
    }
}

/// Tells whether a read would start no sync, if nothing waits to be sent since `at_rest_since`: there is no cloud, nothing
/// runs by itself, or the last sync is not long ago.
///
/// # Errors
///
/// As [`Context::config`].
pub(crate) fn rests(
    ctx: &mut Context,
    at_rest_since: impl FnOnce() -> Option<Timestamp>,
) -> Result<bool, CommandError> {
    if cloud::target(ctx)?.is_none() {
        return Ok(true);
    }
    let settings = &ctx.config()?.sync;
    if settings.policy == Some(SyncPolicy::Manual) {
        return Ok(true);
    }
    let Some(since) = at_rest_since().map(Timestamp::millis) else {
        return Ok(false);
    };
    let history = History {
        last_sync_at_ms: Some(since),
        last_attempt_at_ms: Some(since),
        is_rejected: false,
    };
    let now = SystemClock.now().millis();
    Ok(!policy::due_after_read(history, false, pace(settings), now))
}

/// Starts `hzl sync --background` on this store and forgets it.
fn spawn(ctx: &Context, ledger: &Ledger) {
    let Ok(program) = std::env::current_exe() else {
        return;
    };
    // A lock or a pipe of the caller must not live as long as the child.
    close_fds::set_fds_cloexec(3, &[]);
    let mut command = Command::new(program);
    command
        .args(["sync", "--background"])
        .env(MARK, "1")
        .env("HZL_DB_EVENTS_PATH", &ledger.files().paths.events)
        .env("HZL_DB_CACHE_PATH", &ledger.files().paths.cache)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .current_dir("/");
    if let Ok(config) = paths::config_file(&ctx.environment) {
        command.env("HZL_CONFIG", config);
    }
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    // Without a child nothing is lost: the next command tries again.
    drop(command.spawn());
}

/// The background process: syncs until nothing is left, then ends. Says nothing; `status` knows.
///
/// # Errors
///
/// Whatever the settings or the store report.
pub(crate) fn run(ctx: &mut Context, ledger: &mut Ledger) -> Result<(), CommandError> {
    let lock = ledger.files().paths.sync_lock();
    for _ in 0..MAX_ROUNDS {
        let Some(held) = SyncLock::try_acquire(&lock, LOCK_TRIES)? else {
            return Ok(());
        };
        thread::sleep(DEBOUNCE);
        let go_on = sync_patiently(ctx, ledger)?;
        drop(held);
        // Unlock, then look: whoever found the lock taken had committed before.
        if !go_on || !ledger.has_outgoing()? {
            return Ok(());
        }
    }
    Ok(())
}

/// Tries until it works, cannot work, or patience ends; `true`: it worked, and there may be more.
fn sync_patiently(ctx: &mut Context, ledger: &mut Ledger) -> Result<bool, CommandError> {
    let options = cloud::usual();
    let mut current = None;
    let mut started = Instant::now();
    let mut failures = 0;
    // The settings are read for every attempt: whoever turns sync off or corrects the address is heard.
    while let Some(target) = target_now(ctx)? {
        let mut session = match current.take().filter(|old: &Session| old.is_with(&target)) {
            Some(session) => session,
            None => match Session::new(ledger, &target, Timeouts::BACKGROUND) {
                Ok(session) => {
                    (started, failures) = (Instant::now(), 0);
                    session
                }
                Err(error) => {
                    session::note_failure(ledger, &target, &error)?;
                    return Ok(false);
                }
            },
        };
        match session.sync(ledger, &options, &mut |_| {}) {
            Ok(report) => return Ok(!report.pull_only),
            Err(SyncError::Store(error)) => return Err(error.into()),
            Err(error) if error.kind() == SyncErrorKind::Unavailable => {
                failures += 1;
                let pause = policy::backoff_ms(failures, MAX_PAUSE_MS, jitter());
                if started.elapsed() + Duration::from_millis(pause) > PATIENCE {
                    return Ok(false);
                }
                thread::sleep(Duration::from_millis(pause));
            }
            // Trying again is pointless, unless the settings were changed meanwhile.
            Err(_) => match target_now(ctx)? {
                Some(target) if !session.is_with(&target) => {}
                _ => return Ok(false),
            },
        }
        current = Some(session);
    }
    Ok(false)
}

/// Returns what to sync with by itself according to the settings of this moment.
fn target_now(ctx: &mut Context) -> Result<Option<Target>, CommandError> {
    ctx.use_config(ctx.config_file()?.config()?);
    if ctx.config()?.sync.policy == Some(SyncPolicy::Manual) {
        return Ok(None);
    }
    cloud::target(ctx)
}

/// Enough randomness to keep machines from trying in step.
fn jitter() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| u64::from(since.subsec_nanos()) * 7)
}
