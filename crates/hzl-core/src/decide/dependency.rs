//! Which task waits for which.

use super::{Draft, Drafts, Facts};
use crate::event::{Dependency, Payload};
use crate::ids::TaskId;
use crate::rejection::Rejection;

pub(super) fn add(
    facts: &Facts,
    mut drafts: Drafts<'_>,
    task_id: &TaskId,
    depends_on: &TaskId,
) -> Result<Vec<Draft>, Rejection> {
    facts.load(task_id)?;
    facts.load(depends_on)?;
    if facts.closes_cycle || task_id == depends_on {
        let (task_id, depends_on) = (task_id.clone(), depends_on.clone());
        return Err(Rejection::DependencyCycle {
            task_id,
            depends_on,
        });
    }
    let edge = Dependency {
        depends_on_id: depends_on.clone(),
    };
    drafts.push(Some(task_id), Payload::DependencyAdded(edge));
    Ok(drafts.list)
}

/// The other task need not exist: that is how a dangling dependency is removed.
pub(super) fn remove(
    facts: &Facts,
    mut drafts: Drafts<'_>,
    task_id: &TaskId,
    depends_on: &TaskId,
) -> Result<Vec<Draft>, Rejection> {
    let task = &facts.load(task_id)?.task;
    if !facts.tasks.contains_key(depends_on) && !task.memory.edges.contains_key(depends_on) {
        return Err(Rejection::TaskNotFound {
            task_id: depends_on.clone(),
        });
    }
    let edge = Dependency {
        depends_on_id: depends_on.clone(),
    };
    drafts.push(Some(task_id), Payload::DependencyRemoved(edge));
    Ok(drafts.list)
}
