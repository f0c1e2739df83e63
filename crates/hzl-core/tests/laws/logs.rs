//! Logs that nobody would write: every payload at any place, with any `from`, claim, cursor, epoch, clock
//! and device. The fold must not care who was sensible; both folds must still agree.

use hzl_core::event::{
    CheckpointRecorded, CommentAdded, Dependency, Event, LeaseRenewed, Payload, PlacedEvent,
    ProjectCreated, ProjectDeleted, ProjectRenamed, StatusChanged, TaskArchived, TaskCreated,
    TaskDeleted, TaskMoved, TaskUpdated,
};
use hzl_core::ids::{DeviceId, EventId, ProjectName, TaskId};
use hzl_core::order::Position;
use hzl_core::task::Status;
use hzl_core::time::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::world::START;

/// A log in its order, and the rewind points of its epochs.
pub(crate) fn log() -> impl Strategy<Value = (Vec<PlacedEvent>, Vec<i64>)> {
    let rewind_points = vec(0..30i64, 0..3);
    (vec(raw(), 1..40), 0..=10usize, rewind_points).prop_map(|(raws, tail, rewind_points)| {
        let settled = raws.len().saturating_sub(tail);
        let log = raws
            .into_iter()
            .enumerate()
            .map(|(at, raw)| placed(raw, at, settled));
        (log.collect(), rewind_points)
    })
}

#[derive(Clone, Debug)]
struct Raw {
    task: u8,
    payload: Payload,
    /// 0: HZL 3.2.0.
    device: u8,
    ms: i64,
    delay_ms: i64,
    basis_seq: i64,
    epoch: u32,
    author: Option<String>,
}

fn raw() -> impl Strategy<Value = Raw> {
    let times = (0..50i64, prop_oneof![Just(5i64), Just(-5), Just(100)]);
    let knowledge = (0..4u8, 0..40i64, 0..3u32);
    (
        0..2u8,
        payload(),
        times,
        knowledge,
        proptest::option::of(name()),
    )
        .prop_map(
            |(task, payload, (ms, delay_ms), (device, basis_seq, epoch), author)| {
                let author = author.map(str::to_owned);
                Raw {
                    task,
                    payload,
                    device,
                    ms: START + ms,
                    delay_ms,
                    basis_seq,
                    epoch,
                    author,
                }
            },
        )
}

fn placed(raw: Raw, at: usize, settled: usize) -> PlacedEvent {
    let seq = i64::try_from(at + 1).expect("a short log");
    let legacy = raw.device == 0;
    let is_settled = at < settled;
    // The first events make the tasks, so that there is something to quarrel about.
    let payload = match (at, raw.payload) {
        (0 | 1, _) => Payload::TaskCreated(TaskCreated {
            title: "made".to_owned(),
            project: "p0".into(),
            ..TaskCreated::default()
        }),
        (_, Payload::TaskCreated(_)) => Payload::CommentAdded(CommentAdded { text: "c".into() }),
        (_, payload) => payload,
    };
    let task = if at < 2 { at } else { usize::from(raw.task) };
    PlacedEvent {
        event: Event {
            event_id: id(at),
            task_id: (!payload.is_project()).then(|| TaskId::new(format!("T{task}"))),
            payload,
            author: raw.author,
            agent_id: None,
            session_id: None,
            correlation_id: None,
            causation_id: None,
            timestamp: Timestamp::from_millis(raw.ms),
            basis_seq: if legacy { 0 } else { raw.basis_seq },
            epoch: (!legacy).then_some(raw.epoch),
        },
        position: if is_settled {
            Position::settled(seq)
        } else {
            Position::tail(seq)
        },
        seq: is_settled.then_some(seq),
        received_at: is_settled.then(|| Timestamp::from_millis(raw.ms + raw.delay_ms)),
        device: (!legacy).then(|| DeviceId::new(format!("D{}", raw.device))),
    }
}

/// Ids do not follow the order of the log.
fn id(at: usize) -> EventId {
    EventId::new(format!("E{:02}", at * 37 % 41))
}

fn name() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("ann"), Just("bob")]
}

fn project() -> impl Strategy<Value = ProjectName> {
    (0..3u8).prop_map(|n| ProjectName::new(format!("p{n}")))
}

fn claim() -> impl Strategy<Value = Option<EventId>> {
    prop_oneof![Just(None), (0..12usize).prop_map(|at| Some(id(at)))]
}

fn status() -> impl Strategy<Value = Status> {
    use Status::{Archived, Backlog, Blocked, Done, InProgress, Ready};
    prop_oneof![
        2 => Just(Backlog), 2 => Just(Ready), 5 => Just(InProgress), 3 => Just(Blocked),
        2 => Just(Done), 1 => Just(Archived),
    ]
}

fn field() -> impl Strategy<Value = (&'static str, Value)> {
    prop_oneof![
        name().prop_map(|name| ("title", json!(name))),
        name().prop_map(|name| ("agent", json!(name))),
        Just(("assignee", Value::Null)),
        (0..2u8).prop_map(|task| ("parent_id", json!(format!("T{task}")))),
        Just(("parent_id", Value::Null)),
    ]
}

fn edge() -> impl Strategy<Value = Dependency> {
    (0..3u8).prop_map(|task| Dependency {
        depends_on_id: TaskId::new(format!("T{task}")),
    })
}

fn until() -> impl Strategy<Value = String> {
    (-20..80i64).prop_map(|ms| Timestamp::from_millis(START + ms).to_string())
}

fn status_changed() -> impl Strategy<Value = Payload> {
    let lease = proptest::option::of(until());
    (
        status(),
        status(),
        claim(),
        lease,
        proptest::option::of(name()),
        any::<bool>(),
    )
        .prop_map(|(from, to, claim, lease_until, agent, if_expired)| {
            let agent = agent.map(str::to_owned);
            let if_expired = if_expired && (from, to) == (Status::InProgress, Status::InProgress);
            let change = StatusChanged {
                from,
                to,
                agent,
                claim,
                lease_until,
                if_expired,
                ..StatusChanged::default()
            };
            Payload::StatusChanged(change)
        })
}

fn payload() -> impl Strategy<Value = Payload> {
    prop_oneof![
        12 => status_changed(),
        1 => (proptest::option::of(status()), claim())
            .prop_map(|(from, claim)| Payload::TaskArchived(TaskArchived { from, claim, reason: None })),
        1 => (proptest::option::of(status()), claim())
            .prop_map(|(from, claim)| Payload::TaskDeleted(TaskDeleted { from, claim, reason: None })),
        2 => (until(), claim())
            .prop_map(|(lease_until, claim)| Payload::LeaseRenewed(LeaseRenewed { lease_until, claim })),
        5 => (field(), claim()).prop_map(|((field, new_value), claim)| {
            let (field, old_value) = (field.to_owned(), Value::Null);
            Payload::TaskUpdated(TaskUpdated { field, old_value, new_value, claim })
        }),
        2 => (project(), project())
            .prop_map(|(from_project, to_project)| Payload::TaskMoved(TaskMoved { from_project, to_project })),
        2 => edge().prop_map(Payload::DependencyAdded),
        2 => edge().prop_map(Payload::DependencyRemoved),
        1 => Just(Payload::CommentAdded(CommentAdded { text: "c".to_owned() })),
        1 => (proptest::option::of(0..100u8), claim()).prop_map(|(progress, claim)| {
            Payload::CheckpointRecorded(CheckpointRecorded { name: "c".to_owned(), data: None, progress, claim })
        }),
        1 => project()
            .prop_map(|name| Payload::ProjectCreated(ProjectCreated { name, ..ProjectCreated::default() })),
        2 => (project(), project())
            .prop_map(|(old_name, new_name)| Payload::ProjectRenamed(ProjectRenamed { old_name, new_name })),
        1 => project()
            .prop_map(|name| Payload::ProjectDeleted(ProjectDeleted { name, ..ProjectDeleted::default() })),
    ]
}
