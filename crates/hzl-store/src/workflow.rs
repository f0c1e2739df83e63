//! Operations that are carried out once, however often they are asked for, and the reads they need.
//!
//! An operation's row is written in the transaction of its events: it is there if and only if they
//! are. Rows that say `processing` or `failed` come from HZL 3.2.0, which wrote them apart. Not for
//! deciding what a workflow does.

use hzl_core::ids::{EventId, TaskId};
use hzl_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, named_params};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::error::{OnConnection as _, Result};

/// How long an operation that says it is running is believed, in minutes.
const BELIEVED_MINUTES: u32 = 30;

/// What identifies an operation.
#[derive(Clone, Copy, Debug)]
pub struct OperationKey<'a> {
    /// Chosen by the caller; one name space for all workflows.
    pub op_id: &'a str,
    /// Which workflow.
    pub workflow: &'a str,
    /// [`digest`] of what it was asked for.
    pub input_hash: &'a str,
}

/// What is known of an operation.
#[derive(Clone, PartialEq, Debug)]
pub enum Earlier {
    /// Nothing that keeps it from being carried out.
    Nothing,
    /// It was carried out, with this result.
    Completed(Value),
    /// The key stands for something else: another workflow or another input.
    Different,
    /// Another program says that it is at it, since then.
    Processing(Timestamp),
}

/// Digests a value as 64 hexadecimal digits. The order of keys does not matter.
pub fn digest(value: &Value) -> String {
    let mut text = String::new();
    write_sorted(value, &mut text);
    let hash = Sha256::digest(text.as_bytes());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn write_sorted(value: &Value, text: &mut String) {
    match value {
        Value::Object(object) => {
            let mut entries: Vec<_> = object.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            text.push('{');
            for (key, value) in entries {
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                write_sorted(value, text);
                text.push(',');
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for item in items {
                write_sorted(item, text);
                text.push(',');
            }
            text.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            text.push_str(&value.to_string());
        }
    }
}

const FIND: &str = "
    select workflow_name, input_hash, state, result_payload, updated_at
      from workflow_ops where op_id = :op_id";

/// Looks up what became of an operation.
///
/// # Errors
/// Whatever SQLite reports.
pub fn find(log: &Connection, key: OperationKey<'_>, now: Timestamp) -> Result<Earlier> {
    let context = "look up an operation";
    let mut statement = log.prepare_cached(FIND).on(log, context)?;
    let row = statement
        .query_row(named_params! { ":op_id": key.op_id }, |row| {
            let is_same = row.get::<_, String>(0)? == key.workflow
                && row.get::<_, String>(1)? == key.input_hash;
            let state: String = row.get(2)?;
            let result: Option<String> = row.get(3)?;
            let updated_at: String = row.get(4)?;
            Ok((is_same, state, result, updated_at))
        })
        .optional()
        .on(log, context)?;
    let Some((is_same, state, result, updated_at)) = row else {
        return Ok(Earlier::Nothing);
    };
    if !is_same {
        return Ok(Earlier::Different);
    }
    let result = result.and_then(|text| serde_json::from_str(&text).ok());
    Ok(match (state.as_str(), result) {
        ("completed", Some(result)) => Earlier::Completed(result),
        ("processing", _) => {
            let since = Timestamp::parse(&updated_at).unwrap_or_default();
            if since.plus_minutes(BELIEVED_MINUTES) > now {
                Earlier::Processing(since)
            } else {
                Earlier::Nothing
            }
        }
        _ => Earlier::Nothing,
    })
}

const RECORD: &str = "
    insert into workflow_ops
      (op_id, workflow_name, input_hash, state, result_payload, created_at, updated_at)
    values (:op_id, :workflow, :input_hash, 'completed', :result, :at, :at)
    on conflict (op_id) do update set
      workflow_name = excluded.workflow_name, input_hash = excluded.input_hash,
      state = excluded.state, result_payload = excluded.result_payload, error_payload = null,
      updated_at = excluded.updated_at";

/// Records that an operation was carried out, in the transaction of its events.
///
/// # Errors
/// Whatever SQLite reports.
pub fn record(
    log: &Connection,
    key: OperationKey<'_>,
    result: &Value,
    now: Timestamp,
) -> Result<()> {
    let mut statement = log.prepare_cached(RECORD).on(log, "record an operation")?;
    statement
        .execute(named_params! {
            ":op_id": key.op_id,
            ":workflow": key.workflow,
            ":input_hash": key.input_hash,
            ":result": result.to_string(),
            ":at": now.to_string(),
        })
        .on(log, "record an operation")?;
    Ok(())
}

const LAST_EVENT: &str = "
    select event_id from events where task_id = :task_id order by id desc limit 1";

/// Finds the event of a task that was stored last.
///
/// # Errors
/// Whatever SQLite reports.
pub fn find_last_event(log: &Connection, task_id: &TaskId) -> Result<Option<EventId>> {
    let context = "find the last event of a task";
    let mut statement = log.prepare_cached(LAST_EVENT).on(log, context)?;
    statement
        .query_row(named_params! { ":task_id": task_id.as_str() }, |row| {
            Ok(EventId::new(row.get::<_, String>(0)?))
        })
        .optional()
        .on(log, context)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KEY: OperationKey<'_> = OperationKey {
        op_id: "k",
        workflow: "start",
        input_hash: "h",
    };

    fn log() -> Connection {
        let log = Connection::open_in_memory().unwrap();
        let schema = include_str!("schema/events_v1.sql");
        let at = schema
            .find("create table if not exists workflow_ops")
            .unwrap();
        let end = schema[at..].find(");\n\n").unwrap();
        log.execute_batch(&schema[at..at + end + 2]).unwrap();
        log
    }

    #[test]
    fn the_order_of_keys_does_not_matter_and_that_of_items_does() {
        let one = digest(&json!({"a": [1, {"x": null, "y": "z"}], "b": 2}));
        let other = digest(&json!({"b": 2, "a": [1, {"y": "z", "x": null}]}));
        assert_eq!(one, other);
        assert_eq!(one.len(), 64);
        assert_ne!(
            one,
            digest(&json!({"a": [{"x": null, "y": "z"}, 1], "b": 2}))
        );
    }

    #[test]
    fn an_operation_is_known_once_it_is_recorded_and_only_for_its_input() {
        let (log, now) = (log(), Timestamp::from_millis(1_772_355_600_000));
        assert_eq!(find(&log, KEY, now).unwrap(), Earlier::Nothing);
        let result = json!({"done": true});
        record(&log, KEY, &result, now).unwrap();
        assert_eq!(find(&log, KEY, now).unwrap(), Earlier::Completed(result));
        let other = OperationKey {
            input_hash: "g",
            ..KEY
        };
        assert_eq!(find(&log, other, now).unwrap(), Earlier::Different);
    }

    #[test]
    fn one_that_says_it_is_running_is_believed_for_half_an_hour() {
        let (log, since) = (log(), Timestamp::from_millis(1_772_355_600_000));
        record(&log, KEY, &json!({}), since).unwrap();
        let sql = "update workflow_ops set state = 'processing', result_payload = null";
        log.execute_batch(sql).unwrap();
        let found = find(&log, KEY, since.plus_minutes(29)).unwrap();
        assert_eq!(found, Earlier::Processing(since));
        let found = find(&log, KEY, since.plus_minutes(30)).unwrap();
        assert_eq!(found, Earlier::Nothing);
        log.execute_batch("update workflow_ops set state = 'failed'")
            .unwrap();
        assert_eq!(find(&log, KEY, since).unwrap(), Earlier::Nothing);
    }
}
