//! What an answer says besides what its command says: the command succeeded, and something is to be known.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;

/// An entry of `warnings`.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(crate) struct Warning {
    /// A stable name.
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// A stable name of the cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cause: Option<&'static str>,
}

/// Adds warnings to an answer, behind those it has itself.
pub(super) fn add(warnings: &[Warning], answer: &mut Value) {
    let Value::Object(entries) = answer else {
        return;
    };
    if warnings.is_empty() {
        return;
    }
    let list = entries.entry("warnings").or_insert_with(|| json!([]));
    if let Value::Array(list) = list {
        list.extend(warnings.iter().map(|warning| json!(warning)));
    }
}
