//! `--fields`: the part of an answer that the caller wants to read.
//!
//! A name keeps every key of that name, wherever it stands, with all of its value and what encloses it;
//! `task.title` only a `title` directly inside a `task`. Lists are looked through.

use serde_json::Map;
use serde_json::Value;

/// The names to keep, each as the words between its dots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fields(Vec<Vec<String>>);

impl Fields {
    /// Reads names separated by commas; `None` if there is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let names = text.split(',').map(str::trim);
        let names = names.filter(|name| !name.is_empty());
        let names: Vec<Vec<String>> = names
            .map(|name| name.split('.').map(str::to_owned).collect())
            .collect();
        (!names.is_empty()).then_some(Self(names))
    }

    /// Returns the first word of each name.
    pub(crate) fn first_words(&self) -> impl Iterator<Item = &str> {
        let names = self.0.iter();
        names.filter_map(|name| name.first().map(String::as_str))
    }

    /// Returns what is left of an answer. If that is nothing, its empty lists: so an empty result is
    /// still seen to be one.
    pub(crate) fn select(&self, answer: Value) -> Value {
        let empty = empty_lists(&answer);
        self.part(answer, &mut vec![])
            .unwrap_or(Value::Object(empty))
    }

    fn part(&self, value: Value, path: &mut Vec<String>) -> Option<Value> {
        match value {
            Value::Object(entries) => {
                let mut kept = Map::new();
                for (key, value) in entries {
                    path.push(key);
                    let part = if self.names(path) {
                        Some(value)
                    } else {
                        self.part(value, path)
                    };
                    let key = path.pop().unwrap_or_default();
                    if let Some(part) = part {
                        kept.insert(key, part);
                    }
                }
                (!kept.is_empty()).then_some(Value::Object(kept))
            }
            Value::Array(items) => {
                let items = items.into_iter();
                let kept: Vec<Value> = items.filter_map(|item| self.part(item, path)).collect();
                (!kept.is_empty()).then_some(Value::Array(kept))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        }
    }

    fn names(&self, path: &[String]) -> bool {
        self.0.iter().any(|name| path.ends_with(name))
    }
}

fn empty_lists(answer: &Value) -> Map<String, Value> {
    let entries = answer.as_object().into_iter().flatten();
    let empty = entries.filter(|(_, value)| value.as_array().is_some_and(Vec::is_empty));
    empty
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn select(names: &str, answer: Value) -> Value {
        Fields::parse(names).unwrap().select(answer)
    }

    #[test]
    fn names_are_kept_wherever_they_stand() {
        let list =
            json!({"tasks": [{"id": 1, "title": "a", "tags": ["x"]}, {"id": 2}], "total": 2});
        assert_eq!(
            select("id", list.clone()),
            json!({"tasks": [{"id": 1}, {"id": 2}]})
        );
        assert_eq!(
            select("tags, total", list.clone()),
            json!({"tasks": [{"tags": ["x"]}], "total": 2})
        );
        assert_eq!(
            select("tasks", list.clone()),
            json!({"tasks": list["tasks"]})
        );
    }

    #[test]
    fn a_dot_says_where() {
        let shown =
            json!({"task": {"title": "a", "status": "ready"}, "subtasks": [{"title": "b"}]});
        assert_eq!(
            select("task.title", shown.clone()),
            json!({"task": {"title": "a"}})
        );
        assert_eq!(
            select("subtasks.title", shown.clone()),
            json!({"subtasks": [{"title": "b"}]})
        );
        assert_eq!(select("no.title", shown), json!({}));
    }

    #[test]
    fn an_empty_list_is_still_seen() {
        let list = json!({"tasks": [], "total": 0});
        assert_eq!(select("id", list.clone()), json!({"tasks": []}));
        assert_eq!(select("total", list), json!({"total": 0}));
        assert_eq!(Fields::parse(" , "), None);
    }
}
