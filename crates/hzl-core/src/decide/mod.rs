//! What should happen? A command, judged by facts, becomes events or a refusal.
//!
//! Looks only at its arguments; the time arrives as `now`. What is decided here, the fold accepts:
//! that is a property test. One file per family of commands.

mod archive;
mod check;
mod claim;
mod create;
mod dependency;
#[cfg(test)]
mod kit;
mod lifecycle;
mod note;
mod project;
mod prune;
#[cfg(test)]
mod tests;
mod undo;
mod update;

use std::collections::BTreeMap;

pub use self::undo::Undone;
use crate::command::{Actor, Command};
use crate::event::Payload;
use crate::ids::{EventId, ProjectName, TaskId};
use crate::project::Projects;
use crate::rejection::Rejection;
use crate::task::Task;
use crate::time::Timestamp;

/// What a decision may know, gathered under the writer lock.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The tasks the command names, and their subtasks.
    pub tasks: BTreeMap<TaskId, TaskFacts>,
    /// All projects.
    pub projects: Projects,
    /// For `DeleteProject`: all tasks of the project.
    pub project_tasks: Vec<TaskId>,
    /// For `ClaimNext`: the choice.
    pub next: Option<TaskId>,
    /// For `ClaimTask`: another process of this device is asking the cloud for the task.
    pub is_reserved: bool,
    /// For `AddDependency`: the other task already waits for this one.
    pub closes_cycle: bool,
    /// For `PruneTasks`: the choice.
    pub prunable: Vec<TaskId>,
    /// For `Undo`: the tasks the command wrote about.
    pub undone: Vec<Undone>,
    /// For `Undo`: the project events of the command, in order.
    pub undone_projects: Vec<Payload>,
}

/// One task and its surroundings.
#[derive(Clone, Debug)]
pub struct TaskFacts {
    /// The task.
    pub task: Task,
    /// What its project is called.
    pub project: ProjectName,
    /// The parent, if the link counts.
    pub parent: Option<TaskId>,
    /// Its subtasks, of any status.
    pub children: Vec<TaskId>,
    /// Tasks it waits for that are neither done, archived nor deleted.
    pub blockers: Vec<TaskId>,
    /// Claims of this task that were superseded by the one that stands.
    pub lost_claims: Vec<LostClaim>,
}

/// A claim that was superseded, and whose it was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LostClaim {
    /// The claiming event.
    pub claim: EventId,
    /// Who made it.
    pub agent: String,
}

/// An event that is not in a log yet: it still lacks an id and a timestamp.
#[derive(Clone, PartialEq, Debug)]
pub struct Draft {
    /// The task; `None` for project events.
    pub task_id: Option<TaskId>,
    /// What happened.
    pub payload: Payload,
    /// Who did it.
    pub author: Option<String>,
    /// From which machine or session.
    pub agent_id: Option<String>,
    /// What it belongs to.
    pub correlation_id: Option<String>,
}

impl Facts {
    /// Returns a task the command names.
    ///
    /// # Errors
    /// [`Rejection::TaskNotFound`] if there is none.
    pub fn load(&self, task_id: &TaskId) -> Result<&TaskFacts, Rejection> {
        let missing = || Rejection::TaskNotFound {
            task_id: task_id.clone(),
        };
        self.tasks.get(task_id).ok_or_else(missing)
    }
}

/// Decides what a command does: the events to append, in order. An empty list is a success that
/// changes nothing.
///
/// `now` is the timestamp that the first event will bear, from the hybrid clock. With the bare clock,
/// where that lags behind, a lease would be shorter than asked, for it is measured from the event.
///
/// # Errors
/// The [`Rejection`] that says which rule forbids it. Nothing may be written then.
pub fn decide(
    facts: &Facts,
    command: &Command,
    actor: &Actor,
    now: Timestamp,
) -> Result<Vec<Draft>, Rejection> {
    let drafts = judge(facts, command, actor, now)?;
    drafts
        .iter()
        .try_for_each(|draft| check::event(&draft.payload))?;
    Ok(drafts)
}

fn judge(
    facts: &Facts,
    command: &Command,
    actor: &Actor,
    now: Timestamp,
) -> Result<Vec<Draft>, Rejection> {
    let drafts = Drafts {
        actor,
        list: vec![],
    };
    match command {
        Command::CreateProject {
            name,
            description,
            is_protected,
        } => project::create(facts, drafts, name, description.as_deref(), *is_protected),
        Command::RenameProject { old_name, new_name } => {
            project::rename(facts, drafts, old_name, new_name)
        }
        Command::DeleteProject { name, tasks } => {
            project::delete(facts, drafts, name, tasks.as_ref())
        }
        Command::AddTask(add) => create::add(facts, drafts, add),
        Command::ClaimTask(claim) => claim::claim(facts, drafts, claim, now),
        Command::ClaimNext { lease_minutes, .. } => {
            claim::claim_next(facts, drafts, *lease_minutes, now)
        }
        Command::StealTask(steal) => claim::steal(facts, drafts, steal, now),
        Command::RenewLease {
            task_id,
            lease_minutes,
        } => claim::renew(facts, drafts, task_id, *lease_minutes, now),
        Command::SetStatus { task_id, status } => {
            lifecycle::set_status(facts, drafts, task_id, *status)
        }
        Command::CompleteTask(transition) => lifecycle::complete(facts, drafts, transition),
        Command::ReleaseTask(transition) => lifecycle::release(facts, drafts, transition),
        Command::BlockTask(transition) => lifecycle::block(facts, drafts, transition),
        Command::UnblockTask {
            transition,
            release,
        } => lifecycle::unblock(facts, drafts, transition, *release),
        Command::ReopenTask { transition, to } => lifecycle::reopen(facts, drafts, transition, *to),
        Command::ArchiveTask {
            transition,
            subtasks,
        } => archive::archive(facts, drafts, transition, *subtasks),
        Command::UnarchiveTask { transition, to } => {
            archive::unarchive(facts, drafts, transition, *to)
        }
        Command::UpdateTask(update) => update::update(facts, drafts, update),
        Command::MoveTask { task_id, project } => {
            update::move_task(facts, drafts, task_id, project)
        }
        Command::AddDependency {
            task_id,
            depends_on,
        } => dependency::add(facts, drafts, task_id, depends_on),
        Command::RemoveDependency {
            task_id,
            depends_on,
        } => dependency::remove(facts, drafts, task_id, depends_on),
        Command::AddComment { task_id, text } => note::comment(facts, drafts, task_id, text),
        Command::RecordCheckpoint {
            task_id,
            name,
            data,
            progress,
        } => note::checkpoint(facts, drafts, task_id, name, data.as_ref(), *progress, now),
        Command::PruneTasks(_) => prune::prune(facts, drafts),
        Command::Undo { .. } => undo::undo(facts, drafts, now),
    }
}

/// The events decided so far.
struct Drafts<'a> {
    actor: &'a Actor,
    list: Vec<Draft>,
}

impl Drafts<'_> {
    fn push(&mut self, task_id: Option<&TaskId>, payload: Payload) {
        self.list.push(Draft {
            task_id: task_id.cloned(),
            payload,
            author: self.actor.author.clone(),
            agent_id: self.actor.agent_id.clone(),
            correlation_id: self.actor.correlation_id.clone(),
        });
    }

    /// Appends a comment unless it is blank.
    fn push_comment(&mut self, task_id: &TaskId, text: Option<&str>) -> Result<(), Rejection> {
        let text = text.map_or("", str::trim);
        if !text.is_empty() {
            check::text("comment", text, crate::limits::COMMENT_CHARS)?;
            let comment = crate::event::CommentAdded {
                text: text.to_owned(),
            };
            self.push(Some(task_id), Payload::CommentAdded(comment));
        }
        Ok(())
    }

    /// Refuses if the caller has lost the task: it names a claim that is no longer current, or it names
    /// itself, one of its claims was superseded by the claim that stands, and somebody else has the
    /// task. Asked before the status is: whoever lost a task should hear that, not what became of it.
    fn check_claim(&self, facts: &TaskFacts) -> Result<(), Rejection> {
        self.check_named_claim(&facts.task)?;
        let name = self
            .actor
            .author
            .as_ref()
            .filter(|_| self.actor.claim.is_none());
        let elsewhere = name.is_some() && facts.task.agent.as_ref() != name;
        let lost = facts
            .lost_claims
            .iter()
            .find(|lost| elsewhere && Some(&lost.agent) == name);
        match lost {
            Some(lost) => Err(claim_lost(&facts.task, &lost.claim)),
            None => Ok(()),
        }
    }

    /// Refuses if the caller names a claim that is no longer current: another was made, or it was given
    /// back. A finished task's claim stays good for what may be done to finished tasks.
    fn check_named_claim(&self, task: &Task) -> Result<(), Rejection> {
        let over = !task.is_owned() && !task.status.is_terminal();
        match &self.actor.claim {
            Some(claim) if task.claim.as_ref() != Some(claim) || over => {
                Err(claim_lost(task, claim))
            }
            _ => Ok(()),
        }
    }
}

fn claim_lost(task: &Task, claim: &EventId) -> Rejection {
    Rejection::ClaimLost {
        task_id: task.task_id.clone(),
        claim: claim.clone(),
        holder: task.agent.clone().filter(|_| task.status.is_held()),
    }
}
