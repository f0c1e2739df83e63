//! Several commands in one transaction: all of them or none.
//!
//! Each command is decided on what the ones before it did: their events are appended, and folded into
//! an open transaction on cache.db, before the next one's facts are loaded. Then events.db commits (the
//! acknowledgement), then cache.db. All events share one `causation_id`, so a push never splits them.

use hzl_core::command::{Actor, Command};
use hzl_core::decide::decide;
use hzl_core::event::Event;
use hzl_core::ids::TaskId;
use hzl_core::time::Timestamp;
use rusqlite::Connection;

use crate::catch_up;
use crate::error::{Error, Result};
use crate::facts;
use crate::ledger::{Cause, ExecuteError, Ledger, Outcome, Writer, outcome};
use crate::outbox::{self, HookTarget};
use crate::source::IdSource;
use crate::state::SyncState;
use crate::transaction::WriteTransaction;

/// A transaction on the ledger, under the writer lock.
pub struct Batch<'a> {
    log: &'a Connection,
    cache: &'a Connection,
    state: &'a SyncState,
    writer: Writer<'a>,
    ids: &'a mut dyn IdSource,
    hooks: &'a [HookTarget],
    events: Vec<(i64, Event)>,
}

impl Ledger {
    /// Runs `work` in one transaction: when this returns `Ok`, all its events are on the disk; when it
    /// returns an error, none is. `work` must not wait for anything: others wait for it.
    ///
    /// # Errors
    /// What `work` returns; [`ExecuteError::Store`] if the disk, the file or the lock failed.
    pub fn transact<T, E: From<ExecuteError>>(
        &mut self,
        work: impl FnOnce(&mut Batch<'_>) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        let failed = |error: Error| E::from(ExecuteError::Store(error));
        self.check_writable().map_err(failed)?;
        // Damaged projections are healed before: `work` runs only once.
        self.read(|_| Ok(())).map_err(failed)?;
        let queue = self.queue();
        let log = self.files.write_log().map_err(failed)?;
        catch_up::catch_up(&log, &self.files.cache).map_err(failed)?;
        let cache = WriteTransaction::begin(&self.files.cache).map_err(failed)?;
        let state = SyncState::load(&log).map_err(failed)?;
        let mut batch = Batch {
            log: &log,
            cache: &cache,
            state: &state,
            writer: Writer::new(&state, &*self.clock, &log).map_err(failed)?,
            ids: &mut *self.ids,
            hooks: &self.hooks,
            events: vec![],
        };
        let done = work(&mut batch)?;
        let events = batch.events;
        let first = events.first().map(|(_, event)| event.event_id.as_str());
        // What is only noted beside the events (an operation's result) is committed as well.
        log.commit_log(first).map_err(failed)?;
        // Best effort, as after every write: whoever comes next does what fails here.
        drop(cache.commit_cache());
        self.has_written |= !events.is_empty();
        self.follow();
        drop(queue);
        Ok(done)
    }
}

impl Batch<'_> {
    /// Carries out a command on what the ones before it did.
    ///
    /// # Errors
    /// As [`Ledger::execute`]; return them from the transaction, so that nothing is written.
    pub fn execute(
        &mut self,
        command: &Command,
        actor: &Actor,
    ) -> std::result::Result<Outcome, ExecuteError> {
        let loaded = facts::load(
            self.log,
            self.cache,
            self.state,
            command,
            self.writer.next(),
        )?;
        let drafts = decide(&loaded.facts, command, actor, self.writer.next())?;
        let first = self.events.first().map(|(_, event)| event.event_id.clone());
        let cause = Cause::Batch(first.as_ref());
        let events = self.writer.append(self.log, self.ids, drafts, cause)?;
        self.events.extend(events.iter().cloned());
        let outcome = outcome(events, loaded, self.state);
        outbox::enqueue(self.log, self.hooks, &outcome)?;
        catch_up::fold_into(self.log, self.cache, None)?;
        Ok(outcome)
    }

    /// Reads the projections as they are after the commands so far.
    ///
    /// # Errors
    /// Whatever `read` reports.
    pub fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        read(self.cache)
    }

    /// The log's connection, for what commits with the events.
    pub fn log(&self) -> &Connection {
        self.log
    }

    /// The time of the next event.
    pub fn now(&self) -> Timestamp {
        self.writer.next()
    }

    /// A new task id.
    pub fn new_task_id(&mut self) -> TaskId {
        let now = self.writer.next();
        TaskId::new(self.ids.new_id(now))
    }

    /// How many events the commands so far have appended.
    pub fn event_count(&self) -> usize {
        self.events.len()
    }
}
