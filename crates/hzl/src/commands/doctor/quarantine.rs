//! What `hzl doctor` says of events that were set aside. All of them are kept; nothing here takes one away.

use hzl_core::ids::EventId;
use hzl_core::ids::TaskId;
use hzl_store::ledger::Ledger;
use hzl_store::query::quarantine;
use hzl_store::query::quarantine::Quarantined;
use hzl_store::query::quarantine::Way;
use schemars::JsonSchema;
use serde::Serialize;

use super::Check;

/// How many events are listed.
const LISTED: u32 = 50;

/// An event that was set aside.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SetAside {
    /// Empty if the row in the cloud has none.
    event_id: EventId,
    /// Null where it is not known here.
    task_id: Option<TaskId>,
    #[serde(rename = "type")]
    kind: Option<String>,
    reason: String,
    at: String,
    direction: Direction,
    /// Its row in the log here.
    #[serde(skip_serializing_if = "Option::is_none")]
    row_id: Option<i64>,
    /// Its sequence in the cloud.
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<i64>,
    /// The id under which it was sent again.
    #[serde(skip_serializing_if = "Option::is_none")]
    new_event_id: Option<EventId>,
    /// How many later events of its task wait because of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    held_back: Option<u64>,
}

/// Which way it was going.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
enum Direction {
    /// The cloud refuses it; it counts on this machine only.
    RefusedByCloud,
    /// The cloud has it, and it cannot be read; it counts nowhere.
    UnreadableFromCloud,
    /// It was sent under another id, and counts everywhere.
    Reissued,
}

/// Looks for events that were set aside.
pub(super) fn check(ledger: &Ledger) -> hzl_store::Result<Check> {
    let (found, count) = quarantine::list(&ledger.files().events, LISTED)?;
    let mut check = match count {
        0 => Check::pass().says("no event was set aside"),
        _ => advise(&found, count),
    };
    check.count = Some(count);
    check.events = found.into_iter().map(SetAside::from).collect();
    Ok(check)
}

fn advise(found: &[Quarantined], count: u64) -> Check {
    let is_refused = |found: &&Quarantined| matches!(found.way, Way::Refused { .. });
    let is_unreadable = |found: &&Quarantined| matches!(found.way, Way::Unreadable { .. });
    let refused = found.iter().find(is_refused);
    let has_unreadable = found.iter().any(|event| is_unreadable(&event));
    let mut check = Check::warn(format!(
        "{count} events were set aside so that the rest could go on; all of them are kept"
    ));
    if let Some(Quarantined {
        way: Way::Refused { rowid, .. },
        ..
    }) = refused
    {
        check = check
            .action(
                format!("hzl events --from {} --limit 1", rowid - 1),
                "The cloud refuses what counts here: look at it",
            )
            .action(
                "hzl backup <file>",
                "Keep a copy: other machines do not have these events, nor later ones of their tasks from here",
            )
            .action(
                "hzl sync --retry",
                "Send it again, once the server can be made to take it",
            );
    }
    if has_unreadable {
        check = check.action(
            "hzl --version",
            "Rows of the cloud that no hzl has written count nowhere: find out who writes there, and whether a later hzl does",
        );
    }
    if refused.is_none() && !has_unreadable {
        check = check.action(
            "hzl events",
            "Nothing is to be done: these events have new ids and count everywhere",
        );
    }
    check
}

impl From<Quarantined> for SetAside {
    fn from(found: Quarantined) -> Self {
        let (mut row_id, mut seq, mut new_event_id, mut held_back) = (None, None, None, None);
        let direction = match found.way {
            Way::Refused {
                rowid,
                held_back: waiting,
            } => {
                (row_id, held_back) = (Some(rowid), Some(waiting));
                Direction::RefusedByCloud
            }
            Way::Unreadable { seq: there } => {
                seq = Some(there);
                Direction::UnreadableFromCloud
            }
            Way::Renamed { new_id } => {
                new_event_id = new_id;
                Direction::Reissued
            }
        };
        Self {
            event_id: found.event_id,
            task_id: found.task_id,
            kind: found.kind,
            reason: found.reason,
            at: found.at,
            direction,
            row_id,
            seq,
            new_event_id,
            held_back,
        }
    }
}

impl SetAside {
    /// The event in a line for people; the caller escapes it.
    pub(super) fn text(&self) -> String {
        let event_id = match self.event_id.as_str() {
            "" => "an event without an id",
            id => id,
        };
        let kind = self.kind.as_deref().unwrap_or("unknown type");
        let task = match &self.task_id {
            Some(task_id) => format!(" of task {task_id}"),
            None => String::new(),
        };
        let way = match self.direction {
            Direction::RefusedByCloud => "refused by the cloud".to_owned(),
            Direction::UnreadableFromCloud => {
                format!("unreadable in the cloud, at {}", self.seq.unwrap_or(0))
            }
            Direction::Reissued => match &self.new_event_id {
                Some(new_id) => format!("sent again as {new_id}"),
                None => "sent again under a new id".to_owned(),
            },
        };
        let held_back = match self.held_back {
            Some(waiting @ 1..) => format!("; {waiting} later events of the task wait"),
            _ => String::new(),
        };
        let (reason, at) = (&self.reason, &self.at);
        format!("{event_id} ({kind}{task}), {way} since {at}: {reason}{held_back}")
    }
}
