//! `hzl init`: create the database and remember where it is and what it syncs with.

use std::io;

use crate::config::ConfigFile;
use crate::error::CommandError;
use crate::error::Kind;
use crate::paths::Database;
use crate::paths::Source;
use crate::secret::Secret;
use crate::usage;

/// Create the database, and set up sync
///
/// Other commands work without it; `init` is for choosing a place or a cloud database. An existing
/// database is kept unless `--force` is given.
#[derive(Debug, Default, clap::Args)]
#[command(after_help = "Examples:
  hzl init
  hzl init --db ~/work/events.db
  hzl init --sync-url libsql://team.example.org --auth-token -")]
pub(crate) struct Args {
    /// Forget the configured database and use the default one; other settings stay
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
    stdin.read_line(&mut line).map_err(|error| {
        CommandError::new(Kind::General, "cannot read the token from standard input")
            .caused_by(error)
    })?;
    some_token(&line)
}

fn some_token(text: &str) -> Result<Option<Secret>, CommandError> {
    if text.trim().is_empty() {
        return Err(usage::after_parsing("the token is empty"));
    }
    Ok(Some(Secret::new(text)))
}

/// Applies the options to the settings. Nothing is saved yet.
fn change(file: &mut ConfigFile, args: &Args, token: Option<&Secret>, used: &Database) {
    if args.reset_config {
        for key in PLACE_KEYS {
            file.remove(key);
        }
    }
    if args.local {
        for key in SYNC_KEYS {
            file.remove(key);
        }
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
        assert_eq!(config, Config::default());
    }

    #[test]
    fn resetting_forgets_the_place_and_nothing_else() {
        let args = Args {
            reset_config: true,
            ..Args::default()
        };
        let content = r#"{"dbPath": "/x/a.db", "db": {"events": {"path": "/y"}}, "syncUrl": "u",
            "hooks": {"on_done": {"url": "https://x"}}, "leaseMinutes": 5}"#;
        let config = changed(content, &args, &database("/d/events.db", Source::Default));
        assert_eq!((config.db_path, config.events_path), (None, None));
        assert_eq!(config.sync_url.as_deref(), Some("u"));
        assert!(config.on_done.is_some());
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
        assert_eq!((config.sync_url, config.auth_token), (None, None));
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
        assert_eq!(config.auth_token, Some(Secret::new("from-stdin")));
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
