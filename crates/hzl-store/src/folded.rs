//! Tasks as a fold leaves them, ready to be stored; and all tasks of a log, folded by a thread of its own.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::mpsc;
use std::thread::{self, Scope, ScopedJoinHandle};

use hzl_core::event::PlacedEvent;
use hzl_core::fold::{FoldContext, TaskFold};
use hzl_core::ids::TaskId;
use rusqlite::Connection;

use crate::busy;
use crate::connect::{connect_to_read, keep_pages};
use crate::error::Result;
use crate::log;
use crate::projector::{Contents, NoteContents};
use crate::state::SyncState;

/// What a fold made of a task, and what of it does not depend on what is stored already.
pub struct Folded {
    /// Which one.
    pub task_id: TaskId,
    /// Its state, notes and conflicts.
    pub fold: TaskFold,
    /// What is stored of its state; `None`: there is no such task.
    pub(crate) contents: Option<Contents>,
    /// What is stored of its notes.
    pub(crate) notes: NoteContents,
}

impl Folded {
    /// Prepares what a fold made of a task.
    pub fn new(task_id: TaskId, fold: TaskFold) -> Self {
        let contents = fold.task.as_ref().map(Contents::of);
        let notes = NoteContents::of(&fold);
        Self {
            task_id,
            fold,
            contents,
            notes,
        }
    }

    /// How many checkpoints the fold has added.
    pub(crate) fn checkpoints(&self) -> i64 {
        i64::try_from(self.fold.checkpoints.len()).unwrap_or(i64::MAX)
    }

    /// Folds all events of a task. Those of projects are of none.
    pub(crate) fn of(placed: &[PlacedEvent], context: FoldContext<'_>) -> Option<Self> {
        let task_id = placed.first()?.event.task_id.clone()?;
        Some(Self::new(task_id, TaskFold::of(placed, context)))
    }
}

/// Tasks that are handed over at once.
const BATCH: usize = 128;
/// Batches that wait to be stored.
const WAITING: usize = 4;

/// All tasks of a log, while a second thread folds them, which reads it through a connection of its own.
pub(crate) struct Beside<'scope> {
    worker: ScopedJoinHandle<'scope, Result<()>>,
    folded: mpsc::Receiver<Vec<Folded>>,
    stored: mpsc::Sender<Vec<Folded>>,
}

impl<'scope> Beside<'scope> {
    /// Begins to fold. `None`: there may be no such thread or connection, and it may see another log than this
    /// connection, which may be in the middle of a transaction.
    pub(crate) fn start<'env>(
        scope: &'scope Scope<'scope, 'env>,
        log: &Connection,
        state: &'env SyncState,
        context: FoldContext<'env>,
    ) -> Option<Self> {
        let beside = same_log_beside(log, state)?;
        let (sender, folded) = mpsc::sync_channel(WAITING);
        let (stored, returned) = mpsc::channel();
        let work = move || fold_all(&beside, state, context, &sender, &returned);
        let worker = thread::Builder::new().spawn_scoped(scope, work).ok()?;
        Some(Self {
            worker,
            folded,
            stored,
        })
    }

    /// Gives the tasks to `store`, here.
    ///
    /// # Errors
    /// Whatever SQLite or `store` reports.
    pub(crate) fn for_each(self, mut store: impl FnMut(&Folded) -> Result<()>) -> Result<()> {
        for batch in self.folded {
            batch.iter().try_for_each(&mut store)?;
            // What was made there is freed there, sooner than here. If it has ended, it is freed here.
            drop(self.stored.send(batch));
        }
        match self.worker.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

/// Ends early when nobody receives any more.
fn fold_all(
    log: &Connection,
    state: &SyncState,
    context: FoldContext<'_>,
    sender: &mpsc::SyncSender<Vec<Folded>>,
    returned: &mpsc::Receiver<Vec<Folded>>,
) -> Result<()> {
    let mut batch = Vec::with_capacity(BATCH);
    log::for_each_task(log, &state.device, |placed| {
        batch.extend(Folded::of(placed, context));
        if batch.len() < BATCH {
            return Ok(ControlFlow::Continue(()));
        }
        let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH));
        returned.try_iter().for_each(drop);
        Ok(match sender.send(full) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        })
    })?;
    // Whoever does not receive it has failed already.
    drop(sender.send(batch));
    Ok(())
}

/// Another connection to the same log, in a transaction, if it sees the same as this one.
fn same_log_beside(log: &Connection, state: &SyncState) -> Option<Connection> {
    let path = Path::new(log.path()?);
    if !path.is_absolute() {
        return None;
    }
    let beside = connect_to_read(path, busy::DEADLINE).ok()?;
    keep_pages(&beside).ok()?;
    // It ends with the connection.
    beside.execute_batch("begin").ok()?;
    let same = SyncState::load(&beside).ok()? == *state
        && log::find_end(&beside).ok()? == log::find_end(log).ok()?;
    same.then_some(beside)
}

#[cfg(test)]
mod tests {
    use hzl_core::project::Projects;
    use rusqlite::named_params;

    use super::*;
    use crate::error::Error;
    use crate::ledger::Ledger;
    use crate::open::Access;
    use crate::paths::StorePaths;

    const TASKS: &str = "
        with recursive number (n) as (select 1 union all select n + 1 from number where n < :tasks)
        insert into events (event_id, task_id, type, data)
        select printf('E%05d', n), printf('T%05d', n), 'task_created',
               printf('{\"title\":\"Title %d\",\"project\":\"inbox\"}', n)
          from number";

    fn ledger(tasks: usize) -> (tempfile::TempDir, Ledger) {
        let home = hzl_testkit::fast_directory();
        let paths = StorePaths {
            events: home.path().join("events.db"),
            cache: home.path().join("cache.db"),
        };
        let ledger = Ledger::open(&paths, Access::ReadWrite).unwrap();
        let log = &ledger.files().events;
        log.execute(
            TASKS,
            named_params! { ":tasks": i64::try_from(tasks).unwrap() },
        )
        .unwrap();
        (home, ledger)
    }

    fn fold(log: &Connection, store: impl FnMut(&Folded) -> Result<()>) -> Result<bool> {
        let (state, projects) = (SyncState::load(log)?, Projects::default());
        let context = FoldContext {
            projects: &projects,
            rewind_points: &[],
        };
        thread::scope(|scope| match Beside::start(scope, log, &state, context) {
            Some(beside) => beside.for_each(store).map(|()| true),
            None => Ok(false),
        })
    }

    #[test]
    fn every_task_comes_once_and_in_order() {
        let (_home, ledger) = ledger(3 * BATCH + 7);
        let mut ids = vec![];
        let done = fold(&ledger.files().events, |folded| {
            ids.push(folded.task_id.to_string());
            Ok(())
        });
        assert!(done.unwrap());
        let expected: Vec<String> = (1..=ids.len()).map(|n| format!("T{n:05}")).collect();
        assert_eq!((ids.len(), ids), (3 * BATCH + 7, expected));
    }

    #[test]
    fn whoever_cannot_store_hears_why_at_once() {
        let (_home, ledger) = ledger(20 * BATCH);
        let mut stored = 0;
        let done = fold(&ledger.files().events, |_| {
            stored += 1;
            Err(Error::busy("store a task"))
        });
        assert!(matches!(done, Err(Error::Busy { .. })), "{done:?}");
        assert_eq!(stored, 1);
    }

    #[test]
    fn what_only_this_connection_sees_is_not_folded_beside() {
        let (_home, ledger) = ledger(10);
        let log = &ledger.files().events;
        let nothing = |folded: &Folded| panic!("{} is stored", folded.task_id);
        log.execute_batch("begin; insert into events (event_id, task_id, type, data) values ('E', 'T', 'x', '{}')")
            .unwrap();
        assert!(!fold(log, nothing).unwrap());
        log.execute_batch("rollback").unwrap();
        assert!(fold(log, |_| Ok(())).unwrap());
        let mut memory = crate::connect::in_memory(busy::DEADLINE).unwrap();
        crate::backup::copy_all_pages(log, &mut memory).unwrap();
        assert!(!fold(&memory, nothing).unwrap());
    }
}
