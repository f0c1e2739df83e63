//! The two forms of a failure. The JSON form is a contract with scripts.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;

use super::escape;
use crate::error::CommandError;
use crate::exit;
use crate::secret::Redactor;

const SCHEMA_VERSION: &str = "v2";

/// Details that have a line of their own in the form for people, in this order.
const SHOWN_DETAILS: [(&str, &str); 4] = [
    ("reason", "Reason"),
    ("preferred_syntax", "Preferred"),
    ("did_you_mean", "Did you mean"),
    ("examples", "Examples"),
];

/// The line printed for a failure in JSON format.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Failure {
    schema_version: &'static str,
    ok: bool,
    error: Body,
}

#[derive(Debug, JsonSchema, Serialize)]
struct Body {
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Map::is_empty")]
    details: Map<String, Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    suggestions: Vec<String>,
}

/// Returns the line printed in JSON format.
pub(crate) fn json(error: &CommandError, redactor: &Redactor) -> Failure {
    let details = error.details.iter();
    Failure {
        schema_version: SCHEMA_VERSION,
        ok: false,
        error: Body {
            code: exit::error_code(error.kind),
            message: redactor.mask(&error.to_string()),
            details: details
                .map(|(name, value)| (name.clone(), masked(value, redactor)))
                .collect(),
            suggestions: error.hints.iter().map(|hint| redactor.mask(hint)).collect(),
        },
    }
}

/// Returns the text printed for people, ending with a line break.
pub(crate) fn md(error: &CommandError, redactor: &Redactor, color: bool) -> String {
    let clean = |text: &str| escape::inline(&redactor.mask(text));
    let (red, yellow, plain) = if color {
        ("\u{1b}[1;31m", "\u{1b}[33m", "\u{1b}[0m")
    } else {
        ("", "", "")
    };
    let message = clean(&error.to_string());
    let mut text = format!("{red}Error:{plain} {message}\n");
    if let Some(help) = &error.help {
        return format!("{text}\n{help}");
    }
    let mut line = |name: &str, value: &str| {
        text.push_str(&format!("{yellow}{name}:{plain} {}\n", clean(value)));
    };
    for (key, name) in SHOWN_DETAILS {
        match error.details.get(key) {
            Some(Value::String(value)) if clean(value) != message => line(name, value),
            Some(Value::Array(values)) => {
                for value in values.iter().filter_map(Value::as_str) {
                    line(name, value);
                }
            }
            _ => {}
        }
    }
    for hint in &error.hints {
        line("Hint", hint);
    }
    text
}

fn masked(value: &Value, redactor: &Redactor) -> Value {
    match value {
        Value::String(text) => Value::String(redactor.mask(text)),
        Value::Array(items) => items.iter().map(|item| masked(item, redactor)).collect(),
        Value::Object(object) => {
            let entries = object.iter();
            entries
                .map(|(name, value)| (name.clone(), masked(value, redactor)))
                .collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn people_see_the_details_of_a_usage_error() {
        let error = CommandError::new(Kind::Usage, "unknown command `task lst`")
            .detail("received", "hzl task lst")
            .detail("reason", "no such command")
            .detail("did_you_mean", vec!["list"])
            .detail("examples", vec!["hzl task list", "hzl task list -P web"]);
        let expected = "Error: unknown command `task lst`\n\
                        Reason: no such command\n\
                        Did you mean: list\n\
                        Examples: hzl task list\n\
                        Examples: hzl task list -P web\n";
        assert_eq!(md(&error, &Redactor::default(), false), expected);
    }

    #[test]
    fn a_message_cannot_play_with_the_terminal() {
        let error = CommandError::new(Kind::Input, "title `\u{1b}[31m` is bad");
        let text = md(&error, &Redactor::default(), false);
        assert_eq!(text, "Error: title `\\u{1b}[31m` is bad\n");
    }

    #[test]
    fn colours_are_only_ours() {
        let text = md(
            &CommandError::new(Kind::General, "x"),
            &Redactor::default(),
            true,
        );
        assert_eq!(text, "\u{1b}[1;31mError:\u{1b}[0m x\n");
    }
}
