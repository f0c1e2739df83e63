//! Differences from 3.2.0 that are wanted, each with its reason, in `deviations.json` at the root.
//! A step listed there must differ, and exactly as declared: the list cannot rot.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::compare::brief;
use super::path;
use super::run::error_code;

/// One listed step and what it does instead.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Deviation {
    pub(super) scenario: String,
    pub(super) line: usize,
    pub(super) reason: String,
    exit: i32,
    code: Option<String>,
    #[serde(default)]
    json: BTreeMap<String, Value>,
}

/// Reads the list.
pub(super) fn load() -> Vec<Deviation> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = fs::read_to_string(root.join("deviations.json")).expect("deviations.json is there");
    let list: Vec<Deviation> = serde_json::from_str(&text).expect("deviations.json is a list");
    let reasonless = list.iter().find(|deviation| deviation.reason.is_empty());
    assert!(reasonless.is_none(), "a reason is missing: {reasonless:?}");
    list
}

impl Deviation {
    /// Returns how an answer differs from what is declared.
    pub(super) fn differences(&self, exit: Option<i32>, answer: &Value) -> Vec<String> {
        let mut found = Vec::new();
        if exit != Some(self.exit) {
            found.push(format!("exit: expected {}, got {exit:?}", self.exit));
        }
        if let Some(code) = &self.code
            && error_code(answer) != Some(code)
        {
            found.push(format!(
                "error.code: expected {code:?}, got {}",
                brief(answer)
            ));
        }
        for (place, expected) in &self.json {
            match path::find(answer, place) {
                Some(actual) if actual == expected => {}
                Some(actual) => found.push(format!("{place}: expected {expected}, got {actual}")),
                None => found.push(format!("{place}: missing; expected {expected}")),
            }
        }
        for difference in &mut found {
            difference.insert_str(0, "declared deviation: ");
        }
        found
    }
}

#[test]
fn a_deviation_is_exactly_the_declared_one() {
    use serde_json::json;

    let declared = json!({"scenario": "s", "line": 1, "reason": "r", "exit": 4, "code": "x",
                          "json": {"error.details.n": 1}});
    let deviation: Deviation = serde_json::from_value(declared).expect("a deviation");
    let answer = |code: &str, n: Value| json!({"error": {"code": code, "details": {"n": n}}});
    let wrong = |exit, answer: &Value| deviation.differences(exit, answer).len();
    assert_eq!(wrong(Some(4), &answer("x", json!(1))), 0);
    assert_eq!(wrong(Some(1), &answer("x", json!(1))), 1);
    assert_eq!(wrong(Some(4), &answer("y", json!(1))), 1);
    assert_eq!(wrong(Some(4), &answer("x", json!("1"))), 1);
    assert_eq!(wrong(None, &Value::Null), 3);
}
