//! Payloads as text from anywhere: old programs, newer ones, broken ones.

use hzl_core::event::{Payload, SCHEMA_VERSION};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::runner;

/// A type, the keys it must have with a value, and the keys it may have.
type Shape = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static [&'static str],
);

const TYPES: [Shape; 14] = [
    (
        "task_created",
        &[("title", r#""T""#), ("project", r#""p""#)],
        &[
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
        ],
    ),
    (
        "status_changed",
        &[("from", r#""ready""#), ("to", r#""in_progress""#)],
        &[
            "reason",
            "lease_until",
            "agent",
            "assignee",
            "claim",
            "if_expired",
        ],
    ),
    (
        "task_moved",
        &[("from_project", r#""p""#), ("to_project", r#""q""#)],
        &[],
    ),
    ("dependency_added", &[("depends_on_id", r#""t""#)], &[]),
    ("dependency_removed", &[("depends_on_id", r#""t""#)], &[]),
    (
        "task_updated",
        &[("field", r#""title""#), ("new_value", r#""new""#)],
        &["old_value", "claim"],
    ),
    ("task_archived", &[], &["reason", "from", "claim"]),
    ("task_deleted", &[], &["reason", "from", "claim"]),
    (
        "lease_renewed",
        &[("lease_until", r#""2026-03-01T09:00:00.000Z""#)],
        &["claim"],
    ),
    ("comment_added", &[("text", r#""c""#)], &[]),
    (
        "checkpoint_recorded",
        &[("name", r#""half""#)],
        &["data", "progress", "claim"],
    ),
    (
        "project_created",
        &[("name", r#""p""#)],
        &["description", "is_protected"],
    ),
    (
        "project_renamed",
        &[("old_name", r#""p""#), ("new_name", r#""q""#)],
        &[],
    ),
    (
        "project_deleted",
        &[
            ("name", r#""p""#),
            ("task_count", "1"),
            ("archived_task_count", "0"),
        ],
        &[],
    ),
];

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(|b| json!(b)),
        any::<i64>().prop_map(|n| json!(n)),
        (-2..300i64).prop_map(|n| json!(n)),
        any::<f64>().prop_map(|n| json!(n)),
        Just(json!("x")),
        "[ -~äß\\u{0}]{0,12}".prop_map(|text| json!(text)),
        Just(json!("ready")),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::Array),
            btree_map("[a-z_]{1,8}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

#[test]
fn decoding_never_fails_and_keeps_what_is_valid() {
    let optional = vec((any::<u8>(), any_value()), 0..6);
    let inputs = (0..TYPES.len(), optional, any::<bool>(), any::<u64>());
    let result = runner(2_000, 5).run(&inputs, |(at, optional, alien, order)| {
        let (kind, required, names) = TYPES[at];
        let mut fields: Vec<(String, Value)> = vec![];
        for (name, text) in required {
            fields.push(((*name).to_owned(), serde_json::from_str(text)?));
        }
        for (choice, value) in optional {
            if let Some(name) = names.get(usize::from(choice) % names.len().max(1)) {
                fields.push(((*name).to_owned(), value));
            }
        }
        if alien {
            fields.push(("of a later version".to_owned(), json!({"a": [1]})));
        }
        let len = fields.len().max(1);
        fields.rotate_left(usize::try_from(order % len as u64)?);
        let object: Map<String, Value> = fields.into_iter().collect();
        let payload = Payload::decode(kind, SCHEMA_VERSION, &Value::Object(object).to_string());
        prop_assert!(
            !matches!(payload, Payload::Unknown { .. }),
            "{kind} became unknown"
        );
        let again: Value = serde_json::from_str(&payload.encode())?;
        for (name, text) in required {
            prop_assert_eq!(&again[*name], &serde_json::from_str::<Value>(text)?);
        }
        let once_more = Payload::decode(kind, SCHEMA_VERSION, &payload.encode());
        prop_assert_eq!(once_more, payload);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

#[test]
fn any_text_decodes_to_something() {
    let inputs = (
        0..TYPES.len() + 1,
        prop_oneof![any_value().prop_map(|v| v.to_string()), ".{0,40}"],
    );
    let result = runner(2_000, 6).run(&inputs, |(at, data)| {
        let kind = TYPES.get(at).map_or("task_exploded", |(kind, ..)| kind);
        for version in [SCHEMA_VERSION, SCHEMA_VERSION + 1] {
            let payload = Payload::decode(kind, version, &data);
            prop_assert_eq!(payload.kind(), kind);
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

#[test]
fn half_a_character_costs_that_character_only() {
    let data =
        r#"{"title":"cut \ud83d","project":"p","description":"\ude00 \ud83d\ude00 \\ud83d"}"#;
    let Payload::TaskCreated(created) = Payload::decode("task_created", SCHEMA_VERSION, data)
    else {
        panic!("the task is there");
    };
    assert_eq!(created.title, "cut \u{fffd}");
    assert_eq!(
        created.description.as_deref(),
        Some("\u{fffd} \u{1f600} \\ud83d")
    );
}

#[test]
fn a_bottomless_value_is_left_out() {
    let deep = format!("{}1{}", r#"{"a":"#.repeat(5_000), "}".repeat(5_000));
    let data = format!(r#"{{"title":"T","metadata":{deep},"project":"p","priority":2}}"#);
    let Payload::TaskCreated(created) = Payload::decode("task_created", SCHEMA_VERSION, &data)
    else {
        panic!("the task is there");
    };
    assert_eq!((created.priority, created.metadata), (Some(2), None));
}
