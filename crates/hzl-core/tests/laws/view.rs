//! What a device sees of its log: folded from scratch task by task, and folded event by event.

use std::collections::{BTreeMap, BTreeSet};

use hzl_core::availability::Candidate;
use hzl_core::command::{Actor, Command};
use hzl_core::decide::{Facts, TaskFacts};
use hzl_core::event::PlacedEvent;
use hzl_core::fold::{FoldContext, TaskFold};
use hzl_core::graph::{closing_cycles, reaches};
use hzl_core::ids::{EventId, ProjectName, TaskId};
use hzl_core::project::Projects;
use hzl_core::task::{Status, Task};
use hzl_core::time::Timestamp;

pub(crate) type Edge = (TaskId, TaskId);

/// The state of a whole log.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct View {
    pub(crate) projects: Projects,
    pub(crate) folds: BTreeMap<TaskId, TaskFold>,
    /// Parent links that count.
    pub(crate) parents: BTreeMap<TaskId, TaskId>,
    /// Dependencies that count, and those that would close a cycle.
    pub(crate) edges: BTreeSet<Edge>,
    pub(crate) cut: BTreeSet<Edge>,
}

impl View {
    /// Folds projects first, then each task alone, as a rebuild does.
    pub(crate) fn of(order: Vec<PlacedEvent>, rewind_points: &[i64]) -> Self {
        let projects = Projects::of(&order);
        let mut groups: BTreeMap<TaskId, Vec<PlacedEvent>> = BTreeMap::new();
        for placed in order {
            if let Some(task_id) = placed.event.task_id.clone() {
                groups.entry(task_id).or_default().push(placed);
            }
        }
        let context = FoldContext {
            projects: &projects,
            rewind_points,
        };
        let folds = groups
            .iter()
            .map(|(id, group)| (id.clone(), TaskFold::of(group, context)));
        let folds: BTreeMap<TaskId, TaskFold> = folds.collect();
        Self::end_state(projects, folds)
    }

    /// The rules that no single task can judge (design §4, "end-state rules").
    fn end_state(projects: Projects, folds: BTreeMap<TaskId, TaskFold>) -> Self {
        let task = |id: &TaskId| folds.get(id).and_then(|fold| fold.task.as_ref());
        let tasks = || folds.values().filter_map(|fold| fold.task.as_ref());
        let counts = |parent: &&TaskId| task(parent).is_some_and(|t| t.parent_id.is_none());
        let parents = tasks().filter_map(|t| {
            let parent = t.parent_id.as_ref().filter(counts)?;
            Some((t.task_id.clone(), parent.clone()))
        });
        let parents = parents.collect();
        let mut written: Vec<_> = tasks()
            .flat_map(|t| {
                t.dependencies()
                    .map(move |(on, stamp)| (stamp.position(), t, on))
            })
            .filter(|(_, _, on)| task(on).is_some())
            .map(|(position, t, on)| (position, (t.task_id.clone(), on.clone())))
            .collect();
        written.sort();
        let written: Vec<Edge> = written.into_iter().map(|(_, edge)| edge).collect();
        let cut: BTreeSet<Edge> = closing_cycles(&written)
            .into_iter()
            .map(|at| written[at].clone())
            .collect();
        let edges = written
            .into_iter()
            .filter(|edge| !cut.contains(edge))
            .collect();
        Self {
            projects,
            folds,
            parents,
            edges,
            cut,
        }
    }

    pub(crate) fn task(&self, id: &TaskId) -> Option<&Task> {
        self.folds.get(id)?.task.as_ref()
    }

    pub(crate) fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.folds.values().filter_map(|fold| fold.task.as_ref())
    }

    pub(crate) fn project_of(&self, task: &Task) -> ProjectName {
        self.projects.name_of(&task.project)
    }

    pub(crate) fn children(&self, id: &TaskId) -> Vec<TaskId> {
        let mine = self.parents.iter().filter(|(_, parent)| *parent == id);
        mine.map(|(child, _)| child.clone()).collect()
    }

    /// Ids of all events that lost something, with the kind and field of the row.
    pub(crate) fn losers(&self) -> BTreeSet<(EventId, &'static str, String)> {
        let rows = self.folds.values().flat_map(|fold| &fold.conflicts);
        rows.chain(self.projects.conflicts())
            .map(|row| (row.event_id.clone(), row.kind.name(), row.field.clone()))
            .collect()
    }

    /// Everything a decision may know; more than the store would load.
    pub(crate) fn facts(&self, command: &Command, actor: &Actor) -> Facts {
        let project_tasks = match command {
            Command::DeleteProject { name, .. } => {
                let inside = self.tasks().filter(|task| self.project_of(task) == *name);
                inside.map(|task| task.task_id.clone()).collect()
            }
            _ => vec![],
        };
        let closes_cycle = match command {
            Command::AddDependency {
                task_id,
                depends_on,
            } => reaches(depends_on, task_id, |id| self.waits_for(id)),
            _ => false,
        };
        let finished = self.tasks().filter(|task| task.status.is_terminal());
        Facts {
            tasks: self
                .tasks()
                .map(|t| (t.task_id.clone(), self.task_facts(t)))
                .collect(),
            projects: self.projects.clone(),
            project_tasks,
            next: self.next_for(actor.author.as_deref()),
            closes_cycle,
            prunable: finished.map(|task| task.task_id.clone()).collect(),
            ..Facts::default()
        }
    }

    fn task_facts(&self, task: &Task) -> TaskFacts {
        let open = |id: &TaskId| self.task(id).is_some_and(|t| !t.status.is_terminal());
        TaskFacts {
            task: task.clone(),
            project: self.project_of(task),
            parent: self.parents.get(&task.task_id).cloned(),
            children: self.children(&task.task_id),
            lost_claims: vec![],
            blockers: self
                .waits_for(&task.task_id)
                .into_iter()
                .filter(open)
                .collect(),
        }
    }

    fn waits_for(&self, id: &TaskId) -> Vec<TaskId> {
        let mine = self.edges.iter().filter(|(from, _)| from == id);
        mine.map(|(_, on)| on.clone()).collect()
    }

    fn next_for(&self, agent: Option<&str>) -> Option<TaskId> {
        let count = |n: usize| u32::try_from(n).expect("a handful");
        let candidates = self.tasks().map(|task| Candidate {
            task_id: task.task_id.clone(),
            status: task.status,
            open_deps: count(self.task_facts(task).blockers.len()),
            child_count: count(self.children(&task.task_id).len()),
            agent: task.agent.clone(),
            priority: task.priority,
            due_at: task.due_at.as_deref().and_then(Timestamp::parse),
            created_at: task.created_at,
        });
        let mut eligible: Vec<Candidate> = candidates
            .filter(|c| c.ineligible_for(agent).is_none())
            .collect();
        eligible.sort_by(Candidate::order);
        eligible.first().map(|c| c.task_id.clone())
    }

    pub(crate) fn status(&self, id: &TaskId) -> Option<Status> {
        Some(self.task(id)?.status)
    }
}

/// The same state, kept up event by event: each time the task is taken from its row and resumed.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Incremental {
    projects: Projects,
    folds: BTreeMap<TaskId, TaskFold>,
}

impl Incremental {
    pub(crate) fn apply(&mut self, placed: &PlacedEvent, rewind_points: &[i64]) {
        let Some(task_id) = &placed.event.task_id else {
            self.projects.apply(placed);
            return;
        };
        let row = self.folds.entry(task_id.clone()).or_default();
        let mut fold = TaskFold::resume(row.task.take());
        fold.tombstone = row.tombstone.take();
        let context = FoldContext {
            projects: &self.projects,
            rewind_points,
        };
        let was_deleted = fold.tombstone.is_some();
        fold.apply(placed, context);
        if fold.tombstone.is_some() && !was_deleted {
            *row = TaskFold::default();
        }
        row.task = fold.task;
        row.tombstone = fold.tombstone;
        row.conflicts.append(&mut fold.conflicts);
        row.comments.append(&mut fold.comments);
        row.checkpoints.append(&mut fold.checkpoints);
    }

    /// The claims that stand.
    pub(crate) fn claims(&self) -> impl Iterator<Item = EventId> {
        self.folds
            .values()
            .filter_map(|fold| fold.task.as_ref()?.claim.clone())
    }

    pub(crate) fn assert_same(&self, view: &View) {
        assert_eq!(self.projects, view.projects, "projects, event by event");
        for (id, fold) in &self.folds {
            assert_eq!(Some(fold), view.folds.get(id), "task {id}, event by event");
        }
        assert_eq!(self.folds.len(), view.folds.len());
    }
}
