//! Every refusal: the rules said no, and nothing was written.

use crate::availability::Ineligible;
use crate::ids::{EventId, ProjectName, TaskId};
use crate::task::Status;

/// What sort of no it is; the binary maps this to an exit code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RejectionKind {
    /// A rule without a sort of its own.
    General,
    /// The command line makes no sense.
    Usage,
    /// A value or a status is wrong.
    Input,
    /// Something named does not exist.
    NotFound,
    /// The caller no longer holds the task.
    ClaimLost,
}

/// A refusal.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum Rejection {
    /// No such task.
    #[error("task not found: {task_id}")]
    TaskNotFound {
        /// As named.
        task_id: TaskId,
    },
    /// No such project, where it is the subject.
    #[error("project not found: {name}")]
    ProjectNotFound {
        /// As named.
        name: ProjectName,
    },
    /// No such project, where something is to be put into it.
    #[error("project does not exist: {name}")]
    UnknownProject {
        /// As named.
        name: ProjectName,
    },
    /// The name is taken.
    #[error("project already exists: {name}")]
    ProjectExists {
        /// The name.
        name: ProjectName,
    },
    /// The name breaks the rules.
    #[error(
        "invalid project name `{name}`: a letter or digit, then letters, digits, `-` and `_`, at most 255"
    )]
    InvalidProjectName {
        /// The name.
        name: ProjectName,
    },
    /// Protected projects keep their name.
    #[error("project {name} is protected and cannot be renamed")]
    ProtectedRename {
        /// The name.
        name: ProjectName,
    },
    /// Protected projects stay.
    #[error("project {name} is protected and cannot be deleted")]
    ProtectedDelete {
        /// The name.
        name: ProjectName,
    },
    /// What should happen to the tasks was not said.
    #[error("project {name} holds {task_count} tasks: say what happens to them")]
    ProjectNotEmpty {
        /// The name.
        name: ProjectName,
        /// How many, archived ones included.
        task_count: usize,
    },
    /// Tasks cannot be moved into the project that is deleted.
    #[error("tasks cannot be moved into the project that is deleted: {name}")]
    MoveIntoDeleted {
        /// The name.
        name: ProjectName,
    },
    /// A text is too long.
    #[error("{field} is {actual} characters, the limit is {limit}")]
    TooLong {
        /// Which.
        field: &'static str,
        /// Its length.
        actual: usize,
        /// The longest allowed.
        limit: usize,
    },
    /// A list has too many items.
    #[error("{field} has {actual} items, the limit is {limit}")]
    TooMany {
        /// Which.
        field: &'static str,
        /// Its length.
        actual: usize,
        /// The longest allowed.
        limit: usize,
    },
    /// A text is empty.
    #[error("{field} is empty")]
    Empty {
        /// Which.
        field: &'static str,
    },
    /// A number is out of its range.
    #[error("{field} is {actual}, it must be between {min} and {max}")]
    OutOfRange {
        /// Which.
        field: &'static str,
        /// As given.
        actual: i64,
        /// Smallest allowed.
        min: i64,
        /// Largest allowed.
        max: i64,
    },
    /// A JSON value is nested too deeply.
    #[error("{field} is nested deeper than {limit} levels")]
    TooDeep {
        /// Which.
        field: &'static str,
        /// Deepest allowed.
        limit: usize,
    },
    /// All of it together is more than one event may hold.
    #[error("all of it together is {actual} bytes, the limit is {limit}")]
    TooLarge {
        /// Bytes of the event.
        actual: usize,
        /// The largest allowed.
        limit: usize,
    },
    /// Not a date.
    #[error("{field} is not an ISO 8601 date or date-time: `{actual}`")]
    InvalidTime {
        /// Which.
        field: &'static str,
        /// As given.
        actual: String,
    },
    /// The status does not allow it.
    #[error("cannot {action} task {task_id}: it is {status}, not {expected}")]
    StatusRefused {
        /// The verb.
        action: &'static str,
        /// The task.
        task_id: TaskId,
        /// What it is.
        status: Status,
        /// What it would have to be.
        expected: &'static str,
    },
    /// The transition does not exist.
    #[error("cannot {action} task {task_id}: it is {status}, not {expected}")]
    InvalidTransition {
        /// The verb.
        action: &'static str,
        /// The task.
        task_id: TaskId,
        /// What it is.
        status: Status,
        /// What it would have to be.
        expected: &'static str,
    },
    /// New tasks cannot be archived.
    #[error("a task cannot be created as archived")]
    CreatedArchived,
    /// A claim was refused.
    #[error("task {task_id} cannot be claimed: {reason}")]
    NotClaimable {
        /// The task.
        task_id: TaskId,
        /// Why.
        reason: Ineligible,
        /// The tasks it waits for.
        blockers: Vec<TaskId>,
    },
    /// Waiting for one another.
    #[error("task {task_id} cannot depend on {depends_on}: that task already waits for it")]
    DependencyCycle {
        /// The task that would wait.
        task_id: TaskId,
        /// The task it would wait for.
        depends_on: TaskId,
    },
    /// No such parent.
    #[error("parent task not found: {task_id}")]
    ParentNotFound {
        /// As named.
        task_id: TaskId,
    },
    /// Nothing is added to what was put away.
    #[error("parent task {task_id} is archived")]
    ParentArchived {
        /// The parent.
        task_id: TaskId,
    },
    /// One level of subtasks.
    #[error("parent task {task_id} is a subtask itself: only one level of subtasks is allowed")]
    ParentIsSubtask {
        /// The parent.
        task_id: TaskId,
    },
    /// One level of subtasks.
    #[error("task {task_id} has subtasks and cannot become a subtask itself")]
    HasSubtasks {
        /// The task.
        task_id: TaskId,
    },
    /// Nobody is their own parent.
    #[error("task {task_id} cannot be its own parent")]
    OwnParent {
        /// The task.
        task_id: TaskId,
    },
    /// Subtasks are in the way of archiving.
    #[error("task {task_id} has {count} active subtasks")]
    ActiveSubtasks {
        /// The task.
        task_id: TaskId,
        /// How many.
        count: usize,
    },
    /// A take-over needs a reason.
    #[error("taking over task {task_id} needs force, or that its lease has expired")]
    StealUnjustified {
        /// The task.
        task_id: TaskId,
    },
    /// The holder still has time.
    #[error("task {task_id} is held by {agent} and its lease has not expired")]
    LeaseNotExpired {
        /// The task.
        task_id: TaskId,
        /// The holder.
        agent: String,
    },
    /// A lease-less claim never expires.
    #[error("task {task_id} is held by {agent} without a lease, so it cannot expire")]
    NoLease {
        /// The task.
        task_id: TaskId,
        /// The holder.
        agent: String,
    },
    /// Somebody has to hold it afterwards.
    #[error("taking over task {task_id} needs the name of the new holder")]
    StealNeedsAgent {
        /// The task.
        task_id: TaskId,
    },
    /// The caller has done nothing here yet.
    #[error("there is no command to undo")]
    NothingToUndo,
    /// Nothing that it changed can be, or has to be, changed back.
    #[error("the command changed nothing that could be undone: comments and checkpoints stay")]
    NothingLeftToUndo,
    /// Somebody has gone on.
    #[error("task {task_id} has been changed since ({what}): nothing was undone")]
    UndoStale {
        /// The task.
        task_id: TaskId,
        /// What of it.
        what: String,
    },
    /// Somebody has gone on.
    #[error("project {name} has been changed since, or holds tasks: nothing was undone")]
    UndoStaleProject {
        /// The project.
        name: ProjectName,
    },
    /// A tombstone is for ever.
    #[error("task {task_id} has been deleted and cannot be brought back: nothing was undone")]
    UndoDeleted {
        /// The task.
        task_id: TaskId,
    },
    /// The claim given is no longer current.
    #[error("claim {claim} of task {task_id} is no longer current: nothing was changed")]
    ClaimLost {
        /// The task.
        task_id: TaskId,
        /// The claim the caller acted under.
        claim: EventId,
        /// Who holds the task now.
        holder: Option<String>,
    },
}

impl Rejection {
    /// What sort of no it is.
    pub fn kind(&self) -> RejectionKind {
        match self {
            Rejection::TaskNotFound { .. }
            | Rejection::ProjectNotFound { .. }
            | Rejection::ParentNotFound { .. }
            | Rejection::NothingToUndo => RejectionKind::NotFound,
            Rejection::UnknownProject { .. }
            | Rejection::ProjectExists { .. }
            | Rejection::InvalidProjectName { .. }
            | Rejection::ProtectedRename { .. }
            | Rejection::TooLong { .. }
            | Rejection::TooMany { .. }
            | Rejection::TooDeep { .. }
            | Rejection::TooLarge { .. }
            | Rejection::Empty { .. } => RejectionKind::General,
            Rejection::ProtectedDelete { .. }
            | Rejection::ProjectNotEmpty { .. }
            | Rejection::MoveIntoDeleted { .. } => RejectionKind::Usage,
            Rejection::OutOfRange { .. }
            | Rejection::InvalidTime { .. }
            | Rejection::StatusRefused { .. }
            | Rejection::InvalidTransition { .. }
            | Rejection::CreatedArchived
            | Rejection::NotClaimable { .. }
            | Rejection::DependencyCycle { .. }
            | Rejection::ParentArchived { .. }
            | Rejection::ParentIsSubtask { .. }
            | Rejection::HasSubtasks { .. }
            | Rejection::OwnParent { .. }
            | Rejection::ActiveSubtasks { .. }
            | Rejection::StealUnjustified { .. }
            | Rejection::LeaseNotExpired { .. }
            | Rejection::NoLease { .. }
            | Rejection::StealNeedsAgent { .. }
            | Rejection::NothingLeftToUndo
            | Rejection::UndoStale { .. }
            | Rejection::UndoStaleProject { .. }
            | Rejection::UndoDeleted { .. } => RejectionKind::Input,
            Rejection::ClaimLost { .. } => RejectionKind::ClaimLost,
        }
    }

    /// The stable `error.code`; those of HZL 3.2.0 where it had one.
    pub fn code(&self) -> &'static str {
        match self.kind() {
            RejectionKind::General => "general_error",
            RejectionKind::Usage => "invalid_usage",
            RejectionKind::Input if matches!(self, Rejection::InvalidTransition { .. }) => {
                "task_invalid_status_transition"
            }
            RejectionKind::Input => "invalid_input",
            RejectionKind::NotFound => "not_found",
            RejectionKind::ClaimLost => "claim_lost",
        }
    }
}
