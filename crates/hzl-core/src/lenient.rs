//! Payload text that is not quite right: as much of it as makes sense.
//!
//! Wrong keys are left out one by one, so a required key is only lost if it is wrong itself. Half
//! characters, which JavaScript writes and Rust text cannot hold, become U+FFFD. Values nested too deeply
//! to be read are wrong; finding that out takes no stack.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

/// Decodes what can be decoded; `None` if a required key is missing or wrong.
pub(crate) fn decode<T: DeserializeOwned>(data: &str) -> Option<T> {
    if let Ok(value) = serde_json::from_str(data) {
        return Some(value);
    }
    let mended = mend_half_characters(data);
    let fields: BTreeMap<String, Box<RawValue>> = serde_json::from_str(&mended).ok()?;
    let sound = fields
        .into_iter()
        .map(|(key, value)| format!("{}:{value}", serde_json::Value::String(key)))
        .filter(|field| is_sound::<T>(field));
    let sound: Vec<String> = sound.collect();
    serde_json::from_str(&object(&sound.join(","))).ok()
}

/// Tells whether a key is right by itself: serde complains about wrong values while it reads, and about
/// missing keys only at the end.
fn is_sound<T: DeserializeOwned>(field: &str) -> bool {
    match serde_json::from_str::<T>(&object(field)) {
        Ok(_) => true,
        Err(error) => error.to_string().starts_with("missing field `"),
    }
}

fn object(fields: &str) -> String {
    format!("{{{fields}}}")
}

/// Replaces `\ud800` to `\udfff` where it is not one half of a pair.
fn mend_half_characters(data: &str) -> String {
    let mut mended = String::with_capacity(data.len());
    let mut rest = data;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        mended.push_str(before);
        let (kept, length) = match (half(escape), escape.get(6..).and_then(half)) {
            (Some(Half::High), Some(Half::Low)) => (escape.get(..12), 12),
            (Some(_), _) => (Some("\\ufffd"), 6),
            // The character after the backslash, so that an escaped backslash escapes nothing.
            (None, _) => {
                let next = escape.chars().nth(1).map_or(0, char::len_utf8);
                (escape.get(..1 + next), 1 + next)
            }
        };
        mended.push_str(kept.unwrap_or(""));
        rest = escape.get(length..).unwrap_or("");
    }
    mended + rest
}

enum Half {
    High,
    Low,
}

/// Reads the half character that the text starts with.
fn half(escape: &str) -> Option<Half> {
    let digits = escape.strip_prefix("\\u")?.get(..4)?;
    match u16::from_str_radix(digits, 16).ok()? {
        0xd800..=0xdbff => Some(Half::High),
        0xdc00..=0xdfff => Some(Half::Low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_characters_are_left_alone() {
        for text in [
            "",
            "plain ä",
            r#""\n\\ \u00e4 \ud83d\ude00""#,
            r"\\ud83d",
            r"\",
            r"\ä",
        ] {
            assert_eq!(mend_half_characters(text), text);
        }
        for (half, whole) in [
            (r"\ud83d", r"\ufffd"),
            (r"\ud83d\ud83d\ude00", r"\ufffd\ud83d\ude00"),
            (r"\uDE00\uD83D", r"\ufffd\ufffd"),
        ] {
            assert_eq!(mend_half_characters(half), whole);
        }
    }
}
