//! What a caller may ask: wishes in the imperative, already parsed, not yet judged.

use serde_json::{Map, Value};

use crate::event::Field;
use crate::ids::{EventId, ProjectName, TaskId};
use crate::task::Status;
use crate::time::Timestamp;

/// Who asks, as it goes into the envelope of every event of the command.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Actor {
    /// Name of the author.
    pub author: Option<String>,
    /// Machine or session of the author.
    pub agent_id: Option<String>,
    /// The claim under which the caller acts: the command is refused if it is no longer current.
    pub claim: Option<EventId>,
    /// What the command belongs to.
    pub correlation_id: Option<String>,
}

/// A wish.
#[derive(Clone, PartialEq, Debug)]
pub enum Command {
    /// Makes a project.
    CreateProject {
        /// Its name.
        name: ProjectName,
        /// Free text.
        description: Option<String>,
        /// Cannot be renamed or deleted.
        is_protected: bool,
    },
    /// Gives a project another name.
    RenameProject {
        /// Name before.
        old_name: ProjectName,
        /// Name after.
        new_name: ProjectName,
    },
    /// Deletes a project.
    DeleteProject {
        /// Its name.
        name: ProjectName,
        /// What happens to its tasks; `None` is only good for an empty one.
        tasks: Option<ProjectTasks>,
    },
    /// Makes a task.
    AddTask(Box<AddTask>),
    /// Takes a named task.
    ClaimTask(ClaimTask),
    /// Takes the best task there is: the one in [`crate::decide::Facts::next`].
    ClaimNext {
        /// Which tasks come into question.
        filter: ClaimFilter,
        /// Lease in minutes.
        lease_minutes: Option<u32>,
    },
    /// Sets any status.
    SetStatus {
        /// The task.
        task_id: TaskId,
        /// The status.
        status: Status,
    },
    /// Finishes a task.
    CompleteTask(Transition),
    /// Gives a claimed task back.
    ReleaseTask(Transition),
    /// Says that something outside is in the way.
    BlockTask(Transition),
    /// Says that nothing is in the way any more.
    UnblockTask {
        /// The task and a comment.
        transition: Transition,
        /// Give the task back instead of going on.
        release: bool,
    },
    /// Takes a finished task up again.
    ReopenTask {
        /// The task and a comment.
        transition: Transition,
        /// `ready` or `backlog`.
        to: Status,
    },
    /// Takes a task over from another agent.
    StealTask(StealTask),
    /// Prolongs the lease of the current claim.
    RenewLease {
        /// The task.
        task_id: TaskId,
        /// Minutes from now.
        lease_minutes: u32,
    },
    /// Puts a task away.
    ArchiveTask {
        /// The task and a comment.
        transition: Transition,
        /// What happens to its subtasks.
        subtasks: SubtaskPolicy,
    },
    /// Takes an archived task out of the archive.
    UnarchiveTask {
        /// The task and a comment.
        transition: Transition,
        /// `ready` or `backlog`.
        to: Status,
    },
    /// Changes fields.
    UpdateTask(Box<UpdateTask>),
    /// Takes a task and its subtasks to another project.
    MoveTask {
        /// The task.
        task_id: TaskId,
        /// The project.
        project: ProjectName,
    },
    /// Makes a task wait for another.
    AddDependency {
        /// The task that waits.
        task_id: TaskId,
        /// The task it waits for.
        depends_on: TaskId,
    },
    /// Ends such a wait.
    RemoveDependency {
        /// The task that waits.
        task_id: TaskId,
        /// The task it waits for.
        depends_on: TaskId,
    },
    /// Says something about a task.
    AddComment {
        /// The task.
        task_id: TaskId,
        /// What.
        text: String,
    },
    /// Records a state of work.
    RecordCheckpoint {
        /// The task.
        task_id: TaskId,
        /// Its name.
        name: String,
        /// Its data.
        data: Option<Map<String, Value>>,
        /// In per cent.
        progress: Option<u8>,
    },
    /// Deletes old finished tasks by tombstones: those in [`crate::decide::Facts::prunable`].
    PruneTasks(PruneFilter),
    /// Takes an earlier command back: what its facts say in [`crate::decide::Facts::undone`].
    Undo {
        /// Its events.
        events: Vec<EventId>,
    },
}

/// Which tasks come into question for `ClaimNext`; all conditions hold together.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ClaimFilter {
    /// Who asks: tasks routed to others are left out. Nobody in particular sees all.
    pub agent: Option<String>,
    /// Only of this project.
    pub project: Option<ProjectName>,
    /// Only with all these tags.
    pub tags: Vec<String>,
    /// Only subtasks of this task.
    pub parent: Option<TaskId>,
}

/// Which finished tasks `PruneTasks` deletes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PruneFilter {
    /// Only of this project; `None`: of all.
    pub project: Option<ProjectName>,
    /// Only those that were finished before.
    pub before: Timestamp,
}

/// What happens to the tasks of a deleted project.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ProjectTasks {
    /// They go to another project.
    MoveTo(ProjectName),
    /// They are archived.
    Archive,
    /// They are deleted.
    Delete,
}

/// What happens to the subtasks of an archived task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SubtaskPolicy {
    /// Refuse while one is active.
    Refuse,
    /// Archive the active ones.
    Cascade,
    /// Cut all of them loose.
    Orphan,
}

/// A new task.
#[derive(Clone, PartialEq, Debug)]
pub struct AddTask {
    /// Its id, chosen by the caller.
    pub task_id: TaskId,
    /// One line.
    pub title: String,
    /// Ignored with a parent.
    pub project: ProjectName,
    /// Free text.
    pub description: Option<String>,
    /// Addresses and paths.
    pub links: Vec<String>,
    /// Labels.
    pub tags: Vec<String>,
    /// 0 to 3.
    pub priority: u8,
    /// Tasks it waits for.
    pub depends_on: Vec<TaskId>,
    /// The task it is a part of.
    pub parent: Option<TaskId>,
    /// First status.
    pub status: Status,
    /// Holder if it starts in progress, else who should take it.
    pub agent: Option<String>,
    /// A first comment; blank ones are dropped.
    pub comment: Option<String>,
    /// Date-time text.
    pub due_at: Option<String>,
    /// Anything the caller wants to keep.
    pub metadata: Option<Map<String, Value>>,
    /// Stale override in minutes.
    pub stale_after_minutes: Option<u32>,
}

/// A claim of a named task.
#[derive(Clone, PartialEq, Debug)]
pub struct ClaimTask {
    /// The task.
    pub task_id: TaskId,
    /// Lease in minutes.
    pub lease_minutes: Option<u32>,
}

/// A task that changes its status, and why.
#[derive(Clone, PartialEq, Debug)]
pub struct Transition {
    /// The task.
    pub task_id: TaskId,
    /// A comment; blank ones are dropped.
    pub comment: Option<String>,
}

/// A take-over.
#[derive(Clone, PartialEq, Debug)]
pub struct StealTask {
    /// The task.
    pub task_id: TaskId,
    /// The new holder.
    pub agent: Option<String>,
    /// Whatever the lease says.
    pub force: bool,
    /// Only if the lease has run out.
    pub if_expired: bool,
    /// Lease in minutes.
    pub lease_minutes: Option<u32>,
}

/// New values; `None`: leave as it is.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct UpdateTask {
    /// The task.
    pub task_id: TaskId,
    /// An empty one is ignored, as in HZL 3.2.0.
    pub title: Option<String>,
    /// An empty one removes the description.
    pub description: Option<String>,
    /// Replaces all links.
    pub links: Option<Vec<String>>,
    /// Replaces all tags.
    pub tags: Option<Vec<String>>,
    /// 0 to 3.
    pub priority: Option<u8>,
    /// `Some(None)` removes it.
    pub due_at: Option<Option<String>>,
    /// Replaces all metadata.
    pub metadata: Option<Map<String, Value>>,
    /// `Some(None)` removes the override.
    pub stale_after_minutes: Option<Option<u32>>,
    /// `Some(None)` detaches the task.
    pub parent: Option<Option<TaskId>>,
    /// Routing; `Some(None)` removes it.
    pub agent: Option<Option<String>>,
}

impl AddTask {
    /// A task in the backlog of which nothing more is said.
    pub fn new(task_id: TaskId, title: impl Into<String>, project: ProjectName) -> Self {
        Self {
            task_id,
            title: title.into(),
            project,
            description: None,
            links: vec![],
            tags: vec![],
            priority: 0,
            depends_on: vec![],
            parent: None,
            status: Status::Backlog,
            agent: None,
            comment: None,
            due_at: None,
            metadata: None,
            stale_after_minutes: None,
        }
    }
}

impl UpdateTask {
    /// An update that gives one field this value, as `task_updated` has it; `None` for a value that the
    /// field cannot have.
    pub fn of_field(task_id: TaskId, field: Field, value: &Value) -> Option<Self> {
        let mut update = Self {
            task_id,
            ..Self::default()
        };
        match field {
            Field::Title => update.title = Some(value.as_str()?.to_owned()),
            Field::Description => update.description = Some(text(value)?.unwrap_or_default()),
            Field::Links => update.links = Some(serde_json::from_value(value.clone()).ok()?),
            Field::Tags => update.tags = Some(serde_json::from_value(value.clone()).ok()?),
            Field::Priority => update.priority = Some(serde_json::from_value(value.clone()).ok()?),
            Field::DueAt => update.due_at = Some(text(value)?),
            Field::Metadata => update.metadata = Some(value.as_object()?.clone()),
            Field::StaleAfterMinutes => {
                update.stale_after_minutes = Some(serde_json::from_value(value.clone()).ok()?);
            }
            Field::ParentId => update.parent = Some(text(value)?.map(TaskId::new)),
            Field::Agent => update.agent = Some(text(value)?),
        }
        Some(update)
    }
}

/// A text or null.
#[expect(clippy::option_option, reason = "no value is not the value null")]
fn text(value: &Value) -> Option<Option<String>> {
    if value.is_null() {
        return Some(None);
    }
    value.as_str().map(|text| Some(text.to_owned()))
}

impl Command {
    /// A checkpoint that only says how far a task is, in per cent.
    pub fn report_progress(task_id: TaskId, percent: u8) -> Self {
        let name = format!("Progress updated to {percent}%");
        Command::RecordCheckpoint {
            task_id,
            name,
            data: None,
            progress: Some(percent),
        }
    }

    /// Every task the command names, for loading facts.
    pub fn named_tasks(&self) -> Vec<&TaskId> {
        match self {
            Command::AddTask(add) => add.depends_on.iter().chain(&add.parent).collect(),
            Command::ClaimTask(claim) => vec![&claim.task_id],
            Command::SetStatus { task_id, .. }
            | Command::RenewLease { task_id, .. }
            | Command::MoveTask { task_id, .. }
            | Command::AddComment { task_id, .. }
            | Command::RecordCheckpoint { task_id, .. } => vec![task_id],
            Command::CompleteTask(transition)
            | Command::ReleaseTask(transition)
            | Command::BlockTask(transition)
            | Command::UnblockTask { transition, .. }
            | Command::ReopenTask { transition, .. }
            | Command::ArchiveTask { transition, .. }
            | Command::UnarchiveTask { transition, .. } => vec![&transition.task_id],
            Command::StealTask(steal) => vec![&steal.task_id],
            Command::UpdateTask(update) => std::iter::once(&update.task_id)
                .chain(update.parent.iter().flatten())
                .collect(),
            Command::AddDependency {
                task_id,
                depends_on,
            }
            | Command::RemoveDependency {
                task_id,
                depends_on,
            } => vec![task_id, depends_on],
            Command::CreateProject { .. }
            | Command::RenameProject { .. }
            | Command::DeleteProject { .. }
            | Command::ClaimNext { .. }
            | Command::PruneTasks(_)
            | Command::Undo { .. } => vec![],
        }
    }
}
