//! What must hold when everything is synced (design §1), judged by the truth.

use std::collections::BTreeSet;

use hzl_core::conflict::ConflictKind;
use hzl_core::event::{Event, Field, Payload};
use hzl_core::fold::{FoldContext, TaskFold};
use hzl_core::ids::{EventId, TaskId};
use hzl_core::task::{Status, Task};

use crate::view::View;
use crate::world::World;

/// Checks every law that speaks about the end.
pub(crate) fn assert_contract(world: &World) {
    let last = world.devices.len() - 1;
    let view = world.view(last);
    for device in 0..last {
        assert_eq!(
            world.view(device),
            view,
            "device {device} and the fresh one"
        );
    }
    assert_nothing_lost(world);
    for (id, fold) in &view.folds {
        if let Some(task) = &fold.task {
            assert_no_silent_overwrite(world, &view, id, task);
            if let Some(parent) = view.parents.get(id) {
                assert!(!view.parents.contains_key(parent), "{parent} has a parent");
            }
        }
    }
    assert_no_false_conflicts(world, &view);
    for id in view.folds.keys() {
        assert_ownership(world, last, id, &view);
    }
}

/// Contract 2: what was acknowledged is in the cloud, once.
fn assert_nothing_lost(world: &World) {
    let mut cloud = world.cloud_order();
    cloud.sort_unstable();
    assert_eq!(
        cloud,
        (0..world.events.len()).collect::<Vec<_>>(),
        "every event, once"
    );
}

/// The value an event writes, by the name of its memory.
fn written(event: &Event) -> Option<String> {
    match &event.payload {
        Payload::TaskUpdated(updated) if updated.field != Field::Agent.name() => {
            Some(updated.field.clone())
        }
        Payload::TaskMoved(_) => Some("project".to_owned()),
        Payload::DependencyAdded(edge) | Payload::DependencyRemoved(edge) => {
            Some(format!("depends_on/{}", edge.depends_on_id))
        }
        _ => None,
    }
}

fn winner(task: &Task, key: &str) -> Option<EventId> {
    match key.strip_prefix("depends_on/") {
        Some(on) => Some(
            task.memory
                .edges
                .get(&TaskId::from(on))?
                .stamp
                .as_ref()?
                .event_id
                .clone(),
        ),
        None => Some(task.memory.stamps.get(key)?.event_id.clone()),
    }
}

/// Contract 7: a write that does not stand was seen by one that replaced it, or is listed. And a write
/// that had seen the one that stands is never the loser.
fn assert_no_silent_overwrite(world: &World, view: &View, id: &TaskId, task: &Task) {
    let ours: Vec<usize> = (0..world.events.len())
        .filter(|at| world.events[*at].task_id.as_ref() == Some(id))
        .filter(|at| !world.events[*at].is_legacy())
        .collect();
    let losers = view.losers();
    for at in &ours {
        let Some(key) = written(&world.events[*at]) else {
            continue;
        };
        let stands = winner(task, &key).expect("somebody wrote it");
        let event_id = &world.events[*at].event_id;
        let listed = losers.contains(&(event_id.clone(), ConflictKind::Value.name(), key.clone()));
        if stands == *event_id || listed {
            continue;
        }
        let standing = world.index_of(&stands);
        assert!(
            !world.truths[*at].saw(standing),
            "newer write {event_id} of {key} lost"
        );
        let mut others = ours
            .iter()
            .filter(|o| written(&world.events[**o]).as_ref() == Some(&key));
        let replaced = others.any(|other| world.truths[*other].saw(*at));
        let by_legacy = world.events[standing].is_legacy();
        assert!(
            replaced || by_legacy,
            "{event_id} of {key} overwritten silently"
        );
    }
}

/// A row says that neither knew the other; then neither did. After a rewind "known" is unknown.
fn assert_no_false_conflicts(world: &World, view: &View) {
    let rows = view.folds.values().flat_map(|fold| &fold.conflicts);
    for row in rows.filter(|row| row.kind == ConflictKind::Value && !world.rewound) {
        let winner = row.winner_event_id.as_ref().expect("a value has a winner");
        let (loser, winner) = (world.index_of(&row.event_id), world.index_of(winner));
        let legacy = world.events[loser].is_legacy() || world.events[winner].is_legacy();
        let knew = world.truths[loser].saw(winner) || world.truths[winner].saw(loser);
        assert!(legacy || !knew, "{row:?} is listed, but one knew the other");
    }
}

fn decides_ownership(event: &Event) -> bool {
    matches!(
        event.payload,
        Payload::StatusChanged(_) | Payload::TaskArchived(_) | Payload::TaskDeleted(_)
    )
}

fn claim_seen(event: &Event) -> Option<&EventId> {
    match &event.payload {
        Payload::StatusChanged(change) => change.claim.as_ref(),
        Payload::TaskArchived(archived) => archived.claim.as_ref(),
        Payload::TaskDeleted(deleted) => deleted.claim.as_ref(),
        _ => None,
    }
}

/// Contract 4: replays one task and looks at every act when it comes.
fn assert_ownership(world: &World, device: usize, id: &TaskId, view: &View) {
    let order = world.order(device);
    let mine: Vec<_> = order
        .iter()
        .filter(|p| p.event.task_id.as_ref() == Some(id))
        .collect();
    let context = FoldContext {
        projects: &view.projects,
        rewind_points: &[],
    };
    let mut fold = TaskFold::default();
    let mut superseded = BTreeSet::new();
    for (at, placed) in mine.iter().enumerate() {
        let before = fold.task.clone();
        let was_deleted = fold.tombstone.is_some();
        let rows = fold.conflicts.len();
        fold.apply(placed, context);
        if fold.tombstone.is_some() {
            let lost = world.confirmed.contains(&placed.event.event_id) && was_deleted;
            assert!(
                !lost || world.rewound,
                "a confirmed claim came after a tombstone"
            );
        }
        let event = &placed.event;
        let Some(before) = before.filter(|_| decides_ownership(event)) else {
            continue;
        };
        let index = world.index_of(&event.event_id);
        let refused = fold.tombstone.is_none() && fold.conflicts.len() > rows;
        if refused {
            superseded.insert(index);
            assert_eq!(
                Some(&before),
                fold.task.as_ref(),
                "an act that lost changes nothing"
            );
            let confirmed = world.confirmed.contains(&event.event_id) && !event.is_legacy();
            assert!(
                !confirmed || world.rewound,
                "a confirmed claim was superseded"
            );
            let known =
                |other: usize| world.truths[index].saw(other) && !superseded.contains(&other);
            let saw_all = mine[..at]
                .iter()
                .filter(|p| decides_ownership(&p.event))
                .all(|p| known(world.index_of(&p.event.event_id)));
            let if_expired = matches!(&event.payload, Payload::StatusChanged(c) if c.if_expired);
            let excused = world.rewound || event.is_legacy() || if_expired;
            assert!(
                !saw_all || excused,
                "{event:?} was superseded though its writer saw all"
            );
            continue;
        }
        let takes = matches!(&event.payload, Payload::StatusChanged(c)
            if c.to == Status::InProgress && matches!(c.from, Status::Backlog | Status::Ready));
        if event.is_legacy() {
            let claimed_by_us = before.claim.as_ref().map(|id| world.index_of(id));
            let ours = claimed_by_us.is_some_and(|at| !world.events[at].is_legacy());
            assert!(
                !ours || !before.status.is_held(),
                "{event:?} ended a claim of ours"
            );
        } else if !takes {
            assert_eq!(
                claim_seen(event),
                before.claim.as_ref(),
                "an act under a stale claim applied"
            );
        } else {
            assert!(!before.status.is_held(), "a second claim applied");
        }
        assert_lease(
            world,
            index,
            placed.received_at.map(|t| t.millis()),
            &before,
            &fold,
        );
    }
}

/// Contract 8: a lease lasts as long as meant, from arrival at the latest, and nobody with an honest
/// clock loses it before.
fn assert_lease(
    world: &World,
    index: usize,
    received: Option<i64>,
    before: &Task,
    fold: &TaskFold,
) {
    let event = &world.events[index];
    let Payload::StatusChanged(change) = &event.payload else {
        return;
    };
    let received = received.expect("all is settled");
    if let (Some(until), Some(task)) = (&change.lease_until, &fold.task) {
        let until = hzl_core::time::Timestamp::parse(until)
            .expect("decide wrote it")
            .millis();
        let length = until - event.timestamp.millis();
        let end = task.lease_until.expect("it was given").millis();
        assert!(
            length > 0 && end <= received + length,
            "a lease outlasts its arrival"
        );
    }
    let Some(claim) = before.claim.as_ref().filter(|_| change.if_expired) else {
        return;
    };
    let claim = world.index_of(claim);
    let holder = world.truths[claim];
    if let Payload::StatusChanged(claimed) = &world.events[claim].payload {
        let until = claimed
            .lease_until
            .as_deref()
            .and_then(hzl_core::time::Timestamp::parse);
        let honest = holder.clock_error == 0 && before.status == Status::InProgress;
        if let (Some(until), true) = (until.filter(|_| before.lease_until.is_some()), honest) {
            assert!(
                until.millis() < received || world.rewound,
                "a live lease was stolen"
            );
        }
    }
}
