//! What is only added and never lost: comments and checkpoints.

use serde_json::{Map, Value};

use super::{Draft, Drafts, Facts, check};
use crate::command::Actor;
use crate::event::{CheckpointRecorded, CommentAdded, LeaseRenewed, Payload};
use crate::ids::TaskId;
use crate::limits;
use crate::rejection::Rejection;
use crate::task::Task;
use crate::time::Timestamp;

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
    now: Timestamp,
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
    if let Some(lease_until) = renewed_lease(task, drafts.actor, now) {
        let renewed = LeaseRenewed {
            lease_until: lease_until.to_string(),
            claim: task.claim.clone(),
        };
        drafts.push(Some(task_id), Payload::LeaseRenewed(renewed));
    }
    Ok(drafts.list)
}

/// A sign of life from the holder renews the lease for as long as it was last asked for. The holder is
/// who names the claim, or gives the holder's name.
fn renewed_lease(task: &Task, actor: &Actor, now: Timestamp) -> Option<Timestamp> {
    let length = task.memory.lease_ms.filter(|_| task.is_owned())?;
    let is_holder = match &actor.claim {
        Some(claim) => Some(claim) == task.claim.as_ref(),
        None => actor.author.is_some() && actor.author == task.agent,
    };
    let end = now.plus_millis(length);
    (is_holder && Some(end) > task.lease_until).then_some(end)
}
