//! Exit codes and JSON error codes: one table, and no other place that knows them.

use std::process::ExitCode;

use crate::error::Kind;

/// Returns the exit code of a failure of this kind.
pub(crate) fn exit_code(kind: Kind) -> ExitCode {
    ExitCode::from(row(kind).0)
}

/// Returns the stable `error.code` of a failure of this kind.
pub(crate) fn error_code(kind: Kind) -> &'static str {
    row(kind).1
}

fn row(kind: Kind) -> (u8, &'static str) {
    match kind {
        Kind::ReaderGone => (0, "reader_gone"),
        Kind::General => (1, "general_error"),
        Kind::ConfigInvalid => (1, "config_invalid"),
        Kind::Usage => (2, "invalid_usage"),
        Kind::Input => (3, "invalid_input"),
        Kind::InvalidTransition => (3, "task_invalid_status_transition"),
        Kind::InvalidProgress => (3, "task_invalid_progress"),
        Kind::InvalidDueMonth => (3, "task_invalid_due_month"),
        Kind::NotFound => (4, "not_found"),
        Kind::Database => (5, "database_error"),
        Kind::CommitUnknown => (5, "commit_unknown"),
        Kind::Validation => (6, "validation_error"),
        Kind::ClaimLost => (7, "claim_lost"),
        Kind::SyncUnavailable => (8, "sync_unavailable"),
        Kind::SyncRejected => (9, "sync_rejected"),
        Kind::CloudChanged => (10, "cloud_changed"),
        Kind::MergeRequired => (10, "merge_required"),
        Kind::WaitTimeout => (11, "wait_timeout"),
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
            (Kind::ClaimLost, (7, "claim_lost")),
            (Kind::SyncUnavailable, (8, "sync_unavailable")),
            (Kind::SyncRejected, (9, "sync_rejected")),
            (Kind::CloudChanged, (10, "cloud_changed")),
            (Kind::WaitTimeout, (11, "wait_timeout")),
        ] {
            assert_eq!(row(kind), expected);
        }
    }
}
