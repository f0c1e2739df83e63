//! From what a caller typed to the task that is meant.

use hzl_core::ids::TaskId;
use hzl_core::rejection::Rejection;
use hzl_store::query::tasks;
use hzl_store::query::tasks::Resolved;
use serde_json::Value;
use serde_json::json;

use crate::error::CommandError;
use crate::error::Kind;
use crate::reader::Read;

/// How many matches of an ambiguous prefix are suggested; all are in the details.
const SUGGESTED: usize = 3;

/// Finds the task with this id, or with the only id that begins like this.
///
/// # Errors
///
/// `NotFound`: there is none. `Input`: there are several.
pub(crate) fn task(reader: &mut impl Read, typed: &str) -> Result<TaskId, CommandError> {
    match reader.read(|cache| tasks::resolve(cache, typed))? {
        Resolved::One(task_id) => Ok(task_id),
        Resolved::None => Err(Rejection::TaskNotFound {
            task_id: typed.into(),
        }
        .into()),
        Resolved::Many(matches) => Err(ambiguous(typed, &matches)),
    }
}

/// Finds a task, or takes what was typed for the whole id of one that does not exist: what points
/// at such a task can still be named.
///
/// # Errors
///
/// `Input`: several tasks begin like this.
pub(crate) fn task_or_whole_id(
    reader: &mut impl Read,
    typed: &str,
) -> Result<TaskId, CommandError> {
    match reader.read(|cache| tasks::resolve(cache, typed))? {
        Resolved::None => Ok(TaskId::from(typed)),
        Resolved::One(_) | Resolved::Many(_) => task(reader, typed),
    }
}

/// Finds the task that is to be, or is, the parent of others.
///
/// # Errors
///
/// As [`task`].
pub(crate) fn parent(reader: &mut impl Read, typed: &str) -> Result<TaskId, CommandError> {
    match reader.read(|cache| tasks::resolve(cache, typed))? {
        Resolved::None => Err(Rejection::ParentNotFound {
            task_id: typed.into(),
        }
        .into()),
        _ => task(reader, typed),
    }
}

/// Finds each of these tasks.
///
/// # Errors
///
/// As [`task`], for the first that cannot be found.
pub(crate) fn tasks(reader: &mut impl Read, typed: &[String]) -> Result<Vec<TaskId>, CommandError> {
    typed.iter().map(|typed| task(reader, typed)).collect()
}

fn ambiguous(typed: &str, matches: &[(TaskId, String)]) -> CommandError {
    let count = match matches.len() {
        tasks::MAX_MATCHES => format!("{} or more", tasks::MAX_MATCHES),
        count => count.to_string(),
    };
    let message = format!("task id `{typed}` is ambiguous: {count} tasks begin like this");
    let listed: Vec<Value> = matches
        .iter()
        .map(|(task_id, title)| json!({ "task_id": task_id, "title": title }))
        .collect();
    let mut error = CommandError::new(Kind::Input, message).detail("matches", listed);
    for (task_id, title) in matches.iter().take(SUGGESTED) {
        error = error.hint(format!("{task_id} is \"{title}\""));
    }
    error
}
