//! Projects: made, renamed, deleted with or without their tasks.

use super::{Draft, Drafts, Facts, archive, check, prune, update};
use crate::command::ProjectTasks;
use crate::event::{Payload, ProjectCreated, ProjectDeleted, ProjectRenamed};
use crate::ids::ProjectName;
use crate::limits;
use crate::rejection::Rejection;
use crate::task::Status;

pub(super) fn create(
    facts: &Facts,
    mut drafts: Drafts<'_>,
    name: &ProjectName,
    description: Option<&str>,
    is_protected: bool,
) -> Result<Vec<Draft>, Rejection> {
    check_name(name)?;
    check::text(
        "description",
        description.unwrap_or(""),
        limits::DESCRIPTION_CHARS,
    )?;
    if facts.projects.find_live(name).is_some() {
        return Err(Rejection::ProjectExists { name: name.clone() });
    }
    let created = ProjectCreated {
        name: name.clone(),
        description: description.map(str::to_owned),
        is_protected: is_protected.then_some(true),
    };
    drafts.push(None, Payload::ProjectCreated(created));
    Ok(drafts.list)
}

/// The project that every ledger has.
pub(super) fn inbox() -> ProjectCreated {
    ProjectCreated {
        name: ProjectName::inbox(),
        description: None,
        is_protected: Some(true),
    }
}

pub(super) fn rename(
    facts: &Facts,
    mut drafts: Drafts<'_>,
    old_name: &ProjectName,
    new_name: &ProjectName,
) -> Result<Vec<Draft>, Rejection> {
    let Some(project) = facts.projects.find_live(old_name) else {
        return Err(Rejection::UnknownProject {
            name: old_name.clone(),
        });
    };
    if project.is_protected {
        return Err(Rejection::ProtectedRename {
            name: old_name.clone(),
        });
    }
    check_name(new_name)?;
    if facts.projects.find_live(new_name).is_some() {
        return Err(Rejection::ProjectExists {
            name: new_name.clone(),
        });
    }
    let renamed = ProjectRenamed {
        old_name: old_name.clone(),
        new_name: new_name.clone(),
    };
    drafts.push(None, Payload::ProjectRenamed(renamed));
    Ok(drafts.list)
}

pub(super) fn delete(
    facts: &Facts,
    mut drafts: Drafts<'_>,
    name: &ProjectName,
    tasks: Option<&ProjectTasks>,
) -> Result<Vec<Draft>, Rejection> {
    let Some(project) = facts.projects.find_live(name) else {
        return Err(Rejection::ProjectNotFound { name: name.clone() });
    };
    if project.is_protected {
        return Err(Rejection::ProtectedDelete { name: name.clone() });
    }
    let mut archived_task_count = 0;
    for task_id in &facts.project_tasks {
        let task = facts.load(task_id)?;
        archived_task_count += u64::from(task.task.status == Status::Archived);
    }
    let task_count = facts.project_tasks.len();
    match tasks {
        None if task_count > 0 => {
            return Err(Rejection::ProjectNotEmpty {
                name: name.clone(),
                task_count,
            });
        }
        Some(ProjectTasks::MoveTo(target)) if target == name => {
            return Err(Rejection::MoveIntoDeleted { name: name.clone() });
        }
        Some(ProjectTasks::MoveTo(target)) if facts.projects.find_live(target).is_none() => {
            return Err(Rejection::UnknownProject {
                name: target.clone(),
            });
        }
        _ => {}
    }
    for task_id in &facts.project_tasks {
        let task = facts.load(task_id)?;
        match tasks {
            Some(ProjectTasks::MoveTo(target)) => update::push_move(&mut drafts, task, target),
            Some(ProjectTasks::Archive) if task.task.status != Status::Archived => {
                archive::push_archive(&mut drafts, &task.task);
            }
            Some(ProjectTasks::Delete) => {
                prune::push_tombstone(&mut drafts, &task.task, "project_deleted");
            }
            Some(ProjectTasks::Archive) | None => {}
        }
    }
    let task_count = u64::try_from(task_count).unwrap_or(u64::MAX);
    let deleted = ProjectDeleted {
        name: name.clone(),
        task_count,
        archived_task_count,
    };
    drafts.push(None, Payload::ProjectDeleted(deleted));
    Ok(drafts.list)
}

fn check_name(name: &ProjectName) -> Result<(), Rejection> {
    if name.is_valid() {
        Ok(())
    } else {
        Err(Rejection::InvalidProjectName { name: name.clone() })
    }
}
