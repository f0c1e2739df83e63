//! `hzl project delete`

use hzl_core::command;
use hzl_core::command::Actor;
use hzl_core::command::ProjectTasks;
use hzl_core::ids::ProjectName;
use hzl_core::task::Status;
use schemars::JsonSchema;
use serde::Serialize;

use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::output::Answer;
use crate::output::Md;
use crate::output::counted;

/// Delete a project
///
/// A project that holds tasks, archived ones included, is refused unless you say what happens to
/// them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl project delete docs
  hzl project delete docs --move-to inbox
  hzl project delete docs --archive-tasks")]
pub(crate) struct Args {
    /// Name of the project
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Move its tasks to this project
    #[arg(long, value_name = "PROJECT", group = "tasks")]
    pub(crate) move_to: Option<String>,
    /// Archive its tasks
    #[arg(long, group = "tasks")]
    pub(crate) archive_tasks: bool,
    /// Delete its tasks with their comments and checkpoints, on all machines
    #[arg(long, group = "tasks")]
    pub(crate) delete_tasks: bool,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Deleted {
    name: ProjectName,
    task_count: usize,
    archived_task_count: usize,
    action: Action,
}

/// What happened to the tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    None,
    Move,
    Archive,
    Delete,
}

impl Args {
    fn tasks(&self) -> Option<ProjectTasks> {
        match &self.move_to {
            Some(project) => Some(ProjectTasks::MoveTo(project.as_str().into())),
            None if self.archive_tasks => Some(ProjectTasks::Archive),
            None if self.delete_tasks => Some(ProjectTasks::Delete),
            None => None,
        }
    }
}

/// Deletes the project.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let mut ledger = ctx.ledger(Purpose::Write)?;
    let name = ProjectName::from(args.name.as_str());
    let tasks = args.tasks();
    let delete = command::Command::DeleteProject {
        name: name.clone(),
        tasks: tasks.clone(),
    };
    let outcome = ctx.execute(&mut ledger, &delete, &Actor::default())?;
    let before = outcome.before.values();
    let statuses: Vec<Status> = before
        .filter(|before| before.project == name)
        .map(|before| before.task.status)
        .collect();
    let is_archived = |status: &&Status| **status == Status::Archived;
    let archived_task_count = statuses.iter().filter(is_archived).count();
    let action = match tasks {
        _ if statuses.is_empty() => Action::None,
        None => Action::None,
        Some(ProjectTasks::MoveTo(_)) => Action::Move,
        Some(ProjectTasks::Archive) => Action::Archive,
        Some(ProjectTasks::Delete) => Action::Delete,
    };
    ctx.output.answer(&Deleted {
        name,
        task_count: statuses.len() - archived_task_count,
        archived_task_count,
        action,
    })
}

impl Answer for Deleted {
    fn md(&self, md: &mut Md) {
        let count = counted(self.task_count + self.archived_task_count, "task");
        let name = &self.name;
        md.ok(&match self.action {
            Action::None => format!("Deleted project {name}"),
            Action::Move => format!("Deleted project {name}, its {count} moved"),
            Action::Archive => format!("Deleted project {name}, its {count} archived"),
            Action::Delete => format!("Deleted project {name} and its {count}"),
        });
    }
}
