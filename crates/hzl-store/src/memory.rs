//! Stores in memory, for the simulator: made once, and used for one history after another.
//!
//! Opening a database and preparing its statements costs more than a short history does; so a store in
//! memory can be emptied in place, under the connections that have it open. Not for any file.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::backup::copy_all_pages;
use crate::busy;
use crate::connect::{connect_in_memory, connect_shared};
use crate::error::{Context as _, OnConnection as _, Result};
use crate::open::{Access, Birth, Files, Home, OpenOptions};
use crate::paths::StorePaths;
use crate::projector;
use crate::schema::cache::Scope;
use crate::schema::old_cache::Carried;
use crate::schema::{cache, events};
use crate::transaction::WriteTransaction;

impl Files {
    /// Opens a store in memory, which all connections of this process share under its name. It ends
    /// with the last of them.
    ///
    /// # Errors
    ///
    /// As [`Files::open`].
    pub fn open_in_memory(name: &str, options: OpenOptions<'_>) -> Result<Self> {
        let OpenOptions {
            mut birth,
            deadline,
        } = options;
        let paths = paths(name);
        let log = connect_in_memory(&paths.events, deadline)?;
        if !events::is_current(&log, &paths.events)? {
            let nothing = || Ok(Carried::default());
            events::upgrade(WriteTransaction::begin(&log)?, &mut birth, nothing)?;
        }
        let cache = connect_in_memory(&paths.cache, deadline)?;
        if !cache::is_current(&cache).at(&paths.cache, "read the version of the cache")? {
            cache::recreate(&cache, &paths.cache, Scope::Projections)?;
        }
        Ok(Self {
            events: log,
            cache,
            events_home: Home::Shared,
            cache_home: Home::Shared,
            paths,
            access: Access::ReadWrite,
            notes: vec![],
            deadline,
        })
    }

    /// Tells whether both connections still lead to the shared databases and no transaction is open: a
    /// process that could not write its projections has gone on with its own.
    pub fn is_shared_and_idle(&self) -> bool {
        self.cache_home == Home::Shared && self.events.is_autocommit() && self.cache.is_autocommit()
    }
}

/// A store in memory, whoever has it open.
pub struct Memory {
    name: String,
    log: Connection,
    cache: Connection,
    /// Everything in the log that has rows.
    log_tables: Vec<String>,
}

impl Memory {
    /// Makes an empty store under a name that nobody in this process uses.
    ///
    /// # Errors
    ///
    /// Whatever SQLite reports.
    pub fn new(name: String, birth: Birth<'_>) -> Result<Self> {
        let deadline = busy::DEADLINE;
        let files = Files::open_in_memory(&name, OpenOptions { birth, deadline })?;
        let log = connect_to_tamper(&files.paths.events, deadline)?;
        let cache = connect_to_tamper(&files.paths.cache, deadline)?;
        let log_tables = tables(&log).on(&log, "list the tables")?;
        Ok(Self {
            name,
            log,
            cache,
            log_tables,
        })
    }

    /// What [`Files::open_in_memory`] knows it by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Makes it as new, with another birth. Nobody may be in a transaction.
    ///
    /// # Errors
    ///
    /// Whatever SQLite reports.
    pub fn empty(&self, birth: &mut Birth<'_>) -> Result<()> {
        let context = "empty the event log";
        let transaction = WriteTransaction::begin(&self.log)?;
        for table in &self.log_tables {
            let mut delete = self
                .log
                .prepare_cached(&format!("delete from {table}"))
                .on(&self.log, context)?;
            delete.execute([]).on(&self.log, context)?;
        }
        events::identify(&transaction, birth, None).on(&self.log, context)?;
        transaction.commit_log(None)?;
        self.empty_cache()
    }

    /// Loses the projections.
    ///
    /// # Errors
    ///
    /// Whatever SQLite reports.
    pub fn empty_cache(&self) -> Result<()> {
        let transaction = WriteTransaction::begin(&self.cache)?;
        projector::forget_everything(&transaction)?;
        transaction.commit_cache()
    }

    /// Becomes a copy of another log, and of the projections of some store, or of none.
    ///
    /// # Errors
    ///
    /// Whatever SQLite reports.
    pub fn copy_from(&mut self, log: &Self, cache: Option<&Self>) -> Result<()> {
        let paths = paths(&self.name);
        copy_pages(&log.log, &mut self.log).at(&paths.events, "copy the database")?;
        match cache {
            Some(cache) => {
                copy_pages(&cache.cache, &mut self.cache).at(&paths.cache, "copy the database")
            }
            None => self.empty_cache(),
        }
    }
}

fn paths(name: &str) -> StorePaths {
    StorePaths {
        events: format!("/{name}/events.db").into(),
        cache: format!("/{name}/cache.db").into(),
    }
}

/// A connection that no trigger keeps from deleting events.
fn connect_to_tamper(path: &Path, deadline: Duration) -> Result<Connection> {
    let conn = connect_shared(path, deadline)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)
        .at(path, "configure the database")?;
    Ok(conn)
}

fn tables(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = conn.prepare("select name from sqlite_master where type = 'table'")?;
    statement.query_map([], |row| row.get(0))?.collect()
}

/// Both have the same tables on the same pages: whoever has the copy open need not learn the schema anew, nor prepare
/// its statements, as SQLite would have it after a copy.
fn copy_pages(from: &Connection, to: &mut Connection) -> rusqlite::Result<()> {
    let version: i64 = to.query_row("pragma schema_version", [], |row| row.get(0))?;
    copy_all_pages(from, to)?;
    to.pragma_update(None, "schema_version", version)
}
