//! Contract 7: a write that does not stand was seen by one that replaced it, or is listed; and a write
//! that had seen the one that stands is never the loser.

use hzl_core::conflict::{Conflict, ConflictKind};
use hzl_core::event::{Field, Payload};
use hzl_core::ids::{EventId, TaskId};
use hzl_core::task::Task;

use super::ownership::Folded;
use crate::history::History;
use crate::verdict::Finding;
use crate::world::World;

/// The value an event writes, by the name under which the task remembers it.
fn written(payload: &Payload) -> Option<String> {
    match payload {
        Payload::TaskUpdated(updated)
            if Field::find(&updated.field).is_some() && updated.field != Field::Agent.name() =>
        {
            Some(updated.field.clone())
        }
        Payload::TaskMoved(_) => Some("project".to_owned()),
        Payload::DependencyAdded(edge) | Payload::DependencyRemoved(edge) => {
            Some(format!("depends_on/{}", edge.depends_on_id))
        }
        _ => None,
    }
}

fn standing(task: &Task, key: &str) -> Option<EventId> {
    match key.strip_prefix("depends_on/") {
        Some(on) => {
            let edge = task.memory.edges.get(&TaskId::from(on))?;
            Some(edge.stamp.as_ref()?.event_id.clone())
        }
        None => Some(task.memory.stamps.get(key)?.event_id.clone()),
    }
}

pub(super) fn check(world: &World, folded: &Folded) {
    let Some(task) = &folded.fold.task else {
        return;
    };
    let history = world.history.borrow();
    no_false_conflicts(world, &history, folded);
    let writes: Vec<(usize, String)> = folded
        .events
        .iter()
        .filter(|placed| !placed.event.is_legacy())
        .filter_map(|placed| {
            let at = history.find(placed.event.event_id.as_str())?;
            let key = written(&placed.event.payload)?;
            (!history.events[at].is_foreign).then_some((at, key))
        })
        .collect();
    for (at, key) in &writes {
        judge(world, &history, folded, task, &writes, (*at, key));
    }
}

fn judge(
    world: &World,
    history: &History,
    folded: &Folded,
    task: &Task,
    writes: &[(usize, String)],
    (at, key): (usize, &str),
) {
    let event_id = &history.events[at].event.event_id;
    let Some(stands) = standing(task, key) else {
        return world.report(
            Finding::SilentOverwrite,
            format!("{event_id} of {key}: nothing stands"),
        );
    };
    let listed = folded.fold.conflicts.iter().any(|row| {
        row.event_id == *event_id && row.kind == ConflictKind::Value && row.field == key
    });
    if stands == *event_id || listed {
        return;
    }
    let Some(winner) = history.find(stands.as_str()) else {
        return;
    };
    if history.saw(at, winner) {
        return world.report(
            Finding::NewerWriteLost,
            format!("{event_id} of {key} had seen {stands}"),
        );
    }
    let replaced = writes
        .iter()
        .any(|(other, same)| same == key && history.saw(*other, at));
    let by_old_hzl =
        history.events[winner].event.epoch.is_none() || history.events[winner].is_foreign;
    let by_twin =
        world.was_rewound.get() && is_replaced_by_a_twin(history, folded, writes, (at, key));
    let by_left = is_replaced_in_other_numbers(history, folded, writes, (at, key));
    if !replaced && !by_old_hzl && !by_twin && !by_left {
        world.report(
            Finding::SilentOverwrite,
            format!("{event_id} of {key}, by {stands}"),
        );
    }
}

/// Two machines wrote it under one name, in the order in which one would have. Inherent, and excused: the cloud lost what
/// would have told them apart before either heard of the other.
fn is_replaced_by_a_twin(
    history: &History,
    folded: &Folded,
    writes: &[(usize, String)],
    (at, key): (usize, &str),
) -> bool {
    let id = |at: usize| &history.events[at].event.event_id;
    let place = |at: usize| place(history, folded, at);
    let device = |at: usize| folded.events.get(place(at)?)?.device.as_ref();
    writes.iter().any(|(other, same)| {
        same == key
            && device(*other).is_some()
            && device(*other) == device(at)
            && id(at) < id(*other)
            && place(at) < place(*other)
    })
}

/// A later one was written in another ledger of the cloud, and came here by `--merge`. Inherent, and excused: it tells what
/// its writer knew in the numbers of the cloud that was left.
fn is_replaced_in_other_numbers(
    history: &History,
    folded: &Folded,
    writes: &[(usize, String)],
    (at, key): (usize, &str),
) -> bool {
    let place = |at: usize| place(history, folded, at);
    let was_left = |at: usize| {
        let ledger = &history.events[at].ledger;
        ledger.is_some() && *ledger != folded.ledger
    };
    writes
        .iter()
        .any(|(other, same)| same == key && was_left(*other) && place(at) < place(*other))
}

/// Where an event of the history stands among those of its task.
fn place(history: &History, folded: &Folded, at: usize) -> Option<usize> {
    let id = &history.events[at].event.event_id;
    folded
        .events
        .iter()
        .position(|placed| placed.event.event_id == *id)
}

/// Of two writes that did not know each other, the later one stands, by effective time and id.
fn wins_by_time(folded: &Folded, row: &Conflict) -> bool {
    let key = |id: &EventId| {
        let mut placed = folded.events.iter();
        let found = placed.find(|placed| placed.event.event_id == *id)?;
        Some((found.effective_ts(), id.clone()))
    };
    let winner = row.winner_event_id.as_ref().and_then(key);
    winner > key(&row.event_id)
}

/// A row says that neither knew the other; then neither did. Inherent, and excused: after a rewind
/// "known" is unknown, and so it is for what a copied disk shares with its twin under the old name.
fn no_false_conflicts(world: &World, history: &History, folded: &Folded) {
    if world.was_rewound.get() || world.was_copied() {
        return;
    }
    for row in folded
        .fold
        .conflicts
        .iter()
        .filter(|row| row.kind == ConflictKind::Value)
    {
        let winner = row
            .winner_event_id
            .as_ref()
            .and_then(|id| history.find(id.as_str()));
        let (Some(loser), Some(winner)) = (history.find(row.event_id.as_str()), winner) else {
            continue;
        };
        let old = [loser, winner]
            .iter()
            .any(|at| history.events[*at].event.epoch.is_none() || history.events[*at].is_foreign);
        if !old && !wins_by_time(folded, row) {
            let detail = format!(
                "{} lost to the older {:?}",
                row.event_id, row.winner_event_id
            );
            world.report(Finding::NewerWriteLost, detail);
        }
        if !old && (history.saw(loser, winner) || history.saw(winner, loser)) {
            world.report(
                Finding::FalseConflict,
                format!(
                    "{} and {:?} of {}",
                    row.event_id, row.winner_event_id, folded.task_id
                ),
            );
        }
    }
}
