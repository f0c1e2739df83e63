//! What inputs are made of: things that the product itself wrote or reads.

use std::sync::LazyLock;

use serde_json::Value;

use super::mutate;
use crate::random::Random;

/// An export with every type of event, as `hzl export` wrote it; the first line is the header.
pub const EXPORT: &str = include_str!("../../corpus/export.ndjson");
/// A config file with every key.
pub const CONFIG: &str = include_str!("../../corpus/config.json");
/// Input of `hzl task add --from-json` with every key.
pub const TASKS: &str = include_str!("../../corpus/tasks.json");

/// Keys of events and their payloads.
pub const EVENT_KEYS: [&str; 45] = [
    "event_id",
    "task_id",
    "type",
    "data",
    "schema_version",
    "author",
    "agent_id",
    "session_id",
    "correlation_id",
    "causation_id",
    "timestamp",
    "basis_seq",
    "epoch",
    "device_id",
    "cloud_seq",
    "received_at",
    "title",
    "project",
    "parent_id",
    "description",
    "links",
    "depends_on",
    "tags",
    "priority",
    "due_at",
    "metadata",
    "stale_after_minutes",
    "agent",
    "assignee",
    "from",
    "to",
    "reason",
    "lease_until",
    "claim",
    "if_expired",
    "from_project",
    "to_project",
    "depends_on_id",
    "field",
    "old_value",
    "new_value",
    "text",
    "name",
    "progress",
    "old_name",
];

/// The events of [`EXPORT`].
static EVENTS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let parse = |line| serde_json::from_str(line).expect("the corpus is JSON");
    EXPORT.lines().skip(1).map(parse).collect()
});

/// The ids of tasks in [`EXPORT`].
static TASK_IDS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let ids = EVENTS.iter().filter_map(|event| event["task_id"].as_str());
    let mut ids: Vec<String> = ids.map(str::to_owned).collect();
    ids.sort();
    ids.dedup();
    ids
});

/// One line: an event, changed in up to four places, and now and then broken.
pub fn mutated_event(random: &mut Random) -> Vec<u8> {
    let mut event = random.one(&EVENTS).clone();
    mutate_event(random, &mut event);
    let mut line = event.to_string().into_bytes();
    if random.chance(6) {
        mutate::bytes(random, &mut line);
        line.retain(|byte| *byte != b'\n');
    }
    line
}

fn mutate_event(random: &mut Random, event: &mut Value) {
    for _ in 0..random.below(4) {
        // Mostly in the payload, where most of the meaning is.
        let whole = random.chance(3);
        match event.get_mut("data") {
            Some(data) if !whole => mutate::json(random, data, &EVENT_KEYS),
            _ => mutate::json(random, event, &EVENT_KEYS),
        }
    }
    if random.chance(3) && event.is_object() {
        // Of another task of the same history, so that events meet that were never meant to.
        event["task_id"] = random.one(&TASK_IDS).as_str().into();
    }
}

/// A history, one event a line: the corpus in its order with events left out, repeated, swapped and changed.
/// Events that are not repeated keep their ids.
pub fn mutated_history(random: &mut Random, longest: usize) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = vec![];
    let keep = 1 + random.below(4);
    for event in EVENTS.iter() {
        if random.below(4) >= keep {
            continue;
        }
        let mut event = event.clone();
        if random.chance(3) {
            mutate_event(random, &mut event);
        }
        lines.push(event.to_string().into_bytes());
        if random.chance(10) {
            lines.push(mutated_event(random));
        }
    }
    for _ in 0..random.below(6) {
        let (one, other) = (random.below(lines.len()), random.below(lines.len()));
        if one != other {
            lines.swap(one, other);
        }
    }
    lines.truncate(longest);
    lines.join(&b'\n')
}

/// A document, changed in some places as JSON and now and then as bytes.
pub fn mutated_json(random: &mut Random, document: &str, keys: &[&str]) -> Vec<u8> {
    let mut value: Value = serde_json::from_str(document).expect("the corpus is JSON");
    for _ in 0..random.below(5) {
        mutate::json(random, &mut value, keys);
    }
    let mut bytes = match random.chance(2) {
        true => value.to_string().into_bytes(),
        false => document.as_bytes().to_vec(),
    };
    for _ in 0..random.below(4) {
        mutate::bytes(random, &mut bytes);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_type_of_event_is_there() {
        let types = EVENTS.iter().filter_map(|event| event["type"].as_str());
        let types: BTreeSet<_> = types.collect();
        assert_eq!(types.len(), 14, "{types:?}");
    }

    #[test]
    fn every_key_of_the_corpus_is_known() {
        for event in EVENTS.iter() {
            let data = event["data"].as_object().unwrap();
            for key in event.as_object().unwrap().keys().chain(data.keys()) {
                // What only counts tasks, or is never read back, is not worth a place.
                let unused = [
                    "is_protected",
                    "new_name",
                    "task_count",
                    "archived_task_count",
                ];
                let known = EVENT_KEYS.contains(&key.as_str());
                assert!(known || unused.contains(&key.as_str()), "{key}");
            }
        }
    }
}
