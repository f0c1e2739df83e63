//! What an event means: the fold of one task's events into its state, conflicts and notes.
//!
//! One function for every use: write, catch-up, rebuild, pull and tests. It is total: an event that is
//! in a log cannot be refused, only superseded, and then one conflict row says so. Each task folds
//! alone; names of projects are looked up in the timeline that [`crate::project`] folds first.

use serde_json::{Value, json};

use crate::conflict::{Conflict, ConflictKind};
use crate::event::{
    CheckpointRecorded, Field, LeaseRenewed, Payload, PlacedEvent, StatusChanged, TaskCreated,
    TaskUpdated,
};
use crate::ids::{EventId, ProjectName, TaskId};
use crate::limits;
use crate::planted::{Bug, is_planted};
use crate::project::Projects;
use crate::stamp::Stamp;
use crate::task::{Edge, Memory, Status, Task};
use crate::time::Timestamp;

/// What a fold may look at besides the events.
#[derive(Clone, Copy)]
pub struct FoldContext<'a> {
    /// The projects' timeline.
    pub projects: &'a Projects,
    /// The rewind point of epoch 1, 2, …
    pub rewind_points: &'a [i64],
}

/// A comment, as projected.
#[derive(Clone, PartialEq, Debug)]
pub struct Comment {
    /// The event that made it.
    pub event_id: EventId,
    /// Who said it.
    pub author: Option<String>,
    /// From which machine or session.
    pub agent_id: Option<String>,
    /// What was said.
    pub text: String,
    /// When, in effective time.
    pub at: Timestamp,
}

/// A checkpoint, as projected.
#[derive(Clone, PartialEq, Debug)]
pub struct Checkpoint {
    /// The event that made it.
    pub event_id: EventId,
    /// Who recorded it.
    pub author: Option<String>,
    /// Its name.
    pub name: String,
    /// Its data.
    pub data: serde_json::Map<String, Value>,
    /// When, in effective time.
    pub at: Timestamp,
}

/// The fold of one task: its state so far, and what the events applied so far have added.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct TaskFold {
    /// The task; `None` before its creation and after its deletion.
    pub task: Option<Task>,
    /// The tombstone, once applied.
    pub tombstone: Option<Stamp>,
    /// Writes that lost.
    pub conflicts: Vec<Conflict>,
    /// Comments.
    pub comments: Vec<Comment>,
    /// Checkpoints.
    pub checkpoints: Vec<Checkpoint>,
}

impl TaskFold {
    /// Goes on from a known state; conflicts, comments and checkpoints hold only what is added from now on.
    pub fn resume(task: Option<Task>) -> Self {
        Self {
            task,
            ..Self::default()
        }
    }

    /// Folds events in their order.
    pub fn of<'a>(
        events: impl IntoIterator<Item = &'a PlacedEvent>,
        context: FoldContext<'_>,
    ) -> Self {
        let mut fold = Self::default();
        for placed in events {
            fold.apply(placed, context);
        }
        fold
    }

    /// Applies the next event.
    pub fn apply(&mut self, placed: &PlacedEvent, context: FoldContext<'_>) {
        let Some(task_id) = &placed.event.task_id else {
            return;
        };
        if let Some(tombstone) = &self.tombstone {
            let kind = ConflictKind::AfterTombstone;
            let wanted = json!(placed.event.payload.kind());
            let lost = conflict(placed, kind, "", Some(tombstone), wanted, json!("deleted"));
            self.conflicts.push(lost);
            return;
        }
        if let Payload::TaskCreated(created) = &placed.event.payload {
            match &self.task {
                None => self.task = Some(create(task_id, created, placed, context)),
                Some(task) => self.conflicts.push(conflict(
                    placed,
                    ConflictKind::Superseded,
                    "task_created",
                    Some(&task.memory.created),
                    json!(created.title),
                    json!(task.title),
                )),
            }
            return;
        }
        let Some(mut task) = self.task.take() else {
            return;
        };
        self.apply_to(&mut task, placed, context);
        if self.tombstone.is_none() {
            self.task = Some(task);
        }
    }

    fn apply_to(&mut self, task: &mut Task, placed: &PlacedEvent, context: FoldContext<'_>) {
        match &placed.event.payload {
            Payload::StatusChanged(change) => self.change_status(task, placed, change),
            Payload::TaskArchived(archived) => {
                let guard = Guard {
                    from: archived.from,
                    claim: archived.claim.as_ref(),
                };
                let unguarded = is_planted(Bug::ArchiveUnguarded);
                if unguarded || self.guard(task, placed, Status::Archived, &guard, false) {
                    task.terminal_at = Some(placed.effective_ts());
                    set_status(task, Status::Archived, placed);
                }
            }
            Payload::TaskDeleted(deleted) => {
                let guard = Guard {
                    from: deleted.from,
                    claim: deleted.claim.as_ref(),
                };
                let unguarded = is_planted(Bug::TombstoneUnguarded);
                if unguarded || self.guard(task, placed, Status::Archived, &guard, false) {
                    *self = Self {
                        tombstone: Some(Stamp::of(placed)),
                        ..Self::default()
                    };
                }
            }
            Payload::LeaseRenewed(renewed) => self.renew_lease(task, placed, renewed),
            Payload::TaskUpdated(updated) => self.update(task, placed, updated, context),
            Payload::TaskMoved(moved) => self.move_task(task, placed, &moved.to_project, context),
            Payload::DependencyAdded(edge) => {
                self.set_edge(task, placed, &edge.depends_on_id, true, context);
            }
            Payload::DependencyRemoved(edge) => {
                self.set_edge(task, placed, &edge.depends_on_id, false, context);
            }
            Payload::CommentAdded(comment) => self.comments.push(Comment {
                event_id: placed.event.event_id.clone(),
                author: placed.event.author.clone(),
                agent_id: placed.event.agent_id.clone(),
                text: comment.text.clone(),
                at: placed.effective_ts(),
            }),
            Payload::CheckpointRecorded(checkpoint) => self.checkpoint(task, placed, checkpoint),
            Payload::TaskCreated(_)
            | Payload::ProjectCreated(_)
            | Payload::ProjectRenamed(_)
            | Payload::ProjectDeleted(_)
            | Payload::Unknown { .. } => {}
        }
    }

    // ---- ownership: the first to arrive

    fn change_status(&mut self, task: &mut Task, placed: &PlacedEvent, change: &StatusChanged) {
        let guard = Guard {
            from: Some(change.from),
            claim: change.claim.as_ref(),
        };
        if !self.guard(task, placed, change.to, &guard, change.if_expired) {
            return;
        }
        // An unguarded event of HZL 3.2.0 is read by what it says, not by what the task was.
        let (from, to, now) = (change.from, change.to, placed.effective_ts());
        if to == Status::InProgress {
            let named = change.agent.clone().or_else(|| change.assignee.clone());
            let owner = named.clone().or_else(|| {
                placed
                    .event
                    .author
                    .clone()
                    .or_else(|| placed.event.agent_id.clone())
            });
            let resumes =
                from == Status::Blocked && task.claim.is_some() && !task.memory.claim_is_over;
            if !resumes {
                let unclaimed = from == Status::Blocked && placed.event.is_legacy();
                task.claimed_at = if unclaimed {
                    task.claimed_at
                } else {
                    Some(now)
                };
                task.claim = Some(placed.event.event_id.clone());
                task.memory.claim_is_legacy = placed.event.is_legacy();
                task.memory.claim_is_over = false;
                task.memory.stamps.remove(Field::Agent.name());
            }
            if from == Status::InProgress {
                task.agent = owner;
            } else if resumes && !placed.event.is_legacy() {
                // Whoever unblocks a task does not take it.
                task.agent = named.or_else(|| task.agent.take());
            } else {
                task.agent = owner.or_else(|| task.agent.take());
            }
            let lease = change.lease_until.as_deref();
            task.memory.lease_ms = lease.and_then(|end| lease_ms(end, placed));
            task.lease_until = lease.and_then(|end| lease_end(end, placed));
        } else {
            if to == Status::Blocked {
                if from != Status::Blocked {
                    task.lease_until = None;
                }
            } else if from.is_held() || (from == Status::Archived && !placed.event.is_legacy()) {
                // A task archived while held kept its claim; out of the archive nobody holds it.
                task.claimed_at = None;
                task.lease_until = None;
            }
            if to == Status::Done {
                task.progress = Some(limits::PROGRESS_MAX);
            }
        }
        if to.is_terminal() {
            task.terminal_at = Some(now);
        } else if !placed.event.is_legacy() {
            // HZL 3.2.0 kept it through a reopening, and its logs must read the same.
            task.terminal_at = None;
        }
        set_status(task, to, placed);
    }

    /// Tells whether a guarded event applies, and lists it if not.
    fn guard(
        &mut self,
        task: &Task,
        placed: &PlacedEvent,
        to: Status,
        guard: &Guard<'_>,
        if_expired: bool,
    ) -> bool {
        if guard.holds(task, placed, to, if_expired) {
            return true;
        }
        if is_planted(Bug::SupersededUnlisted) {
            return false;
        }
        let winner = task.memory.last_status.as_ref();
        let deleted = matches!(placed.event.payload, Payload::TaskDeleted(_));
        let wanted = if deleted { json!("deleted") } else { json!(to) };
        let kind = ConflictKind::Superseded;
        self.conflicts.push(conflict(
            placed,
            kind,
            "status",
            winner,
            wanted,
            json!(task.status),
        ));
        false
    }

    fn renew_lease(&mut self, task: &mut Task, placed: &PlacedEvent, renewed: &LeaseRenewed) {
        let end = lease_end(&renewed.lease_until, placed);
        if renewed.claim.is_some() && renewed.claim == task.claim && task.is_owned() {
            if end > task.lease_until {
                task.memory.lease_ms = lease_ms(&renewed.lease_until, placed);
                task.lease_until = end;
                task.updated_at = task.updated_at.max(placed.effective_ts());
            }
            return;
        }
        let winner = task.memory.last_status.as_ref();
        let wanted = json!(renewed.lease_until);
        let stands = json!(task.lease_until.map(|end| end.to_string()));
        let kind = ConflictKind::LateRenewal;
        self.conflicts.push(conflict(
            placed,
            kind,
            "lease_until",
            winner,
            wanted,
            stands,
        ));
    }

    // ---- values: the last to be written

    fn update(
        &mut self,
        task: &mut Task,
        placed: &PlacedEvent,
        updated: &TaskUpdated,
        context: FoldContext<'_>,
    ) {
        let Some(field) = Field::find(&updated.field) else {
            return;
        };
        if field == Field::Agent {
            // Nobody is put in the place of a holder; an event of HZL 3.2.0 may do that to its own kind.
            let routed = if placed.event.is_legacy() {
                !task.is_owned() || task.memory.claim_is_legacy
            } else {
                !task.is_owned() && updated.claim == task.claim
            };
            if !routed {
                let winner = task.memory.last_status.as_ref();
                let (wanted, stands) = (updated.new_value.clone(), json!(task.agent));
                let kind = ConflictKind::Superseded;
                self.conflicts
                    .push(conflict(placed, kind, "agent", winner, wanted, stands));
                return;
            }
        }
        let stands = task.value(field);
        let mut changed = task.clone();
        if !changed.set_value(field, &updated.new_value) {
            return;
        }
        let write = Write {
            key: field.name(),
            wanted: changed.value(field),
            stands,
        };
        if self.write_value(&mut changed, placed, &write, context) {
            touch(&mut changed, placed);
            *task = changed;
        } else {
            task.memory = changed.memory;
        }
    }

    fn move_task(
        &mut self,
        task: &mut Task,
        placed: &PlacedEvent,
        to: &ProjectName,
        context: FoldContext<'_>,
    ) {
        let project = context.projects.resolve_at(to, placed.position);
        // Only for a conflict row; there is none without an earlier write.
        let stands = match task.memory.stamps.contains_key("project") {
            true => json!(context.projects.name_at(&task.project, placed.position)),
            false => Value::Null,
        };
        let write = Write {
            key: "project",
            wanted: json!(to),
            stands,
        };
        if self.write_value(task, placed, &write, context) {
            task.project = project;
            touch(task, placed);
        }
    }

    fn set_edge(
        &mut self,
        task: &mut Task,
        placed: &PlacedEvent,
        on: &TaskId,
        present: bool,
        context: FoldContext<'_>,
    ) {
        let new = Stamp::of(placed);
        if let Some(old) = task.memory.edges.get(on) {
            let (wins, concurrent) = match &old.stamp {
                // Whoever writes about a task has seen its creation.
                None => (true, false),
                Some(stamp) => judge(&new, stamp, context.rewind_points),
            };
            if concurrent {
                let field = format!("depends_on/{on}");
                let stamp = old
                    .stamp
                    .as_ref()
                    .expect("only stamped writes are concurrent");
                self.list_value(
                    placed,
                    stamp,
                    wins,
                    &field,
                    json!(present),
                    json!(old.present),
                );
            }
            if !wins {
                return;
            }
        }
        // A removal of what was never there is remembered too: it competes with a concurrent addition.
        task.memory.edges.insert(
            on.clone(),
            Edge {
                present,
                stamp: Some(new),
            },
        );
    }

    /// Decides between a new write and the current one; `true`: the new one stands.
    fn write_value(
        &mut self,
        task: &mut Task,
        placed: &PlacedEvent,
        write: &Write,
        context: FoldContext<'_>,
    ) -> bool {
        let new = Stamp::of(placed);
        if let Some(old) = task.memory.stamps.get(write.key) {
            let (wins, concurrent) = judge(&new, old, context.rewind_points);
            if concurrent {
                let old = old.clone();
                let (wanted, stands) = (write.wanted.clone(), write.stands.clone());
                self.list_value(placed, &old, wins, write.key, wanted, stands);
            }
            if !wins {
                return false;
            }
        }
        task.memory.stamps.insert(write.key.to_owned(), new);
        true
    }

    fn list_value(
        &mut self,
        placed: &PlacedEvent,
        old: &Stamp,
        new_wins: bool,
        field: &str,
        wanted: Value,
        stands: Value,
    ) {
        let equal = wanted == stands && is_planted(Bug::EqualValueUnlisted);
        if equal || is_planted(Bug::LostValueUnlisted) {
            return;
        }
        let new = Stamp::of(placed);
        let (loser, winner) = if new_wins { (old, &new) } else { (&new, old) };
        let (losing_value, winning_value) = if new_wins {
            (stands, wanted)
        } else {
            (wanted, stands)
        };
        self.conflicts.push(Conflict {
            event_id: loser.event_id.clone(),
            kind: ConflictKind::Value,
            field: field.to_owned(),
            task_id: placed.event.task_id.clone(),
            winner_event_id: Some(winner.event_id.clone()),
            losing_value,
            winning_value,
            at: later(loser.received_at(), winner.received_at()),
        });
    }

    // ---- notes: kept all

    fn checkpoint(
        &mut self,
        task: &mut Task,
        placed: &PlacedEvent,
        checkpoint: &CheckpointRecorded,
    ) {
        self.checkpoints.push(Checkpoint {
            event_id: placed.event.event_id.clone(),
            author: placed.event.author.clone(),
            name: checkpoint.name.clone(),
            data: checkpoint.data.clone().unwrap_or_default(),
            at: placed.effective_ts(),
        });
        let current = checkpoint.claim.is_none()
            || checkpoint.claim == task.claim
            || is_planted(Bug::StaleProgressCounts);
        if let (Some(progress), true) = (checkpoint.progress, current) {
            task.progress = Some(progress.min(limits::PROGRESS_MAX));
            touch(task, placed);
        }
    }
}

/// What the writer of a guarded event saw.
struct Guard<'a> {
    from: Option<Status>,
    claim: Option<&'a EventId>,
}

impl Guard<'_> {
    fn holds(&self, task: &Task, placed: &PlacedEvent, to: Status, if_expired: bool) -> bool {
        let claims =
            to == Status::InProgress && matches!(self.from, Some(Status::Backlog | Status::Ready));
        if placed.event.is_legacy() {
            if !task.memory.has_device {
                return true;
            }
            // An archive of HZL 3.2.0 does not say what it saw, and no event of its says which claim.
            let ends_claim = !claims && task.claim.is_some() && !task.memory.claim_is_legacy;
            return self.from == Some(task.status) && !ends_claim;
        }
        let current =
            claims || self.claim == task.claim.as_ref() || is_planted(Bug::ClaimNotCompared);
        let expired = !if_expired
            || is_planted(Bug::LeaseNotCompared)
            || task
                .lease_until
                .is_none_or(|end| end < placed.effective_ts());
        let claimable = claims && is_planted(Bug::StaleClaimAccepted);
        (self.from == Some(task.status) || claimable) && current && expired
    }
}

/// One write of a value: its key, what it wants, what stands.
struct Write {
    key: &'static str,
    wanted: Value,
    stands: Value,
}

/// (the new write stands, neither knew the other)
fn judge(new: &Stamp, old: &Stamp, rewind_points: &[i64]) -> (bool, bool) {
    if is_planted(Bug::ValuesByTimeAlone) {
        return (new.wins_over(old), false);
    }
    let new_saw = new.had_seen(old, rewind_points);
    let old_saw = old.had_seen(new, rewind_points);
    (
        new_saw || is_planted(Bug::LastArrivalWins) || (!old_saw && new.wins_over(old)),
        !new_saw && !old_saw,
    )
}

fn create(
    task_id: &TaskId,
    created: &TaskCreated,
    placed: &PlacedEvent,
    context: FoldContext<'_>,
) -> Task {
    let at = placed.effective_ts();
    let edges = created.depends_on.iter().flatten();
    Task {
        task_id: task_id.clone(),
        title: created.title.clone(),
        project: context
            .projects
            .resolve_at(&created.project, placed.position),
        status: Status::Backlog,
        parent_id: created
            .parent_id
            .clone()
            .filter(|id| !id.as_str().is_empty()),
        description: created.description.clone(),
        links: created.links.clone().unwrap_or_default(),
        tags: created.tags.clone().unwrap_or_default(),
        priority: created.priority.unwrap_or(0).min(limits::PRIORITY_MAX),
        due_at: created.due_at.clone(),
        metadata: created.metadata.clone().unwrap_or_default(),
        stale_after_minutes: created.stale_after_minutes,
        claimed_at: None,
        agent: created.agent.clone().or_else(|| created.assignee.clone()),
        progress: None,
        lease_until: None,
        terminal_at: None,
        created_at: at,
        updated_at: at,
        claim: None,
        memory: Memory {
            created: Stamp::of(placed),
            stamps: std::collections::BTreeMap::new(),
            edges: edges
                .map(|on| {
                    (
                        on.clone(),
                        Edge {
                            present: true,
                            stamp: None,
                        },
                    )
                })
                .collect(),
            last_status: None,
            has_device: false,
            claim_is_legacy: false,
            claim_is_over: false,
            lease_ms: None,
        },
    }
}

fn set_status(task: &mut Task, status: Status, placed: &PlacedEvent) {
    task.status = status;
    task.memory.claim_is_over |= task.claim.is_some() && !status.is_held();
    task.memory.has_device |= !placed.event.is_legacy();
    task.memory.last_status = Some(Stamp::of(placed));
    touch(task, placed);
}

fn touch(task: &mut Task, placed: &PlacedEvent) {
    task.updated_at = placed.effective_ts();
}

/// A lease lasts as long as its writer meant, from the event's effective time.
fn lease_end(until: &str, placed: &PlacedEvent) -> Option<Timestamp> {
    if is_planted(Bug::LeaseByWritersClock) {
        return Timestamp::parse(until);
    }
    lease_ms(until, placed).map(|length| placed.effective_ts().plus_millis(length))
}

fn lease_ms(until: &str, placed: &PlacedEvent) -> Option<i64> {
    let until = Timestamp::parse(until)?.millis();
    Some(until.saturating_sub(placed.event.timestamp.millis()))
}

fn conflict(
    placed: &PlacedEvent,
    kind: ConflictKind,
    field: &str,
    winner: Option<&Stamp>,
    losing_value: Value,
    winning_value: Value,
) -> Conflict {
    Conflict {
        event_id: placed.event.event_id.clone(),
        kind,
        field: field.to_owned(),
        task_id: placed.event.task_id.clone(),
        winner_event_id: winner.map(|stamp| stamp.event_id.clone()),
        losing_value,
        winning_value,
        at: match winner {
            Some(winner) => later(placed.received_at, winner.received_at()),
            None => placed.received_at,
        },
    }
}

/// The later of two arrivals; `None` while one of them has not arrived.
fn later(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    Some(a?.max(b?))
}

#[cfg(test)]
mod tests;
