//! Where things are: the config file, the event log, the cache.
//!
//! Nothing here creates or opens a file.

use std::ffi::OsString;
use std::path::Path;
use std::path::PathBuf;

use crate::config::Config;
use crate::environment::Environment;
use crate::error::CommandError;
use crate::error::Kind;

const EVENTS_FILE: &str = "events.db";
const CACHE_FILE: &str = "cache.db";

/// What named the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Cli,
    Environment,
    Config,
    Default,
}

impl Source {
    /// Returns the name used in output.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Cli => "cli",
            Self::Environment => "env",
            Self::Config => "config",
            Self::Default => "default",
        }
    }
}

/// The two database files and what named them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Database {
    /// The event log, an absolute path.
    pub(crate) events: PathBuf,
    /// The projections, an absolute path.
    pub(crate) cache: PathBuf,
    pub(crate) source: Source,
    /// The location as it was written where it was named.
    pub(crate) written: String,
}

/// Finds the database: option, environment, config file, default.
///
/// The config file is asked for only when nothing before it names a database, so that `--db` helps
/// even when that file is broken.
///
/// # Errors
///
/// What reading the config file returns; or no home directory to put the default in.
pub(crate) fn find_database<'a>(
    option: Option<&Path>,
    environment: &Environment,
    config: impl FnOnce() -> Result<&'a Config, CommandError>,
) -> Result<Database, CommandError> {
    let absolute = |path: &Path| environment.current_dir.join(expand(path, environment));
    let place = |path: &Path, cache: Option<&Path>, source: Source| {
        let events = file_in(absolute(path), path);
        let cache = cache.map_or_else(|| beside(&events), absolute);
        if cache == events {
            let message = format!(
                "{} is named as both event log and cache",
                events.to_string_lossy()
            );
            return Err(CommandError::new(Kind::Input, message));
        }
        Ok(Database {
            events,
            cache,
            source,
            written: path.to_string_lossy().into_owned(),
        })
    };

    if let Some(path) = option {
        return place(path, None, Source::Cli);
    }
    if let Some(path) = environment.get("HZL_DB_EVENTS_PATH") {
        let cache = environment.get("HZL_DB_CACHE_PATH").map(Path::new);
        return place(Path::new(path), cache, Source::Environment);
    }
    if let Some(path) = environment.get("HZL_DB") {
        return place(Path::new(path), None, Source::Environment);
    }
    let config = config()?;
    if let Some(path) = &config.events_path {
        let cache = config.cache_path.as_deref().map(Path::new);
        return place(Path::new(path), cache, Source::Config);
    }
    if let Some(path) = &config.db_path {
        return place(Path::new(path), None, Source::Config);
    }
    let path = data_dir(environment)?.join(EVENTS_FILE);
    place(&path, None, Source::Default)
}

/// Returns the directory of this user's data.
///
/// # Errors
///
/// Neither `XDG_DATA_HOME` nor a home directory is known.
pub(crate) fn data_dir(environment: &Environment) -> Result<PathBuf, CommandError> {
    base_dir(environment, "XDG_DATA_HOME", ".local/share")
}

/// Returns where the config file is, whether or not it exists.
///
/// # Errors
///
/// Neither `HZL_CONFIG`, `XDG_CONFIG_HOME` nor a home directory is known.
pub(crate) fn config_file(environment: &Environment) -> Result<PathBuf, CommandError> {
    if let Some(path) = environment.get("HZL_CONFIG") {
        return Ok(environment
            .current_dir
            .join(expand(Path::new(path), environment)));
    }
    Ok(base_dir(environment, "XDG_CONFIG_HOME", ".config")?.join("config.json"))
}

/// Returns the path with a leading `~/` replaced by the home directory.
pub(crate) fn expand(path: &Path, environment: &Environment) -> PathBuf {
    match (path.strip_prefix("~"), &environment.home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}

fn base_dir(
    environment: &Environment,
    variable: &str,
    below_home: &str,
) -> Result<PathBuf, CommandError> {
    let base = match (environment.absolute_path(variable), &environment.home) {
        (Some(base), _) => base.to_owned(),
        (None, Some(home)) => home.join(below_home),
        (None, None) => {
            let message = format!("there is no home directory, and {variable} is not set");
            return Err(CommandError::new(Kind::General, message)
                .hint("set HOME, or name the files with HZL_DB and HZL_CONFIG"));
        }
    };
    Ok(base.join("hzl"))
}

/// A directory stands for the event log in it.
fn file_in(path: PathBuf, written: &Path) -> PathBuf {
    if written.as_os_str().as_encoded_bytes().ends_with(b"/") || path.is_dir() {
        return path.join(EVENTS_FILE);
    }
    path
}

/// The cache belonging to an event log: `events.db` has `cache.db`, `X.db` has `X-cache.db`.
fn beside(events: &Path) -> PathBuf {
    let name = events.file_name().unwrap_or_default();
    if name == EVENTS_FILE {
        return events.with_file_name(CACHE_FILE);
    }
    let is_db = events
        .extension()
        .is_some_and(|extension| extension == "db");
    let stem = events.file_stem().filter(|_| is_db).unwrap_or(name);
    let mut cache = OsString::from(stem);
    cache.push("-cache.db");
    events.with_file_name(cache)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(option: Option<&str>, variables: &[(&str, &str)], config: &Config) -> Database {
        let environment = Environment::for_tests("/home/ada", variables);
        find_database(option.map(Path::new), &environment, || Ok(config)).unwrap()
    }

    fn files(database: &Database) -> (&str, &str, &str) {
        (
            database.events.to_str().unwrap(),
            database.cache.to_str().unwrap(),
            database.source.label(),
        )
    }

    #[test]
    fn the_first_source_wins() {
        let config = Config {
            db_path: Some("~/c.db".to_owned()),
            ..Config::default()
        };
        let both = [("HZL_DB", "/e/env.db"), ("HZL_DB_EVENTS_PATH", "/e/two.db")];
        assert_eq!(
            files(&find(Some("~/flag.db"), &both, &config)),
            ("/home/ada/flag.db", "/home/ada/flag-cache.db", "cli")
        );
        assert_eq!(
            files(&find(None, &both, &config)),
            ("/e/two.db", "/e/two-cache.db", "env")
        );
        assert_eq!(
            files(&find(None, &both[..1], &config)),
            ("/e/env.db", "/e/env-cache.db", "env")
        );
        assert_eq!(
            files(&find(None, &[], &config)),
            ("/home/ada/c.db", "/home/ada/c-cache.db", "config")
        );
        assert_eq!(
            files(&find(None, &[], &Config::default())),
            (
                "/home/ada/.local/share/hzl/events.db",
                "/home/ada/.local/share/hzl/cache.db",
                "default"
            )
        );
    }

    #[test]
    fn the_cache_is_named_after_the_log() {
        assert_eq!(beside(Path::new("/a/events.db")), Path::new("/a/cache.db"));
        assert_eq!(beside(Path::new("/a/x.db")), Path::new("/a/x-cache.db"));
        assert_eq!(
            beside(Path::new("/a/noext")),
            Path::new("/a/noext-cache.db")
        );
        assert_eq!(
            beside(Path::new("/a/x.sql")),
            Path::new("/a/x.sql-cache.db")
        );
    }

    #[test]
    fn a_directory_stands_for_the_log_in_it() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().to_str().unwrap();
        let config = Config::default();
        assert_eq!(
            find(None, &[("HZL_DB", path)], &config).events,
            home.path().join("events.db")
        );
        assert_eq!(
            files(&find(None, &[("HZL_DB", "new/")], &config)),
            ("/home/ada/new/events.db", "/home/ada/new/cache.db", "env")
        );
    }

    #[test]
    fn relative_paths_start_in_the_working_directory() {
        let database = find(Some("x.db"), &[], &Config::default());
        assert_eq!(database.events, Path::new("/home/ada/x.db"));
        assert_eq!(database.written, "x.db");
    }

    #[test]
    fn one_file_cannot_be_both() {
        let environment = Environment::for_tests(
            "/home/ada",
            &[
                ("HZL_DB_EVENTS_PATH", "a.db"),
                ("HZL_DB_CACHE_PATH", "a.db"),
            ],
        );
        let config = Config::default();
        assert!(find_database(None, &environment, || Ok(&config)).is_err());
    }

    #[test]
    fn the_config_file_is_not_read_when_it_is_not_needed() {
        let environment = Environment::for_tests("/home/ada", &[]);
        let broken = || Err(CommandError::new(Kind::ConfigInvalid, "broken"));
        assert!(find_database(Some(Path::new("x.db")), &environment, broken).is_ok());
        assert!(find_database(None, &environment, broken).is_err());
    }

    #[test]
    fn the_config_file_is_looked_up_in_order() {
        let found = |variables: &[(&str, &str)]| {
            config_file(&Environment::for_tests("/home/ada", variables)).unwrap()
        };
        let both = [("HZL_CONFIG", "~/my.json"), ("XDG_CONFIG_HOME", "/cfg")];
        assert_eq!(found(&both), Path::new("/home/ada/my.json"));
        assert_eq!(found(&both[1..]), Path::new("/cfg/hzl/config.json"));
        assert_eq!(
            found(&[("XDG_CONFIG_HOME", "relative")]),
            Path::new("/home/ada/.config/hzl/config.json")
        );
    }
}
