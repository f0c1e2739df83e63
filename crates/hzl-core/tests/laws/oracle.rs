//! A second, independent fold, kept as plain as possible: one pass over the whole log in its order, all
//! tasks and projects at once, no grouping, no stamps. The rules are those of the design (§2, §4) as its
//! model proved them, and the effects table of HZL 3.2.0 (`events.md` §5.4). Both folds must agree.
//!
//! What the model did not have, stated here once more in other words:
//! - events of 3.2.0 know each other by their order; one that stands before an event of ours and is not
//!   younger was known to it (`knew`);
//! - nobody writes about a task without knowing its creation: values of the creation never compete;
//! - an unblock goes on with the claim only while that claim was not given back.

use std::collections::{BTreeMap, BTreeSet};

use hzl_core::event::{Field, Payload, PlacedEvent, StatusChanged};
use hzl_core::ids::{EventId, TaskId};
use hzl_core::task::Status;
use hzl_core::time::Timestamp;
use serde_json::{Value, json};

use crate::view::{Edge, View};

type Row = (EventId, &'static str, String, Option<EventId>);

/// Folds the log here, and fails if the view says anything else.
pub(crate) fn assert_agrees(log: &[PlacedEvent], rewind_points: &[i64], view: &View) {
    let mut oracle = Oracle {
        log,
        rewind_points,
        ..Oracle::default()
    };
    for at in 0..log.len() {
        oracle.fold(at);
    }
    oracle.compare(view);
}

#[derive(Default)]
struct Oracle<'a> {
    log: &'a [PlacedEvent],
    rewind_points: &'a [i64],
    tasks: BTreeMap<TaskId, Item>,
    /// What each name means now; identities are numbers.
    meaning: BTreeMap<String, usize>,
    projects: Vec<Project>,
    rows: BTreeSet<Row>,
}

#[derive(Default)]
struct Project {
    name: String,
    created: bool,
    deleted: bool,
}

/// A value and the event that wrote it; `None`: the creation.
type Cell = (Value, Option<usize>);

#[derive(Default)]
struct Item {
    status: Status,
    claim: Option<usize>,
    /// The claim was given back, or its work is finished.
    over: bool,
    agent: Option<String>,
    claimed_at: Option<i64>,
    lease_end: Option<i64>,
    terminal_at: Option<i64>,
    progress: Option<u8>,
    last_status: Option<usize>,
    ours: bool,
    cells: BTreeMap<String, Cell>,
    notes: usize,
    tombstone: Option<usize>,
}

impl Item {
    fn is_held(&self) -> bool {
        let held = [Status::InProgress, Status::Blocked].contains(&self.status);
        held && self.claim.is_some() && !self.over
    }
}

impl Oracle<'_> {
    fn effective(&self, at: usize) -> i64 {
        let written = self.log[at].event.timestamp.millis();
        self.log[at]
            .received_at
            .map_or(written, |received| written.min(received.millis()))
    }

    fn id(&self, at: usize) -> EventId {
        self.log[at].event.event_id.clone()
    }

    fn knew(&self, writer: usize, other: usize) -> bool {
        let (w, o) = (&self.log[writer], &self.log[other]);
        match (w.event.epoch, o.event.epoch) {
            (None, None) => other < writer,
            (None, Some(_)) => false,
            (Some(_), None)
                if other < writer && self.effective(other) <= self.effective(writer) =>
            {
                true
            }
            (Some(_), Some(_)) if w.device == o.device => {
                o.event.event_id < w.event.event_id && other < writer
            }
            (Some(mine), theirs) => o.seq.is_some_and(|seq| {
                let later = self.rewind_points.iter().skip(mine as usize);
                seq <= w.event.basis_seq
                    && theirs <= Some(mine)
                    && later.min().is_none_or(|p| seq <= *p)
            }),
        }
    }

    fn fold(&mut self, at: usize) {
        let event = &self.log[at].event;
        let Some(task_id) = event.task_id.clone() else {
            return self.project(at);
        };
        let effective = self.effective(at);
        if let Payload::TaskCreated(created) = &event.payload {
            let project = self.identity(created.project.as_str());
            let agent = created.agent.clone().or(created.assignee.clone());
            let mut cells = BTreeMap::from([
                ("title".to_owned(), (json!(created.title), None)),
                ("description".to_owned(), (json!(created.description), None)),
                (
                    "tags".to_owned(),
                    (json!(created.tags.clone().unwrap_or_default()), None),
                ),
                (
                    "priority".to_owned(),
                    (json!(created.priority.unwrap_or(0)), None),
                ),
                ("due_at".to_owned(), (json!(created.due_at), None)),
                ("parent_id".to_owned(), (json!(created.parent_id), None)),
                ("project".to_owned(), (json!(project), None)),
            ]);
            for on in created.depends_on.iter().flatten() {
                cells.insert(format!("depends_on/{on}"), (json!(true), None));
            }
            self.tasks.insert(
                task_id,
                Item {
                    agent,
                    cells,
                    ..Item::default()
                },
            );
            return;
        }
        let Some(mut item) = self.tasks.remove(&task_id) else {
            return;
        };
        if let Some(tombstone) = item.tombstone {
            let winner = Some(self.id(tombstone));
            self.rows
                .insert((self.id(at), "after_tombstone", String::new(), winner));
            self.tasks.insert(task_id, item);
            return;
        }
        match &event.payload {
            Payload::StatusChanged(change) => self.status(at, &mut item, change),
            Payload::TaskArchived(archived) => {
                let seen = (archived.from, archived.claim.as_ref(), false);
                if self.guard(at, &item, seen, Status::Archived) {
                    (item.status, item.over) = (Status::Archived, true);
                    item.terminal_at = Some(effective);
                    item.last_status = Some(at);
                    item.ours |= event.epoch.is_some();
                }
            }
            Payload::TaskDeleted(deleted) => {
                let seen = (deleted.from, deleted.claim.as_ref(), false);
                if self.guard(at, &item, seen, Status::Archived) {
                    item.tombstone = Some(at);
                    let mine: BTreeSet<EventId> = (self.log.iter())
                        .filter(|other| other.event.task_id.as_ref() == Some(&task_id))
                        .map(|other| other.event.event_id.clone())
                        .collect();
                    self.rows.retain(|row| !mine.contains(&row.0));
                }
            }
            Payload::LeaseRenewed(renewed) => {
                let claim = item.claim.map(|at| self.id(at));
                if renewed.claim.is_some() && renewed.claim == claim && item.is_held() {
                    item.lease_end = item
                        .lease_end
                        .max(self.lease(at, Some(&renewed.lease_until)));
                } else {
                    let winner = item.last_status.map(|at| self.id(at));
                    self.rows.insert((
                        self.id(at),
                        "late_renewal",
                        "lease_until".to_owned(),
                        winner,
                    ));
                }
            }
            Payload::TaskUpdated(updated)
                if ["agent", "assignee"].contains(&updated.field.as_str()) =>
            {
                self.route(at, &mut item, &updated.new_value, updated.claim.as_ref());
            }
            Payload::TaskUpdated(updated) => {
                self.cell(
                    at,
                    &mut item,
                    updated.field.clone(),
                    updated.new_value.clone(),
                );
            }
            Payload::TaskMoved(moved) => {
                let project = json!(self.identity(moved.to_project.as_str()));
                self.cell(at, &mut item, "project".to_owned(), project);
            }
            Payload::DependencyAdded(edge) => {
                self.cell(
                    at,
                    &mut item,
                    format!("depends_on/{}", edge.depends_on_id),
                    json!(true),
                );
            }
            Payload::DependencyRemoved(edge) => {
                self.cell(
                    at,
                    &mut item,
                    format!("depends_on/{}", edge.depends_on_id),
                    json!(false),
                );
            }
            Payload::CommentAdded(_) => item.notes += 1,
            Payload::CheckpointRecorded(checkpoint) => {
                item.notes += 1;
                let claim = item.claim.map(|at| self.id(at));
                if checkpoint.claim.is_none() || checkpoint.claim == claim {
                    item.progress = checkpoint.progress.or(item.progress);
                }
            }
            other => panic!("not an event of these worlds: {other:?}"),
        }
        self.tasks.insert(task_id, item);
    }

    // ---- ownership

    /// (from, claim, only if expired), as the writer saw it.
    fn guard(
        &mut self,
        at: usize,
        item: &Item,
        seen: (Option<Status>, Option<&EventId>, bool),
        to: Status,
    ) -> bool {
        let (from, claim, if_expired) = seen;
        let takes = to == Status::InProgress
            && (from == Some(Status::Backlog) || from == Some(Status::Ready));
        let same_status = from == Some(item.status);
        let holds = if self.log[at].event.epoch.is_some() {
            let same_claim = claim.cloned() == item.claim.map(|at| self.id(at));
            let expired = item.lease_end.is_none_or(|end| end < self.effective(at));
            same_status && (takes || same_claim) && (!if_expired || expired)
        } else {
            let ours = item
                .claim
                .is_some_and(|claim| self.log[claim].event.epoch.is_some());
            !item.ours || (same_status && (takes || !ours))
        };
        if !holds {
            let winner = item.last_status.map(|at| self.id(at));
            self.rows
                .insert((self.id(at), "superseded", "status".to_owned(), winner));
        }
        holds
    }

    fn status(&mut self, at: usize, item: &mut Item, change: &StatusChanged) {
        let seen = (Some(change.from), change.claim.as_ref(), change.if_expired);
        if !self.guard(at, item, seen, change.to) {
            return;
        }
        let event = &self.log[at].event;
        let legacy = event.epoch.is_none();
        let now = Some(self.effective(at));
        let named = change.agent.clone().or(change.assignee.clone());
        let owner = named
            .clone()
            .or(event.author.clone())
            .or(event.agent_id.clone());
        let lease = self.lease(at, change.lease_until.as_deref());
        match (change.from, change.to) {
            (Status::Blocked, Status::InProgress) => {
                let goes_on = item.claim.is_some() && !item.over;
                item.agent = if goes_on && !legacy { named } else { owner }.or(item.agent.take());
                item.lease_end = lease;
                if !goes_on {
                    item.claim = Some(at);
                    item.claimed_at = if legacy { item.claimed_at } else { now };
                    item.cells.remove("agent");
                }
                item.over = false;
            }
            (from, Status::InProgress) => {
                item.agent = if from == Status::InProgress {
                    owner
                } else {
                    owner.or(item.agent.take())
                };
                (item.claim, item.claimed_at, item.lease_end) = (Some(at), now, lease);
                item.over = false;
                item.cells.remove("agent");
            }
            (Status::Blocked, Status::Blocked) => {}
            (_, Status::Blocked) => item.lease_end = None,
            (from, _) => {
                item.over = true;
                let unarchived = from == Status::Archived && !legacy;
                if from == Status::InProgress || from == Status::Blocked || unarchived {
                    (item.claimed_at, item.lease_end) = (None, None);
                }
            }
        }
        if change.to == Status::Done {
            item.progress = Some(100);
        }
        if change.to == Status::Done || change.to == Status::Archived {
            item.terminal_at = now;
        } else if !legacy {
            item.terminal_at = None;
        }
        item.status = change.to;
        item.last_status = Some(at);
        item.ours |= !legacy;
    }

    fn lease(&self, at: usize, until: Option<&str>) -> Option<i64> {
        let length = Timestamp::parse(until?)?.millis() - self.log[at].event.timestamp.millis();
        Some(self.effective(at) + length)
    }

    fn route(&mut self, at: usize, item: &mut Item, to: &Value, claim: Option<&EventId>) {
        let legacy = self.log[at].event.epoch.is_none();
        let holder_is_ours = item
            .claim
            .is_some_and(|claim| self.log[claim].event.epoch.is_some());
        let refused = if legacy {
            item.is_held() && holder_is_ours
        } else {
            item.is_held() || claim.cloned() != item.claim.map(|at| self.id(at))
        };
        if refused {
            let winner = item.last_status.map(|at| self.id(at));
            self.rows
                .insert((self.id(at), "superseded", "agent".to_owned(), winner));
            return;
        }
        item.cells
            .entry("agent".to_owned())
            .or_insert((json!(item.agent), None));
        self.cell(at, item, "agent".to_owned(), to.clone());
        if item.cells["agent"].1 == Some(at) {
            item.agent = to.as_str().map(str::to_owned);
        }
    }

    // ---- values

    fn cell(&mut self, at: usize, item: &mut Item, key: String, value: Value) {
        if let Some((_, Some(old))) = item.cells.get(&key) {
            let old = *old;
            let wins = if self.knew(at, old) {
                true
            } else if self.knew(old, at) {
                false
            } else {
                let wins = (self.effective(at), self.id(at)) > (self.effective(old), self.id(old));
                let (loser, winner) = if wins { (old, at) } else { (at, old) };
                self.rows
                    .insert((self.id(loser), "value", key.clone(), Some(self.id(winner))));
                wins
            };
            if !wins {
                return;
            }
        }
        item.cells.insert(key, (value, Some(at)));
    }

    // ---- projects

    fn identity(&mut self, name: &str) -> usize {
        let next = self.projects.len();
        let identity = *self.meaning.entry(name.to_owned()).or_insert(next);
        if identity == next {
            self.projects.push(Project {
                name: name.to_owned(),
                ..Project::default()
            });
        }
        identity
    }

    fn project(&mut self, at: usize) {
        let applied = match &self.log[at].event.payload {
            Payload::ProjectCreated(created) => {
                let mut identity = self.identity(created.name.as_str());
                if self.projects[identity].name != created.name.as_str() {
                    self.meaning.remove(created.name.as_str());
                    identity = self.identity(created.name.as_str());
                }
                let project = &mut self.projects[identity];
                (project.created, project.deleted) = (true, false);
                true
            }
            Payload::ProjectRenamed(renamed) => {
                let (old, new) = (renamed.old_name.as_str(), renamed.new_name.as_str());
                let identity = self.identity(old);
                let live = |p: &Project| p.created && !p.deleted;
                let in_the_way = self.meaning.get(new).map(|at| &self.projects[*at]);
                let taken = in_the_way.is_some_and(|p| p.name == new && live(p));
                let project = &mut self.projects[identity];
                let applies = project.name == old && !project.deleted && !taken && old != new;
                if applies {
                    new.clone_into(&mut project.name);
                    self.meaning.insert(new.to_owned(), identity);
                }
                applies
            }
            Payload::ProjectDeleted(deleted) => {
                let identity = self.identity(deleted.name.as_str());
                let project = &mut self.projects[identity];
                let applies = project.name == deleted.name.as_str();
                project.deleted |= applies;
                applies
            }
            other => panic!("not a project event: {other:?}"),
        };
        if !applied {
            let kind = self.log[at].event.payload.kind().to_owned();
            self.rows
                .insert((self.id(at), "superseded_project", kind, None));
        }
    }

    // ---- the end

    fn compare(&self, view: &View) {
        let rows = view.folds.values().flat_map(|fold| &fold.conflicts);
        let rows = rows.chain(view.projects.conflicts()).map(|row| {
            (
                row.event_id.clone(),
                row.kind.name(),
                row.field.clone(),
                row.winner_event_id.clone(),
            )
        });
        assert_eq!(rows.collect::<BTreeSet<Row>>(), self.rows, "conflicts");
        for (id, item) in &self.tasks {
            let fold = &view.folds[id];
            if let Some(tombstone) = item.tombstone {
                assert_eq!(
                    fold.tombstone.as_ref().map(|s| &s.event_id),
                    Some(&self.id(tombstone))
                );
                assert!(fold.task.is_none() && fold.comments.is_empty());
                continue;
            }
            let task = fold.task.as_ref().expect("it is alive");
            let claim = item.claim.map(|at| self.id(at));
            assert_eq!(
                (task.status, &task.claim, &task.agent),
                (item.status, &claim, &item.agent),
                "{id}"
            );
            let ms = |time: Option<Timestamp>| time.map(Timestamp::millis);
            let times = (
                ms(task.claimed_at),
                ms(task.lease_until),
                ms(task.terminal_at),
            );
            assert_eq!(
                times,
                (item.claimed_at, item.lease_end, item.terminal_at),
                "{id}"
            );
            assert_eq!(
                (task.progress, task.is_owned()),
                (item.progress, item.is_held()),
                "{id}"
            );
            assert_eq!(
                fold.comments.len() + fold.checkpoints.len(),
                item.notes,
                "{id}"
            );
            for (key, (value, _)) in &item.cells {
                if let Some(field) = Field::find(key).filter(|field| *field != Field::Agent) {
                    assert_eq!(task.value(field), *value, "{key} of {id}");
                }
            }
            let project = item.cells["project"]
                .0
                .as_u64()
                .and_then(|at| usize::try_from(at).ok());
            let project = project
                .and_then(|at| self.projects.get(at))
                .map(|p| p.name.as_str());
            assert_eq!(Some(view.project_of(task).as_str()), project, "{id}");
        }
        self.compare_links(view);
        let live = self.projects.iter().filter(|p| p.created && !p.deleted);
        let named: BTreeSet<&str> = live.map(|p| p.name.as_str()).collect();
        let listed = view
            .projects
            .list()
            .filter(|p| !p.is_deleted)
            .map(|p| p.name.as_str());
        assert_eq!(listed.collect::<BTreeSet<&str>>(), named, "projects");
    }

    fn compare_links(&self, view: &View) {
        let alive = |id: &str| {
            self.tasks
                .get(&TaskId::from(id))
                .filter(|t| t.tombstone.is_none())
        };
        let raw = |item: &Item| item.cells["parent_id"].0.as_str().map(str::to_owned);
        let mut written: Vec<(Option<usize>, Edge)> = vec![];
        for (id, item) in self
            .tasks
            .iter()
            .filter(|(_, item)| item.tombstone.is_none())
        {
            let parent = raw(item).filter(|parent| alive(parent).is_some_and(|p| raw(p).is_none()));
            assert_eq!(
                view.parents.get(id).map(TaskId::as_str),
                parent.as_deref(),
                "parent of {id}"
            );
            let created = self
                .log
                .iter()
                .position(|placed| placed.event.task_id.as_ref() == Some(id));
            for (key, (present, by)) in &item.cells {
                let on = key
                    .strip_prefix("depends_on/")
                    .filter(|_| *present == json!(true));
                if let Some(on) = on.filter(|on| alive(on).is_some()) {
                    written.push((by.or(created), (id.clone(), TaskId::from(on))));
                }
            }
        }
        written.sort();
        let mut reach: BTreeSet<Edge> = BTreeSet::new();
        let mut cut = BTreeSet::new();
        for (_, (from, on)) in written {
            if from == on || reach.contains(&(on.clone(), from.clone())) {
                cut.insert((from, on));
                continue;
            }
            let mut before: Vec<TaskId> = reach
                .iter()
                .filter(|(_, to)| *to == from)
                .map(|(at, _)| at.clone())
                .collect();
            before.push(from);
            let mut after: Vec<TaskId> = reach
                .iter()
                .filter(|(at, _)| *at == on)
                .map(|(_, to)| to.clone())
                .collect();
            after.push(on);
            for start in &before {
                reach.extend(after.iter().map(|end| (start.clone(), end.clone())));
            }
        }
        assert_eq!(view.cut, cut, "dependencies that close a cycle");
    }
}
