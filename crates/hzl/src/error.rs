//! The one error type at the edge of the program: what kind of failure, in which words, and what
//! to do about it.
//!
//! Library errors and refusals become a `CommandError` where a command meets them. Which exit code
//! and which JSON code a [`Kind`] has is known only to `exit`.

use std::error::Error;
use std::fmt;
use std::io;
use std::ops::Deref;
use std::ops::DerefMut;

use serde_json::Map;
use serde_json::Value;

/// What a failure means to the caller. Decides the exit code and the JSON code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Anything that has no kind of its own.
    General,
    /// The config file cannot be read, is not JSON, or holds a bad value.
    ConfigInvalid,
    /// The command line cannot be understood.
    Usage,
    /// A value is not acceptable, or the task is not in a state for this.
    Input,
    /// The task's status does not allow this transition.
    InvalidTransition,
    /// No such task, project or workflow.
    NotFound,
    /// The database cannot be opened, read or written.
    Database,
    /// Whether the write was committed could not be found out.
    CommitUnknown,
    /// What was checked breaks a rule.
    Validation,
    /// What was compared is not the same.
    VerifyFailed,
    /// The caller's claim on the task is no longer current.
    ClaimLost,
    /// The cloud cannot be reached and the command needed it.
    SyncUnavailable,
    /// The cloud refuses: token, permission, address or format.
    SyncRejected,
    /// The cloud database was rewound, replaced, or belongs to another ledger.
    CloudChanged,
    /// Two ledgers meet that were never one, and merging was not asked for.
    MergeRequired,
    /// What was waited for did not happen in time.
    WaitTimeout,
    /// Whoever read the output has gone. Not a failure.
    ReaderGone,
}

impl Kind {
    /// Every kind.
    pub(crate) const ALL: [Self; 17] = [
        Self::General,
        Self::ConfigInvalid,
        Self::Usage,
        Self::Input,
        Self::InvalidTransition,
        Self::NotFound,
        Self::Database,
        Self::CommitUnknown,
        Self::Validation,
        Self::VerifyFailed,
        Self::ClaimLost,
        Self::SyncUnavailable,
        Self::SyncRejected,
        Self::CloudChanged,
        Self::MergeRequired,
        Self::WaitTimeout,
        Self::ReaderGone,
    ];
}

/// A failed command. Small, because every `Result` carries it; see [`Report`] for what it says.
#[derive(Debug)]
pub(crate) struct CommandError(Box<Report>);

/// What there is to say about a failed command.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) kind: Kind,
    /// Lower case, no final period, names the offending value and the limit.
    pub(crate) message: String,
    /// Commands to run or things to do next.
    pub(crate) hints: Vec<String>,
    /// Facts for programs, by name.
    pub(crate) details: Map<String, Value>,
    pub(crate) source: Option<Box<dyn Error + Send + Sync>>,
    /// A help page, shown only to people.
    pub(crate) help: Option<String>,
    /// The command has printed its own report; only the exit code is left to give.
    pub(crate) shown: bool,
}

impl CommandError {
    /// Makes an error without hints, details or cause.
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self(Box::new(Report {
            kind,
            message: message.into(),
            hints: Vec::new(),
            details: Map::new(),
            source: None,
            help: None,
            shown: false,
        }))
    }

    /// Makes the error of a command whose own output already says what is wrong.
    pub(crate) fn already_shown(kind: Kind) -> Self {
        let mut error = Self::new(kind, "");
        error.shown = true;
        error
    }

    /// Adds a command to run or a thing to do next.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds a fact for programs.
    pub(crate) fn detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    /// Adds the cause.
    pub(crate) fn caused_by(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// Says that standard output or standard error could not be written.
    pub(crate) fn from_output(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::already_shown(Kind::ReaderGone);
        }
        Self::new(Kind::General, "cannot write the output")
            .hint("the command itself was carried out; only its output is missing")
            .caused_by(error)
    }
}

impl Deref for CommandError {
    type Target = Report;

    fn deref(&self) -> &Report {
        &self.0
    }
}

impl DerefMut for CommandError {
    fn deref_mut(&mut self) -> &mut Report {
        &mut self.0
    }
}

impl fmt::Display for CommandError {
    /// Writes the message followed by its causes, separated by colons.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        let mut cause = Error::source(self);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl Error for CommandError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_follow_the_message() {
        let error = CommandError::new(Kind::Database, "cannot open the database")
            .caused_by(io::Error::other("disk on fire"));
        assert_eq!(error.to_string(), "cannot open the database: disk on fire");
    }

    #[test]
    fn a_broken_pipe_is_not_reported() {
        let gone = CommandError::from_output(io::ErrorKind::BrokenPipe.into());
        assert_eq!(gone.kind, Kind::ReaderGone);
        assert!(gone.shown);
        let full = CommandError::from_output(io::ErrorKind::StorageFull.into());
        assert_eq!(full.kind, Kind::General);
        assert!(!full.shown);
    }
}
