//! Exit codes and JSON error codes: one table, and no other place that knows them.

use std::process::ExitCode;

use schemars::JsonSchema;
use serde::Serialize;

use crate::error::Kind;

/// An error code, the exit code it comes with, and what it means.
#[derive(Clone, Copy, Debug, JsonSchema, Serialize)]
pub(crate) struct Row {
    pub(crate) exit: u8,
    pub(crate) code: &'static str,
    pub(crate) meaning: &'static str,
}

/// Returns the exit code of a failure of this kind.
pub(crate) fn exit_code(kind: Kind) -> ExitCode {
    ExitCode::from(row(kind).exit)
}

/// Returns the stable `error.code` of a failure of this kind.
pub(crate) fn error_code(kind: Kind) -> &'static str {
    row(kind).code
}

/// Returns the whole table, by exit code.
pub(crate) fn rows() -> Vec<Row> {
    let failures = Kind::ALL
        .into_iter()
        .filter(|kind| *kind != Kind::ReaderGone);
    let mut rows: Vec<Row> = failures.map(row).collect();
    rows.sort_by_key(|row| row.exit);
    rows
}

fn row(kind: Kind) -> Row {
    let (exit, code, meaning) = match kind {
        Kind::ReaderGone => (0, "reader_gone", "whoever read the output has gone"),
        Kind::General => (1, "general_error", "anything that has no code of its own"),
        Kind::ConfigInvalid => (
            1,
            "config_invalid",
            "the config file cannot be read, is not JSON, or holds a bad value",
        ),
        Kind::Usage => (2, "invalid_usage", "the command line cannot be understood"),
        Kind::Input => (
            3,
            "invalid_input",
            "a value is not acceptable, or the task is not in a state for this",
        ),
        Kind::InvalidTransition => (
            3,
            "task_invalid_status_transition",
            "the task's status does not allow this transition",
        ),
        Kind::NotFound => (4, "not_found", "there is no such task, project or workflow"),
        Kind::Database => (
            5,
            "database_error",
            "the database cannot be opened, read or written",
        ),
        Kind::CommitUnknown => (
            5,
            "commit_unknown",
            "whether the write was committed could not be found out",
        ),
        Kind::Validation => (
            6,
            "validation_error",
            "what was checked breaks a rule: `hzl torture` has found something",
        ),
        Kind::VerifyFailed => (
            6,
            "verify_failed",
            "projections, log, cloud or another machine are not what they should be; nothing was deleted",
        ),
        Kind::ClaimLost => (
            7,
            "claim_lost",
            "your claim on the task is no longer current: somebody else has it",
        ),
        Kind::SyncUnavailable => (
            8,
            "sync_unavailable",
            "the cloud cannot be reached and the command needed it; local data is kept",
        ),
        Kind::SyncRejected => (
            9,
            "sync_rejected",
            "the cloud refuses: token, permission, address or format; local data is kept",
        ),
        Kind::CloudChanged => (
            10,
            "cloud_changed",
            "the cloud database was rewound, replaced, or belongs to another ledger",
        ),
        Kind::MergeRequired => (
            10,
            "merge_required",
            "two ledgers meet that were never one: merging has to be asked for",
        ),
        Kind::WaitTimeout => (
            11,
            "wait_timeout",
            "what was waited for did not happen in time",
        ),
    };
    Row {
        exit,
        code,
        meaning,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_that_scripts_rely_on() {
        for (kind, expected) in [
            (Kind::General, (1, "general_error")),
            (Kind::Usage, (2, "invalid_usage")),
            (Kind::Input, (3, "invalid_input")),
            (Kind::NotFound, (4, "not_found")),
            (Kind::VerifyFailed, (6, "verify_failed")),
            (Kind::ClaimLost, (7, "claim_lost")),
            (Kind::SyncUnavailable, (8, "sync_unavailable")),
            (Kind::SyncRejected, (9, "sync_rejected")),
            (Kind::CloudChanged, (10, "cloud_changed")),
            (Kind::WaitTimeout, (11, "wait_timeout")),
        ] {
            assert_eq!((row(kind).exit, row(kind).code), expected);
        }
    }

    #[test]
    fn no_code_is_used_twice() {
        let mut codes: Vec<_> = rows().iter().map(|row| row.code).collect();
        let all = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), all);
        assert_eq!(all, Kind::ALL.len() - 1);
    }
}
