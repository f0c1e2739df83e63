//! Places in a JSON value: `a.b[0].c`, `a[-1]`, `a[].b` for every element, and sets of such paths.

use std::fmt::Write as _;

use serde_json::Value;

/// One step from a value into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Key(String),
    /// Negative counts from the end.
    Index(i64),
    /// Every element, only in a [`PathSet`].
    Each,
}

/// Reads a path.
pub(super) fn parse(path: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    for piece in path.split(['.', '[']) {
        match piece.strip_suffix(']') {
            Some("") => parts.push(Part::Each),
            Some(index) => parts.push(Part::Index(index.parse().expect("a number in brackets"))),
            None if piece.is_empty() => {}
            None => parts.push(Part::Key(piece.to_owned())),
        }
    }
    parts
}

/// Returns what stands at a path.
pub(super) fn find<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    parse(path)
        .iter()
        .try_fold(value, |value, part| match part {
            Part::Key(key) => value.as_object()?.get(key),
            Part::Index(index) => {
                let items = value.as_array()?;
                match usize::try_from(*index) {
                    Ok(index) => items.get(index),
                    Err(_) => {
                        let from_end = usize::try_from(index.unsigned_abs()).ok()?;
                        items.get(items.len().checked_sub(from_end)?)
                    }
                }
            }
            Part::Each => None,
        })
}

/// Writes a path for people.
pub(super) fn show(place: &[Part]) -> String {
    let mut text = String::new();
    for part in place {
        match part {
            Part::Key(key) if text.is_empty() => text.push_str(key),
            Part::Key(key) => drop(write!(text, ".{key}")),
            Part::Index(index) => drop(write!(text, "[{index}]")),
            Part::Each => text.push_str("[]"),
        }
    }
    if text.is_empty() {
        text.push_str("(whole output)");
    }
    text
}

/// Paths of one kind. A bare word stands for that key at any depth.
#[derive(Debug, Default)]
pub(super) struct PathSet {
    words: Vec<String>,
    paths: Vec<Vec<Part>>,
}

impl PathSet {
    pub(super) fn new<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Self {
        let mut set = Self::default();
        for pattern in patterns {
            if pattern
                .chars()
                .all(|letter| letter.is_alphanumeric() || letter == '_')
            {
                set.words.push(pattern.to_owned());
            } else {
                set.paths.push(parse(pattern));
            }
        }
        set
    }

    pub(super) fn contains(&self, place: &[Part]) -> bool {
        if let Some(Part::Key(key)) = place.last()
            && self.words.contains(key)
        {
            return true;
        }
        let stands_for = |(pattern, part): (&Part, &Part)| {
            pattern == part || (*pattern == Part::Each && matches!(part, Part::Index(_)))
        };
        self.paths
            .iter()
            .any(|path| path.len() == place.len() && path.iter().zip(place).all(stands_for))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_path_leads_into_a_value() {
        let value = json!({"a": [{"b": 1}, {"b": null}]});
        assert_eq!(find(&value, "a[0].b"), Some(&json!(1)));
        assert_eq!(find(&value, "a[-1].b"), Some(&json!(null)));
        for nowhere in ["a[2]", "a[-3]", "a.b", "a[].b", "c", "a[0].b.c"] {
            assert_eq!(find(&value, nowhere), None, "{nowhere}");
        }
    }

    #[test]
    fn a_bare_word_is_that_key_anywhere_and_a_path_is_one_place() {
        let set = PathSet::new(["id", "a[].b"]);
        for inside in ["id", "x.id", "x[3].id", "a[0].b", "a[7].b"] {
            assert!(set.contains(&parse(inside)), "{inside}");
        }
        for outside in ["a", "a.b", "x.a[0].b", "a[0].b.c", "ids"] {
            assert!(!set.contains(&parse(outside)), "{outside}");
        }
        assert_eq!(show(&parse("a[0].b")), "a[0].b");
    }
}
