//! End state of dependencies: edges are tried in the order of their winning event; one that names a
//! missing task or would close a cycle is inactive, and listed.

use std::collections::{BTreeMap, BTreeSet};

use hzl_core::conflict::{Conflict, ConflictKind};
use hzl_core::graph;
use hzl_core::ids::{EventId, TaskId};
use hzl_core::task::Task;
use hzl_core::time::Timestamp;
use rusqlite::{Row, named_params};
use serde_json::json;

use super::{Mode, Projector};
use crate::digest::StateSum;
use crate::error::{OnConnection as _, Result};

/// A dependency as stored. State `new`: not judged yet, and not in the state sum.
#[derive(Clone, Debug, PartialEq)]
struct StoredEdge {
    task_id: TaskId,
    depends_on: TaskId,
    event_id: EventId,
    position: i64,
    received_at: Option<i64>,
    state: String,
}

const OF_TASK: &str = "
    select task_id, depends_on_id, event_id, position, received_at, state
      from p_edges where task_id = :task_id order by depends_on_id";

const POINTING_AT: &str = "
    select task_id, depends_on_id, event_id, position, received_at, state
      from p_edges where depends_on_id = :task_id order by task_id";

const UNJUDGED: &str = "
    select task_id, depends_on_id, event_id, position, received_at, state
      from p_edges indexed by p_edges_inactive
     where state <> 'active' and state = 'new' order by position, task_id, depends_on_id";

const ALL: &str = "
    select task_id, depends_on_id, event_id, position, received_at, state
      from p_edges where state <> 'missing' order by position, task_id, depends_on_id";

const PUT: &str = "
    insert into p_edges (task_id, depends_on_id, event_id, position, received_at, state)
    values (:task_id, :depends_on_id, :event_id, :position, :received_at, 'new')
    on conflict (task_id, depends_on_id) do update set
       event_id = excluded.event_id, position = excluded.position,
       received_at = excluded.received_at, state = 'new'";

const REMOVE: &str = "
    delete from p_edges where task_id = :task_id and depends_on_id = :depends_on_id";

const SET_STATE: &str = "
    update p_edges set state = :state where task_id = :task_id and depends_on_id = :depends_on_id";

const HAS_CYCLES: &str = "
    select exists (select 1 from p_edges indexed by p_edges_inactive
                    where state <> 'active' and state = 'cycle')";

const NEXT: &str = "
    select depends_on_id from p_edges where task_id = :task_id and state in ('active', 'new')
     order by depends_on_id";

const EXISTS: &str = "
    select exists (select 1 from p_tasks where task_id = :task_id)";

const DEPENDENTS: &str = "
    select task_id from p_edges where depends_on_id = :task_id order by task_id";

const COUNT_OPEN: &str = "
    update p_tasks set open_deps = (
      select count(*) from p_edges e
        join p_tasks d on d.task_id = e.depends_on_id
       where e.task_id = p_tasks.task_id and e.state = 'active'
         and d.status not in ('done', 'archived'))
     where task_id = :task_id";

const COUNT_ALL_OPEN: &str = "
    update p_tasks set open_deps = counted.open
      from (select e.task_id as waiting, count(*) as open
              from p_edges e join p_tasks d on d.task_id = e.depends_on_id
             where e.state = 'active' and d.status not in ('done', 'archived')
             group by e.task_id) counted
     where p_tasks.task_id = counted.waiting";

const SET_ALL_MISSING: &str = "
    update p_edges set state = 'missing'
     where not exists (select 1 from p_tasks t where t.task_id = p_edges.depends_on_id)";

const SET_ALL_ACTIVE: &str = "
    update p_edges set state = 'active' where state = 'new'";

const EVERY: &str = "
    select task_id, depends_on_id, event_id, position, received_at, state
      from p_edges order by task_id, depends_on_id";

const REMOVE_CONFLICT: &str = "
    delete from p_conflicts
     where event_id = :event_id and kind in ('closes_cycle', 'missing_dependency')
       and field = :field and task_id = :task_id
    returning event_id, kind, field, winner_event_id";

/// Up to this many changed edges are judged one by one.
const JUDGED_ALONE: usize = 16;

impl Projector<'_> {
    /// Writes the edges of a task as its fold has them; what changed is judged later.
    pub(super) fn write_edges(
        &mut self,
        task_id: &TaskId,
        task: Option<&Task>,
        mode: Mode,
    ) -> Result<()> {
        let mut stored: BTreeMap<TaskId, StoredEdge> = BTreeMap::new();
        if mode != Mode::Fresh {
            let edges = self.edges(OF_TASK, Some(task_id))?;
            stored.extend(
                edges
                    .into_iter()
                    .map(|edge| (edge.depends_on.clone(), edge)),
            );
        }
        for (depends_on, stamp) in task.into_iter().flat_map(Task::dependencies) {
            let edge = StoredEdge {
                task_id: task_id.clone(),
                depends_on: depends_on.clone(),
                event_id: stamp.event_id.clone(),
                position: stamp.position().as_i64(),
                received_at: stamp.received_at().map(Timestamp::millis),
                state: "new".to_owned(),
            };
            match stored.remove(depends_on) {
                Some(old)
                    if StoredEdge {
                        state: "new".to_owned(),
                        ..old.clone()
                    } == edge => {}
                old => {
                    if let Some(old) = old {
                        self.forget(&old)?;
                    }
                    self.put(&edge)?;
                    self.changed_edges.insert(task_id.clone());
                }
            }
        }
        for old in stored.into_values() {
            self.forget(&old)?;
            self.remove(&old)?;
            self.changed_edges.insert(task_id.clone());
        }
        Ok(())
    }

    /// Judges the edges that changed, and recounts the tasks whose waiting may have ended or begun.
    pub(super) fn settle_edges(&mut self) -> Result<()> {
        for task_id in self.changed_existence.clone() {
            for edge in self.edges(POINTING_AT, Some(&task_id))? {
                if edge.state != "new" {
                    self.forget(&edge)?;
                    self.put(&edge)?;
                }
                self.changed_edges.insert(edge.task_id);
            }
        }
        if !self.changed_edges.is_empty() {
            self.judge()?;
        }
        let mut recount = std::mem::take(&mut self.changed_edges);
        for task_id in &self.changed_openness - &self.changed_existence {
            recount.extend(self.task_ids(DEPENDENTS, &task_id)?);
        }
        recount
            .iter()
            .try_for_each(|task_id| self.recount(COUNT_OPEN, task_id))
    }

    /// The same for all edges at once, after a rebuild.
    pub(super) fn settle_all_edges(&mut self) -> Result<()> {
        let context = "settle the dependencies";
        self.run(SET_ALL_MISSING, context)?;
        let edges = self.edges(ALL, None)?;
        for at in closing(&edges) {
            if let Some(edge) = edges.get(at) {
                self.set_state(edge, "cycle")?;
            }
        }
        self.run(SET_ALL_ACTIVE, context)?;
        for edge in self.edges(EVERY, None)? {
            self.enter(&edge, &edge.state)?;
        }
        self.run(COUNT_ALL_OPEN, context)
    }

    fn judge(&mut self) -> Result<()> {
        let mut all_again = self.has_cycles()?;
        let mut unjudged = vec![];
        for edge in self.edges(UNJUDGED, None)? {
            if self.exists(&edge.depends_on)? {
                unjudged.push(edge);
            } else {
                self.set_state(&edge, "missing")?;
                self.enter(&edge, "missing")?;
            }
        }
        // Each look for a cycle walks the links; for many edges one look at all of them is cheaper.
        all_again = all_again || unjudged.len() > JUDGED_ALONE;
        for edge in &unjudged {
            all_again = all_again || self.closes_cycle(edge)?;
        }
        if all_again {
            return self.judge_all();
        }
        for edge in &unjudged {
            self.set_state(edge, "active")?;
            self.enter(edge, "active")?;
        }
        Ok(())
    }

    /// Tries all edges again, in order: one cycle too many or too few may move others.
    fn judge_all(&mut self) -> Result<()> {
        let edges = self.edges(ALL, None)?;
        let closing: BTreeSet<usize> = closing(&edges).into_iter().collect();
        for (at, edge) in edges.iter().enumerate() {
            let state = if closing.contains(&at) {
                "cycle"
            } else {
                "active"
            };
            if edge.state != state {
                self.forget(edge)?;
                self.set_state(edge, state)?;
                self.enter(edge, state)?;
                self.changed_edges.insert(edge.task_id.clone());
            }
        }
        Ok(())
    }

    fn closes_cycle(&self, edge: &StoredEdge) -> Result<bool> {
        let mut failed = None;
        let closes = graph::reaches(&edge.depends_on, &edge.task_id, |task_id| {
            self.task_ids(NEXT, task_id).unwrap_or_else(|error| {
                failed = Some(error);
                vec![]
            })
        });
        failed.map_or(Ok(closes), Err)
    }

    /// Adds a judged edge to the state sum, and lists it if it is inactive.
    fn enter(&mut self, edge: &StoredEdge, state: &str) -> Result<()> {
        self.sum.add(edge_sum(edge, state));
        let kind = match state {
            "missing" => ConflictKind::MissingDependency,
            "cycle" => ConflictKind::ClosesCycle,
            _ => return Ok(()),
        };
        let conflict = Conflict {
            event_id: edge.event_id.clone(),
            kind,
            field: field_of(edge),
            task_id: Some(edge.task_id.clone()),
            winner_event_id: None,
            losing_value: json!(edge.depends_on),
            winning_value: json!(null),
            at: edge.received_at.map(Timestamp::from_millis),
        };
        self.add_conflict(&conflict)
    }

    /// Takes a judged edge out of the state sum, and its row out of the list.
    fn forget(&mut self, edge: &StoredEdge) -> Result<()> {
        if edge.state == "new" {
            return Ok(());
        }
        self.sum.subtract(edge_sum(edge, &edge.state));
        if edge.state == "active" {
            return Ok(());
        }
        let mut statement = self
            .conn
            .prepare_cached(REMOVE_CONFLICT)
            .on(self.conn, "remove conflicts")?;
        let removed = statement
            .query_map(
                named_params! {
                    ":event_id": edge.event_id.as_str(),
                    ":field": field_of(edge),
                    ":task_id": edge.task_id.as_str(),
                },
                |row| {
                    let (event_id, kind): (String, String) = (row.get(0)?, row.get(1)?);
                    let (field, winner): (String, Option<String>) = (row.get(2)?, row.get(3)?);
                    Ok(super::conflict_sum(
                        &event_id,
                        &kind,
                        &field,
                        winner.as_deref(),
                    ))
                },
            )
            .on(self.conn, "remove conflicts")?;
        for sum in removed {
            self.sum.subtract(sum.on(self.conn, "remove conflicts")?);
        }
        Ok(())
    }

    fn put(&self, edge: &StoredEdge) -> Result<()> {
        let mut statement = self
            .conn
            .prepare_cached(PUT)
            .on(self.conn, "store a dependency")?;
        statement
            .execute(named_params! {
                ":task_id": edge.task_id.as_str(),
                ":depends_on_id": edge.depends_on.as_str(),
                ":event_id": edge.event_id.as_str(),
                ":position": edge.position,
                ":received_at": edge.received_at,
            })
            .on(self.conn, "store a dependency")?;
        Ok(())
    }

    fn remove(&self, edge: &StoredEdge) -> Result<()> {
        let mut statement = self
            .conn
            .prepare_cached(REMOVE)
            .on(self.conn, "remove a dependency")?;
        statement
            .execute(named_params! {
                ":task_id": edge.task_id.as_str(),
                ":depends_on_id": edge.depends_on.as_str(),
            })
            .on(self.conn, "remove a dependency")?;
        Ok(())
    }

    fn set_state(&self, edge: &StoredEdge, state: &str) -> Result<()> {
        let mut statement = self
            .conn
            .prepare_cached(SET_STATE)
            .on(self.conn, "judge a dependency")?;
        statement
            .execute(named_params! {
                ":task_id": edge.task_id.as_str(),
                ":depends_on_id": edge.depends_on.as_str(),
                ":state": state,
            })
            .on(self.conn, "judge a dependency")?;
        Ok(())
    }

    fn edges(&self, sql: &str, task_id: Option<&TaskId>) -> Result<Vec<StoredEdge>> {
        let context = "read the dependencies";
        let mut statement = self.conn.prepare_cached(sql).on(self.conn, context)?;
        let rows = match task_id {
            Some(task_id) => {
                statement.query_map(named_params! { ":task_id": task_id.as_str() }, read_edge)
            }
            None => statement.query_map([], read_edge),
        };
        rows.on(self.conn, context)?
            .collect::<rusqlite::Result<_>>()
            .on(self.conn, context)
    }

    fn has_cycles(&self) -> Result<bool> {
        let mut statement = self
            .conn
            .prepare_cached(HAS_CYCLES)
            .on(self.conn, "look for cycles")?;
        statement
            .query_row([], |row| row.get(0))
            .on(self.conn, "look for cycles")
    }

    fn exists(&self, task_id: &TaskId) -> Result<bool> {
        let mut statement = self
            .conn
            .prepare_cached(EXISTS)
            .on(self.conn, "find a task")?;
        statement
            .query_row(named_params! { ":task_id": task_id.as_str() }, |row| {
                row.get(0)
            })
            .on(self.conn, "find a task")
    }
}

/// The indexes of the edges that close a cycle of earlier ones.
///
/// Only an edge on some cycle of all edges can do that, and trying edges one by one takes quadratic
/// time: so whatever leads nowhere, or comes from nowhere, is peeled off first. Without cycles nothing
/// is left.
fn closing(edges: &[StoredEdge]) -> Vec<usize> {
    let mut left: Vec<usize> = (0..edges.len()).collect();
    left = peel(edges, left, |edge| (&edge.task_id, &edge.depends_on));
    left = peel(edges, left, |edge| (&edge.depends_on, &edge.task_id));
    let pairs: Vec<(TaskId, TaskId)> = left
        .iter()
        .filter_map(|at| edges.get(*at))
        .map(|edge| (edge.task_id.clone(), edge.depends_on.clone()))
        .collect();
    let closing = graph::closing_cycles(&pairs);
    closing
        .into_iter()
        .filter_map(|at| left.get(at).copied())
        .collect()
}

/// Removes edges that start at a task which no remaining edge leads to, until there is none.
fn peel<'e>(
    edges: &'e [StoredEdge],
    indexes: Vec<usize>,
    ends: impl Fn(&'e StoredEdge) -> (&'e TaskId, &'e TaskId),
) -> Vec<usize> {
    let mut leading_to: BTreeMap<&TaskId, usize> = BTreeMap::new();
    let mut from: BTreeMap<&TaskId, Vec<&TaskId>> = BTreeMap::new();
    for edge in indexes.iter().filter_map(|at| edges.get(*at)) {
        let (start, end) = ends(edge);
        *leading_to.entry(end).or_default() += 1;
        from.entry(start).or_default().push(end);
    }
    let mut todo: Vec<&TaskId> = from
        .keys()
        .copied()
        .filter(|start| !leading_to.contains_key(start))
        .collect();
    let mut peeled: BTreeSet<&TaskId> = BTreeSet::new();
    while let Some(start) = todo.pop() {
        peeled.insert(start);
        for end in from.get(start).into_iter().flatten().copied() {
            let Some(count) = leading_to.get_mut(end) else {
                continue;
            };
            *count -= 1;
            if *count == 0 {
                todo.push(end);
            }
        }
    }
    let stays = |at: &usize| {
        edges
            .get(*at)
            .is_some_and(|edge| !peeled.contains(ends(edge).0))
    };
    indexes.into_iter().filter(stays).collect()
}

fn field_of(edge: &StoredEdge) -> String {
    format!("depends_on/{}", edge.depends_on)
}

fn edge_sum(edge: &StoredEdge, state: &str) -> StateSum {
    let key = (edge.task_id.as_str(), edge.depends_on.as_str());
    StateSum::of("edge", &(key, edge.event_id.as_str(), state))
}

fn read_edge(row: &Row<'_>) -> rusqlite::Result<StoredEdge> {
    Ok(StoredEdge {
        task_id: TaskId::new(row.get::<_, String>(0)?),
        depends_on: TaskId::new(row.get::<_, String>(1)?),
        event_id: EventId::new(row.get::<_, String>(2)?),
        position: row.get(3)?,
        received_at: row.get(4)?,
        state: row.get(5)?,
    })
}
