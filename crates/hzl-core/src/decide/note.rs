//! What is only added and never lost: comments and checkpoints.

use serde_json::{Map, Value};

use super::{Draft, Drafts, Facts, check};
use crate::event::{CheckpointRecorded, CommentAdded, Payload};
use crate::ids::TaskId;
use crate::limits;
use crate::rejection::Rejection;

pub(super) fn comment(
    facts: &Facts,
    mut drafts: Drafts<'_>,
    task_id: &TaskId,
    text: &str,
) -> Result<Vec<Draft>, Rejection> {
    facts.load(task_id)?;
    if text.trim().is_empty() {
        return Err(Rejection::Empty { field: "comment" });
    }
    check::text("comment", text, limits::COMMENT_CHARS)?;
    drafts.push(
        Some(task_id),
        Payload::CommentAdded(CommentAdded {
            text: text.to_owned(),
        }),
    );
    Ok(drafts.list)
}

pub(super) fn checkpoint(
    facts: &Facts,
    mut drafts: Drafts<'_>,
    task_id: &TaskId,
    name: &str,
    data: Option<&Map<String, Value>>,
    progress: Option<u8>,
) -> Result<Vec<Draft>, Rejection> {
    let task = &facts.load(task_id)?.task;
    check::filled("checkpoint name", name, limits::CHECKPOINT_NAME_CHARS)?;
    if let Some(data) = data {
        check::object("checkpoint data", data, limits::CHECKPOINT_DATA_CHARS)?;
    }
    if let Some(progress) = progress {
        check::range(
            "progress",
            i64::from(progress),
            0,
            i64::from(limits::PROGRESS_MAX),
        )?;
    }
    let checkpoint = CheckpointRecorded {
        name: name.to_owned(),
        data: data.cloned(),
        progress,
        // Under which ownership the caller reports: its own claim where it says so.
        claim: drafts.actor.claim.clone().or_else(|| task.claim.clone()),
    };
    drafts.push(Some(task_id), Payload::CheckpointRecorded(checkpoint));
    Ok(drafts.list)
}
