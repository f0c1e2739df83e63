//! JSON that was written by others, as it was written.

use serde_json::value::RawValue;

/// Returns the data of an event as it was written, without line breaks: valid JSON has them only
/// where any white space would do. What is not JSON is shown as a text.
pub(crate) fn one_line(data: &str) -> Box<RawValue> {
    let data = data.replace(['\n', '\r'], " ");
    serde_json::from_str(&data).unwrap_or_else(|_| {
        let text = serde_json::Value::String(data).to_string();
        RawValue::from_string(text).expect("a JSON text is JSON")
    })
}
