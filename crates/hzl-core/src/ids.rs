//! Identifiers as types, so that a task cannot be passed where an event is meant.
//!
//! New task, event and device ids are ULIDs, but any text that is in a log is accepted: older
//! programs wrote UUIDs and worse, and a log is never refused for it.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! text_id {
    ($(#[doc = $doc:literal])+ $name:ident) => {
        $(#[doc = $doc])+
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps text as it stands.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// Returns the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Returns the text, owned.
            pub fn into_string(self) -> String {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }
    };
}

text_id!(
    /// A task: the ULID it was created under.
    TaskId
);
text_id!(
    /// An event: a ULID whose time part is the event's timestamp, so that ids of one device ascend.
    EventId
);
text_id!(
    /// A writer incarnation: one data directory on one disk. A copied disk gets a new one.
    DeviceId
);
text_id!(
    /// A project as people name it. The name is not the identity: see [`crate::project`].
    ProjectName
);
text_id!(
    /// What a project is, whatever it is called: survives renames.
    ProjectIdentity
);

impl ProjectName {
    /// The project that always exists.
    pub fn inbox() -> Self {
        Self::from("inbox")
    }

    /// Tells whether the name may be given to a new project: a letter or digit, then letters, digits,
    /// `-` and `_`, ASCII only, at most [`crate::limits::PROJECT_NAME_CHARS`] characters.
    pub fn is_valid(&self) -> bool {
        let mut chars = self.0.chars();
        chars
            .next()
            .is_some_and(|first| first.is_ascii_alphanumeric())
            && chars.all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
            && self.0.len() <= crate::limits::PROJECT_NAME_CHARS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn project_names_are_plain_ascii_words() {
        for good in ["inbox", "Gamma_3-x", "9lives", "a"] {
            assert!(ProjectName::from(good).is_valid(), "{good}");
        }
        for bad in [
            "",
            "-dash",
            "_x",
            "has space",
            "dot.ted",
            "näh",
            &"x".repeat(256),
        ] {
            assert!(!ProjectName::from(bad).is_valid(), "{bad}");
        }
    }
}
