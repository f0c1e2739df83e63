//! `hzl init`: create the database and remember where it is and what it syncs with.

use std::ffi::OsString;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Read as _;
use std::path::Path;

use hzl_remote::endpoint::Endpoint;
use hzl_remote::http::Timeouts;
use hzl_remote::sync::Session;
use hzl_remote::sync::SyncError;
use hzl_remote::sync::Target;
use hzl_remote::sync::error::SyncErrorKind;
use hzl_remote::sync::session::Probe;
use hzl_store::Access;
use hzl_store::StorePaths;
use hzl_store::ledger::Ledger;
use hzl_store::log;
use hzl_store::state;
use schemars::JsonSchema;
use serde::Serialize;

use super::status;
use super::sync;
use super::sync::Synced;
use crate::background;
use crate::cloud;
use crate::config::ConfigFile;
use crate::config::SyncTarget;
use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::error::Kind;
use crate::output::Answer;
use crate::output::Format;
use crate::output::Md;
use crate::output::counted;
use crate::paths;
use crate::paths::Database;
use crate::paths::Source;
use crate::secret;
use crate::secret::Secret;
use crate::usage;

/// No token from standard input is longer, in bytes; a header of a request would not hold it.
const TOKEN_BYTES: u64 = 64 * 1024;

/// Create the database, and set up sync
///
/// Other commands work without it; `init` is for choosing a place or a cloud database. An existing
/// database is kept unless `--force` is given.
#[derive(Debug, Default, clap::Args)]
#[command(after_help = "Examples:
  hzl init
  hzl init --db ledger/events.db
  hzl init --sync-url libsql://team.example.org --auth-token -")]
pub(crate) struct Args {
    /// Use the default database without sync: forget the configured ones; other settings stay
    #[arg(long)]
    pub(crate) reset_config: bool,
    /// Delete an existing database first
    #[arg(short, long, conflicts_with = "reset_config")]
    pub(crate) force: bool,
    /// Do not ask before deleting
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Sync with this cloud database
    #[arg(long, value_name = "URL", conflicts_with = "local")]
    pub(crate) sync_url: Option<String>,
    /// Use this token for the cloud database; `-` reads it from standard input
    #[arg(long, value_name = "TOKEN", conflicts_with = "local")]
    pub(crate) auth_token: Option<String>,
    /// Refused: an encrypted database is not supported
    #[arg(long, value_name = "KEY")]
    pub(crate) encryption_key: Option<String>,
    /// Stop syncing: remove address and token from the settings
    #[arg(long)]
    pub(crate) local: bool,
    /// Join the tasks of this ledger with those of another one in the cloud
    #[arg(long)]
    pub(crate) merge: bool,
    /// Allow plain http to a cloud database on another machine
    #[arg(long)]
    pub(crate) allow_insecure: bool,
}

/// Keys that say where the database is.
const PLACE_KEYS: [&[&str]; 3] = [
    &["dbPath"],
    &["db", "events", "path"],
    &["db", "cache", "path"],
];
/// Keys that say what to sync with.
const SYNC_KEYS: [&[&str]; 4] = [
    &["syncUrl"],
    &["authToken"],
    &["db", "events", "syncUrl"],
    &["db", "events", "authToken"],
];

/// Says that plain http is allowed.
const INSECURE_KEY: [&str; 2] = ["sync", "allowInsecure"];
/// What belongs to a database file. They go first: a new file must not find them.
const SIDECARS: [&str; 3] = ["-wal", "-shm", "-journal"];
/// How every database file begins.
const MAGIC: &[u8] = b"SQLite format 3\0";

#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Initialized {
    events_db_path: String,
    cache_db_path: String,
    created: bool,
    source: &'static str,
    mode: &'static str,
    instance_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sync_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cloud: Option<Cloud>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pushed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pulled: Option<u64>,
    encrypted: bool,
}

/// Creates the database and saves the settings.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let mut file = ctx.config_file()?;
    if args.reset_config {
        reset(&mut file);
    }
    let config = file.config()?;
    let database =
        |option: Option<&Path>| paths::find_database(option, &ctx.environment, || Ok(&config));
    let configured = database(None)?;
    let used = database(ctx.db_option.as_deref())?;
    check(args, Some(&configured), &used)?;
    let token = token(args, &mut io::stdin().lock())?;
    change(&mut file, args, token.as_ref(), &used);
    let target = file.config()?.sync_target(&ctx.environment);
    check_target(args, target.as_ref())?;
    let cloud = match &target {
        Some(target) if args.sync_url.is_some() || args.auth_token.is_some() || args.merge => {
            let insecure = file.config()?.sync.allow_insecure.unwrap_or(false);
            Some(cloud_check(target, &used, args, insecure)?)
        }
        _ => None,
    };

    if args.force {
        clear_the_way(args, ctx, &used)?;
    }
    let created = !used.events.exists();
    ctx.use_database(used.clone());
    let mut ledger = ctx.ledger(Purpose::Inspect)?;
    file.save()?;
    ctx.use_config(file.config()?);
    let synced = match cloud {
        Some(Cloud::Joined | Cloud::Empty) => first_sync(args, ctx, &mut ledger)?,
        Some(Cloud::Unreachable) | None => None,
    };
    if cloud.is_some() && synced.is_none() {
        background::start(ctx, &ledger)?;
    }
    let instance_id = state::instance_id(&ledger.files().events)?;
    ctx.output.answer(&Initialized {
        events_db_path: used.events.to_string_lossy().into_owned(),
        cache_db_path: used.cache.to_string_lossy().into_owned(),
        created,
        source: used.source.label(),
        mode: status::mode(target.as_ref()),
        instance_id,
        sync_url: target.map(|target| target.redacted_url()),
        cloud,
        pushed: synced.as_ref().map(|synced| synced.data.pushed),
        pulled: synced.as_ref().map(|synced| synced.data.pulled),
        encrypted: false,
    })
}

/// What the cloud database said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
enum Cloud {
    /// This ledger is there, or was taken on.
    Joined,
    /// Nothing is there: the first sync fills it.
    Empty,
    /// It did not answer in time: the first sync decides.
    Unreachable,
}

/// Asks the cloud database whether it takes the token and belongs to this ledger, before anything is
/// saved or deleted.
fn cloud_check(
    target: &SyncTarget,
    used: &Database,
    args: &Args,
    insecure: bool,
) -> Result<Cloud, CommandError> {
    let target = Target {
        url: target.url.clone(),
        token: target.token.clone(),
        insecure_http: cloud::insecure_http(insecure || args.allow_insecure),
    };
    let probed = if args.force || !used.events.exists() {
        Session::check(&target, Timeouts::FOREGROUND)
    } else {
        let paths = StorePaths {
            events: used.events.clone(),
            cache: used.cache.clone(),
        };
        let mut ledger = Ledger::open(&paths, Access::ReadWrite)?;
        Session::new(&ledger, &target, Timeouts::FOREGROUND)
            .and_then(|mut session| session.probe(&mut ledger, args.merge))
    };
    let error = match probed {
        Ok(Probe::Joined) => return Ok(Cloud::Joined),
        Ok(Probe::Empty) => return Ok(Cloud::Empty),
        Err(error) => error,
    };
    // Something that answers, but not as a libSQL server does, is a wrong address.
    let answered = matches!(error.code(), "bad_reply" | "bad_request");
    if error.kind() == SyncErrorKind::Unavailable && !answered {
        return Ok(Cloud::Unreachable);
    }
    let mut failure = cloud::failure(&error, cloud::NOT_SAVED);
    if answered {
        failure.kind = Kind::SyncRejected;
    }
    if matches!(error, SyncError::MergeRequired { .. }) {
        failure.hints = vec![
            "add --merge to unite both ledgers".to_owned(),
            "or name another cloud database".to_owned(),
        ];
    }
    Err(failure)
}

/// Syncs for the first time, so that what the cloud holds is there when `init` is done. Best effort:
/// the settings are saved, and the background goes on.
fn first_sync(
    args: &Args,
    ctx: &mut Context,
    ledger: &mut Ledger,
) -> Result<Option<Synced>, CommandError> {
    let Some(target) = cloud::target(ctx)? else {
        return Ok(None);
    };
    let options = sync::Args {
        merge: args.merge,
        ..sync::Args::default()
    };
    Ok(sync::sync(&options, ctx, ledger, &target).ok())
}

/// Refuses what cannot be done, before anything is touched.
fn check(args: &Args, configured: Option<&Database>, used: &Database) -> Result<(), CommandError> {
    if args.encryption_key.is_some() {
        let error = CommandError::new(Kind::Input, "encrypted databases are not supported")
            .hint("leave out --encryption-key and keep the database on an encrypted disk");
        return Err(error);
    }
    // Two places for one set of settings is how tasks get lost from sight.
    if let Some(configured) = configured
        && !args.reset_config
        && configured.source == Source::Config
        && configured.events != used.events
    {
        let message = format!(
            "the settings already name another database, {}",
            configured.events.display()
        );
        let error = CommandError::new(Kind::General, message)
            .hint("add --reset-config to replace it in the settings")
            .hint("use the global option --db alone to work with another database once");
        return Err(error);
    }
    Ok(())
}

/// Returns the token: the given one, or a line from standard input for `-`.
fn token(args: &Args, stdin: &mut dyn io::BufRead) -> Result<Option<Secret>, CommandError> {
    let Some(given) = args.auth_token.as_deref() else {
        return Ok(None);
    };
    if given != "-" {
        return some_token(given);
    }
    let mut line = String::new();
    // One more byte than is allowed, to see whether there is one.
    let mut limited = io::Read::take(stdin, TOKEN_BYTES + 1);
    io::BufRead::read_line(&mut limited, &mut line).map_err(|error| {
        CommandError::new(Kind::General, "cannot read the token from standard input")
            .caused_by(error)
    })?;
    if line.len() as u64 > TOKEN_BYTES {
        let message = format!("the token is longer than {TOKEN_BYTES} bytes");
        return Err(CommandError::new(Kind::Input, message));
    }
    some_token(&line)
}

fn some_token(text: &str) -> Result<Option<Secret>, CommandError> {
    if text.trim().is_empty() {
        return Err(usage::after_parsing("the token is empty"));
    }
    Ok(Some(secret::trimmed(text)))
}

/// Refuses an address that cannot be used, and a token without one.
fn check_target(args: &Args, target: Option<&SyncTarget>) -> Result<(), CommandError> {
    let Some(target) = target else {
        return match args.auth_token {
            Some(_) => Err(
                usage::after_parsing("there is no cloud database for the token")
                    .hint("add --sync-url"),
            ),
            None => Ok(()),
        };
    };
    if args.sync_url.is_none() {
        return Ok(());
    }
    match Endpoint::parse(&target.url, cloud::insecure_http(args.allow_insecure)) {
        Ok(_) => Ok(()),
        Err(error) => {
            let hint = error.hint();
            let message = "the address of the cloud database cannot be used; nothing was saved";
            let failure = CommandError::new(Kind::SyncRejected, message).caused_by(error);
            Err(if hint.is_empty() {
                failure
            } else {
                failure.hint(hint)
            })
        }
    }
}

/// Deletes the database after asking, its companions first.
fn clear_the_way(args: &Args, ctx: &mut Context, used: &Database) -> Result<(), CommandError> {
    let files = [&used.events, &used.cache];
    if !files.iter().any(|file| fs::symlink_metadata(file).is_ok()) {
        return Ok(());
    }
    for file in files {
        check_deletable(file)?;
    }
    if !args.yes {
        confirm(ctx, used)?;
    }
    for file in files {
        for sidecar in SIDECARS {
            let mut name = OsString::from(file);
            name.push(sidecar);
            delete(Path::new(&name))?;
        }
    }
    files.into_iter().try_for_each(|file| delete(file))
}

/// Refuses to delete what is no database: a path that was mistyped names somebody's file.
fn check_deletable(path: &Path) -> Result<(), CommandError> {
    let refused = |problem: &str| {
        let message = format!("{} {problem}; nothing was deleted", path.display());
        CommandError::new(Kind::General, message).hint("move it away yourself, or choose with --db")
    };
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(refused("cannot be looked at").caused_by(error)),
    };
    if !metadata.is_file() {
        return Err(refused("is not a file"));
    }
    let mut start = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAGIC.len() as u64).read_to_end(&mut start))
        .map_err(|error| refused("cannot be read").caused_by(error))?;
    if start.is_empty() || start == MAGIC {
        return Ok(());
    }
    Err(refused("is not a database"))
}

fn confirm(ctx: &mut Context, used: &Database) -> Result<(), CommandError> {
    if ctx.output.format == Format::Json || !ctx.environment.terminals.stdin {
        return Err(usage::after_parsing(
            "--force deletes the database, and there is nobody to ask; nothing was deleted",
        )
        .hint("add --yes to delete it without a question"));
    }
    let place = used.events.to_string_lossy();
    let question = match count_events(used) {
        Some(count) => {
            let count = counted(count, "event");
            format!("Delete {place} with {count} for good? Type yes:")
        }
        None => format!("Delete {place} for good? Type yes:"),
    };
    ctx.output.ask(&question);
    let mut answer = String::new();
    let read = io::stdin().read_line(&mut answer);
    if read.is_ok() && answer.trim() == "yes" {
        return Ok(());
    }
    Err(CommandError::new(
        Kind::General,
        "not confirmed; nothing was deleted",
    ))
}

/// Best effort: the question can be asked without it.
fn count_events(used: &Database) -> Option<i64> {
    let paths = hzl_store::StorePaths {
        events: used.events.clone(),
        cache: used.cache.clone(),
    };
    let ledger = hzl_store::ledger::Ledger::open(&paths, hzl_store::Access::ReadOnly).ok()?;
    let end = log::find_end(&ledger.files().events).ok()?;
    Some(end.map_or(0, |end| end.rowid))
}

fn delete(path: &Path) -> Result<(), CommandError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            let message = format!("{} cannot be deleted", path.display());
            Err(CommandError::new(Kind::General, message).caused_by(error))
        }
        _ => Ok(()),
    }
}

/// Forgets where the database is and what it syncs with.
fn reset(file: &mut ConfigFile) {
    for key in PLACE_KEYS {
        file.remove(key);
    }
    for key in SYNC_KEYS {
        file.remove(key);
    }
    file.remove(&INSECURE_KEY);
}

/// Applies the options to the settings. Nothing is saved yet.
fn change(file: &mut ConfigFile, args: &Args, token: Option<&Secret>, used: &Database) {
    if args.local {
        for key in SYNC_KEYS {
            file.remove(key);
        }
        file.remove(&INSECURE_KEY);
    }
    if used.source == Source::Cli {
        file.set("dbPath", used.events.to_string_lossy());
    }
    if let Some(url) = &args.sync_url {
        file.set("syncUrl", url.trim());
    }
    if let Some(token) = token {
        file.set("authToken", token.expose());
    }
    if args.sync_url.is_some() && args.allow_insecure {
        file.set_in(&INSECURE_KEY, true);
    }
}

impl Answer for Initialized {
    fn md(&self, md: &mut Md) {
        md.ok(if self.created {
            "Created the database"
        } else {
            "The database is already there"
        });
        md.field("Events", &self.events_db_path);
        md.field("Cache", &self.cache_db_path);
        match &self.sync_url {
            Some(url) => md.field("Syncs with", url),
            None => md.field("Mode", self.mode),
        }
        match self.cloud {
            Some(Cloud::Joined | Cloud::Empty) => match (self.pushed, self.pulled) {
                (Some(pushed), Some(pulled)) => {
                    md.ok(&format!("Synced: {pushed} pushed, {pulled} pulled"));
                }
                _ => {
                    md.line("The cloud database answers; the first sync goes on in the background.")
                }
            },
            Some(Cloud::Unreachable) => {
                md.warning("the cloud database did not answer: saved; the first sync decides");
            }
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::Config;

    fn database(events: &str, source: Source) -> Database {
        Database {
            events: events.into(),
            cache: "/x/cache.db".into(),
            source,
            written: events.to_owned(),
        }
    }

    fn changed(content: &str, args: &Args, used: &Database) -> Config {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("config.json");
        fs::write(&path, content).unwrap();
        let mut file = ConfigFile::load(path.clone()).unwrap();
        if args.reset_config {
            reset(&mut file);
        }
        let token = token(args, &mut io::Cursor::new("from-stdin\n")).unwrap();
        change(&mut file, args, token.as_ref(), used);
        file.save().unwrap();
        ConfigFile::load(path).unwrap().config().unwrap()
    }

    #[test]
    fn only_a_database_named_by_option_is_remembered() {
        let args = Args::default();
        let config = changed("{}", &args, &database("/x/a.db", Source::Cli));
        assert_eq!(config.db_path.as_deref(), Some("/x/a.db"));
        let config = changed("{}", &args, &database("/x/a.db", Source::Environment));
        assert!(config.db_path.is_none());
    }

    #[test]
    fn resetting_forgets_the_place_and_the_cloud_and_nothing_else() {
        let args = Args {
            reset_config: true,
            ..Args::default()
        };
        let content = r#"{"dbPath": "/x/a.db", "syncUrl": "u", "authToken": "t",
            "db": {"events": {"path": "/y", "syncUrl": "v", "authToken": "w"}},
            "hooks": {"on_done": {"url": "https://x"}}, "leaseMinutes": 5}"#;
        let config = changed(content, &args, &database("/d/events.db", Source::Default));
        assert_eq!((config.db_path, config.events_path), (None, None));
        assert!(config.sync_url.is_none() && config.auth_token.is_none());
        assert_eq!(config.hooks.len(), 1);
        assert_eq!(config.lease_minutes, Some(5));
    }

    #[test]
    fn local_removes_what_sync_needs() {
        let args = Args {
            local: true,
            ..Args::default()
        };
        let content = r#"{"syncUrl": "u", "authToken": "t", "dbPath": "/x/a.db",
            "db": {"events": {"syncUrl": "v", "authToken": "w"}}}"#;
        let config = changed(content, &args, &database("/x/a.db", Source::Config));
        assert!(config.sync_url.is_none() && config.auth_token.is_none());
        assert_eq!(config.db_path.as_deref(), Some("/x/a.db"));
    }

    #[test]
    fn a_dash_reads_the_token_from_standard_input() {
        let args = Args {
            sync_url: Some("libsql://x".to_owned()),
            auth_token: Some("-".to_owned()),
            ..Args::default()
        };
        let config = changed("{}", &args, &database("/d/events.db", Source::Default));
        assert_eq!(config.auth_token.unwrap().expose(), "from-stdin");
        assert!(token(&args, &mut io::Cursor::new("\n")).is_err());
    }

    #[test]
    fn a_second_place_needs_a_reset() {
        let configured = database("/x/a.db", Source::Config);
        let used = database("/x/b.db", Source::Cli);
        let plain = Args::default();
        assert!(check(&plain, Some(&configured), &used).is_err());
        assert!(check(&plain, Some(&configured), &configured).is_ok());
        assert!(check(&plain, None, &used).is_ok());
        let reset = Args {
            reset_config: true,
            ..Args::default()
        };
        assert!(check(&reset, Some(&configured), &used).is_ok());
    }

    #[test]
    fn encryption_is_refused() {
        let args = Args {
            encryption_key: Some("k".to_owned()),
            ..Args::default()
        };
        let error = check(&args, None, &database("/x", Source::Default)).unwrap_err();
        assert_eq!(error.kind, Kind::Input);
    }
}
