//! What one event does to one task: the effects table of HZL 3.2.0, guards, leases, clocks.

use super::*;
use crate::event::{CommentAdded, Event, TaskArchived, TaskDeleted};
use crate::ids::DeviceId;
use crate::order::Position;

const AT: i64 = 1_000;

/// An event at its place, as written by `device` (`None`: HZL 3.2.0) and received when it was written.
fn event(at: i64, device: Option<&str>, payload: Payload) -> PlacedEvent {
    let at_ms = Timestamp::from_millis(at);
    PlacedEvent {
        event: Event {
            event_id: EventId::new(format!("event-{at}")),
            task_id: Some("t".into()),
            payload,
            author: Some("author".to_owned()),
            agent_id: Some("host".to_owned()),
            session_id: None,
            correlation_id: None,
            causation_id: None,
            timestamp: at_ms,
            basis_seq: 0,
            epoch: device.map(|_| 0),
        },
        position: Position::settled(at),
        seq: Some(at),
        received_at: Some(at_ms),
        device: device.map(DeviceId::from),
    }
}

fn change(from: Status, to: Status) -> StatusChanged {
    StatusChanged {
        from,
        to,
        ..StatusChanged::default()
    }
}

fn apply(task: Task, placed: &PlacedEvent) -> TaskFold {
    let mut fold = TaskFold::resume(Some(task));
    let context = FoldContext {
        projects: &Projects::default(),
        rewind_points: &[],
    };
    fold.apply(placed, context);
    fold
}

/// A task whose every column is filled, so that each effect shows.
fn full(status: Status) -> Task {
    let created = Payload::TaskCreated(TaskCreated {
        title: "title".to_owned(),
        project: "p".into(),
        ..TaskCreated::default()
    });
    let context = FoldContext {
        projects: &Projects::default(),
        rewind_points: &[],
    };
    let fold = TaskFold::of(&[event(1, None, created)], context);
    let ms = |at| Some(Timestamp::from_millis(at));
    Task {
        status,
        agent: Some("old".to_owned()),
        claimed_at: ms(5),
        lease_until: ms(7),
        progress: Some(40),
        terminal_at: ms(9),
        claim: Some("claim".into()),
        ..fold.task.expect("it was created")
    }
}

/// `events.md` §5.4, read by what the payload says.
fn effects(from: Status, to: Status, owner: Option<&str>, lease: Option<i64>) -> Task {
    let mut task = full(to);
    let now = Some(Timestamp::from_millis(AT));
    let owner = owner.map(str::to_owned);
    match (from, to) {
        (Status::InProgress, Status::InProgress) => {
            task.claimed_at = now;
            task.agent = owner;
            task.lease_until = lease.map(Timestamp::from_millis);
        }
        (Status::Blocked, Status::InProgress) => {
            task.agent = owner.or(task.agent);
            task.lease_until = lease.map(Timestamp::from_millis);
        }
        (_, Status::InProgress) => {
            task.claimed_at = now;
            task.agent = owner.or(task.agent);
            task.lease_until = lease.map(Timestamp::from_millis);
        }
        (Status::Blocked, Status::Blocked) => {}
        (_, Status::Blocked) => task.lease_until = None,
        (Status::InProgress | Status::Blocked, _) => {
            task.claimed_at = None;
            task.lease_until = None;
        }
        _ => {}
    }
    if to == Status::Done {
        task.progress = Some(100);
    }
    if to.is_terminal() {
        task.terminal_at = now;
    }
    task
}

/// The columns of the table.
fn columns(task: &Task) -> impl PartialEq + std::fmt::Debug + use<> {
    let times = (task.claimed_at, task.lease_until, task.terminal_at);
    (task.status, times, task.agent.clone(), task.progress)
}

#[test]
fn events_of_the_old_program_have_the_old_effects() {
    for (agent, assignee, author, agent_id) in [
        (Some("a"), Some("b"), Some("c"), Some("d")),
        (None, Some("b"), Some("c"), Some("d")),
        (None, None, Some("c"), Some("d")),
        (None, None, None, Some("d")),
        (None, None, None, None),
    ] {
        let owner = agent.or(assignee).or(author).or(agent_id);
        for (from, to) in pairs() {
            for lease in [None, Some(90_000)] {
                let payload = StatusChanged {
                    agent: agent.map(str::to_owned),
                    assignee: assignee.map(str::to_owned),
                    lease_until: lease.map(|at| Timestamp::from_millis(at).to_string()),
                    ..change(from, to)
                };
                let mut placed = event(AT, None, Payload::StatusChanged(payload));
                placed.event.author = author.map(str::to_owned);
                placed.event.agent_id = agent_id.map(str::to_owned);
                // Unguarded: what the task really was does not matter.
                for actual in Status::ALL {
                    let fold = apply(full(actual), &placed);
                    let task = fold.task.expect("it is there");
                    let expected = columns(&effects(from, to, owner, lease));
                    assert_eq!(columns(&task), expected, "{from} to {to}, {owner:?}");
                    assert_eq!(fold.conflicts, []);
                }
            }
        }
    }
}

fn pairs() -> impl Iterator<Item = (Status, Status)> {
    let all = Status::ALL;
    all.into_iter()
        .flat_map(move |from| all.into_iter().map(move |to| (from, to)))
}

#[test]
fn our_events_differ_in_two_columns() {
    for (from, to) in pairs() {
        let payload = StatusChanged {
            claim: Some("claim".into()),
            ..change(from, to)
        };
        let placed = event(AT, Some("d"), Payload::StatusChanged(payload));
        let task = apply(full(from), &placed).task.expect("it is there");
        let mut expected = effects(from, to, Some("author"), None);
        if !to.is_terminal() {
            expected.terminal_at = None;
        }
        if from == Status::Archived && !to.is_held() {
            (expected.claimed_at, expected.lease_until) = (None, None);
        }
        if (from, to) == (Status::Blocked, Status::InProgress) {
            expected.agent = Some("old".to_owned());
        }
        assert_eq!(columns(&task), columns(&expected), "{from} to {to}");
    }
}

#[test]
fn out_of_the_archive_nobody_holds_the_task() {
    for to in [Status::Ready, Status::Backlog] {
        let payload = StatusChanged {
            claim: Some("claim".into()),
            ..change(Status::Archived, to)
        };
        let placed = event(AT, Some("d"), Payload::StatusChanged(payload));
        let task = apply(full(Status::Archived), &placed).task.expect("there");
        assert_eq!((task.status, task.is_owned()), (to, false));
        assert_eq!((task.claimed_at, task.lease_until), (None, None));
        assert_eq!(task.terminal_at, None);
        assert_eq!(task.claim, Some("claim".into()), "versions go on");
    }
}

#[test]
fn archiving_leaves_the_claim_as_it_was() {
    for device in [None, Some("d")] {
        let archived = TaskArchived {
            from: device.map(|_| Status::InProgress),
            claim: device.map(|_| "claim".into()),
            reason: None,
        };
        let placed = event(AT, device, Payload::TaskArchived(archived));
        let task = apply(full(Status::InProgress), &placed)
            .task
            .expect("there");
        let expected = Task {
            status: Status::Archived,
            terminal_at: Some(Timestamp::from_millis(AT)),
            ..full(Status::InProgress)
        };
        assert_eq!(columns(&task), columns(&expected));
    }
}

#[test]
fn a_guard_compares_what_the_writer_saw() {
    let take = |from| Payload::StatusChanged(change(from, Status::InProgress));
    let done = |claim: Option<&str>| {
        Payload::StatusChanged(StatusChanged {
            claim: claim.map(EventId::from),
            ..change(Status::InProgress, Status::Done)
        })
    };
    let archive = |from, claim: Option<&str>| {
        Payload::TaskArchived(TaskArchived {
            from,
            claim: claim.map(EventId::from),
            reason: None,
        })
    };
    let delete = |from, claim: Option<&str>| {
        Payload::TaskDeleted(TaskDeleted {
            from,
            claim: claim.map(EventId::from),
            reason: None,
        })
    };
    let held = Some(Status::InProgress);
    for (actual, payload, applies) in [
        (Status::Ready, take(Status::Ready), true),
        (Status::Backlog, take(Status::Backlog), true),
        (Status::InProgress, take(Status::Ready), false),
        (Status::Done, take(Status::Done), false),
        (Status::InProgress, take(Status::InProgress), false),
        (Status::InProgress, done(Some("claim")), true),
        (Status::InProgress, done(Some("claim-0")), false),
        (Status::InProgress, done(None), false),
        (Status::Blocked, done(Some("claim")), false),
        (Status::InProgress, archive(held, Some("claim")), true),
        (Status::InProgress, archive(held, Some("claim-0")), false),
        (Status::InProgress, archive(None, Some("claim")), false),
        (Status::Done, archive(held, Some("claim")), false),
        (Status::InProgress, delete(held, Some("claim")), true),
        (Status::InProgress, delete(held, None), false),
        (Status::Ready, delete(held, Some("claim")), false),
    ] {
        let placed = event(AT, Some("d"), payload);
        let fold = apply(full(actual), &placed);
        assert_eq!(
            fold.conflicts.is_empty(),
            applies,
            "{placed:?} when {actual}"
        );
        if !applies {
            assert_eq!(fold.task, Some(full(actual)), "superseded: nothing changes");
            assert_eq!(fold.conflicts[0].kind, ConflictKind::Superseded);
        }
    }
}

#[test]
fn the_old_program_cannot_end_a_claim_of_ours() {
    let ours = |status| {
        let mut task = full(status);
        task.memory.has_device = true;
        task
    };
    let theirs = |status| {
        let mut task = ours(status);
        task.memory.claim_is_legacy = true;
        task
    };
    let change = |from, to| Payload::StatusChanged(change(from, to));
    let routed = Payload::TaskUpdated(TaskUpdated {
        field: "agent".to_owned(),
        new_value: json!("dora"),
        ..TaskUpdated::default()
    });
    let archived = || Payload::TaskArchived(TaskArchived::default());
    for (task, payload, applies) in [
        (
            ours(Status::InProgress),
            change(Status::InProgress, Status::Done),
            false,
        ),
        (
            ours(Status::Done),
            change(Status::Done, Status::Ready),
            false,
        ),
        (
            ours(Status::Ready),
            change(Status::Ready, Status::InProgress),
            true,
        ),
        (
            ours(Status::InProgress),
            change(Status::Ready, Status::InProgress),
            false,
        ),
        (ours(Status::InProgress), archived(), false),
        (ours(Status::InProgress), routed.clone(), false),
        (
            theirs(Status::InProgress),
            change(Status::InProgress, Status::Done),
            true,
        ),
        (
            theirs(Status::InProgress),
            change(Status::Ready, Status::Done),
            false,
        ),
        (theirs(Status::InProgress), archived(), false),
        (theirs(Status::InProgress), routed, true),
        (full(Status::InProgress), archived(), true),
    ] {
        let fold = apply(task, &event(AT, None, payload.clone()));
        assert_eq!(fold.conflicts.is_empty(), applies, "{payload:?}");
    }
}

#[test]
fn a_claim_that_was_given_back_does_not_come_back() {
    let step = |task: Task, at, payload| {
        let fold = apply(task, &event(at, Some("d"), payload));
        assert_eq!(fold.conflicts, []);
        fold.task.expect("it is there")
    };
    let change = |from, to| {
        Payload::StatusChanged(StatusChanged {
            claim: Some("claim".into()),
            ..change(from, to)
        })
    };
    let ready = step(
        full(Status::InProgress),
        1_001,
        change(Status::InProgress, Status::Ready),
    );
    let blocked = step(ready, 1_002, change(Status::Ready, Status::Blocked));
    assert!(!blocked.is_owned(), "nobody works on it");
    let going = step(blocked, 1_003, change(Status::Blocked, Status::InProgress));
    assert_eq!(going.claim, Some("event-1003".into()), "a new claim");
    assert_eq!(going.agent.as_deref(), Some("author"));
    let late = event(1_004, Some("e"), change(Status::InProgress, Status::Done));
    assert_eq!(
        apply(going, &late).conflicts.len(),
        1,
        "written under the old one"
    );
}

#[test]
fn a_lease_is_as_long_as_meant_from_arrival_at_the_latest() {
    let minute = 60_000;
    let year = 365 * 24 * 60 * minute;
    for (clock_error, expected) in [
        (0, AT + minute),
        (year, AT + 5 + minute),
        (-year, AT - year + minute),
    ] {
        let written = Timestamp::from_millis(AT + clock_error);
        let payload = StatusChanged {
            lease_until: Some(written.plus_millis(minute).to_string()),
            ..change(Status::Ready, Status::InProgress)
        };
        let mut placed = event(AT, Some("d"), Payload::StatusChanged(payload));
        placed.event.timestamp = written;
        placed.received_at = Some(Timestamp::from_millis(AT + 5));
        let task = apply(full(Status::Ready), &placed)
            .task
            .expect("it is there");
        assert_eq!(task.lease_until.map(Timestamp::millis), Some(expected));
    }
}

#[test]
fn a_fast_thief_steals_no_live_lease() {
    let mut held = full(Status::InProgress);
    held.lease_until = Some(Timestamp::from_millis(AT + 10));
    let steal = StatusChanged {
        if_expired: true,
        claim: Some("claim".into()),
        agent: Some("thief".to_owned()),
        ..change(Status::InProgress, Status::InProgress)
    };
    for (received, stolen) in [(AT, false), (AT + 10, false), (AT + 11, true)] {
        let mut placed = event(AT, Some("d"), Payload::StatusChanged(steal.clone()));
        placed.event.timestamp = Timestamp::from_millis(AT + 1_000_000);
        placed.received_at = Some(Timestamp::from_millis(received));
        let task = apply(held.clone(), &placed).task.expect("it is there");
        assert_eq!(
            task.agent.as_deref() == Some("thief"),
            stolen,
            "arrived at {received}"
        );
    }
}

#[test]
fn the_later_end_of_a_lease_wins() {
    let renew = |at, until, claim: &str| {
        let renewed = LeaseRenewed {
            lease_until: Timestamp::from_millis(until).to_string(),
            claim: Some(claim.into()),
        };
        event(at, Some("d"), Payload::LeaseRenewed(renewed))
    };
    for (status, until, claim, end, rows) in [
        (Status::InProgress, 50, "claim", 50, 0),
        (Status::Blocked, 50, "claim", 50, 0),
        (Status::InProgress, 3, "claim", 7, 0),
        (Status::InProgress, 50, "claim-0", 7, 1),
        (Status::Done, 50, "claim", 7, 1),
    ] {
        let fold = apply(full(status), &renew(2, until, claim));
        let task = fold.task.expect("it is there");
        assert_eq!(task.lease_until.map(Timestamp::millis), Some(end));
        assert_eq!(fold.conflicts.len(), rows, "{status}, {claim}");
    }
}

#[test]
fn a_clock_in_the_future_wins_once_not_for_ever() {
    let write = |at, device, timestamp, title: &str| {
        let updated = TaskUpdated {
            field: "title".to_owned(),
            new_value: json!(title),
            ..TaskUpdated::default()
        };
        let mut placed = event(at, Some(device), Payload::TaskUpdated(updated));
        placed.event.timestamp = Timestamp::from_millis(timestamp);
        placed
    };
    let fast = write(10, "fast", 9_999_999, "fast");
    let honest = write(20, "honest", 15, "honest");
    let task = apply(full(Status::Ready), &fast).task.expect("it is there");
    let fold = apply(task, &honest);
    assert_eq!(
        fold.task.expect("it is there").title,
        "honest",
        "written after the fast one came"
    );
    assert_eq!(fold.conflicts.len(), 1, "neither knew the other");
    // A slow clock that has seen the value replaces it.
    let mut slow = write(20, "slow", -9_999, "slow");
    slow.event.basis_seq = 10;
    let task = apply(full(Status::Ready), &fast).task.expect("it is there");
    let fold = apply(task, &slow);
    assert_eq!(fold.task.expect("it is there").title, "slow");
    assert_eq!(fold.conflicts, []);
}

#[test]
fn a_tombstone_takes_everything_and_lists_what_comes_after() {
    let comment = |at| {
        event(
            at,
            Some("d"),
            Payload::CommentAdded(CommentAdded::default()),
        )
    };
    let deleted = Payload::TaskDeleted(TaskDeleted {
        from: Some(Status::Done),
        claim: Some("claim".into()),
        reason: None,
    });
    let mut fold = TaskFold::resume(Some(full(Status::Done)));
    let context = FoldContext {
        projects: &Projects::default(),
        rewind_points: &[],
    };
    fold.apply(&comment(2), context);
    fold.apply(&event(3, Some("d"), deleted), context);
    assert!(fold.task.is_none() && fold.comments.is_empty() && fold.conflicts.is_empty());
    fold.apply(&comment(4), context);
    assert_eq!(fold.conflicts[0].kind, ConflictKind::AfterTombstone);
    assert_eq!(fold.conflicts[0].winner_event_id, Some("event-3".into()));
}
