//! Text that must not be shown: tokens.
//!
//! Invariant: neither `Debug` nor `Display` reveals it; the one way out is [`Secret::expose`], which
//! is easy to search for.

use std::fmt;

/// What stands in place of a secret.
const REDACTED: &str = "<redacted>";

/// A token. Prints as `<redacted>`.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps a token.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the token itself, for the place that sends or stores it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Replaces every occurrence of the token in `text`, for texts that others wrote.
    #[must_use]
    pub fn mask(&self, text: &str) -> String {
        if self.0.is_empty() {
            return text.to_owned();
        }
        text.replace(&self.0, REDACTED)
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_prints_redacted() {
        let secret = Secret::new("s3cr3t");
        assert_eq!(
            format!("{secret} {secret:?} {:#?}", Some(&secret))
                .matches("s3cr3t")
                .count(),
            0
        );
        assert_eq!(secret.expose(), "s3cr3t");
    }

    #[test]
    fn masking_replaces_every_occurrence() {
        let secret = Secret::new("s3cr3t");
        assert_eq!(secret.mask("a s3cr3t,s3cr3t!"), "a <redacted>,<redacted>!");
        assert_eq!(secret.mask("harmless"), "harmless");
        assert_eq!(Secret::new("").mask("harmless"), "harmless");
    }
}
