//! JSON of strangers into memory, no more of it than is wanted: two bytes can become a hundred.

use serde::de::DeserializeOwned;
use serde::de::Error as _;

/// More values than any reply that we ask for holds: a page has at most 1,000 rows of 16.
const MOST_VALUES: usize = 200_000;

/// Reads JSON that holds no more values than a reply of ours may.
pub(crate) fn from_slice<T: DeserializeOwned>(json: &[u8]) -> serde_json::Result<T> {
    if values(json) > MOST_VALUES {
        let reason = format!("more than {MOST_VALUES} values");
        return Err(serde_json::Error::custom(reason));
    }
    serde_json::from_slice(json)
}

/// About how many values there are: what begins or separates them, outside of texts.
fn values(json: &[u8]) -> usize {
    let (mut count, mut in_text, mut is_escaped) = (0, false, false);
    for byte in json {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => in_text = !in_text,
            b',' | b'[' | b'{' if !in_text => count += 1,
            _ => {}
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_and_texts_are_not_looked_into() {
        for (json, count) in [
            ("1", 0),
            ("[1,2]", 2),
            (r#"{"a":[1,{"b":","}]}"#, 4),
            (r#"["[,\",{","x"]"#, 2),
        ] {
            assert_eq!(values(json.as_bytes()), count, "{json}");
        }
        let many = format!("[{}0]", "0,".repeat(MOST_VALUES));
        let error = from_slice::<Vec<u8>>(many.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "more than 200000 values");
        let text = format!("[\"{}\"]", "0,".repeat(MOST_VALUES));
        assert!(from_slice::<Vec<String>>(text.as_bytes()).is_ok());
    }
}
