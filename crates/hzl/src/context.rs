//! What a command is given: environment, global options, settings, output.
//!
//! Settings are read when first asked for, so that a command that does not need them works even
//! when they are broken.

use std::cell::OnceCell;
use std::path::PathBuf;

use crate::config::Config;
use crate::config::ConfigFile;
use crate::config::SyncTarget;
use crate::environment::Environment;
use crate::error::CommandError;
use crate::output::Output;
use crate::paths;
use crate::paths::Database;

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
}
