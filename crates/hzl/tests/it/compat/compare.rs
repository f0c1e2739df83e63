//! Comparing an answer with the recorded one. Everything recorded must be there, at its place and in
//! its order; there may be more keys, unless the step is strict.

use serde_json::Value;

use super::ids::Ids;
use super::path;
use super::path::Part;
use super::path::PathSet;
use super::scenario::Step;

/// Private to one process or machine, or prose for people.
const NEVER_COMPARED: [&str; 6] = [
    "worker_id",
    "hostname",
    "message",
    "actions",
    "decision_trace.outcome.reason",
    "decision_trace.alternatives[].reason",
];
/// How many pairs may be tried to match lists without order.
const MOST_TRIALS: usize = 5_000;
const LONGEST_SHOWN: usize = 300;

/// How the values of one step are compared.
#[derive(Debug)]
pub(super) struct Comparer {
    strict: bool,
    ignored: PathSet,
    unordered: PathSet,
    all_unordered: bool,
}

impl Comparer {
    pub(super) fn new(step: &Step) -> Self {
        let ignored = step.ignore.iter().map(String::as_str);
        let ignored = ignored.chain(NEVER_COMPARED);
        let unordered = step.unordered.iter().map(String::as_str);
        let unordered = unordered.filter(|pattern| *pattern != "*");
        Self {
            strict: step.strict,
            ignored: PathSet::new(ignored),
            unordered: PathSet::new(unordered),
            all_unordered: step.unordered.iter().any(|pattern| pattern == "*"),
        }
    }

    /// Returns how an answer differs from the recorded one. Ids that fit are kept.
    pub(super) fn differences(
        &self,
        golden: &Value,
        actual: &Value,
        place: &[Part],
        ids: &mut Ids,
    ) -> Vec<String> {
        let mut found = Vec::new();
        self.compare(golden, actual, &mut place.to_vec(), ids, &mut found);
        found
    }

    fn compare(
        &self,
        golden: &Value,
        actual: &Value,
        place: &mut Vec<Part>,
        ids: &mut Ids,
        found: &mut Vec<String>,
    ) {
        if golden == "<ignored>" || self.ignored.contains(place) {
            return;
        }
        let mut differs = |expected: String| {
            let place = path::show(place);
            found.push(format!(
                "{place}: expected {expected}, got {}",
                brief(actual)
            ));
        };
        match (golden, actual) {
            (Value::String(golden), Value::Number(_)) if golden == "<num>" => {}
            (Value::String(golden), _) if golden == "<num>" => differs("a number".to_owned()),
            (Value::Object(golden), Value::Object(actual)) => {
                for (key, value) in golden {
                    place.push(Part::Key(key.clone()));
                    match actual.get(key) {
                        _ if value == "<ignored>" || self.ignored.contains(place) => {}
                        Some(actual) => self.compare(value, actual, place, ids, found),
                        None => {
                            let (place, value) = (path::show(place), brief(value));
                            found.push(format!("{place}: missing; expected {value}"));
                        }
                    }
                    place.pop();
                }
                if self.strict {
                    self.find_more_keys(golden, actual, place, found);
                }
            }
            (Value::Object(_), _) => differs("an object".to_owned()),
            (Value::Array(golden), Value::Array(actual)) => {
                if golden.len() != actual.len() {
                    differs(format!("{} elements", golden.len()));
                } else if self.all_unordered || self.unordered.contains(place) {
                    self.compare_unordered(golden, actual, place, ids, found);
                } else {
                    for ((golden, actual), index) in golden.iter().zip(actual).zip(0..) {
                        place.push(Part::Index(index));
                        self.compare(golden, actual, place, ids, found);
                        place.pop();
                    }
                }
            }
            (Value::Array(_), _) => differs("an array".to_owned()),
            (Value::String(golden), Value::String(actual)) if ids.matches(golden, actual) => {}
            (Value::String(golden), Value::String(_)) => {
                differs(brief(&Value::String(ids.render(golden))));
            }
            // 1 and 1.0 are one number.
            (Value::Number(one), Value::Number(other)) if one.as_f64() == other.as_f64() => {}
            _ if golden != actual => differs(brief(golden)),
            _ => {}
        }
    }

    fn find_more_keys(
        &self,
        golden: &serde_json::Map<String, Value>,
        actual: &serde_json::Map<String, Value>,
        place: &mut Vec<Part>,
        found: &mut Vec<String>,
    ) {
        for (key, value) in actual {
            place.push(Part::Key(key.clone()));
            if !golden.contains_key(key) && !self.ignored.contains(place) {
                let (place, value) = (path::show(place), brief(value));
                found.push(format!("{place}: unexpected key, value {value}"));
            }
            place.pop();
        }
    }

    fn compare_unordered(
        &self,
        golden: &[Value],
        actual: &[Value],
        place: &[Part],
        ids: &mut Ids,
        found: &mut Vec<String>,
    ) {
        let mut trials = MOST_TRIALS;
        let free: Vec<&Value> = actual.iter().collect();
        if let Some(placed) = self.pair_up(golden, &free, 0, place, ids, &mut trials) {
            *ids = placed;
            return;
        }
        found.push(format!(
            "{}: the elements do not match in any order",
            path::show(place)
        ));
        for (element, index) in golden.iter().zip(0..) {
            let fits = |actual| self.fits(element, actual, index, place, ids).is_some();
            if !actual.iter().any(fits) {
                found.push(format!("    no element like {}", brief(element)));
            }
        }
    }

    /// Finds an element of `free` for each of `golden`; returns the ids as they are then.
    fn pair_up(
        &self,
        golden: &[Value],
        free: &[&Value],
        index: i64,
        place: &[Part],
        ids: &Ids,
        trials: &mut usize,
    ) -> Option<Ids> {
        let Some((first, others)) = golden.split_first() else {
            return Some(ids.clone());
        };
        for (slot, actual) in free.iter().enumerate() {
            *trials = trials.checked_sub(1)?;
            let Some(ids) = self.fits(first, actual, index, place, ids) else {
                continue;
            };
            let mut rest = free.to_vec();
            rest.remove(slot);
            let paired = self.pair_up(others, &rest, index + 1, place, &ids, trials);
            if paired.is_some() {
                return paired;
            }
        }
        None
    }

    fn fits(
        &self,
        golden: &Value,
        actual: &Value,
        index: i64,
        place: &[Part],
        ids: &Ids,
    ) -> Option<Ids> {
        let mut place = place.to_vec();
        place.push(Part::Index(index));
        let mut ids = ids.clone();
        let found = self.differences(golden, actual, &place, &mut ids);
        found.is_empty().then_some(ids)
    }
}

/// The beginning of a value, for people.
pub(super) fn brief(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(LONGEST_SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compat::scenario;
    use serde_json::json;

    const A: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    const B: &str = "01BX5ZZKBKACTAV9WEVGEMMVRZ";

    /// Compares in one step with these directives.
    #[track_caller]
    fn differences(directives: &str, golden: &Value, actual: &Value) -> Vec<String> {
        let scenario = scenario::parse(&format!("$ x\n{directives}")).expect("a scenario");
        let comparer = Comparer::new(&scenario.steps[0]);
        comparer.differences(golden, actual, &[], &mut Ids::default())
    }

    #[test]
    fn more_keys_are_fine_unless_strict() {
        let (golden, actual) = (json!({"a": [{"b": 1}]}), json!({"a": [{"b": 1, "c": 2}]}));
        assert!(differences("", &golden, &actual).is_empty());
        assert_eq!(
            differences("strict", &golden, &actual),
            ["a[0].c: unexpected key, value 2"]
        );
        assert!(differences("strict\nignore c", &golden, &actual).is_empty());
    }

    #[test]
    fn whatever_is_lost_or_changed_is_found() {
        for (golden, actual, difference) in [
            (json!({"a": null}), json!({}), "a: missing; expected null"),
            (
                json!({"a": 0}),
                json!({"a": null}),
                "a: expected 0, got null",
            ),
            (
                json!({"a": 1}),
                json!({"a": "1"}),
                "a: expected 1, got \"1\"",
            ),
            (
                json!({"a": 1}),
                json!({"a": true}),
                "a: expected 1, got true",
            ),
            (
                json!({"a": 0}),
                json!({"a": false}),
                "a: expected 0, got false",
            ),
            (
                json!({"a": {}}),
                json!({"a": []}),
                "a: expected an object, got []",
            ),
            (
                json!({"a": []}),
                json!({"a": {}}),
                "a: expected an array, got {}",
            ),
            (
                json!([]),
                json!(["x"]),
                "(whole output): expected 0 elements, got [\"x\"]",
            ),
            (
                json!({"a": "<num>"}),
                json!({"a": "7"}),
                "a: expected a number, got \"7\"",
            ),
            (
                json!({"a": "<num>"}),
                json!({}),
                "a: missing; expected \"<num>\"",
            ),
            (
                json!({"a": "<ts>"}),
                json!({"a": 5}),
                "a: expected \"<ts>\", got 5",
            ),
        ] {
            assert_eq!(differences("", &golden, &actual), [difference]);
        }
        let same = json!({"a": "<num>", "b": 1, "c": "<ignored>"});
        assert!(differences("", &same, &json!({"a": 0.5, "b": 1.0})).is_empty());
    }

    #[test]
    fn wrong_order_differs_unless_the_step_allows_it() {
        let golden = json!({"a": [{"id": "<id:1>", "of": "<id:2>"}, {"id": "<id:2>", "of": null}]});
        let right = json!({"a": [{"id": A, "of": B}, {"id": B, "of": null}]});
        let turned = json!({"a": [{"id": B, "of": null}, {"id": A, "of": B}]});
        assert!(differences("", &golden, &right).is_empty());
        assert!(!differences("", &golden, &turned).is_empty());
        assert!(differences("unordered a", &golden, &turned).is_empty());
        assert!(differences("unordered *", &golden, &turned).is_empty());
        assert!(!differences("unordered b", &golden, &turned).is_empty());
        let twice = json!({"a": [{"id": A, "of": B}, {"id": A, "of": B}]});
        assert!(!differences("unordered a", &golden, &twice).is_empty());
    }

    #[test]
    fn a_swapped_id_differs() {
        let golden = json!({"one": "<id:1>", "two": "<id:2>", "again": "<id:1>"});
        let right = json!({"one": A, "two": B, "again": A});
        assert!(differences("", &golden, &right).is_empty());
        let swapped = json!({"one": A, "two": B, "again": B});
        let expected = format!("again: expected \"{A}\", got \"{B}\"");
        assert_eq!(differences("", &golden, &swapped), [expected]);
        let same = json!({"one": A, "two": A, "again": A});
        assert_eq!(differences("", &golden, &same).len(), 1);
    }

    #[test]
    fn only_what_is_named_is_ignored() {
        let golden = json!({"message": "old", "a": {"b": 1, "reason": "x"}});
        let actual = json!({"a": {"b": 2, "reason": "x"}});
        assert_eq!(differences("", &golden, &actual).len(), 1);
        assert!(differences("ignore a.b", &golden, &actual).is_empty());
        assert!(differences("ignore b", &golden, &actual).is_empty());
        assert_eq!(differences("ignore x.b", &golden, &actual).len(), 1);
        let other = json!({"a": {"b": 1, "reason": "y"}});
        assert_eq!(differences("", &golden, &other).len(), 1);
    }
}
