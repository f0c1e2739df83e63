//! Claims that the cloud is asked about before they are made.
//!
//! Under the writer lock the task is chosen and the event made, and both are stored as an intent; the
//! network is used without any lock. Then the claim has arrived by a pull, or it is written here under the
//! same id, or it is lost. An intent stays until its event has arrived: a late one is no sign of a clone. Who
//! claims strictly gives up when nothing answers; should that claim arrive all the same, it is given back.

use std::collections::BTreeMap;

use hzl_core::command::{Actor, ClaimTask, Command, Transition};
use hzl_core::decide::{TaskFacts, decide};
use hzl_core::event::Event;
use hzl_core::ids::{EventId, TaskId};
use hzl_core::planted::{Bug, is_planted};
use hzl_core::time::Timestamp;
use rusqlite::{Connection, named_params};

use crate::catch_up;
use crate::error::{OnConnection as _, Result};
use crate::facts;
use crate::ledger::{ExecuteError, Ledger, Outcome, Writer, outcome};
use crate::log;
use crate::outbox;
use crate::replica::Outgoing;
use crate::state::SyncState;
use crate::undo;

/// For how long an intent keeps other processes on this device from the task.
pub const RESERVED_MS: i64 = 10_000;

/// A claim to ask the cloud about.
#[derive(Clone, Debug)]
pub struct Intent {
    /// The claiming event, as it would be pushed.
    pub outgoing: Outgoing,
    /// The task.
    pub task_id: TaskId,
    event: Event,
    before: BTreeMap<TaskId, TaskFacts>,
    eligible: Vec<TaskId>,
}

/// What there is to ask.
#[derive(Debug)]
pub enum Intended {
    /// This claim.
    Claim(Box<Intent>),
    /// Nothing: no task can be claimed.
    Nothing(Outcome),
}

/// What became of an intent.
#[derive(Debug)]
pub enum Standing {
    /// The claim is in the log and stands.
    Made(Box<Outcome>),
    /// Somebody else was faster.
    Lost,
    /// It is not in the log: nobody knows yet.
    Open,
}

impl Ledger {
    /// Decides a claim and stores it as an intent. Nothing is claimed yet.
    ///
    /// # Errors
    /// As [`Ledger::execute`].
    pub fn intend_claim(
        &mut self,
        command: &Command,
        actor: &Actor,
    ) -> std::result::Result<Intended, ExecuteError> {
        self.check_writable()?;
        let queue = self.queue();
        let log = self.files.write_log()?;
        catch_up::catch_up(&log, &self.files.cache)?;
        let state = SyncState::load(&log)?;
        let mut writer = Writer::new(&state, &*self.clock, &log)?;
        let now = writer.next();
        let loaded = facts::load(&log, &self.files.cache, &state, command, now)?;
        let mut drafts = decide(&loaded.facts, command, actor, now)?;
        let Some(draft) = drafts.pop() else {
            log.roll_back()?;
            return Ok(Intended::Nothing(outcome(vec![], loaded, &state)));
        };
        let event = writer.event(&mut *self.ids, draft, None);
        let Some(task_id) = event.task_id.clone() else {
            unreachable!("a claim is about a task");
        };
        if !is_planted(Bug::IntentForgotten) {
            store(&log, &event, &task_id)?;
        }
        log.commit_log(None)?;
        drop(queue);
        Ok(Intended::Claim(Box::new(Intent {
            outgoing: Outgoing {
                event: log::stored(&event),
                device: Some(state.device.clone()),
                received_at: None,
            },
            task_id,
            event,
            before: loaded.facts.tasks,
            eligible: loaded.eligible,
        })))
    }

    /// Tells what became of an intent, after a pull.
    ///
    /// # Errors
    /// Whatever the store reports.
    pub fn judge_intent(&mut self, intent: &Intent) -> Result<Standing> {
        self.settle_intent(intent, false)
    }

    /// Makes the claim here, without the cloud, if the task can still be had.
    ///
    /// # Errors
    /// Whatever the store reports; nothing is claimed then.
    pub fn claim_locally(&mut self, intent: &Intent) -> Result<Standing> {
        self.settle_intent(intent, true)
    }

    /// Gives an intent up that the cloud has refused.
    ///
    /// # Errors
    /// Whatever the store reports.
    pub fn forget_intent(&mut self, intent: &Intent) -> Result<()> {
        let log = self.files.write_log()?;
        forget(&log, &intent.outgoing.event.event_id)?;
        log.commit_log(None)
    }

    /// Gives an intent up that nobody has answered, and lets others on this device have the task. The
    /// intent stays: the cloud may have the claim, and then it is to be given back.
    ///
    /// # Errors
    /// Whatever the store reports.
    pub fn abandon_intent(&mut self, intent: &Intent) -> Result<()> {
        let log = self.files.write_log()?;
        log.execute(
            ABANDON,
            named_params! { ":event_id": intent.event.event_id.as_str() },
        )
        .on(&log, "abandon the intent of a claim")?;
        log.commit_log(None)
    }

    /// Gives back the tasks whose abandoned claims have arrived and still stand: whoever asked for them was
    /// told that he has not got them. Returns how many.
    ///
    /// # Errors
    /// Whatever the store reports.
    pub fn release_abandoned(&mut self) -> Result<u64> {
        // Not what a command of a person does: no hooks.
        let hooks = std::mem::take(&mut self.hooks);
        let released = self.release_each();
        self.hooks = hooks;
        released
    }

    fn release_each(&mut self) -> Result<u64> {
        let mut released = 0;
        for (event_id, task_id) in list_abandoned(&self.files.events)? {
            let actor = Actor {
                claim: Some(event_id.clone()),
                // To `hzl undo` neither of the two ever happened.
                correlation_id: Some(format!("{}{event_id}", undo::CORRELATION)),
                ..Actor::default()
            };
            let release = Command::ReleaseTask(Transition {
                task_id,
                comment: None,
            });
            match self.execute(&release, &actor) {
                Ok(_) => released += 1,
                // The task is finished, gone, or somebody's by a later claim.
                Err(ExecuteError::Rejected(_)) => {}
                Err(ExecuteError::Store(error)) => return Err(error),
            }
            // Killed before this, the next sync finds that the claim is no longer current.
            let log = self.files.write_log()?;
            forget(&log, &event_id)?;
            log.commit_log(None)?;
        }
        Ok(released)
    }

    fn settle_intent(&mut self, intent: &Intent, write: bool) -> Result<Standing> {
        let queue = self.queue();
        let log = self.files.write_log()?;
        catch_up::catch_up(&log, &self.files.cache)?;
        let state = SyncState::load(&log)?;
        let claim = Command::ClaimTask(ClaimTask {
            task_id: intent.task_id.clone(),
            lease_minutes: None,
        });
        let loaded = facts::load(
            &log,
            &self.files.cache,
            &state,
            &claim,
            intent.event.timestamp,
        )?;
        let now = loaded.facts.tasks.get(&intent.task_id);
        let arrived = log::find_stored(&log, &intent.event.event_id)?;
        let rowid = match arrived {
            Some(event) => {
                forget(&log, &event.event_id)?;
                let stands = now.is_some_and(|facts| {
                    facts.task.claim.as_ref() == Some(&intent.event.event_id)
                        && facts.task.is_owned()
                });
                if !stands {
                    log.commit_log(None)?;
                    return Ok(Standing::Lost);
                }
                event.rowid
            }
            None if !write => {
                log.roll_back()?;
                return Ok(Standing::Open);
            }
            None => {
                let before = intent.before.get(&intent.task_id);
                let same = now.zip(before).is_some_and(|(now, before)| {
                    now.task.status == before.task.status
                        && now.task.claim == before.task.claim
                        && now.blockers.is_empty()
                });
                if !same {
                    log.roll_back()?;
                    return Ok(Standing::Lost);
                }
                log::append(&log, &intent.event)?
            }
        };
        let made = Outcome {
            claimed: Some(intent.task_id.clone()),
            eligible: intent.eligible.clone(),
            before: intent.before.clone(),
            after: match write {
                true => outcome(vec![(rowid, intent.event.clone())], loaded, &state).after,
                false => loaded.facts.tasks,
            },
            events: vec![(rowid, intent.event.clone())],
            rejected: vec![],
        };
        outbox::enqueue(&log, &self.hooks, &made)?;
        log.commit_log(Some(intent.event.event_id.as_str()))?;
        self.has_written |= write;
        self.follow();
        drop(queue);
        Ok(Standing::Made(Box::new(made)))
    }
}

const STORE: &str = "
    insert into claim_intent (event_id, task_id, event, created_at)
    values (:event_id, :task_id, :event, :created_at)";

/// Abandoned ones are still to be looked at.
const FORGET_ARRIVED: &str = "
    delete from claim_intent
     where created_at <> ''
       and exists (select 1 from events e where e.event_id = claim_intent.event_id)";

/// Stores an intent, and forgets those that have arrived.
fn store(log: &Connection, event: &Event, task_id: &TaskId) -> Result<()> {
    let context = "store the intent of a claim";
    log.execute(FORGET_ARRIVED, []).on(log, context)?;
    log.execute(
        STORE,
        named_params! {
            ":event_id": event.event_id.as_str(),
            ":task_id": task_id.as_str(),
            ":event": event.payload.encode(),
            ":created_at": event.timestamp.to_string(),
        },
    )
    .on(log, context)
    .map(drop)
}

fn forget(log: &Connection, event_id: &EventId) -> Result<()> {
    log.execute(
        "delete from claim_intent where event_id = :event_id",
        named_params! { ":event_id": event_id.as_str() },
    )
    .on(log, "forget the intent of a claim")
    .map(drop)
}

/// An intent without a time is abandoned; it reserves nothing any more.
const ABANDON: &str = "
    update claim_intent set created_at = '' where event_id = :event_id";

/// Not `in (select event_id from events)`: the planner would walk through the whole log and look for each event here.
const ABANDONED: &str = "
    select c.event_id, c.task_id from claim_intent c
     where c.created_at = ''
       and exists (select 1 from events e where e.event_id = c.event_id)
     order by c.event_id";

/// Lists the abandoned claims that have arrived all the same.
fn list_abandoned(log: &Connection) -> Result<Vec<(EventId, TaskId)>> {
    let context = "read the intents of claims";
    let mut statement = log.prepare_cached(ABANDONED).on(log, context)?;
    let found = statement
        .query_map([], |row| {
            let (event_id, task_id): (String, String) = (row.get(0)?, row.get(1)?);
            Ok((EventId::new(event_id), TaskId::new(task_id)))
        })
        .on(log, context)?;
    found.collect::<rusqlite::Result<_>>().on(log, context)
}

const RESERVED: &str = "
    select task_id from claim_intent
     where created_at > :since and event_id not in (select event_id from events)";

/// Lists the tasks that a process of this device is asking the cloud for right now.
///
/// # Errors
/// Whatever SQLite reports.
pub(crate) fn list_reserved(log: &Connection, now: Timestamp) -> Result<Vec<TaskId>> {
    let context = "read the intents of claims";
    let since = now.plus_millis(-RESERVED_MS).to_string();
    let mut statement = log.prepare_cached(RESERVED).on(log, context)?;
    let ids = statement
        .query_map(named_params! { ":since": since }, |row| {
            Ok(TaskId::new(row.get::<_, String>(0)?))
        })
        .on(log, context)?;
    ids.collect::<rusqlite::Result<_>>().on(log, context)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::events::plan;

    #[test]
    fn nothing_walks_through_the_log() {
        for sql in [ABANDONED, RESERVED, FORGET_ARRIVED] {
            let plan = plan(sql);
            // Of the intents, which are few, each is looked at: the other way round every event would be.
            assert!(
                !plan.contains("SCAN e") && !plan.contains("SEARCH claim_intent"),
                "{plan}"
            );
        }
    }
}
