//! Hostile events: whatever a log holds, it is decoded and folded, to the same state each time.
//!
//! How many cases and which: `hzl_testkit::fuzz`.

// The folds of a whole log are those that the laws use.
#[expect(dead_code, reason = "only its folds are needed here")]
#[path = "laws/view.rs"]
mod view;

use std::collections::BTreeSet;

use hzl_core::event::{Event, Payload, PlacedEvent};
use hzl_core::ids::{EventId, TaskId};
use hzl_core::order::Position;
use hzl_core::time::Timestamp;
use hzl_testkit::fuzz::{Target, corpus, fuzz};
use serde_json::Value;

use view::{Incremental, View};

#[test]
fn any_payload_is_decoded() {
    let target = Target {
        name: "decode an event",
        share: 450_000,
    };
    fuzz(target, corpus::mutated_event, |line| {
        let line = String::from_utf8_lossy(line);
        let (kind, version, data) = columns(&line);
        let payload = Payload::decode(&kind, version, &data);
        assert_eq!(payload.kind(), kind);
        if matches!(payload, Payload::Unknown { .. }) {
            return;
        }
        // What this program writes of it, it reads as the same, and stays below what may be read.
        let written = payload.encode();
        assert_eq!(Payload::decode(&kind, version, &written), payload);
        drop(serde_json::from_str::<Value>(&written));
    });
}

/// Type, version and data of a line; a line that is no JSON is data of the type it mentions.
fn columns(line: &str) -> (String, u32, String) {
    let Ok(event) = serde_json::from_str::<Value>(line) else {
        let data = line.split_once("\"data\":").map_or(line, |(_, data)| data);
        let kind = line
            .split_once("\"type\":\"")
            .and_then(|(_, kind)| kind.split('"').next());
        return (kind.unwrap_or_default().to_owned(), 1, data.to_owned());
    };
    let version = event["schema_version"].as_u64().unwrap_or(1);
    (
        event["type"].as_str().unwrap_or_default().to_owned(),
        u32::try_from(version).unwrap_or(u32::MAX),
        event["data"].to_string(),
    )
}

#[test]
fn any_history_is_folded_to_one_state() {
    let target = Target {
        name: "fold a history",
        share: 2_000,
    };
    fuzz(
        target,
        |random| corpus::mutated_history(random, 60),
        |lines| {
            let lines = String::from_utf8_lossy(lines);
            let mut log: Vec<PlacedEvent> = lines.lines().zip(1..).map(placed).collect();
            // A log holds each id once.
            let mut ids = BTreeSet::new();
            log.retain(|placed| ids.insert(placed.event.event_id.clone()));
            let rewind_points = [5];
            let view = View::of(log.clone(), &rewind_points);
            assert!(
                view == View::of(log.clone(), &rewind_points),
                "twice the same"
            );
            let mut resumed = Incremental::default();
            log.iter()
                .for_each(|event| resumed.apply(event, &rewind_points));
            resumed.assert_same(&view);
            for task in view.tasks() {
                assert!(task.priority <= 3 && task.progress.is_none_or(|progress| progress <= 100));
                let waits = view.edges.iter().filter(|(from, _)| *from == task.task_id);
                assert!(waits.clone().all(|(_, on)| view.task(on).is_some()));
            }
        },
    );
}

/// The event of a line at its place in the log. The first lines are settled, the others are the tail.
fn placed((line, at): (&str, i64)) -> PlacedEvent {
    let event: Value = serde_json::from_str(line).unwrap_or_default();
    let (kind, version, data) = columns(line);
    let payload = Payload::decode(&kind, version, &data);
    let text = |key: &str| event[key].as_str().map(str::to_owned);
    let time = |key: &str| text(key).as_deref().and_then(Timestamp::parse);
    let seq = (at < 20).then_some(at);
    PlacedEvent {
        event: Event {
            event_id: EventId::new(text("event_id").unwrap_or_default()),
            task_id: (!payload.is_project())
                .then(|| TaskId::new(text("task_id").unwrap_or_default())),
            payload,
            author: text("author"),
            agent_id: text("agent_id"),
            session_id: text("session_id"),
            correlation_id: text("correlation_id"),
            causation_id: text("causation_id"),
            timestamp: time("timestamp").unwrap_or_default(),
            basis_seq: event["basis_seq"].as_i64().unwrap_or(0),
            epoch: event["epoch"]
                .as_u64()
                .and_then(|epoch| u32::try_from(epoch).ok()),
        },
        position: seq.map_or_else(|| Position::tail(at), Position::settled),
        seq,
        received_at: seq.and(time("received_at")),
        device: text("device_id").map(Into::into),
    }
}
