//! A server's verdict on a statement. The codes are the server's, the kinds are ours.

/// A server's verdict on one statement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({code})")]
pub struct SqlError {
    /// The server's code, for instance `SQLITE_CONSTRAINT`. Servers differ; see [`SqlError::kind`].
    pub code: String,
    /// What the server said.
    pub message: String,
}

/// The kinds of [`SqlError`] that are handled differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqlErrorKind {
    /// A table is missing.
    NoSuchTable,
    /// A row breaks a constraint.
    Constraint,
    /// Somebody else is writing; later it may work.
    Busy,
    /// A value or a result exceeds a limit of the server.
    TooBig,
    /// The database takes no writes.
    ReadOnly,
    /// Anything else.
    Other,
}

impl SqlError {
    /// Sorts the error. Codes and texts as measured with sqld 0.24.32 and tursodb 0.6.0, which
    /// has one code for everything that fails in execution.
    #[must_use]
    pub fn kind(&self) -> SqlErrorKind {
        let code = self.code.as_str();
        let says = |text: &str| self.message.contains(text);
        if code.starts_with("SQLITE_CONSTRAINT") || says("constraint failed") {
            SqlErrorKind::Constraint
        } else if says("no such table") {
            SqlErrorKind::NoSuchTable
        } else if code.starts_with("SQLITE_BUSY")
            || code.starts_with("SQLITE_LOCKED")
            || code.starts_with("TRANSACTION_")
            || says("database is locked")
        {
            SqlErrorKind::Busy
        } else if matches!(code, "SQLITE_TOOBIG" | "RESPONSE_TOO_LARGE") || says("too big") {
            SqlErrorKind::TooBig
        } else if code.starts_with("SQLITE_READONLY") || says("readonly database") {
            SqlErrorKind::ReadOnly
        } else {
            SqlErrorKind::Other
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sql_errors_of_both_servers_are_sorted_alike() {
        for (code, message, kind) in [
            (
                "SQLITE_UNKNOWN",
                "SQLite error: no such table: x",
                SqlErrorKind::NoSuchTable,
            ),
            (
                "PREPARE_ERROR",
                "Parse error: no such table: x",
                SqlErrorKind::NoSuchTable,
            ),
            (
                "BATCH_STEP_ERROR",
                "Parse error: no such table: x",
                SqlErrorKind::NoSuchTable,
            ),
            (
                "SQLITE_CONSTRAINT",
                "SQLite error: CHECK constraint failed: a",
                SqlErrorKind::Constraint,
            ),
            (
                "EXECUTE_ERROR",
                "Runtime error: UNIQUE constraint failed: t.a (19)",
                SqlErrorKind::Constraint,
            ),
            (
                "SQLITE_BUSY",
                "SQLite error: database is locked",
                SqlErrorKind::Busy,
            ),
            (
                "TRANSACTION_TIMEOUT",
                "Transaction timed-out",
                SqlErrorKind::Busy,
            ),
            (
                "SQLITE_TOOBIG",
                "SQLite error: string or blob too big",
                SqlErrorKind::TooBig,
            ),
            (
                "RESPONSE_TOO_LARGE",
                "Response is too large",
                SqlErrorKind::TooBig,
            ),
            (
                "ARGS_INVALID",
                "Arguments do not match SQL parameters: string or blob too big",
                SqlErrorKind::TooBig,
            ),
            (
                "ARGS_INVALID",
                "too many parameters, expected 0 found 1",
                SqlErrorKind::Other,
            ),
            (
                "SQLITE_READONLY",
                "attempt to write a readonly database",
                SqlErrorKind::ReadOnly,
            ),
            ("SQL_PARSE_ERROR", "syntax error", SqlErrorKind::Other),
        ] {
            let error = SqlError {
                code: code.to_owned(),
                message: message.to_owned(),
            };
            assert_eq!(error.kind(), kind, "{error}");
        }
    }
}
