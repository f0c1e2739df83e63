//! Makes an input that fails smaller, as long as it fails.

use std::time::Duration;
use std::time::Instant;

/// How long is looked for a smaller one.
const PATIENCE: Duration = Duration::from_secs(20);

/// Returns the smallest input found for which `failure` says something, and what it said last. First
/// whole lines are left out, then characters, in pieces that become smaller.
pub(super) fn smallest(
    input: &[u8],
    mut failure: impl FnMut(&[u8]) -> Option<String>,
) -> (Vec<u8>, Option<String>) {
    let deadline = Instant::now() + PATIENCE;
    let mut said = None;
    let mut parts: Vec<Vec<u8>> = input
        .split_inclusive(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    for _ in 0..2 {
        leave_out(&mut parts, deadline, &mut |candidate| {
            let why = failure(candidate);
            let fails = why.is_some();
            said = why.or(said.take());
            fails
        });
        parts = parts.concat().chunks(1).map(<[u8]>::to_vec).collect();
    }
    (parts.concat(), said)
}

fn leave_out(parts: &mut Vec<Vec<u8>>, deadline: Instant, fails: &mut impl FnMut(&[u8]) -> bool) {
    let mut size = parts.len();
    while size > 0 {
        let mut at = 0;
        while at < parts.len() {
            if Instant::now() > deadline {
                return;
            }
            let end = (at + size).min(parts.len());
            let rest = [&parts[..at], &parts[end..]].concat();
            if fails(&rest.concat()) {
                *parts = rest;
            } else {
                at = end;
            }
        }
        size /= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_matter_is_left_out() {
        let text = "one\ntwo needle three\nfour hay five\n".repeat(50);
        let (small, said) = smallest(text.as_bytes(), |candidate| {
            let text = String::from_utf8_lossy(candidate);
            (text.contains("needle") && text.contains("hay")).then(|| "both".to_owned())
        });
        assert_eq!(small.len(), "needle".len() + "hay".len());
        assert_eq!(said.as_deref(), Some("both"));
    }
}
