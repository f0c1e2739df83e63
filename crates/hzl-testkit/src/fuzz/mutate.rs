//! Changes to inputs: bytes, JSON values, and what stands under a key.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::random::Random;

/// What has broken parsers, queries, terminals and shells before.
pub const NASTY: [&str; 58] = [
    "",
    " ",
    "\0",
    "\n",
    "\r\n",
    "\t",
    "\u{1b}[2J",
    "\u{1b}]52;c;ZXZpbA==\u{7}",
    "\u{1b}]8;;http://x\u{1b}\\",
    "\u{9b}31m",
    "\u{7f}\u{8}\u{85}",
    "\u{202e}live",
    "\u{2066}\u{2069}",
    "\u{200b}\u{feff}\u{2060}",
    "\u{e0041}\u{e007f}",
    "\u{2028}\u{2029}",
    "a\u{301}\u{301}\u{301}\u{301}",
    "👩\u{200d}👧",
    "می\u{200c}خواهم",
    "\u{fffd}\u{ffff}\u{10ffff}",
    "İıſßẞ",
    "日本語",
    "'",
    "\"",
    "\\",
    "';--",
    "' or 1=1 --",
    "'; drop table events; --",
    "\") or 1=1 or (\"",
    "1 union select * from sqlite_master",
    "%",
    "_",
    "*",
    "?",
    "[a-z]",
    "NEAR(a b)",
    "a AND NOT b",
    "title:x",
    "\"unclosed",
    "^x + y*",
    "-x",
    "--",
    "--format",
    "-P",
    "=",
    "@key",
    "../../etc/passwd",
    "file:x?mode=memory",
    "libsql://user:pw@host",
    "http://[::1",
    "2026-02-30T25:61:61Z",
    "+292278994-08-17T07:12:55.807Z",
    "-0001-01-01T00:00:00Z",
    "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    "ready",
    "archived",
    "__project__",
    "inbox",
];

/// Pieces of JSON that parsers stumble over.
const JSON_PIECES: [&str; 26] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "null",
    "true",
    "-",
    "1e999",
    "-1e-999",
    "1E+",
    "0x10",
    "01",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775809",
    "0.1e",
    "\\ud800",
    "\\udc00\\ud800",
    "\\u0000",
    "{\"a\":1,\"a\":2}",
    "/*x*/",
    "NaN",
];

/// Text to put wherever text goes.
pub fn text(random: &mut Random) -> String {
    match random.below(12) {
        0 => {
            let length = random.below(40);
            (0..length).map(|_| any_char(random)).collect()
        }
        // Long ones cost time: few of them do.
        1 if random.chance(10) => random.one(&NASTY).repeat(1 + random.below(200)),
        2 if random.chance(10) => "x".repeat(random.below(2_000)),
        3 => number(random).to_string(),
        4..=7 => {
            let count = 1 + random.below(5);
            (0..count).map(|_| *random.one(&NASTY)).collect()
        }
        _ => (*random.one(&NASTY)).to_owned(),
    }
}

/// Any character, the unusual ones as often as the usual.
fn any_char(random: &mut Random) -> char {
    let code = match random.below(5) {
        0 => random.below(0x20),
        1 => 0x20 + random.below(0x60),
        2 => 0x7f + random.below(0x180),
        3 => 0x2000 + random.below(0x70),
        _ => random.below(0x11_0000),
    };
    u32::try_from(code)
        .ok()
        .and_then(char::from_u32)
        .unwrap_or('\u{fffd}')
}

/// A number at some edge.
pub fn number(random: &mut Random) -> Value {
    const EDGES: [i64; 16] = [
        0,
        1,
        -1,
        2,
        3,
        4,
        100,
        101,
        255,
        256,
        1 << 31,
        1 << 53,
        i64::MAX,
        i64::MIN,
        5_256_001,
        253_402_300_800_000,
    ];
    match random.below(8) {
        0 => json!(u64::MAX),
        1 => json!(1.5),
        2 => json!(-1e308),
        3 => json!(random.number()),
        _ => json!(random.one(&EDGES)),
    }
}

/// Any value, of which most are small.
pub fn value(random: &mut Random, depth: usize) -> Value {
    match random.below(if depth == 0 { 6 } else { 9 }) {
        0 => Value::Null,
        1 => json!(random.chance(2)),
        2 | 3 => number(random),
        4 | 5 => json!(text(random)),
        6 => {
            let count = match random.below(60) {
                0 => 110,
                _ => random.below(4),
            };
            (0..count).map(|_| value(random, depth - 1)).collect()
        }
        7 => {
            let keys = (0..random.below(4)).map(|_| text(random));
            let keys: Vec<String> = keys.collect();
            let entries = keys.into_iter().map(|key| (key, value(random, depth - 1)));
            Value::Object(entries.collect())
        }
        _ if random.chance(8) => deep(random),
        _ => Value::Null,
    }
}

/// A value nested up to about as deep as anybody reads.
fn deep(random: &mut Random) -> Value {
    let levels = *random.one(&[3, 62, 63, 64, 65, 79, 80, 81, 100, 120]);
    (0..levels).fold(json!(1), |inner, level| match level % 2 {
        0 => json!([inner]),
        _ => json!({ "a": inner }),
    })
}

/// Changes something somewhere in a JSON value. `keys` are names that mean something to the reader.
pub fn json(random: &mut Random, root: &mut Value, keys: &[&str]) {
    let count = nodes(root);
    let mut at = random.below(count);
    let other = nth(root, random.below(count)).cloned();
    if let Some(node) = nth_mut(root, &mut at) {
        change(random, node, other, keys);
    }
}

fn change(random: &mut Random, node: &mut Value, other: Option<Value>, keys: &[&str]) {
    match (random.below(8), node) {
        (0 | 1, Value::Object(object)) => {
            let key = key_of(random, object);
            object.shift_remove(&key);
        }
        (2, Value::Object(object)) => {
            let key = key_of(random, object);
            if let Some(value) = object.shift_remove(&key) {
                object.insert(a_key(random, keys), value);
            }
        }
        (3, Value::Object(object)) => {
            let key = a_key(random, keys);
            object.insert(key, value(random, 3));
        }
        (0..=2, Value::Array(items)) if !items.is_empty() => {
            items.remove(random.below(items.len()));
        }
        (3, Value::Array(items)) if !items.is_empty() => {
            let item = random.one(items).clone();
            let times = *random.one(&[1, 1, 1, 2, 3, 110]);
            items.extend(vec![item; times]);
        }
        (0..=3, Value::String(text)) => {
            let mut bytes = std::mem::take(text).into_bytes();
            self::bytes(random, &mut bytes);
            *text = String::from_utf8_lossy(&bytes).into_owned();
        }
        (4, node) => *node = other.unwrap_or_default(),
        (_, node) => *node = value(random, 3),
    }
}

fn key_of(random: &mut Random, object: &Map<String, Value>) -> String {
    let at = random.below(object.len());
    object.keys().nth(at).cloned().unwrap_or_default()
}

fn a_key(random: &mut Random, keys: &[&str]) -> String {
    if keys.is_empty() || random.chance(6) {
        return text(random);
    }
    (*random.one(keys)).to_owned()
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(object) => object.values().collect(),
        _ => vec![],
    }
}

fn nodes(value: &Value) -> usize {
    1 + children(value).into_iter().map(nodes).sum::<usize>()
}

fn nth(value: &Value, at: usize) -> Option<&Value> {
    let Some(mut at) = at.checked_sub(1) else {
        return Some(value);
    };
    for child in children(value) {
        let count = nodes(child);
        if at < count {
            return nth(child, at);
        }
        at -= count;
    }
    None
}

fn nth_mut<'a>(value: &'a mut Value, at: &mut usize) -> Option<&'a mut Value> {
    if *at == 0 {
        return Some(value);
    }
    *at -= 1;
    match value {
        Value::Array(items) => items.iter_mut().find_map(|item| nth_mut(item, at)),
        Value::Object(object) => object.values_mut().find_map(|value| nth_mut(value, at)),
        _ => None,
    }
}

/// Changes bytes: whatever the format is, it is broken afterwards more often than not.
pub fn bytes(random: &mut Random, input: &mut Vec<u8>) {
    let at = random.below(input.len() + 1);
    let end = (at + random.below(16)).min(input.len());
    match random.below(9) {
        0 => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        1 => insert(input, at, &[u8::try_from(random.below(256)).unwrap_or(0)]),
        2 => drop(input.drain(at..end)),
        3 => {
            let piece = input[at..end].to_vec();
            let times = 1 + random.below(40);
            insert(input, at, &piece.repeat(times));
        }
        4 => insert(input, at, random.one(&NASTY).as_bytes()),
        5 | 6 => insert(input, at, random.one(&JSON_PIECES).as_bytes()),
        7 => input.truncate(at),
        _ => {
            // A thousand now and then, of which no reader may run out of stack.
            let times = *random.one(&[1, 2, 4, 8, 16, 65, 130, 1_200]);
            let piece = *random.one(&["[", "{\"a\":", "\"", "(", "\\"]);
            insert(input, at, piece.repeat(times).as_bytes());
        }
    }
}

fn insert(input: &mut Vec<u8>, at: usize, piece: &[u8]) {
    drop(input.splice(at..at, piece.iter().copied()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_of_a_value_is_reached() {
        let value = json!({"a": [1, {"b": 2}], "c": "d"});
        assert_eq!(nodes(&value), 6);
        let all: Vec<_> = (0..6).map(|at| nth(&value, at).unwrap().clone()).collect();
        assert_eq!(
            all,
            [
                value.clone(),
                json!([1, {"b": 2}]),
                json!(1),
                json!({"b": 2}),
                json!(2),
                json!("d")
            ]
        );
        for (at, expected) in all.into_iter().enumerate() {
            let mut value = value.clone();
            assert_eq!(*nth_mut(&mut value, &mut at.clone()).unwrap(), expected);
        }
        assert_eq!(nth(&value, 6), None);
    }

    #[test]
    fn mutations_change_something_most_of_the_time() {
        let whole = json!({"event_id": "E", "data": {"title": "T", "tags": ["x"]}});
        let mut changed = 0;
        for case in 0..1_000 {
            let mut value = whole.clone();
            json(&mut Random::of("t", 1, case), &mut value, &["title"]);
            changed += u32::from(value != whole);
        }
        assert!(changed > 900, "{changed}");
    }
}
