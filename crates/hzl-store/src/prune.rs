//! Deleting old finished tasks from a ledger that was never shared.
//!
//! This is the one place where rows of the log go. A ledger that is shared writes tombstones instead
//! (`Command::PruneTasks`): other devices could not learn of missing rows.

use hzl_core::command::PruneFilter;
use rusqlite::{Connection, named_params};

use crate::catch_up;
use crate::error::{OnConnection as _, Result};
use crate::ledger::Ledger;
use crate::query::prune::{self, Prunable};
use crate::schema::events::{NO_DELETE, NO_DELETE_BY_OTHERS};
use crate::state::{self, Key};

/// What a prune did.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Pruned {
    /// The tasks that are gone.
    pub tasks: Vec<Prunable>,
    /// Events deleted from the log.
    pub events_deleted: u64,
}

impl Ledger {
    /// Deletes old finished tasks with all their events, in one transaction. Which ones is decided
    /// inside it, on current projections.
    ///
    /// # Errors
    /// Whatever the store reports; nothing is deleted then.
    pub fn prune_rows(&mut self, filter: &PruneFilter) -> Result<Pruned> {
        self.check_writable()?;
        let queue = self.queue();
        let log = self.files.write_log()?;
        catch_up::catch_up(&log, &self.files.cache)?;
        let tasks = prune::list(&self.files.cache, filter)?;
        if tasks.is_empty() {
            log.roll_back()?;
            return Ok(Pruned::default());
        }
        let events_deleted = delete_events(&log, &tasks)?;
        // The projections did not see these rows go: they are folded anew.
        let generation = state::number(&log, Key::Generation)?;
        state::set_number(&log, Key::Generation, generation + 1)?;
        log.commit_log(None)?;
        self.follow();
        drop(queue);
        Ok(Pruned {
            tasks,
            events_deleted,
        })
    }
}

const FORGET_SUMS: &str = "
    delete from event_sum
     where event_rowid in (select id from events where task_id = :task_id)";

fn delete_events(log: &Connection, tasks: &[Prunable]) -> Result<u64> {
    let context = "delete the events of old tasks";
    log.execute_batch("drop trigger events_no_delete; drop trigger hzl_no_delete")
        .on(log, context)?;
    let mut deleted = 0;
    {
        let mut forget = log.prepare(FORGET_SUMS).on(log, context)?;
        let sql = "delete from events where task_id = :task_id";
        let mut statement = log.prepare(sql).on(log, context)?;
        for task in tasks {
            forget
                .execute(named_params! { ":task_id": task.task_id.as_str() })
                .on(log, context)?;
            let rows = statement
                .execute(named_params! { ":task_id": task.task_id.as_str() })
                .on(log, context)?;
            deleted += u64::try_from(rows).unwrap_or(u64::MAX);
        }
    }
    log.execute_batch(NO_DELETE).on(log, context)?;
    log.execute_batch(NO_DELETE_BY_OTHERS).on(log, context)?;
    Ok(deleted)
}
