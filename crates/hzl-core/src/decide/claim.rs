//! Who works on a task: claims, take-overs, leases.

use super::{Draft, Drafts, Facts, TaskFacts, check};
use crate::availability::Ineligible;
use crate::command::{ClaimTask, StealTask};
use crate::event::{LeaseRenewed, Payload, StatusChanged};
use crate::ids::TaskId;
use crate::rejection::Rejection;
use crate::task::Status;
use crate::time::Timestamp;

pub(super) fn claim(
    facts: &Facts,
    drafts: Drafts<'_>,
    claim: &ClaimTask,
    now: Timestamp,
) -> Result<Vec<Draft>, Rejection> {
    let task = facts.load(&claim.task_id)?;
    let refused = |reason, blockers| {
        Err(Rejection::NotClaimable {
            task_id: claim.task_id.clone(),
            reason,
            blockers,
        })
    };
    if task.task.status != Status::Ready {
        return refused(Ineligible::NotReady, vec![]);
    }
    if facts.is_reserved {
        return refused(Ineligible::Reserved, vec![]);
    }
    if !task.blockers.is_empty() {
        return refused(Ineligible::DependencyBlocked, task.blockers.clone());
    }
    take(drafts, task, claim.lease_minutes, now)
}

pub(super) fn claim_next(
    facts: &Facts,
    drafts: Drafts<'_>,
    lease_minutes: Option<u32>,
    now: Timestamp,
) -> Result<Vec<Draft>, Rejection> {
    match &facts.next {
        Some(task_id) => take(drafts, facts.load(task_id)?, lease_minutes, now),
        None => Ok(vec![]),
    }
}

fn take(
    mut drafts: Drafts<'_>,
    task: &TaskFacts,
    lease_minutes: Option<u32>,
    now: Timestamp,
) -> Result<Vec<Draft>, Rejection> {
    let change = StatusChanged {
        from: task.task.status,
        to: Status::InProgress,
        lease_until: lease(lease_minutes, now)?,
        claim: task.task.claim.clone(),
        ..StatusChanged::default()
    };
    drafts.push(Some(&task.task.task_id), Payload::StatusChanged(change));
    Ok(drafts.list)
}

pub(super) fn steal(
    facts: &Facts,
    mut drafts: Drafts<'_>,
    steal: &StealTask,
    now: Timestamp,
) -> Result<Vec<Draft>, Rejection> {
    let task_id = steal.task_id.clone();
    let task = &facts.load(&task_id)?.task;
    let Some(agent) = steal.agent.clone().or_else(|| drafts.actor.author.clone()) else {
        return Err(Rejection::StealNeedsAgent { task_id });
    };
    if !steal.force && !steal.if_expired {
        return Err(Rejection::StealUnjustified { task_id });
    }
    if task.status != Status::InProgress {
        let (status, expected) = (task.status, "in_progress");
        return Err(Rejection::StatusRefused {
            action: "take over",
            task_id,
            status,
            expected,
        });
    }
    if !steal.force {
        let holder = task.agent.clone().filter(|name| !name.is_empty());
        match (task.lease_until, holder) {
            // It ends at the end of that millisecond: the fold asks for an end before the event.
            (Some(end), holder) if end >= now => {
                let agent = holder.unwrap_or_else(|| "somebody".to_owned());
                return Err(Rejection::LeaseNotExpired { task_id, agent });
            }
            (None, Some(agent)) => return Err(Rejection::NoLease { task_id, agent }),
            _ => {}
        }
    }
    let change = StatusChanged {
        from: Status::InProgress,
        to: Status::InProgress,
        reason: Some("stolen".to_owned()),
        lease_until: lease(steal.lease_minutes, now)?,
        agent: Some(agent.clone()),
        claim: task.claim.clone(),
        if_expired: !steal.force,
        ..StatusChanged::default()
    };
    drafts.push(Some(&task.task_id), Payload::StatusChanged(change));
    if let Some(draft) = drafts.list.last_mut() {
        draft.author = draft.author.take().or(Some(agent));
    }
    Ok(drafts.list)
}

pub(super) fn renew(
    facts: &Facts,
    mut drafts: Drafts<'_>,
    task_id: &TaskId,
    lease_minutes: u32,
    now: Timestamp,
) -> Result<Vec<Draft>, Rejection> {
    let loaded = facts.load(task_id)?;
    drafts.check_claim(loaded)?;
    let task = &loaded.task;
    if !task.is_owned() {
        let (status, expected) = (task.status, "claimed");
        let task_id = task_id.clone();
        return Err(Rejection::StatusRefused {
            action: "renew the lease of",
            task_id,
            status,
            expected,
        });
    }
    check::minutes("lease", lease_minutes, 1)?;
    let renewed = LeaseRenewed {
        lease_until: now.plus_minutes(lease_minutes).to_string(),
        claim: task.claim.clone(),
    };
    drafts.push(Some(task_id), Payload::LeaseRenewed(renewed));
    Ok(drafts.list)
}

fn lease(minutes: Option<u32>, now: Timestamp) -> Result<Option<String>, Rejection> {
    let Some(minutes) = minutes else {
        return Ok(None);
    };
    check::minutes("lease", minutes, 1)?;
    Ok(Some(now.plus_minutes(minutes).to_string()))
}
