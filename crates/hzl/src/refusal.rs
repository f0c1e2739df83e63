//! What the libraries refuse or fail at, in the words of the command line.
//!
//! Not for deciding anything: kinds come from the libraries, words for the way out are added here. A
//! hint is a command to run or a thing to do; none of them deletes data.

use hzl_core::rejection::Rejection;
use hzl_core::rejection::RejectionKind;
use hzl_core::task::Status;
use hzl_store::Error;
use hzl_store::ledger::ExecuteError;

use crate::error::CommandError;
use crate::error::Kind;

impl From<ExecuteError> for CommandError {
    fn from(error: ExecuteError) -> Self {
        match error {
            ExecuteError::Rejected(rejection) => rejection.into(),
            ExecuteError::Store(error) => not_written(error),
        }
    }
}

/// Says of a failed write that it left nothing behind, where that is known.
pub(crate) fn not_written(error: Error) -> CommandError {
    let unknown = matches!(error, Error::CommitUnknown { .. });
    let mut failure = CommandError::from(error);
    if !unknown {
        failure.message = format!("nothing was written: {}", failure.message);
    }
    failure
}

impl From<Error> for CommandError {
    fn from(error: Error) -> Self {
        let (kind, message) = match &error {
            Error::CommitUnknown { .. } => (Kind::CommitUnknown, error.to_string()),
            _ => (Kind::Database, error.to_string()),
        };
        let failure = with_hint(Self::new(kind, message), &error);
        match std::error::Error::source(&error) {
            // The chain goes on from the source: the message is the error itself.
            Some(_) => failure.caused_by(Cause(error)),
            None => failure,
        }
    }
}

fn with_hint(failure: CommandError, error: &Error) -> CommandError {
    match error {
        Error::Sqlite { .. } | Error::Io { .. } => failure.hint("hzl doctor"),
        Error::NewerFormat { .. } => failure.hint("update hzl on this machine"),
        Error::NotADatabase { path, .. } | Error::NotALog { path, .. } => failure
            .detail("path", path.to_string_lossy())
            .hint("name the right file with --db; this one was left alone")
            .hint("hzl which-db"),
        Error::Missing { path } => failure
            .detail("path", path.to_string_lossy())
            .hint("hzl init"),
        Error::Unsafe { path, .. } => failure
            .detail("path", path.to_string_lossy())
            .hint("name the file itself with --db"),
        Error::Busy { .. } => failure.hint("try again; another process is writing for very long"),
        Error::ReadOnly { path, .. } => failure
            .detail("path", path.to_string_lossy())
            .hint("make the file and its directory writable, or work elsewhere with --db"),
        Error::DiskFull { .. } => failure.hint("make room on the disk, then try again"),
        Error::Corrupt { path, .. } => failure
            .detail("path", path.to_string_lossy())
            .hint("copy the file to a safe place before anything else")
            .hint("hzl doctor"),
        Error::CommitUnknown { event_id, .. } => {
            let failure = match event_id {
                Some(event_id) => failure.detail("event_id", event_id.as_str()),
                None => failure,
            };
            failure.hint("look for the event in `hzl events` before trying again")
        }
        Error::Replica { path } => failure.detail("path", path.to_string_lossy()),
    }
}

/// An error whose own words have been said: only its causes are left.
#[derive(Debug)]
struct Cause(Error);

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match std::error::Error::source(&self.0) {
            Some(source) => write!(f, "{source}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Cause {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.0)?.source()
    }
}

impl From<Rejection> for CommandError {
    fn from(rejection: Rejection) -> Self {
        let kind = match rejection.kind() {
            RejectionKind::General => Kind::General,
            RejectionKind::Usage => Kind::Usage,
            RejectionKind::Input if matches!(rejection, Rejection::InvalidTransition { .. }) => {
                Kind::InvalidTransition
            }
            RejectionKind::Input => Kind::Input,
            RejectionKind::NotFound => Kind::NotFound,
            RejectionKind::ClaimLost => Kind::ClaimLost,
        };
        let mut failure = Self::new(kind, rejection.to_string());
        failure.hints = way_out(&rejection);
        match &rejection {
            Rejection::ClaimLost {
                task_id,
                claim,
                holder,
            } => failure
                .detail("task_id", task_id.as_str())
                .detail("claim", claim.as_str())
                .detail("holder", holder.clone()),
            Rejection::TooLong { field, limit, .. } | Rejection::TooMany { field, limit, .. } => {
                failure.detail("field", *field).detail("limit", *limit)
            }
            Rejection::Empty { field } => failure.detail("field", *field),
            Rejection::StatusRefused {
                task_id, status, ..
            }
            | Rejection::InvalidTransition {
                task_id, status, ..
            } => failure
                .detail("task_id", task_id.as_str())
                .detail("status", status.name()),
            _ => failure,
        }
    }
}

fn way_out(rejection: &Rejection) -> Vec<String> {
    match rejection {
        Rejection::TaskNotFound { .. } | Rejection::ParentNotFound { .. } => {
            vec!["hzl task list".to_owned()]
        }
        Rejection::ProjectNotFound { .. } => vec!["hzl project list".to_owned()],
        Rejection::UnknownProject { name } => vec![
            format!("hzl project create {name}"),
            "hzl project list".to_owned(),
        ],
        Rejection::ProjectExists { name } => vec![format!("hzl project show {name}")],
        Rejection::TooLong { field: "title", .. } => {
            vec!["shorten it or move detail to --description".to_owned()]
        }
        Rejection::StatusRefused {
            action: "route",
            task_id,
            ..
        } => vec![
            format!("hzl task show {task_id}"),
            format!("hzl task steal {task_id} --if-expired"),
        ],
        Rejection::StatusRefused {
            action,
            task_id,
            status,
            ..
        } => first_steps(action, task_id.as_str(), *status),
        Rejection::InvalidTransition {
            task_id,
            status: Status::Archived,
            ..
        } => vec![
            format!("hzl task unarchive {task_id}"),
            format!("hzl task show {task_id}"),
        ],
        Rejection::InvalidTransition { task_id, .. } => vec![format!("hzl task show {task_id}")],
        Rejection::NotClaimable { task_id, .. } => vec![
            format!("hzl task show {task_id}"),
            "hzl task list --available".to_owned(),
        ],
        Rejection::ClaimLost { task_id, .. } => vec![format!("hzl task show {task_id}")],
        Rejection::ProjectNotEmpty { name, .. } => vec![
            format!("hzl project delete {name} --move-to inbox"),
            format!("hzl project delete {name} --archive-tasks"),
        ],
        Rejection::StealUnjustified { task_id } => vec![
            format!("hzl task steal {task_id} --if-expired"),
            format!("hzl task show {task_id}"),
        ],
        Rejection::StealNeedsAgent { .. } => vec!["name who takes it with --agent".to_owned()],
        Rejection::LeaseNotExpired { task_id, .. } => vec![format!("hzl task show {task_id}")],
        Rejection::NoLease { task_id, .. } => vec![
            format!("hzl task show {task_id}"),
            "take it with --force once you know that its agent has gone".to_owned(),
        ],
        Rejection::UndoStale { task_id, .. } | Rejection::UndoDeleted { task_id } => {
            vec![format!("hzl task history {task_id}")]
        }
        Rejection::UndoStaleProject { name } => vec![format!("hzl project show {name}")],
        Rejection::NothingToUndo | Rejection::NothingLeftToUndo => {
            vec!["hzl events --limit 20".to_owned()]
        }
        Rejection::DependencyCycle { task_id, .. } => vec![
            format!("hzl task show {task_id}"),
            "hzl dep list".to_owned(),
        ],
        Rejection::ParentIsSubtask { task_id }
        | Rejection::ParentArchived { task_id }
        | Rejection::HasSubtasks { task_id }
        | Rejection::ActiveSubtasks { task_id, .. } => vec![format!("hzl task show {task_id}")],
        _ => vec![],
    }
}

/// Returns the commands that bring a task into a status in which the action is allowed.
fn first_steps(action: &str, task_id: &str, status: Status) -> Vec<String> {
    let start = format!("hzl task start {task_id}");
    let ready = format!("hzl task set-status {task_id} ready");
    let then = format!("hzl task {action} {task_id}");
    match status {
        Status::Backlog | Status::Done => vec![ready, start, then],
        Status::Ready => vec![start, then],
        Status::InProgress | Status::Blocked | Status::Archived => {
            vec![format!("hzl task show {task_id}")]
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_failed_write_says_that_nothing_was_written_and_why() {
        let full = Error::DiskFull {
            context: "append to the event log",
            source: io::Error::other("no space left").into(),
        };
        let failure = CommandError::from(ExecuteError::Store(full));
        assert_eq!(failure.kind, Kind::Database);
        assert_eq!(
            failure.to_string(),
            "nothing was written: cannot append to the event log: the disk is full: no space left"
        );
    }

    #[test]
    fn completing_a_task_too_early_is_answered_with_the_steps_before() {
        let failure = CommandError::from(Rejection::StatusRefused {
            action: "complete",
            task_id: "01X".into(),
            status: Status::Backlog,
            expected: "in_progress or blocked",
        });
        assert_eq!(failure.kind, Kind::Input);
        assert_eq!(
            failure.hints,
            [
                "hzl task set-status 01X ready",
                "hzl task start 01X",
                "hzl task complete 01X"
            ]
        );
    }
}
