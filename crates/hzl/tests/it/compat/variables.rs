//! What scenarios may refer to: captured values, the home, and times relative to now.

use std::collections::BTreeMap;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use hzl_core::time::Timestamp;

/// Names and what they stand for.
#[derive(Debug, Default)]
pub(super) struct Variables(BTreeMap<String, String>);

impl Variables {
    pub(super) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.0.insert(name.to_owned(), value.into());
    }

    pub(super) fn get(&self, name: &str) -> Result<&str, String> {
        let value = self.0.get(name).map(String::as_str);
        value.ok_or_else(|| format!("${{{name}}} was never captured (an earlier step failed)"))
    }

    /// Replaces every `${...}` in a text.
    pub(super) fn fill(&self, text: &str) -> Result<String, String> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((name, after)) = after.split_once('}') else {
                break;
            };
            filled.push_str(before);
            filled.push_str(&self.expand(name)?);
            rest = after;
        }
        filled.push_str(rest);
        Ok(filled)
    }

    fn expand(&self, body: &str) -> Result<String, String> {
        if let Some(names) = body.strip_prefix("lcp:") {
            let values: Result<Vec<_>, _> = names.split(',').map(|n| self.get(n.trim())).collect();
            let common = values?.into_iter().reduce(common_prefix);
            return Ok(common.unwrap_or_default().to_owned());
        }
        if let Some(offset) = body.strip_prefix("time:") {
            return Ok(time_at(offset)?.to_string());
        }
        match body.split_once(':') {
            None => Ok(self.get(body)?.to_owned()),
            Some((name, length)) => {
                let length = length
                    .parse()
                    .map_err(|_| format!("bad length in {body}"))?;
                Ok(self.get(name)?.chars().take(length).collect())
            }
        }
    }
}

fn common_prefix<'a>(one: &'a str, other: &str) -> &'a str {
    let same = one.char_indices().zip(other.chars());
    let end = same
        .take_while(|((_, a), b)| a == b)
        .last()
        .map_or(0, |((at, letter), _)| at + letter.len_utf8());
    &one[..end]
}

/// The time now.
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock is set");
    Timestamp::from_millis(i64::try_from(since.as_millis()).expect("the clock is sane"))
}

/// The time at an offset from now, like `-90m` or `+2d`.
pub(super) fn time_at(offset: &str) -> Result<Timestamp, String> {
    Ok(now().plus_millis(offset_millis(offset)?))
}

fn offset_millis(text: &str) -> Result<i64, String> {
    let bad = || format!("bad time offset {text} (like -90m, +2d)");
    let (sign, rest) = match text.as_bytes().first() {
        Some(b'+') => (1, &text[1..]),
        Some(b'-') => (-1, &text[1..]),
        _ => return Err(bad()),
    };
    let (count, unit) = rest
        .split_at_checked(rest.len().wrapping_sub(1))
        .ok_or_else(bad)?;
    let unit = match unit {
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(bad()),
    };
    let count: u32 = count.parse().map_err(|_| bad())?;
    Ok(sign * i64::from(count) * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_replaced() {
        let mut variables = Variables::default();
        variables.set("a", "01ABCX");
        variables.set("b", "01ABDX");
        let fill = |text: &str| variables.fill(text);
        assert_eq!(
            fill("<${a}> ${a:3} ${lcp:a, b}").as_deref(),
            Ok("<01ABCX> 01A 01AB")
        );
        assert_eq!(fill("no $a {a} ${a").as_deref(), Ok("no $a {a} ${a"));
        let missing = fill("${c}").expect_err("c is not known");
        assert!(missing.starts_with("${c} was never captured"), "{missing}");
        let text = fill("${time:-3d}").expect("a time");
        let time = Timestamp::parse(&text).expect("a time");
        assert!(now().plus_millis(-3 * 86_400_000).millis() - time.millis() < 5_000);
        assert_eq!((text.len(), &text[23..]), (24, "Z"));
    }

    #[test]
    fn offsets_have_a_sign_and_a_unit() {
        assert_eq!(offset_millis("+30m"), Ok(1_800_000));
        assert_eq!(offset_millis("-1d"), Ok(-86_400_000));
        for bad in ["", "+", "30m", "+30", "+m", "+3w", "-é"] {
            assert!(offset_millis(bad).is_err(), "{bad}");
        }
    }
}
