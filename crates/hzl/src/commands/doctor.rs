//! `hzl doctor`

mod log;
mod quarantine;
mod repair;

use std::fs;
use std::io;
use std::path::Path;

use hzl_remote::http::Timeouts;
use hzl_remote::sync::Session;
use hzl_remote::sync::Target;
use hzl_remote::sync::error::SyncErrorKind;
use hzl_store::Error;
use hzl_store::StorePaths;
use hzl_store::ledger::Ledger;
use hzl_store::query::compare;
use hzl_store::query::compare::Compared;
use hzl_store::query::health;
use hzl_store::state;
use schemars::JsonSchema;
use serde::Serialize;

use self::quarantine::SetAside;
use self::repair::Fix;
use self::repair::Repairs;
use super::status;
use crate::cloud;
use crate::context::Context;
use crate::error::CommandError;
use crate::error::Kind;
use crate::output::Answer;
use crate::output::Md;
use crate::paths;

/// Check config, database and sync for problems
///
/// Ends with exit code 1 when a check fails. With --fix it first repairs what can be repaired: rights of
/// files, events of a damaged log. Nothing is deleted: a damaged file is kept beside, and the answer says
/// where.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl doctor
  hzl doctor --format md
  hzl doctor --fix")]
pub(crate) struct Args {
    /// Repair what can be repaired
    #[arg(long)]
    pub(crate) fix: bool,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Report {
    success: bool,
    status: &'static str,
    mode: &'static str,
    checks: Checks,
    /// What --fix has repaired.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fixes: Vec<Fix>,
}

#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
struct Checks {
    config: Check,
    database: Check,
    migrations: Check,
    permissions: Check,
    lock: Check,
    #[serde(skip_serializing_if = "Option::is_none")]
    connectivity: Option<Check>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<Check>,
    #[serde(skip_serializing_if = "Option::is_none")]
    projections: Option<Check>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quarantine: Option<Check>,
    #[serde(skip_serializing_if = "Option::is_none")]
    orphaned_database: Option<Check>,
}

#[derive(Debug, JsonSchema, Serialize)]
struct Check {
    status: Level,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    actions: Vec<Action>,
    /// How many events were set aside.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    /// The latest of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    events: Vec<SetAside>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Pass,
    Warn,
    Fail,
}

#[derive(Debug, JsonSchema, Serialize)]
struct Action {
    command: String,
    description: &'static str,
}

impl Check {
    fn new(status: Level) -> Self {
        Self {
            status,
            message: None,
            path: None,
            actions: vec![],
            count: None,
            events: vec![],
        }
    }

    fn pass() -> Self {
        Self::new(Level::Pass)
    }

    fn warn(message: impl Into<String>) -> Self {
        Self::new(Level::Warn).says(message)
    }

    fn fail(message: impl Into<String>) -> Self {
        Self::new(Level::Fail).says(message)
    }

    fn says(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }

    fn at(mut self, path: &Path) -> Self {
        self.path = Some(path.to_string_lossy().into_owned());
        self
    }

    fn action(mut self, command: impl Into<String>, description: &'static str) -> Self {
        self.actions.push(Action {
            command: command.into(),
            description,
        });
        self
    }
}

impl Checks {
    /// Nothing has been looked at yet.
    fn new(config: Check, database: Check) -> Self {
        Self {
            config,
            database,
            migrations: Check::pass(),
            permissions: Check::pass(),
            lock: Check::pass(),
            connectivity: None,
            identity: None,
            projections: None,
            quarantine: None,
            orphaned_database: None,
        }
    }

    fn named(&self) -> Vec<(&'static str, &Check)> {
        let always = [
            ("Config", Some(&self.config)),
            ("Database", Some(&self.database)),
            ("Format", Some(&self.migrations)),
            ("Permissions", Some(&self.permissions)),
            ("Lock", Some(&self.lock)),
            ("Cloud", self.connectivity.as_ref()),
            ("Identity", self.identity.as_ref()),
            ("Projections", self.projections.as_ref()),
            ("Quarantine", self.quarantine.as_ref()),
            ("Old database", self.orphaned_database.as_ref()),
        ];
        always
            .into_iter()
            .filter_map(|(name, check)| Some((name, check?)))
            .collect()
    }
}

/// Checks everything and reports.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let mut repairs = Repairs {
        wanted: args.fix,
        done: vec![],
    };
    let (mode, checks) = look(ctx, &mut repairs);
    let is_healthy = checks
        .named()
        .iter()
        .all(|(_, check)| check.status != Level::Fail);
    ctx.output.answer(&Report {
        success: is_healthy,
        status: if is_healthy { "healthy" } else { "unhealthy" },
        mode,
        checks,
        fixes: repairs.done,
    })?;
    if is_healthy {
        Ok(())
    } else {
        Err(CommandError::already_shown(Kind::General))
    }
}

fn look(ctx: &mut Context, repairs: &mut Repairs) -> (&'static str, Checks) {
    let mut config = check_config(ctx);
    if repairs.wanted
        && config.status != Level::Pass
        && let Ok(path) = paths::config_file(&ctx.environment)
    {
        repairs.make_usable(&path);
        config = check_config(ctx);
    }
    let paths = match ctx.store_paths() {
        Ok(paths) => paths,
        Err(error) => {
            let message = format!("which database to look at is not known: {error}");
            return ("unknown", Checks::new(config, Check::fail(message)));
        }
    };
    let mut checks = Checks::new(config, Check::pass().at(&paths.events));
    checks.lock = check_lock(&paths);
    checks.orphaned_database = check_orphan(&paths.events);
    let (mut ledger, examined) = match log::open(&paths, repairs) {
        Ok(opened) => opened,
        Err(error) => {
            not_opened(&mut checks, &paths, &error);
            return ("unknown", checks);
        }
    };
    checks.migrations = check_versions(&ledger).unwrap_or_else(|error| failed(&error));
    checks.identity = Some(check_identity(&ledger).unwrap_or_else(|error| failed(&error)));
    let log = examined
        .and_then(|examined| log::check(&mut ledger, examined, repairs))
        .unwrap_or_else(|error| failed(&error));
    checks.projections =
        Some(check_projections(&mut ledger).unwrap_or_else(|error| failed(&error)));
    // A config file that cannot be read has been reported; it says nothing about the cloud.
    let target = ctx.sync_target().ok().flatten();
    if let Ok(Some(target)) = cloud::target(ctx) {
        checks.connectivity = Some(match log.status {
            Level::Fail => {
                Check::warn("not asked: the log here is damaged, and that must not spread")
            }
            Level::Pass | Level::Warn => check_connectivity(&target, &mut ledger),
        });
    }
    // After the sync: it may have set events aside, or brought what was lost.
    checks.quarantine = Some(quarantine::check(&ledger).unwrap_or_else(|error| failed(&error)));
    checks.database = match log.status {
        Level::Fail => log,
        Level::Pass | Level::Warn => log::check_loss(&ledger, repairs)
            .unwrap_or_else(|error| Some(failed(&error)))
            .unwrap_or(log),
    }
    .at(&paths.events);
    (status::mode(target.as_ref()), checks)
}

/// Syncs, as 3.2.0's doctor does: an answer that is not a sync proves little.
fn check_connectivity(target: &Target, ledger: &mut Ledger) -> Check {
    let synced = Session::new(ledger, target, Timeouts::BACKGROUND)
        .and_then(|mut session| session.sync(ledger, &cloud::usual(), &mut |_| {}));
    match synced {
        Ok(report) if report.pull_only => {
            Check::warn("the cloud answers, but this token may only read: events written here wait")
        }
        Ok(report) => Check::pass().says(format!(
            "the cloud answers: {} events pushed, {} pulled",
            report.pushed, report.pulled
        )),
        Err(error) => {
            let action = error.action();
            let unavailable = error.kind() == SyncErrorKind::Unavailable;
            let text = format!("{error}; everything that was written here is kept");
            // Offline is no illness.
            let check = if unavailable {
                Check::warn(text)
            } else {
                Check::fail(text)
            };
            check.action("hzl sync", action)
        }
    }
}

fn failed(error: &dyn std::error::Error) -> Check {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        message.push_str(&format!(": {error}"));
        cause = error.source();
    }
    Check::fail(message)
}

fn check_config(ctx: &mut Context) -> Check {
    let path = match paths::config_file(&ctx.environment) {
        Ok(path) => path,
        Err(error) => return Check::fail(error.to_string()),
    };
    let has_token = match ctx.config_file().and_then(|file| file.config()) {
        Ok(config) => config.auth_token.is_some() || config.gateway_token.is_some(),
        Err(error) => return Check::fail(error.to_string()).at(&path),
    };
    let Ok(mode) = mode_of(&path) else {
        return Check::warn("there is no config file; defaults are used").at(&path);
    };
    if has_token && mode & 0o077 != 0 {
        let message = format!("others may read the file ({mode:03o}), and it holds a token");
        return Check::warn(message)
            .at(&path)
            .action(
                format!("chmod 600 \"{}\"", path.display()),
                "Make the file private",
            )
            .action(
                "HZL_SYNC_TOKEN",
                "Or give the token in this environment variable",
            );
    }
    Check::pass().at(&path)
}

/// Returns the permission bits of a file; where there are none, those of a private one.
fn mode_of(path: &Path) -> io::Result<u32> {
    let metadata = fs::metadata(path)?;
    #[cfg(unix)]
    let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777;
    #[cfg(not(unix))]
    let mode = {
        drop(metadata);
        0o600
    };
    Ok(mode)
}

/// Sorts the reason why the store cannot be opened to the check it belongs to.
fn not_opened(checks: &mut Checks, paths: &StorePaths, error: &Error) {
    match error {
        Error::Missing { path } if is_hidden(path) => {
            checks.permissions = Check::fail("the directory cannot be looked into").at(path);
        }
        Error::Missing { .. } => {
            checks.database = Check::fail("there is no database yet")
                .at(&paths.events)
                .action("hzl init", "Create the database");
        }
        Error::NewerFormat { .. } => {
            checks.migrations = failed(error).action("hzl --version", "Update hzl");
        }
        Error::ReadOnly { path, .. } => checks.permissions = failed(error).at(path),
        Error::Io { path, source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
            checks.permissions = failed(error).at(path);
        }
        Error::Busy { .. } => checks.lock = failed(error),
        Error::Corrupt { .. } | Error::NotADatabase { .. } => {
            checks.database = failed(error)
                .at(&paths.events)
                .action(log::REPAIR, log::SAVE);
        }
        _ => checks.database = failed(error).at(&paths.events),
    }
}

/// Whether nobody can tell if the file is there.
fn is_hidden(path: &Path) -> bool {
    fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

fn check_versions(ledger: &Ledger) -> hzl_store::Result<Check> {
    let files = ledger.files();
    let versions = health::versions(&files.events, &files.cache)?;
    if versions.are_current() {
        return Ok(Check::pass());
    }
    Ok(Check::fail(format!(
        "the log has format {} (supported: {}), the projections have version {} (supported: {})",
        versions.events,
        versions.events_supported,
        versions.projections,
        versions.projections_supported
    )))
}

fn check_identity(ledger: &Ledger) -> hzl_store::Result<Check> {
    let events = &ledger.files().events;
    Ok(match state::instance_id(events)? {
        Some(instance) => {
            let device = state::device(events)?;
            Check::pass().says(format!("ledger {instance}, device {device}"))
        }
        None => Check::fail("the ledger has no id"),
    })
}

/// Compares what is stored with what the log says, row by row. The cache holds nothing of its own, so a
/// wrong one is built anew at once.
fn check_projections(ledger: &mut Ledger) -> hzl_store::Result<Check> {
    let paths = ledger.files().paths.clone();
    Ok(match compare_projections(ledger, &paths) {
        Err(Error::Corrupt { path, .. }) if path != paths.events => return renew(ledger),
        // Whatever cannot be read in the cache is damage; if it is in the log, building anew fails, too.
        Err(Error::Sqlite { .. }) => return renew(ledger),
        Err(error) => return Err(error),
        Ok(None) => return renew(ledger),
        Ok(Some(Compared::Same { sum, .. })) => Check::pass().says(format!("current, state {sum}")),
        Ok(Some(Compared::Different { stored, folded, .. })) => {
            ledger.rebuild()?;
            let message =
                format!("the cache had state {stored}, the log says {folded}: it was built anew");
            Check::warn(message).at(&paths.cache)
        }
        Ok(Some(Compared::Unknown)) => {
            Check::warn("others write so much that it could not be compared")
        }
    })
}

/// Compares the projections with the log; `None`: the file is damaged.
fn compare_projections(
    ledger: &mut Ledger,
    paths: &StorePaths,
) -> hzl_store::Result<Option<Compared>> {
    ledger.read(|_| Ok(()))?;
    if !health::list_damage(&ledger.files().cache)?.is_empty() {
        return Ok(None);
    }
    compare::compare(paths).map(Some)
}

fn renew(ledger: &mut Ledger) -> hzl_store::Result<Check> {
    ledger.renew_projections()?;
    let message = "the cache was damaged: it was built anew, and nothing is lost";
    Ok(Check::warn(message).at(&ledger.files().paths.cache))
}

/// A lock file of HZL 3.2.0. This program's own locks end with the process that holds them.
fn check_lock(paths: &StorePaths) -> Check {
    let mut name = paths.events.clone().into_os_string();
    name.push(".lock");
    let path = Path::new(&name);
    if path.exists() {
        return Check::warn("a lock file of HZL 3.2.0 is there; nothing waits for it").at(path);
    }
    Check::pass()
}

/// The database of a version before 3: nothing reads it, and it may hold somebody's tasks.
fn check_orphan(events: &Path) -> Option<Check> {
    let path = events.with_file_name("data.db");
    path.exists().then(|| {
        Check::warn("a database of a very old version lies here; hzl does not use it")
            .at(&path)
            .action(
                format!("mv \"{0}\" \"{0}.bak\"", path.display()),
                "Keep it out of the way; its data is not migrated",
            )
    })
}

impl Answer for Report {
    fn md(&self, md: &mut Md) {
        for fix in &self.fixes {
            md.ok(&format!("Repaired: {}", fix.text()));
        }
        for (name, check) in self.checks.named() {
            let message = check.message.as_deref().unwrap_or("fine");
            let text = format!("{name}: {message}");
            match check.status {
                Level::Pass => md.ok(&text),
                Level::Warn => md.warning(&text),
                Level::Fail => md.bad(&text),
            }
            for event in &check.events {
                md.line(&format!("  {}", event.text()));
            }
            for action in &check.actions {
                md.line(&format!("  {}: {}", action.description, action.command));
            }
        }
    }
}
