//! What a command is given: environment, global options, settings, output.
//!
//! Settings are read when first asked for, so that a command that does not need them works even
//! when they are broken.

use std::cell::OnceCell;
use std::path::PathBuf;

use hzl_core::command::Actor;
use hzl_core::command::Command;
use hzl_store::Access;
use hzl_store::Error;
use hzl_store::Note;
use hzl_store::StorePaths;
use hzl_store::batch::Batch;
use hzl_store::ledger::ExecuteError;
use hzl_store::ledger::Ledger;
use hzl_store::ledger::Outcome;
use hzl_store::log;

use crate::background;
use crate::config::Config;
use crate::config::ConfigFile;
use crate::config::Hook;
use crate::config::SyncTarget;
use crate::environment::Environment;
use crate::error::CommandError;
use crate::opened::Opened;
use crate::output::Output;
use crate::output::Warning;
use crate::paths;
use crate::paths::Database;
use crate::refusal;
use crate::strict;

/// What a command wants the ledger for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To change it.
    Write,
    /// To claim in it; about that the cloud is asked separately.
    Claim,
    /// To take over events from elsewhere: a new store does not even get its `inbox`.
    Fill,
    /// To change something beside the events, or to ask what a change would do.
    Maintain,
    /// To read it, also where it cannot be written.
    Read,
    /// To look at the store as it is: not even a new one gets its `inbox`.
    Inspect,
}

/// What a command is given.
pub(crate) struct Context {
    /// Variables, working directory, terminals.
    pub(crate) environment: Environment,
    /// Where answers go.
    pub(crate) output: Output,
    /// The value of `--db`.
    pub(crate) db_option: Option<PathBuf>,
    config: OnceCell<Config>,
    database: OnceCell<Database>,
}

impl Context {
    /// Makes the context of one command.
    pub(crate) fn new(
        environment: Environment,
        output: Output,
        db_option: Option<PathBuf>,
    ) -> Self {
        Self {
            environment,
            output,
            db_option,
            config: OnceCell::new(),
            database: OnceCell::new(),
        }
    }

    /// Returns the config file as a document, read anew.
    ///
    /// # Errors
    ///
    /// `ConfigInvalid`: it cannot be read or is not a JSON object.
    pub(crate) fn config_file(&self) -> Result<ConfigFile, CommandError> {
        ConfigFile::load(paths::config_file(&self.environment)?)
    }

    /// Returns the settings.
    ///
    /// # Errors
    ///
    /// `ConfigInvalid`: the file cannot be read, is not a JSON object, or a key has a bad value.
    pub(crate) fn config(&self) -> Result<&Config, CommandError> {
        if let Some(config) = self.config.get() {
            return Ok(config);
        }
        let config = self.config_file()?.config()?;
        Ok(self.config.get_or_init(|| config))
    }

    /// Returns where the database is.
    ///
    /// # Errors
    ///
    /// As [`paths::find_database`].
    pub(crate) fn database(&self) -> Result<&Database, CommandError> {
        if let Some(database) = self.database.get() {
            return Ok(database);
        }
        let option = self.db_option.as_deref();
        let database = paths::find_database(option, &self.environment, || self.config())?;
        Ok(self.database.get_or_init(|| database))
    }

    /// Returns the cloud database to sync with, if one is configured, and keeps its credentials
    /// out of failures from here on.
    ///
    /// # Errors
    ///
    /// As [`Context::config`].
    pub(crate) fn sync_target(&mut self) -> Result<Option<SyncTarget>, CommandError> {
        let target = self.config()?.sync_target(&self.environment);
        if let Some(target) = &target {
            self.output.redactor.add_url(&target.url);
            if let Some(token) = &target.token {
                self.output.redactor.add(token.clone());
            }
        }
        Ok(target)
    }

    /// Opens the ledger, creating it where there is none, and tells on stderr what was noticed. If the
    /// cloud has to confirm writes, it is asked here: a write is decided on what everybody has.
    ///
    /// # Errors
    ///
    /// As [`Context::database`]; `Database`: the store cannot be opened; as [`strict::prepare`].
    pub(crate) fn ledger(&mut self, purpose: Purpose) -> Result<Opened, CommandError> {
        let paths = self.store_paths()?;
        let mut ledger = match Ledger::open(&paths, Access::ReadWrite) {
            Err(error) if !purpose.writes() && forbids_writing(&error) => {
                Ledger::open(&paths, Access::ReadOnly)?
            }
            Err(error) if purpose.writes() => return Err(refusal::not_written(error)),
            opened => opened?,
        };
        for note in ledger.files().notes.clone() {
            if let Some(text) = noticed(&note) {
                self.output.note(&text);
            }
        }
        match purpose {
            Purpose::Inspect => {}
            Purpose::Fill => strict::prepare(self, &mut ledger)?,
            Purpose::Write | Purpose::Claim | Purpose::Maintain => {
                if purpose == Purpose::Write {
                    strict::prepare(self, &mut ledger)?;
                }
                ledger.ensure_inbox().map_err(refusal::not_written)?;
                ledger.set_hooks(self.hooks()?.iter().map(Hook::target).collect());
            }
            Purpose::Read => match ledger.ensure_inbox() {
                Err(error) if !forbids_writing(&error) => return Err(error.into()),
                _ => background::start_if_due(self, &ledger),
            },
        }
        Ok(Opened::new(ledger, purpose))
    }

    /// Returns the hooks that are set, and keeps their credentials out of failures from here on.
    ///
    /// # Errors
    ///
    /// As [`Context::config`].
    pub(crate) fn hooks(&mut self) -> Result<Vec<Hook>, CommandError> {
        let hooks = self.config()?.hooks.clone();
        for hook in &hooks {
            self.output.redactor.add_url(&hook.url);
            for (_, value) in &hook.headers {
                self.output.redactor.add(value.clone());
            }
            if let Some(secret) = &hook.secret {
                self.output.redactor.add(secret.clone());
            }
        }
        Ok(hooks)
    }

    /// Goes on with these settings.
    pub(crate) fn use_config(&mut self, config: Config) {
        self.config = OnceCell::from(config);
    }

    /// Goes on with this database, whatever the settings say.
    pub(crate) fn use_database(&mut self, database: Database) {
        self.database = OnceCell::from(database);
    }

    /// Returns the two files as the store names them.
    ///
    /// # Errors
    ///
    /// As [`Context::database`].
    pub(crate) fn store_paths(&self) -> Result<StorePaths, CommandError> {
        let database = self.database()?;
        Ok(StorePaths {
            events: database.events.clone(),
            cache: database.cache.clone(),
        })
    }

    /// Carries out several commands in one transaction: all of them or none.
    ///
    /// # Errors
    ///
    /// As [`Ledger::transact`]; nothing was written then.
    pub(crate) fn transact<T>(
        &mut self,
        ledger: &mut Ledger,
        work: impl FnOnce(&mut Batch<'_>) -> Result<T, CommandError>,
    ) -> Result<T, CommandError> {
        self.write(ledger, |ledger| ledger.transact(work))
    }

    /// Carries out a command.
    ///
    /// # Errors
    ///
    /// As [`Ledger::execute`].
    pub(crate) fn execute(
        &mut self,
        ledger: &mut Ledger,
        command: &Command,
        actor: &Actor,
    ) -> Result<Outcome, ExecuteError> {
        self.write(ledger, |ledger| ledger.execute(command, actor))
    }

    /// Appends events, and sees to it that they get to the cloud: now if it has to confirm them, else in the
    /// background. Every write of this program passes here, except claims that ask the cloud.
    ///
    /// # Errors
    ///
    /// What `work` returns.
    pub(crate) fn write<T, E: From<Error>>(
        &mut self,
        ledger: &mut Ledger,
        work: impl FnOnce(&mut Ledger) -> Result<T, E>,
    ) -> Result<T, E> {
        let last_row = |ledger: &Ledger| {
            let end = log::find_end(&ledger.files().events);
            end.map(|end| end.map_or(0, |end| end.rowid))
        };
        // It was read when the ledger was opened to write, so it can be read now.
        let Some(target) = strict::confirming(self).ok().flatten() else {
            let done = work(ledger)?;
            background::start_if_due(self, ledger);
            return Ok(done);
        };
        let before = last_row(ledger)?;
        let done = work(ledger)?;
        // It is on the disk: nothing from here on is a failure of the command.
        let confirmed = last_row(ledger)
            .map_err(CommandError::from)
            .and_then(|after| strict::confirm(self, ledger, &target, before..after));
        if let Err(error) = confirmed {
            self.output.warn(Warning {
                code: "not_confirmed",
                message: format!("what was written is kept here, but could not be sent: {error}"),
                cause: None,
            });
        }
        Ok(done)
    }
}

impl Purpose {
    /// Whether there is no use in a ledger that can only be read.
    fn writes(self) -> bool {
        match self {
            Self::Write | Self::Claim | Self::Maintain => true,
            Self::Fill | Self::Read | Self::Inspect => false,
        }
    }
}

/// Whether reading may still work.
fn forbids_writing(error: &Error) -> bool {
    match error {
        Error::ReadOnly { .. } | Error::DiskFull { .. } => true,
        Error::Io { source, .. } => source.kind() == std::io::ErrorKind::PermissionDenied,
        _ => false,
    }
}

/// Returns what the user should hear of, once. That a log is a replica holds for ever; `doctor` says it.
fn noticed(note: &Note) -> Option<String> {
    Some(match note {
        Note::Replica => return None,
        Note::Upgraded => {
            "the database was upgraded from an older format; its events are unchanged".to_owned()
        }
        Note::Endangered(danger) => danger.clone(),
        Note::OldCacheKept(copy) => {
            format!("the cache of HZL 3.2.0 was kept as {}", copy.display())
        }
        Note::OldCacheUnreadable => {
            "the cache of HZL 3.2.0 cannot be read; hooks queued in it are not carried over"
                .to_owned()
        }
        Note::CacheMovedAside(copy) => format!(
            "the cache was not a database; it was moved to {} and is built anew",
            copy.display()
        ),
        Note::CacheReset => "the cache was damaged and is built anew; nothing is lost".to_owned(),
    })
}
