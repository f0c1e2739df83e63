//! Contract 4: at most one agent holds a task, and an act under a claim that is over changes nothing.
//! Every task is replayed, and every act looked at when it comes.

use std::ops::ControlFlow;

use hzl_core::event::{Payload, PlacedEvent};
use hzl_core::fold::{FoldContext, TaskFold};
use hzl_core::ids::{EventId, TaskId};
use hzl_core::project::Projects;
use hzl_core::task::{Status, Task};
use hzl_core::time::Timestamp;
use hzl_store::ledger::Ledger;
use hzl_store::{catch_up, log};

use crate::history::History;
use crate::verdict::Finding;
use crate::world::{self, World};

/// One task: its events in their order, and what they fold to.
pub(super) struct Folded {
    pub(super) task_id: TaskId,
    pub(super) events: Vec<PlacedEvent>,
    pub(super) fold: TaskFold,
    projects: Projects,
    pub(super) rewind_points: Vec<i64>,
    /// The cloud ledger in which they are all now.
    pub(super) ledger: Option<String>,
}

/// Folds every task of a log.
pub(super) fn folds(ledger: &Ledger) -> Vec<Folded> {
    let log = &ledger.files().events;
    let state = ledger.sync_state().expect("the sync state can be read");
    let projects = catch_up::load_projects(log, &state).expect("project events can be read");
    let joined = world::joined(ledger);
    let mut tasks = vec![];
    log::for_each_task(log, &state.device, |events| {
        let context = FoldContext {
            projects: &projects,
            rewind_points: &state.rewind_points,
        };
        if let Some(task_id) = events.first().and_then(|first| first.event.task_id.clone()) {
            tasks.push(Folded {
                task_id,
                events: events.to_vec(),
                fold: TaskFold::of(events, context),
                projects: projects.clone(),
                rewind_points: state.rewind_points.clone(),
                ledger: joined.clone(),
            });
        }
        Ok(ControlFlow::Continue(()))
    })
    .expect("events can be read");
    tasks
}

fn decides_ownership(payload: &Payload) -> bool {
    matches!(
        payload,
        Payload::StatusChanged(_) | Payload::TaskArchived(_) | Payload::TaskDeleted(_)
    )
}

fn claim_seen(payload: &Payload) -> Option<&EventId> {
    match payload {
        Payload::StatusChanged(change) => change.claim.as_ref(),
        Payload::TaskArchived(archived) => archived.claim.as_ref(),
        Payload::TaskDeleted(deleted) => deleted.claim.as_ref(),
        _ => None,
    }
}

fn takes(payload: &Payload) -> bool {
    matches!(payload, Payload::StatusChanged(change)
        if change.to == Status::InProgress && matches!(change.from, Status::Backlog | Status::Ready))
}

/// Replays one task.
pub(super) fn check(world: &World, task: &Folded) {
    let history = world.history.borrow();
    let context = FoldContext {
        projects: &task.projects,
        rewind_points: &task.rewind_points,
    };
    let mut fold = TaskFold::default();
    let mut superseded = vec![];
    let mut applied = vec![];
    for (at, placed) in task.events.iter().enumerate() {
        let before = fold.task.clone();
        let was_deleted = fold.tombstone.is_some();
        let listed = fold.conflicts.len();
        fold.apply(placed, context);
        let Some(index) = history.find(placed.event.event_id.as_str()) else {
            continue;
        };
        let is_confirmed = history.confirmed.contains(&index) && !world.was_rewound.get();
        if was_deleted && is_confirmed {
            world.report(
                Finding::ConfirmedClaimLost,
                format!("{} came after a tombstone", placed.event.event_id),
            );
        }
        if let (Payload::CheckpointRecorded(checkpoint), Some(before), Some(after)) =
            (&placed.event.payload, &before, &fold.task)
        {
            let stale = checkpoint.claim.is_some() && checkpoint.claim != before.claim;
            if stale && before.progress != after.progress {
                let detail = format!("progress of {} counts", placed.event.event_id);
                world.report(Finding::StaleAct, detail);
            }
        }
        let decides = decides_ownership(&placed.event.payload) && !history.events[index].is_foreign;
        let Some(before) = before.filter(|_| decides) else {
            continue;
        };
        let stands = fold.task.as_ref().map(|task| {
            task.memory
                .last_status
                .as_ref()
                .map(|stamp| &stamp.event_id)
        });
        let did_apply =
            fold.tombstone.is_some() || stands.flatten() == Some(&placed.event.event_id);
        if did_apply {
            applied.push(index);
            judge_applied(world, &history, index, placed, &before);
            judge_lease(world, &history, index, placed, &before, &fold);
            continue;
        }
        superseded.push(index);
        if fold.conflicts.len() == listed {
            world.report(
                Finding::SilentSupersession,
                placed.event.event_id.to_string(),
            );
        }
        if history.refused.contains(&index) && !world.was_rewound.get() {
            let detail = format!("{} was refused, and is there", placed.event.event_id);
            world.report(Finding::WroteAndFailed, detail);
        }
        if is_confirmed && !placed.event.is_legacy() {
            world.report(
                Finding::ConfirmedClaimLost,
                placed.event.event_id.to_string(),
            );
        }
        let earlier = task.events[..at]
            .iter()
            .filter(|one| decides_ownership(&one.event.payload));
        let saw_all = earlier
            .filter_map(|one| history.find(one.event.event_id.as_str()))
            .all(|other| history.saw(index, other) && !superseded.contains(&other));
        let by_lease =
            matches!(&placed.event.payload, Payload::StatusChanged(change) if change.if_expired);
        let excused = world.was_rewound.get()
            || placed.event.is_legacy()
            || by_lease
            || world.has_old_events.get();
        if saw_all && !excused {
            world.report(Finding::FreshActLost, format!("{:?}", placed.event));
        }
    }
}

fn judge_applied(
    world: &World,
    history: &History,
    index: usize,
    placed: &PlacedEvent,
    before: &Task,
) {
    let payload = &placed.event.payload;
    if placed.event.is_legacy() {
        let ours = before
            .claim
            .as_ref()
            .and_then(|claim| history.find(claim.as_str()));
        let ours = ours.is_some_and(|claim| history.events[claim].event.epoch.is_some());
        if ours && before.status.is_held() {
            world.report(
                Finding::StaleAct,
                format!(
                    "an event of an old hzl ended a claim: {}",
                    placed.event.event_id
                ),
            );
        }
    } else if takes(payload) {
        if before.status.is_held() {
            world.report(
                Finding::TwoOwners,
                format!("{} claimed what was held", placed.event.event_id),
            );
        }
    } else if claim_seen(payload) != before.claim.as_ref() {
        world.report(Finding::StaleAct, placed.event.event_id.to_string());
    } else {
        let claim = before.claim.as_ref();
        let claim = claim.and_then(|claim| history.find(claim.as_str()));
        if claim.is_some_and(|claim| !history.saw(index, claim)) {
            let detail = format!("{} never saw the claim it ended", placed.event.event_id);
            world.report(Finding::StaleAct, detail);
        }
    }
}

/// Contract 8: a lease lasts as long as it was meant, from its arrival at the latest; nobody with an
/// honest clock loses it before.
fn judge_lease(
    world: &World,
    history: &History,
    index: usize,
    placed: &PlacedEvent,
    before: &Task,
    fold: &TaskFold,
) {
    let Payload::StatusChanged(change) = &placed.event.payload else {
        return;
    };
    let Some(received) = placed.received_at.map(Timestamp::millis) else {
        return;
    };
    let until = |text: &Option<String>| {
        text.as_deref()
            .and_then(Timestamp::parse)
            .map(Timestamp::millis)
    };
    let end = fold.task.as_ref().and_then(|task| task.lease_until);
    if let (Some(until), Some(end)) = (until(&change.lease_until), end) {
        let length = until - placed.event.timestamp.millis();
        if length <= 0 || end.millis() > received + length {
            world.report(
                Finding::WrongLease,
                format!("{} outlasts its arrival", placed.event.event_id),
            );
        }
    }
    let lives = before.lease_until.filter(|_| change.if_expired);
    if lives.is_some_and(|end| end >= placed.effective_ts()) {
        let detail = format!(
            "{} arrived before the lease was over",
            placed.event.event_id
        );
        world.report(Finding::WrongLease, detail);
    }
    if change.if_expired && before.status == Status::InProgress {
        let end = honest_end(world, history, before);
        let stolen_at = received.max(history.events[index].at_ms);
        if end.is_some_and(|end| end >= stolen_at) {
            world.report(
                Finding::WrongLease,
                format!("{} stole a live lease", placed.event.event_id),
            );
        }
    }
}

/// When the lease of the holder ends at the earliest, in true time; `None`: it has none, or no clock to be judged by.
fn honest_end(world: &World, history: &History, before: &Task) -> Option<i64> {
    before.lease_until?;
    let claim = before.claim.as_ref()?;
    let written = &history.events[history.find(claim.as_str())?];
    let honest = written.clock_error_ms == 0
        && !world.was_rewound.get()
        && !world.was_cloud_clock_wrong.get();
    let Payload::StatusChanged(claimed) = &written.payload else {
        return None;
    };
    let until = Timestamp::parse(claimed.lease_until.as_deref()?)?;
    // A clock that is right now may have been ahead, and no event is dated before an earlier one of its log.
    let dated = Timestamp::parse(&written.event.timestamp)?;
    honest.then_some(written.at_ms + until.millis() - dated.millis())
}
