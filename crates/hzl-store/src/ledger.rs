//! The ledger: the one write path, and reads of current projections.
//!
//! A write takes the writer lock of events.db, catches the projections up, loads facts, decides,
//! appends, and commits: that commit is the acknowledgement. The projections follow. If they cannot
//! (a full disk, a kill), the next command does it; the answer comes from the fold in memory. Nothing
//! else in the program opens a write transaction on the log.

use std::collections::BTreeMap;

use hzl_core::availability::Ineligible;
use hzl_core::command::{Actor, Command};
use hzl_core::decide::{Draft, TaskFacts, decide};
use hzl_core::event::{Event, PlacedEvent};
use hzl_core::fold::{FoldContext, TaskFold};
use hzl_core::ids::{EventId, ProjectName, TaskId};
use hzl_core::order::Position;
use hzl_core::rejection::Rejection;
use hzl_core::time::Timestamp;
use rusqlite::Connection;

use crate::catch_up::{self, Appended, ReadTransaction};
use crate::error::{Error, OnConnection as _, Result};
use crate::facts::{self, LoadedFacts};
use crate::open::{Access, Files, OpenOptions};
use crate::outbox::{self, HookTarget};
use crate::paths::StorePaths;
use crate::source::{Clock, IdSource, SystemClock, SystemIds};
use crate::state::SyncState;
use crate::{checkpoint, log, sum};

/// An open ledger.
pub struct Ledger {
    pub(crate) files: Files,
    pub(crate) clock: Box<dyn Clock>,
    pub(crate) ids: Box<dyn IdSource>,
    pub(crate) hooks: Vec<HookTarget>,
    pub(crate) has_written: bool,
}

/// What a command did.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The events it appended, with their rows; none: nothing had to change.
    pub events: Vec<(i64, Event)>,
    /// The tasks it named or changed, as they were before.
    pub before: BTreeMap<TaskId, TaskFacts>,
    /// The same as they are now. A deleted task is not among them.
    pub after: BTreeMap<TaskId, TaskFacts>,
    /// `ClaimNext`: the task taken.
    pub claimed: Option<TaskId>,
    /// `ClaimNext`: the tasks that would come next.
    pub eligible: Vec<TaskId>,
    /// `ClaimNext` without a choice: the first tasks that were passed over.
    pub rejected: Vec<(TaskId, Ineligible)>,
}

/// Why a command did nothing.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// The rules said no. Nothing was written.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The world failed. Nothing was written, unless the error says otherwise.
    #[error(transparent)]
    Store(#[from] Error),
}

impl Ledger {
    /// Opens a store with the machine's clock and randomness.
    ///
    /// # Errors
    /// As [`Files::open`].
    pub fn open(paths: &StorePaths, access: Access) -> Result<Self> {
        Self::open_with(paths, access, Box::new(SystemClock), Box::new(SystemIds))
    }

    /// Opens a store with a given clock and source of ids.
    ///
    /// # Errors
    /// As [`Files::open`].
    pub fn open_with(
        paths: &StorePaths,
        access: Access,
        clock: Box<dyn Clock>,
        mut ids: Box<dyn IdSource>,
    ) -> Result<Self> {
        let now = clock.now();
        let mut new_id = || ids.new_id(now);
        let files = Files::open(paths, access, OpenOptions::new(&mut new_id, now.millis()))?;
        Ok(Self::of(files, clock, ids))
    }

    /// Opens a store in memory, which lives as long as anybody in this process has it open.
    ///
    /// # Errors
    /// As [`Files::open`].
    pub fn open_in_memory(
        name: &str,
        clock: Box<dyn Clock>,
        mut ids: Box<dyn IdSource>,
    ) -> Result<Self> {
        let now = clock.now();
        let mut new_id = || ids.new_id(now);
        let files = Files::open_in_memory(name, OpenOptions::new(&mut new_id, now.millis()))?;
        Ok(Self::of(files, clock, ids))
    }

    /// Ends this process and begins another one on the same connections.
    #[must_use]
    pub fn restart(mut self, clock: Box<dyn Clock>, ids: Box<dyn IdSource>) -> Self {
        self.files.notes.clear();
        Self::of(self.files, clock, ids)
    }

    fn of(files: Files, clock: Box<dyn Clock>, ids: Box<dyn IdSource>) -> Self {
        Self {
            files,
            clock,
            ids,
            hooks: vec![],
            has_written: false,
        }
    }

    /// Says which hooks the writes to come queue.
    pub fn set_hooks(&mut self, hooks: Vec<HookTarget>) {
        self.hooks = hooks;
    }

    /// The files, for what only looks at them.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// Tells whether this process has appended an event: then there is something to push.
    pub fn has_written(&self) -> bool {
        self.has_written
    }

    /// Refuses to write where only reading is possible.
    pub(crate) fn check_writable(&self) -> Result<()> {
        match self.files.access {
            Access::ReadWrite | Access::Existing => Ok(()),
            Access::ReadOnly => Err(Error::ReadOnly {
                path: self.files.paths.events.clone(),
                source: None,
            }),
        }
    }

    /// The local time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Makes sure that there is a project: a new ledger gets its `inbox`.
    ///
    /// # Errors
    /// Whatever the store reports.
    pub fn ensure_inbox(&mut self) -> Result<()> {
        if log::find_end(&self.files.events)?.is_some() || self.files.access == Access::ReadOnly {
            return Ok(());
        }
        let create = Command::CreateProject {
            name: ProjectName::inbox(),
            description: None,
            is_protected: true,
        };
        match self.execute(&create, &Actor::default()) {
            // Somebody else was faster.
            Ok(_) | Err(ExecuteError::Rejected(_)) => Ok(()),
            Err(ExecuteError::Store(error)) => Err(error),
        }
    }

    /// A new task id.
    pub fn new_task_id(&mut self) -> TaskId {
        let now = self.clock.now();
        TaskId::new(self.ids.new_id(now))
    }

    /// Carries out a command. When this returns `Ok`, its events are on the disk.
    ///
    /// # Errors
    /// - [`ExecuteError::Rejected`]: the rules forbid it
    /// - [`ExecuteError::Store`]: the disk, the file or the lock failed; after
    ///   [`Error::CommitUnknown`], and only then, the events may be there
    pub fn execute(
        &mut self,
        command: &Command,
        actor: &Actor,
    ) -> std::result::Result<Outcome, ExecuteError> {
        self.check_writable()?;
        self.decide_healing(command, actor, Keep::Events)
    }

    /// Returns what [`Ledger::execute`] would do now, and does nothing.
    ///
    /// # Errors
    /// As [`Ledger::execute`].
    pub fn preview(
        &mut self,
        command: &Command,
        actor: &Actor,
    ) -> std::result::Result<Outcome, ExecuteError> {
        self.decide_healing(command, actor, Keep::Nothing)
    }

    fn decide_healing(
        &mut self,
        command: &Command,
        actor: &Actor,
        keep: Keep,
    ) -> std::result::Result<Outcome, ExecuteError> {
        match self.execute_once(command, actor, keep) {
            // Damage is often found only where a page is read; the projections can be derived again.
            Err(ExecuteError::Store(error)) if self.is_damaged_cache(&error) => {
                self.files.reset_cache()?;
                self.execute_once(command, actor, keep)
            }
            done => done,
        }
    }

    fn execute_once(
        &mut self,
        command: &Command,
        actor: &Actor,
        keep: Keep,
    ) -> std::result::Result<Outcome, ExecuteError> {
        let queue = self.files.queue();
        let transaction = self.files.write_log()?;
        catch_up::catch_up(&transaction, &self.files.cache)?;
        let state = SyncState::load(&transaction)?;
        let mut writer = Writer::new(&state, &*self.clock, &transaction)?;
        let now = writer.next();
        // One lock for many looks.
        let snapshot = ReadTransaction::begin(&self.files.cache)?;
        let loaded = facts::load(&transaction, &self.files.cache, &state, command, now)?;
        drop(snapshot);
        let drafts = decide(&loaded.facts, command, actor, writer.next())?;
        let events = writer.append(&transaction, &mut *self.ids, drafts, Cause::Command)?;
        let outcome = outcome(events, loaded, &state);
        outbox::enqueue(&transaction, &self.hooks, &outcome)?;
        if outcome.events.is_empty() || keep == Keep::Nothing {
            transaction.roll_back()?;
            return Ok(outcome);
        }
        let first = outcome
            .events
            .first()
            .map(|(_, event)| event.event_id.as_str());
        transaction.commit_log(first)?;
        self.has_written = true;
        let placed = |(rowid, event): &(i64, Event)| placed(*rowid, event, &state);
        self.follow_after(Some(&Appended {
            since: writer.since,
            placed: outcome.events.iter().map(placed).collect(),
        }));
        drop(queue);
        Ok(outcome)
    }

    /// Brings the projections after the log. Best effort: the events are committed, and whoever comes
    /// next does what fails here.
    pub(crate) fn follow(&self) {
        self.follow_after(None);
    }

    fn follow_after(&self, appended: Option<&Appended>) {
        let (events, cache) = (&self.files.events, &self.files.cache);
        drop(catch_up::follow(events, cache, appended));
        checkpoint::after_bulk(&self.files.events, &self.files.paths.events);
        checkpoint::after_commit(&self.files.cache, &self.files.paths.cache);
    }

    /// Reads current projections: one snapshot for all that `read` does.
    ///
    /// # Errors
    /// Whatever the store or `read` reports.
    pub fn read<T>(&mut self, mut read: impl FnMut(&Connection) -> Result<T>) -> Result<T> {
        let mut healed = false;
        loop {
            let snapshot = ReadTransaction::begin(&self.files.cache)?;
            // The cache first, then the log: a commit in between only makes the log look newer.
            let current = catch_up::is_current(&self.files.events, &self.files.cache);
            let failure = match current {
                Ok(true) => match read(&self.files.cache) {
                    Err(error) if self.is_damaged_cache(&error) => Some(error),
                    done => return done,
                },
                Ok(false) => None,
                Err(error) if self.is_damaged_cache(&error) => Some(error),
                Err(error) => return Err(error),
            };
            drop(snapshot);
            if let Some(error) = failure {
                if healed {
                    return Err(error);
                }
                self.files.reset_cache()?;
                healed = true;
                continue;
            }
            match catch_up::catch_up(&self.files.events, &self.files.cache) {
                Ok(catch_up::CaughtUp::Everything) => {
                    // A rebuild leaves a large WAL that every later process would have to read.
                    drop(checkpoint::now(&self.files.cache));
                }
                // Whoever only reads and pulls must not let the WAL grow for ever either.
                Ok(_) => checkpoint::after_commit(&self.files.cache, &self.files.paths.cache),
                Err(error) if healed => return Err(error),
                Err(error) => {
                    self.read_apart(error)?;
                    healed = true;
                }
            }
        }
    }

    /// Goes on with projections in memory when those on disk cannot be written.
    fn read_apart(&mut self, error: Error) -> Result<()> {
        if matches!(error, Error::ReadOnly { .. } | Error::DiskFull { .. }) {
            return self.files.use_private_cache();
        }
        if self.is_damaged_cache(&error) {
            self.files.reset_cache()
        } else {
            Err(error)
        }
    }

    /// Damage of the log is for people to see; damage of the projections is healed.
    fn is_damaged_cache(&self, error: &Error) -> bool {
        matches!(error, Error::Corrupt { path, .. } if *path != self.files.paths.events)
    }

    /// Empties the projections after their file was found damaged, and folds the whole log anew.
    ///
    /// # Errors
    /// Whatever the store reports.
    pub fn renew_projections(&mut self) -> Result<()> {
        self.files.reset_cache()?;
        self.rebuild()
    }

    /// Gives the events that have no checksum one of what they are now. Returns how many.
    ///
    /// # Errors
    /// Whatever the store reports; nothing is changed then.
    pub fn fill_sums(&mut self) -> Result<u64> {
        self.check_writable()?;
        let queue = self.files.queue();
        let transaction = self.files.write_log()?;
        let filled = sum::fill(&transaction).on(&transaction, "note checksums of events")?;
        transaction.commit_log(None)?;
        drop(queue);
        Ok(filled)
    }

    /// Folds the whole log anew.
    ///
    /// # Errors
    /// Whatever the store reports; the projections are then as they were.
    pub fn rebuild(&mut self) -> Result<()> {
        catch_up::rebuild(&self.files.events, &self.files.cache)?;
        checkpoint::now(&self.files.cache).map(drop)
    }
}

/// What is left of a command.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    /// Its events.
    Events,
    /// Nothing: it was only a question.
    Nothing,
}

/// What the events of one append belong to: they are never split across pushes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause<'a> {
    /// One command: its first event, if there is more than one.
    Command,
    /// A batch, which began with this event, or begins now.
    Batch(Option<&'a EventId>),
}

/// Gives drafts their ids and timestamps.
pub(crate) struct Writer<'a> {
    state: &'a SyncState,
    now: Timestamp,
    clock: Timestamp,
    /// The last row before what it writes; 0: there is none.
    since: i64,
}

impl<'a> Writer<'a> {
    /// The hybrid logical clock stands at the larger of the corrected time and what was seen, plus one.
    /// Of foreign events only the effective time was seen (`clock_ms`): a clock in the future is not
    /// catching. Own ids ascend whatever the clock does.
    pub(crate) fn new(state: &'a SyncState, clock: &dyn Clock, log: &Connection) -> Result<Self> {
        let now = clock.now().plus_millis(state.clock_offset_ms);
        let end = log::find_end(log)?;
        let last = log::own_timestamp(log, end.as_ref(), &state.device)?;
        let seen = Timestamp::from_millis(state.clock_ms).max(last);
        Ok(Self {
            state,
            now,
            clock: seen,
            since: end.map_or(0, |end| end.rowid),
        })
    }

    /// The timestamp of the next event. Decisions are made for this time: a lease counts from its event.
    pub(crate) fn next(&self) -> Timestamp {
        self.now.max(self.clock.plus_millis(1))
    }

    /// Makes the next event, which follows from `cause` if that is given.
    pub(crate) fn event(
        &mut self,
        ids: &mut dyn IdSource,
        draft: Draft,
        cause: Option<EventId>,
    ) -> Event {
        self.clock = self.next();
        Event {
            event_id: EventId::new(ids.new_id(self.clock)),
            task_id: draft.task_id,
            payload: draft.payload,
            author: draft.author,
            agent_id: draft.agent_id,
            session_id: None,
            correlation_id: draft.correlation_id,
            causation_id: cause.map(EventId::into_string),
            timestamp: self.clock,
            basis_seq: self.state.cursor_seq,
            epoch: Some(self.state.epoch()),
        }
    }

    pub(crate) fn append(
        &mut self,
        log: &Connection,
        ids: &mut dyn IdSource,
        drafts: Vec<Draft>,
        cause: Cause<'_>,
    ) -> Result<Vec<(i64, Event)>> {
        let many = drafts.len() > 1 || cause != Cause::Command;
        let mut events: Vec<(i64, Event)> = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let first = match cause {
                Cause::Batch(Some(first)) => Some(first),
                Cause::Batch(None) | Cause::Command => events.first().map(|(_, e)| &e.event_id),
            };
            let first = first.cloned();
            let mut event = self.event(ids, draft, first.filter(|_| many));
            if many && event.causation_id.is_none() {
                event.causation_id = Some(event.event_id.as_str().to_owned());
            }
            let rowid = log::append(log, &event)?;
            events.push((rowid, event));
        }
        Ok(events)
    }
}

/// An event that has just been appended here.
fn placed(rowid: i64, event: &Event, state: &SyncState) -> PlacedEvent {
    PlacedEvent {
        event: event.clone(),
        position: Position::tail(rowid),
        seq: None,
        received_at: None,
        device: Some(state.device.clone()),
    }
}

/// Folds the new events in memory, for the answer.
pub(crate) fn outcome(
    events: Vec<(i64, Event)>,
    loaded: LoadedFacts,
    state: &SyncState,
) -> Outcome {
    let LoadedFacts {
        facts,
        eligible,
        rejected,
    } = loaded;
    let mut projects = facts.projects.clone();
    let mut after = facts.tasks.clone();
    for (rowid, event) in &events {
        let placed = placed(*rowid, event, state);
        projects.apply(&placed);
        let Some(task_id) = &event.task_id else {
            continue;
        };
        let context = FoldContext {
            projects: &projects,
            rewind_points: &state.rewind_points,
        };
        let known = after.remove(task_id);
        let mut fold = TaskFold::resume(known.as_ref().map(|known| known.task.clone()));
        fold.apply(&placed, context);
        let Some(task) = fold.task else { continue };
        let moved = known
            .as_ref()
            .is_none_or(|known| known.task.project != task.project);
        let project = match &known {
            Some(known) if !moved => known.project.clone(),
            _ => projects.name_of(&task.project),
        };
        let (children, blockers) =
            known.map_or_else(Default::default, |known| (known.children, known.blockers));
        let parent = task.parent_id.clone();
        after.insert(
            task_id.clone(),
            TaskFacts {
                task,
                project,
                parent,
                children,
                blockers,
                lost_claims: vec![],
            },
        );
    }
    let claimed = facts.next.clone();
    Outcome {
        events,
        before: facts.tasks,
        after,
        claimed,
        eligible,
        rejected,
    }
}
