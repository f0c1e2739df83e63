//! Numbers of things, in words.

use std::fmt::Display;

/// A number and its noun: "1 event", "2 events".
pub(crate) fn counted(number: impl Display, noun: &str) -> String {
    let number = number.to_string();
    let ending = if number == "1" { "" } else { "s" };
    format!("{number} {noun}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_no_plural() {
        assert_eq!(counted(1_u64, "event"), "1 event");
        assert_eq!(counted(0_u64, "event"), "0 events");
        assert_eq!(counted(21_usize, "task"), "21 tasks");
    }
}
