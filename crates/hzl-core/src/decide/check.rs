//! Limits, checked where events are decided; the fold never refuses.

use serde_json::{Map, Value};

use crate::event::Payload;
use crate::limits;
use crate::rejection::Rejection;
use crate::time::Timestamp;

/// Checks that a text is not longer than `limit` characters.
pub(super) fn text(field: &'static str, text: &str, limit: usize) -> Result<(), Rejection> {
    // Bytes are never fewer than characters: the common case counts nothing.
    if text.len() > limit {
        let actual = text.chars().count();
        if actual > limit {
            return Err(Rejection::TooLong {
                field,
                actual,
                limit,
            });
        }
    }
    Ok(())
}

/// Checks that a text is there and not too long.
pub(super) fn filled(field: &'static str, value: &str, limit: usize) -> Result<(), Rejection> {
    if value.is_empty() {
        return Err(Rejection::Empty { field });
    }
    text(field, value, limit)
}

/// Checks a list of texts: its length and each item.
pub(super) fn texts(
    field: &'static str,
    item: &'static str,
    texts: &[String],
    limit: usize,
) -> Result<(), Rejection> {
    if texts.len() > limits::LIST_ITEMS {
        return Err(Rejection::TooMany {
            field,
            actual: texts.len(),
            limit: limits::LIST_ITEMS,
        });
    }
    texts.iter().try_for_each(|text| filled(item, text, limit))
}

pub(super) fn links(links: &[String]) -> Result<(), Rejection> {
    texts("links", "link", links, limits::LINK_CHARS)
}

pub(super) fn tags(tags: &[String]) -> Result<(), Rejection> {
    texts("tags", "tag", tags, limits::TAG_CHARS)
}

pub(super) fn priority(priority: u8) -> Result<(), Rejection> {
    let max = i64::from(limits::PRIORITY_MAX);
    range("priority", i64::from(priority), 0, max)
}

pub(super) fn minutes(field: &'static str, minutes: u32, min: u32) -> Result<(), Rejection> {
    range(
        field,
        i64::from(minutes),
        i64::from(min),
        i64::from(limits::MINUTES_MAX),
    )
}

pub(super) fn range(field: &'static str, actual: i64, min: i64, max: i64) -> Result<(), Rejection> {
    if (min..=max).contains(&actual) {
        Ok(())
    } else {
        Err(Rejection::OutOfRange {
            field,
            actual,
            min,
            max,
        })
    }
}

pub(super) fn time(field: &'static str, text: &str) -> Result<(), Rejection> {
    match Timestamp::parse(text) {
        Some(_) => Ok(()),
        None => Err(Rejection::InvalidTime {
            field,
            actual: text.to_owned(),
        }),
    }
}

pub(super) fn metadata(metadata: &Map<String, Value>) -> Result<(), Rejection> {
    let (actual, limit) = (metadata.len(), limits::METADATA_KEYS);
    if actual > limit {
        return Err(Rejection::TooMany {
            field: "metadata",
            actual,
            limit,
        });
    }
    object("metadata", metadata, limits::METADATA_CHARS)
}

/// Checks the serialised size and the depth of a JSON object.
pub(super) fn object(
    field: &'static str,
    object: &Map<String, Value>,
    limit: usize,
) -> Result<(), Rejection> {
    let value = Value::Object(object.clone());
    if depth(&value) > limits::JSON_DEPTH {
        return Err(Rejection::TooDeep {
            field,
            limit: limits::JSON_DEPTH,
        });
    }
    text(field, &value.to_string(), limit)
}

/// Checks that an event is one that every device takes over: each of its texts may be allowed, and all of
/// them together too much.
pub(super) fn event(payload: &Payload) -> Result<(), Rejection> {
    let (actual, limit) = (payload.encode().len(), limits::EVENT_BYTES);
    if actual > limit {
        return Err(Rejection::TooLarge { actual, limit });
    }
    Ok(())
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(object) => 1 + object.values().map(depth).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}
