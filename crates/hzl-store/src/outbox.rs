//! The queue of hook deliveries: filled here, in the transaction of the events; `delivery` empties it.
//!
//! Not for sending; hzl-remote does that. A row holds everything a delivery needs, so later changes of
//! the settings do not touch it, except the secret that signs: that is never stored. Hooks fire when a
//! command decides, never from a fold or a pull: a target never comes from synced data.

mod delivery;

use hzl_core::event::{Event, Payload};
use hzl_core::task::Status;
use rusqlite::{Connection, named_params};
use serde_json::{Map, Value, json};

pub use self::delivery::{Attempt, Delivery, MAX_ATTEMPTS, Queued, Settled, Swept, find, list};
use crate::error::{OnConnection as _, Result};
use crate::ledger::Outcome;

/// Everything a hook can be set on, by the name it has in the settings.
pub const TRIGGERS: [&str; 18] = [
    "on_done",
    "on_claimed",
    "on_stolen",
    "on_blocked",
    "on_unblocked",
    "on_released",
    "on_reopened",
    "on_ready",
    "on_status_changed",
    "on_created",
    "on_updated",
    "on_moved",
    "on_comment",
    "on_checkpoint",
    "on_lease_renewed",
    "on_dependency_changed",
    "on_archived",
    "on_deleted",
];
/// Is set off by every event.
pub const ANY_TRIGGER: &str = "on_event";

/// Where a hook is delivered, and on what.
#[derive(Clone, PartialEq, Debug)]
pub struct HookTarget {
    /// `on_done`, `on_claimed`, … or `on_event` for everything; see [`triggers_of`].
    pub trigger: String,
    /// Where to.
    pub url: String,
    /// Sent with each delivery.
    pub headers: Map<String, Value>,
    /// Merged into the payload, the payload's own keys winning.
    pub body: Option<Map<String, Value>>,
}

/// The triggers of an event.
pub fn triggers_of(event: &Event) -> Vec<&'static str> {
    let mut triggers = vec![];
    if let Payload::StatusChanged(change) = &event.payload {
        triggers.extend(match (change.from, change.to) {
            (_, Status::Done) => Some("on_done"),
            (Status::InProgress, Status::InProgress) => Some("on_stolen"),
            (Status::Blocked, Status::InProgress) => Some("on_unblocked"),
            (_, Status::InProgress) => Some("on_claimed"),
            (_, Status::Blocked) => Some("on_blocked"),
            (Status::Done, _) => Some("on_reopened"),
            (Status::InProgress | Status::Blocked, Status::Ready) => Some("on_released"),
            (_, Status::Ready) => Some("on_ready"),
            (_, Status::Archived) => Some("on_archived"),
            (_, Status::Backlog) => None,
        });
        triggers.push("on_status_changed");
    }
    let named = [
        ("task_created", "on_created"),
        ("task_archived", "on_archived"),
        ("task_deleted", "on_deleted"),
        ("task_updated", "on_updated"),
        ("task_moved", "on_moved"),
        ("comment_added", "on_comment"),
        ("checkpoint_recorded", "on_checkpoint"),
        ("lease_renewed", "on_lease_renewed"),
        ("dependency_added", "on_dependency_changed"),
        ("dependency_removed", "on_dependency_changed"),
    ];
    let kind = event.payload.kind();
    triggers.extend(
        named
            .iter()
            .find(|(name, _)| *name == kind)
            .map(|(_, trigger)| *trigger),
    );
    triggers.push(ANY_TRIGGER);
    triggers
}

const ENQUEUE: &str = "
    insert into hook_outbox
      (hook_name, url, headers, payload, next_attempt_at, created_at, updated_at)
    values (:hook_name, :url, :headers, :payload, :at, :at, :at)";

/// Queues the deliveries that a command's events ask for, in their transaction.
///
/// # Errors
/// Whatever SQLite reports.
pub fn enqueue(log: &Connection, targets: &[HookTarget], outcome: &Outcome) -> Result<()> {
    if targets.is_empty() {
        return Ok(());
    }
    for (_, event) in &outcome.events {
        let triggers = triggers_of(event);
        for target in targets
            .iter()
            .filter(|target| triggers.contains(&target.trigger.as_str()))
        {
            let payload = payload(target, event, outcome);
            let mut statement = log.prepare_cached(ENQUEUE).on(log, "queue a hook")?;
            statement
                .execute(named_params! {
                    ":hook_name": target.trigger,
                    ":url": target.url,
                    ":headers": Value::Object(target.headers.clone()).to_string(),
                    ":payload": payload.to_string(),
                    ":at": event.timestamp.to_string(),
                })
                .on(log, "queue a hook")?;
        }
    }
    Ok(())
}

fn payload(target: &HookTarget, event: &Event, outcome: &Outcome) -> Value {
    let mut payload = target.body.clone().unwrap_or_default();
    let after = event
        .task_id
        .as_ref()
        .and_then(|task_id| outcome.after.get(task_id));
    payload.insert("trigger".to_owned(), json!(target.trigger));
    payload.insert("event_id".to_owned(), json!(event.event_id));
    payload.insert("event_type".to_owned(), json!(event.payload.kind()));
    if let Some(facts) = after {
        let task = &facts.task;
        payload.insert(
            "task".to_owned(),
            json!({
                "task_id": task.task_id,
                "title": task.title,
                "project": facts.project,
                "status": task.status,
                "priority": task.priority,
                "agent": task.agent,
                "lease_until": task.lease_until.map(|end| end.to_string()),
            }),
        );
    }
    if let Payload::StatusChanged(change) = &event.payload {
        payload.insert(
            "transition".to_owned(),
            json!({ "from": change.from, "to": change.to }),
        );
    }
    payload.insert("timestamp".to_owned(), json!(event.timestamp.to_string()));
    payload.insert(
        "context".to_owned(),
        json!({
            "author": event.author,
            "agent_id": event.agent_id,
            "session_id": event.session_id,
            "correlation_id": event.correlation_id,
            "causation_id": event.causation_id,
        }),
    );
    Value::Object(payload)
}
