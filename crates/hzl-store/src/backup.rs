//! Copies of the log as a file, while others write, and back.
//!
//! A backup is one self-contained SQLite file. A restored one is a device of its own from the start: the
//! device it was made on may go on writing. Restoring replaces the log in place, in one transaction of
//! SQLite: whoever has the store open goes on with the restored log.

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::OpenFlags;
use rusqlite::backup::{Backup, StepResult};

use crate::busy;
use crate::connect::{connect, connect_to_read};
use crate::error::{Error, OnConnection as _, Result};
use crate::ledger::Ledger;
use crate::query::health;
use crate::state::{self, Key, SyncState};
use crate::transaction::{WriteTransaction, failed_commit};
use crate::{log, replica, vetted};

/// A backup that was written and read back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verified {
    /// Events in it.
    pub events: u64,
}

impl Ledger {
    /// Copies the log into an empty file, as of one moment, and checks the copy.
    ///
    /// # Errors
    /// Whatever the store or the disk reports; [`Error::Corrupt`]: the copy is damaged.
    pub fn back_up(&self, into: &Path) -> Result<Verified> {
        copy_file(&self.files.events, into)?;
        let copy = connect_to_read(into, busy::DEADLINE)?;
        verify(&copy, into)
    }

    /// Replaces this log by the one of a scratch store, which a backup was copied into. Nothing in
    /// between is ever visible.
    ///
    /// # Errors
    /// Whatever the store reports; this store is then as it was, but after [`Error::CommitUnknown`].
    pub fn restore(&mut self, scratch: &mut Ledger) -> Result<Verified> {
        self.check_writable()?;
        let queue = self.queue();
        // Newer than both: whatever projections there are, here or in another process, are not of it.
        let generation = state::number(&self.files.events, Key::Generation)?
            .max(state::number(&scratch.files.events, Key::Generation)?)
            .saturating_add(1);
        let now = self.clock.now();
        let device = self.ids.new_id(now);
        let transaction = WriteTransaction::begin(&scratch.files.events)?;
        let before = SyncState::load(&transaction)?;
        replica::become_device(&transaction, &before, &device)?;
        state::set_number(&transaction, Key::Generation, generation)?;
        transaction.commit_log(None)?;
        let verified = verify(&scratch.files.events, &scratch.files.paths.events)?;
        vetted::sync_wal_name(&self.files.paths.events)?;
        copy_all_pages(&scratch.files.events, &mut self.files.events).map_err(|source| {
            failed_commit(&self.files.events, source, "replace the event log", None)
        })?;
        self.follow();
        drop(queue);
        Ok(verified)
    }
}

/// Copies the database at `source` into an empty file.
///
/// # Errors
/// Whatever SQLite reports: [`Error::NotADatabase`] where it is none.
pub fn copy(source: &Path, into: &Path) -> Result<()> {
    let source = std::fs::canonicalize(source).unwrap_or_else(|_| PathBuf::from(source));
    let conn = connect_to_read(&source, busy::DEADLINE)?;
    copy_file(&conn, into)
}

fn copy_file(from: &Connection, into: &Path) -> Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let mut to = connect(into, flags, busy::DEADLINE)?;
    copy_pages(from, &mut to)?;
    // One file, with nothing beside it.
    to.query_row("pragma journal_mode = delete", [], |_| Ok(()))
        .on(&to, "finish the copy")
}

fn copy_pages(from: &Connection, to: &mut Connection) -> Result<()> {
    copy_all_pages(from, to).on(to, "copy the event log")
}

pub(crate) fn copy_all_pages(from: &Connection, to: &mut Connection) -> rusqlite::Result<()> {
    Backup::new(from, to).and_then(|copy| {
        let mut wait = busy::Wait::until(busy::DEADLINE);
        loop {
            // All at once: in steps a busy source would make it start again and again.
            let step = copy.step(-1)?;
            if step == StepResult::Done {
                return Ok(());
            }
            if step != StepResult::More && !wait.nap() {
                let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
                return Err(rusqlite::Error::SqliteFailure(busy, None));
            }
        }
    })
}

fn verify(conn: &Connection, path: &Path) -> Result<Verified> {
    match health::list_damage(conn)?.into_iter().next() {
        None => Ok(Verified {
            events: log::count(conn)?,
        }),
        Some(finding) => Err(Error::damaged(path, finding)),
    }
}
